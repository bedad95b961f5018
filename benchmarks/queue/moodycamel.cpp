#include "threads.hpp"
#include "workload.hpp"

#include <concurrentqueue/blockingconcurrentqueue.h>
#include <concurrentqueue/lightweightsemaphore.h>

namespace {

using namespace queue_benchmark;

// It has no bound of its own: a semaphore of free places gives it one, as its users do.
struct bounded_moodycamel {
  explicit bounded_moodycamel(std::size_t capacity)
      : items(capacity), places(static_cast<moodycamel::LightweightSemaphore::ssize_t>(capacity)) {}
  void push(int value) {
    while (!places.wait()) {
    }
    items.enqueue(value);
  }
  int pop() {
    int value = 0;
    items.wait_dequeue(value);
    places.signal();
    return value;
  }
  moodycamel::BlockingConcurrentQueue<int> items;
  moodycamel::LightweightSemaphore places;
};

const bool registered = [] {
  for (const auto& [name, work] : cases()) {
    if (work.threads > 1) {
      add_case(name, "moodycamel_and_semaphore", work, pass_between_threads<bounded_moodycamel>);
    }
  }
  return true;
}();

}  // namespace
