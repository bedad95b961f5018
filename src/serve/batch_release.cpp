#include <weft/core/error.hpp>
#include <weft/serve/detail/batch_release.hpp>

#include <algorithm>  // for std::min, std::sort
#include <string>     // for std::to_string
#include <utility>    // for std::move

namespace weft::detail {
namespace {

batch_clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<batch_clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

batch_release plan_release(const batcher_options& options, const batch_cost& cost, const gathering& waiting,
                           bool closing, batch_clock::time_point now) {
  if (waiting.count >= options.max_batch_size) return {now, options.max_batch_size, release_reason::full};
  std::size_t preferred = 0;
  for (const std::size_t size : options.preferred_batch_sizes) {
    if (size <= waiting.count) preferred = size;
  }
  if (preferred != 0) return {now, preferred, release_reason::preferred};
  if (closing) return {now, waiting.count, release_reason::closing};
  const bool has_goal = options.latency_goal.count() != 0;
  const bool has_delay = options.max_queue_delay.count() != 0;
  batch_release plan{waiting.oldest + options.max_queue_delay, waiting.count, release_reason::delay};
  if (!has_goal) return plan;
  // Each further moment costs every request that waits that moment, and saves, if somebody comes, the fixed
  // cost of one batch: so the wait for the next one is worth fixed / count at most.
  const auto worth_it = waiting.latest + duration_of(cost.fixed() / static_cast<double>(waiting.count));
  const auto in_time = waiting.oldest + options.latency_goal - duration_of(cost.seconds(waiting.count + 1));
  const auto due = std::min(worth_it, in_time);
  if (!has_delay || due < plan.due) plan = {due, waiting.count, release_reason::goal};
  return plan;
}

batcher_options checked(batcher_options options) {
  const auto at_least_one = [](std::size_t value, const char* name) {
    if (value == 0) throw invalid_argument(std::string("batcher: ") + name + " is 0, it must be at least 1");
  };
  at_least_one(options.max_batch_size, "max_batch_size");
  at_least_one(options.max_queue_size, "max_queue_size");
  at_least_one(options.priority_levels, "priority_levels");
  at_least_one(options.instances, "instances");
  const auto not_negative = [](std::chrono::microseconds value, const char* name) {
    if (value.count() < 0) {
      throw invalid_argument(std::string("batcher: ") + name + " is " + std::to_string(value.count()) +
                             " us, it must not be negative");
    }
  };
  not_negative(options.max_queue_delay, "max_queue_delay");
  not_negative(options.latency_goal, "latency_goal");
  not_negative(options.default_timeout, "default_timeout");
  for (const std::size_t size : options.preferred_batch_sizes) {
    if (size == 0 || size > options.max_batch_size) {
      throw invalid_argument("batcher: a preferred size is " + std::to_string(size) + ", it must be 1 to " +
                             std::to_string(options.max_batch_size) + ", the max_batch_size");
    }
  }
  std::sort(options.preferred_batch_sizes.begin(), options.preferred_batch_sizes.end());
  return options;
}

}  // namespace weft::detail
