#pragma once

#include <serve/http_message.hpp>
#include <serve/model_repository.hpp>
#include <serve/server_figures.hpp>
#include <weft/async/task.hpp>
#include <weft/serve/server_options.hpp>

#include <atomic>       // for std::atomic
#include <string_view>  // for std::string_view
#include <vector>       // for std::vector

namespace weft::detail {

/// What a server does with a request.
///
/// Thread safety: answer() may be called from any thread.
class routes {
 public:
  /// The last three are kept by reference.
  routes(const server_options& options, model_repository& models, server_figures& figures,
         const std::atomic<bool>& draining)
      : options_(options), models_(models), figures_(figures), draining_(draining) {}

  /// The response, errors included. Cancelling it leaves the batcher; then it throws `cancelled`.
  task<http_response> answer(http_request request) const;

 private:
  /// The rest of a path under /v2/models/, or of another one.
  using segments = std::vector<std::string_view>;

  /// Of all but inference.
  http_response answer_at_once(const http_request& request, const segments& path) const;
  http_response answer_about_model(const segments& path) const;
  task<http_response> infer(const http_request& request, const segments& path) const;
  task<http_response> predict(const http_request& request) const;
  void authorize(const http_request& request) const;
  bool ready() const;

  const server_options& options_;
  model_repository& models_;
  server_figures& figures_;
  const std::atomic<bool>& draining_;
};

}  // namespace weft::detail
