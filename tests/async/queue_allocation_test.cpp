#include <weft/async/queue.hpp>

#include <weft/async/run.hpp>
#include <weft/async/task_group.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <new>

namespace queue_allocation_test {
thread_local long allocations = 0;
}  // namespace queue_allocation_test

// Counts what this program allocates, thread by thread.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++queue_allocation_test::allocations;
  if (void* memory = std::malloc(size != 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace queue_allocation_test {

using weft::queue;
using weft::task;

task<> fill(queue<int>& out, int count) {
  for (int i = 0; i < count; ++i) co_await out.push(i);
}

TEST(queue_allocation, neither_the_fast_path_nor_waiting_allocates_once_warm) {
  for (const std::size_t capacity : {1U, 4U, 1000U}) {
    weft::run([](std::size_t room) -> task<> {
      queue<int> items(room);
      co_await weft::with_task_group([&](weft::task_group& group) -> task<> {
        group.spawn(fill, std::ref(items), 3000);
        for (int i = 0; i < 1000; ++i) co_await items.pop();
        const long before = allocations;
        // With a capacity of 1 nearly every operation here waits and is woken.
        for (int i = 0; i < 1000; ++i) co_await items.pop();
        EXPECT_EQ(allocations, before) << "capacity " << room;
        for (int i = 0; i < 1000; ++i) co_await items.pop();
      });
    }(capacity));
  }
}

// All that a waiting coroutine needs lies in its own frame.
static_assert(sizeof(weft::detail::coroutine_waiter) <= 200);

}  // namespace queue_allocation_test
