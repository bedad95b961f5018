#pragma once

#include <serve/http_message.hpp>
#include <serve/infer_codec.hpp>
#include <serve/model_repository.hpp>
#include <serve/server_figures.hpp>
#include <weft/async/task.hpp>
#include <weft/serve/server_options.hpp>

#include <atomic>       // for std::atomic
#include <memory>       // for std::shared_ptr, std::unique_ptr
#include <string_view>  // for std::string_view
#include <vector>       // for std::vector

namespace weft {

class thread_pool;

namespace detail {

/// What a server does with a request.
///
/// Thread safety: answer() may be called from any thread.
class routes {
 public:
  /// All are kept by reference.
  routes(const server_options& options, model_repository& models, server_figures& figures,
         const std::atomic<bool>& draining);
  routes(const routes&) = delete;
  routes& operator=(const routes&) = delete;
  ~routes();

  /// The response, errors included. Cancelling it leaves the batcher; then it throws `cancelled`.
  task<http_response> answer(http_request request) const;

 private:
  /// The rest of a path under /v2/models/, or of another one.
  using segments = std::vector<std::string_view>;

  /// Of all but inference.
  http_response answer_at_once(const http_request& request, const segments& path) const;
  http_response answer_about_model(const segments& path) const;
  std::shared_ptr<loaded_model> asked_model(const http_request& request, const segments& path) const;
  std::shared_ptr<loaded_model> predicting_model() const;
  /// Reads what is to be inferred: of /predict, which tells whether it was a single item, if that is asked.
  infer_call read_call(loaded_model& model, const http_request& request, bool* single) const;
  void authorize(const http_request& request) const;
  bool ready() const;

  const server_options& options_;
  model_repository& models_;
  server_figures& figures_;
  const std::atomic<bool>& draining_;
  // Reads and writes large bodies, which would hold up the other connections of a loop.
  const std::unique_ptr<thread_pool> aside_;
};

}  // namespace detail
}  // namespace weft
