#include "threads.hpp"
#include "workload.hpp"

#include <oneapi/tbb/concurrent_queue.h>

namespace {

using namespace queue_benchmark;

struct tbb_queue {
  explicit tbb_queue(std::size_t capacity) { items.set_capacity(static_cast<std::ptrdiff_t>(capacity)); }
  void push(int value) { items.push(value); }
  int pop() {
    int value = 0;
    items.pop(value);
    return value;
  }
  tbb::concurrent_bounded_queue<int> items;
};

const bool registered = [] {
  for (const auto& [name, work] : cases()) {
    if (work.threads > 1)
      add_case(name, "tbb_concurrent_bounded_queue", work, pass_between_threads<tbb_queue>);
  }
  return true;
}();

}  // namespace
