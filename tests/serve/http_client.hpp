#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace weft_test {

struct http_answer {
  int status = 0;
  std::map<std::string, std::string> headers;  // lower case
  std::string body;
};

inline std::string request_text(std::string_view method, std::string_view path, std::string_view body = {},
                                std::string_view headers = {}) {
  std::string text =
      std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers);
  if (!body.empty() || method == "POST") text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + std::string(body);
}

/// A client that sends what a test says, byte for byte, and blocks.
class http_client {
 public:
  explicit http_client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int one = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (socket_ < 0 || ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  http_client(http_client&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), unread_(std::move(other.unread_)) {}
  ~http_client() { close(); }

  /// False if the server does not take it all.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  int socket() const { return socket_; }
  void send_no_more() { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  /// Closes it so that the server gets a reset.
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close();
  }

  /// The next response; nothing at the end. Interim ones only if `interim`.
  std::optional<http_answer> read(bool interim = false) {
    while (true) {
      std::size_t end = 0;
      while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
        if (!more()) return std::nullopt;
      }
      http_answer answer = head(unread_.substr(0, end));
      unread_.erase(0, end + 4);
      if (answer.status < 200) {
        if (interim) return answer;
        continue;
      }
      const std::size_t size = std::stoul(answer.headers.at("content-length"));
      while (unread_.size() < size) {
        if (!more()) return std::nullopt;
      }
      answer.body = unread_.substr(0, size);
      unread_.erase(0, size);
      return answer;
    }
  }
  /// Whether the server has closed its side, after all that it sent.
  bool at_end() {
    while (more()) unread_.clear();
    return true;
  }

  http_answer ask(std::string_view text) {
    send(text);
    std::optional<http_answer> answer = read();
    if (!answer) throw std::runtime_error("the server closed the connection");
    return *answer;
  }
  http_answer get(std::string_view path, std::string_view headers = {}) {
    return ask(request_text("GET", path, {}, headers));
  }
  http_answer post(std::string_view path, std::string_view body, std::string_view headers = {}) {
    return ask(request_text("POST", path, body, headers));
  }

 private:
  static http_answer head(const std::string& text) {
    http_answer answer;
    answer.status = std::atoi(text.c_str() + text.find(' '));
    for (std::size_t at = text.find("\r\n"); at != std::string::npos; at = text.find("\r\n", at + 2)) {
      const std::size_t colon = text.find(':', at);
      if (colon == std::string::npos) break;
      std::string name = text.substr(at + 2, colon - at - 2);
      for (char& letter : name) letter = static_cast<char>(std::tolower(letter));
      const std::size_t end = text.find("\r\n", colon);
      answer.headers[name] = text.substr(colon + 2, end == std::string::npos ? end : end - colon - 2);
    }
    return answer;
  }
  bool more() {
    char room[16384];
    const ssize_t got = ::recv(socket_, room, sizeof(room), 0);
    if (got <= 0) return false;
    unread_.append(room, static_cast<std::size_t>(got));
    return true;
  }

  int socket_;
  std::string unread_;
};

}  // namespace weft_test
