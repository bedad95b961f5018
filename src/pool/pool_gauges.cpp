#include <weft/pool/detail/pool_gauges.hpp>

#include <weft/observe/metrics.hpp>

#include <utility>  // for std::move

namespace weft::detail {

struct pool_gauges::pair {
  pair(const metric_labels& labels, const std::function<pool_load()>& load)
      : queued(metrics(), "weft_pool_queued_calls", "Calls that wait for a thread or a worker", labels,
               [load] { return static_cast<double>(load().queued); }),
        running(metrics(), "weft_pool_running_calls", "Calls that run", labels,
                [load] { return static_cast<double>(load().running); }) {}

  observed_gauge queued;
  observed_gauge running;
};

pool_gauges::pool_gauges(const std::string& pool, std::function<pool_load()> load)
    : both_(std::make_unique<pair>(metric_labels{{"pool", pool}}, std::move(load))) {}

pool_gauges::~pool_gauges() = default;

}  // namespace weft::detail
