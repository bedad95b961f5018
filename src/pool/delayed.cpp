#include <weft/pool/delayed.hpp>

#include <stdexcept>  // for std::exception
#include <utility>    // for std::move

namespace weft {

namespace {

std::string describe(const std::vector<std::string>& path, const std::exception_ptr& cause) {
  std::string text = "delayed: ";
  for (std::size_t i = 0; i < path.size(); ++i) text += (i == 0 ? "" : " <- ") + path[i];
  try {
    std::rethrow_exception(cause);
  } catch (const std::exception& failure) {
    return text + ": " + failure.what();
  } catch (...) {
    return text + ": it threw something that is not a std::exception";
  }
}

}  // namespace

delayed_error::delayed_error(std::vector<std::string> path, std::exception_ptr cause)
    : error(describe(path, cause)), path_(std::move(path)), cause_(std::move(cause)) {}

namespace detail {

graph_run::limits limits_of(const delayed_options& options, int threads) {
  if (options.running < 0) {
    throw invalid_argument("delayed: running is " + std::to_string(options.running) +
                           ", it must be positive, or 0 for one call per thread or worker of the pool");
  }
  if (options.ahead < 0) {
    throw invalid_argument("delayed: ahead is " + std::to_string(options.ahead) +
                           ", it must be positive, or 0 for four times running");
  }
  const auto running = static_cast<std::size_t>(options.running > 0 ? options.running : threads);
  return {running, options.ahead > 0 ? static_cast<std::size_t>(options.ahead) : 4 * running};
}

}  // namespace detail

}  // namespace weft
