#include <weft/pool/process_pool.hpp>

#include <string>   // for std::to_string
#include <thread>   // for std::thread::hardware_concurrency
#include <utility>  // for std::move

namespace weft {

namespace detail {

process_pool_options checked(process_pool_options options) {
  const auto refuse = [](const std::string& name, auto value, const std::string& needed) {
    throw invalid_argument("process_pool: " + name + " is " + std::to_string(value) + ", it must be " +
                           needed);
  };
  if (options.workers < 0) refuse("workers", options.workers, "positive, or 0 for one per core");
  if (options.threads_per_worker < 0) {
    refuse("threads_per_worker", options.threads_per_worker, "positive, or 0 to leave them alone");
  }
  if (options.retries < 0) refuse("retries", options.retries, "0 or more");
  if (options.timeout.count() < 0) refuse("timeout", options.timeout.count(), "positive, or 0 for none");
  if (options.niceness < -20 || options.niceness > 19) refuse("niceness", options.niceness, "from -20 to 19");
  if (options.start_timeout.count() <= 0) refuse("start_timeout", options.start_timeout.count(), "positive");
  if (options.shutdown_timeout.count() < 0) {
    refuse("shutdown_timeout", options.shutdown_timeout.count(), "positive, or 0 to wait for no call");
  }
  for (const auto& [name, value] : options.environment) {
    if (name.empty() || name.find('=') != std::string::npos) {
      throw invalid_argument("process_pool: environment: '" + name + "' cannot be a variable's name");
    }
  }
  if (options.workers == 0) options.workers = static_cast<int>(std::thread::hardware_concurrency());
  if (options.workers == 0) options.workers = 1;
  return options;
}

}  // namespace detail

process_pool::configured process_pool::with(call_options options) {
  if (options.retries && *options.retries < 0) {
    throw invalid_argument("process_pool: retries is " + std::to_string(*options.retries) +
                           ", it must be 0 or more");
  }
  if (options.timeout && options.timeout->count() < 0)
    throw invalid_argument("process_pool: timeout is negative");
  return {core_, std::move(options)};
}

}  // namespace weft
