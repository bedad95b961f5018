#pragma once

#include <chrono>   // for std::chrono::milliseconds
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint16_t, std::int64_t
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// What a server holds up against its clients; every one is at least 1.
struct server_limits {
  /// Bytes of a request's line and headers; beyond: 431.
  std::size_t header_bytes = 16 * 1024;
  /// Bytes of a request's body, also once inflated; beyond: 413.
  std::size_t body_bytes = std::size_t{64} << 20;
  /// Elements of one tensor; beyond: 413, before memory is taken for them.
  std::int64_t tensor_elements = std::int64_t{1} << 26;
  /// Connections at a time; those beyond are told 503 and closed.
  std::size_t connections = 16 * 1024;
  /// Inference requests at a time; those beyond are told 429.
  std::size_t in_flight = 8192;
  /// How long a connection may stay silent between requests.
  std::chrono::milliseconds idle{60'000};
  /// How long a request's headers may take, and a TLS handshake; beyond: 408.
  std::chrono::milliseconds header{10'000};
  /// How long a request's body may take, and a response; beyond: 408.
  std::chrono::milliseconds body{60'000};
};

/// A page that a server has besides its models.
struct static_page {
  std::string path;          ///< "/" or "/name"
  std::string content_type;  ///< such as "text/html; charset=utf-8"
  std::string content;       ///< what is sent
};

/// TLS, with OpenSSL; off while both are empty.
struct tls_files {
  std::string certificate_chain{};  ///< a PEM file
  std::string private_key{};        ///< a PEM file
};

/// Where and how a server listens.
struct server_options {
  /// The address it listens on: this machine only, unless told otherwise.
  std::string address = "127.0.0.1";
  /// The port; 0: one that is free, see inference_server::port().
  std::uint16_t port = 8000;
  /// How many threads serve connections; at least 1. Models compute on threads of their own.
  std::size_t threads = 1;
  /// What it holds up against clients.
  server_limits limits{};
  /// TLS instead of plain HTTP.
  tls_files tls{};
  /// If it is not empty, every request but those for health must carry "Authorization: Bearer <token>".
  std::string bearer_token{};
  /// The name of the model that POST /predict asks; empty: the only one there is.
  std::string predict_model{};
  /// Pages besides the models.
  std::vector<static_page> pages{};
};

}  // namespace weft
