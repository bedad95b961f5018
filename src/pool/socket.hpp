#pragma once

#include "pool/descriptor.hpp"

#include <sys/socket.h>

#include <array>             // for std::array
#include <cerrno>            // for errno
#include <cstddef>           // for std::size_t
#include <cstring>           // for std::memcpy
#include <initializer_list>  // for std::initializer_list
#include <span>              // for std::span
#include <type_traits>       // for std::is_trivially_copyable_v
#include <vector>            // for std::vector

namespace weft::detail {

/// What came of sending or receiving one message.
enum class transfer { done, would_block, closed };

constexpr std::size_t most_descriptors = 4;

/// Sends one message with descriptors over a SOCK_SEQPACKET socket.
template <class Message>
transfer send_message(int socket, const Message& message, std::initializer_list<int> descriptors = {},
                      int flags = 0) noexcept {
  static_assert(std::is_trivially_copyable_v<Message>);
  Message copy = message;
  iovec part{&copy, sizeof(copy)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_descriptors)> room{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (descriptors.size() > 0) {
    header.msg_control = room.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* first = CMSG_FIRSTHDR(&header);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    std::memcpy(CMSG_DATA(first), descriptors.begin(), sizeof(int) * descriptors.size());
  }
  for (;;) {
    if (::sendmsg(socket, &header, MSG_NOSIGNAL | flags) >= 0) return transfer::done;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? transfer::would_block : transfer::closed;
  }
}

/// Receives one message with the descriptors that came with it.
template <class Message>
transfer receive_message(int socket, Message& message, std::vector<descriptor>& descriptors, int flags = 0) {
  static_assert(std::is_trivially_copyable_v<Message>);
  descriptors.clear();
  iovec part{&message, sizeof(message)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_descriptors)> room{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = room.data();
  header.msg_controllen = room.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return transfer::would_block;
  if (got != static_cast<ssize_t>(sizeof(message))) return transfer::closed;
  for (cmsghdr* next = CMSG_FIRSTHDR(&header); next != nullptr; next = CMSG_NXTHDR(&header, next)) {
    if (next->cmsg_level != SOL_SOCKET || next->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (next->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(next) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(number);
    }
  }
  return transfer::done;
}

}  // namespace weft::detail
