#pragma once

#include <weft/serve/served_model.hpp>
#include <weft/serve/server_options.hpp>

#include <chrono>       // for std::chrono::milliseconds
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint16_t
#include <memory>       // for std::unique_ptr
#include <string>       // for std::string
#include <string_view>  // for std::string_view

namespace weft {

/// Serves models over HTTP/1.1: the Open Inference Protocol v2 with JSON and binary tensors, a plain
/// POST /predict, and GET /metrics for Prometheus. docs/serve.md has the routes and the errors.
///
/// It listens from its construction on and is ready as soon as it has a model. Destruction is
/// stop() without patience: requests that are being answered are dropped; it waits for the models to finish
/// the batches that they compute.
///
/// Thread safety: all members may be called from any thread but those of the server and its models.
class inference_server {
 public:
  /// Throws invalid_argument, naming it, if an option cannot work, and `error` if it cannot listen there or
  /// read the TLS files.
  explicit inference_server(server_options options = {});
  inference_server(const inference_server&) = delete;
  inference_server& operator=(const inference_server&) = delete;
  ~inference_server();

  /// The port it listens on.
  std::uint16_t port() const noexcept;

  /// Warms a model up and serves it. One of the same name and version is replaced: requests that it has
  /// accepted it still answers, later ones go to the new one, none is dropped. Blocks for the warm-up and
  /// throws what it throws, or invalid_argument, naming the field; what was served before then still is.
  void load(served_model model);

  /// Serves that version no more, or with an empty version none of that name; what it has accepted it still
  /// answers. Throws invalid_argument if there is none. Does not wait.
  void unload(std::string_view name, std::string_view version = {});

  /// Is not ready any more, takes no connections, answers the requests it has and those that its connections
  /// were about to send, and closes each. Blocks until that is done, at most for `patience`; then what is
  /// left is dropped. Returns whether every request was answered. Idempotent.
  bool stop(std::chrono::milliseconds patience);

  /// Blocks until the process gets SIGTERM or SIGINT, or another thread calls stop(), then does as stop().
  bool serve_until_signal(std::chrono::milliseconds patience);

  /// The text that GET /metrics returns.
  std::string metrics_text() const;

  /// Connections that are open now.
  std::size_t connections() const noexcept;

 private:
  struct implementation;
  std::unique_ptr<implementation> implementation_;
};

}  // namespace weft
