#include <weft/async/queue.hpp>

#include <weft/async/run.hpp>
#include <weft/core/error.hpp>

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace queue_callback_test {

namespace asio = boost::asio;
using weft::queue;
using weft::task;

template <class E>
bool holds(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const E&) {
    return true;
  } catch (...) {
  }
  return false;
}

TEST(queue_callback, a_pop_keeps_its_loop_alive_and_ends_on_its_executor) {
  asio::io_context loop;
  auto strand = asio::make_strand(loop);
  queue<int> items(1);
  std::optional<int> got;
  bool on_strand = false;
  items.async_pop(asio::bind_executor(strand, [&](std::exception_ptr error, std::optional<int> item) {
    EXPECT_FALSE(error);
    got = item;
    on_strand = strand.running_in_this_thread();
  }));
  EXPECT_EQ(items.waiting_pops(), 1U);
  EXPECT_EQ(loop.poll(), 0U);
  EXPECT_FALSE(loop.stopped()) << "the waiting callback is work";
  int value = 7;
  EXPECT_TRUE(items.try_push(value));
  EXPECT_FALSE(got) << "called inside try_push()";
  loop.run();
  EXPECT_EQ(got, 7);
  EXPECT_TRUE(on_strand);
}

TEST(queue_callback, an_operation_that_need_not_wait_still_calls_back_later) {
  asio::io_context loop;
  queue<std::unique_ptr<int>> items(1);
  int pushed = 0;
  int popped = 0;
  items.async_push(std::make_unique<int>(5), asio::bind_executor(loop, [&](std::exception_ptr error) {
                     EXPECT_FALSE(error);
                     ++pushed;
                   }));
  EXPECT_EQ(items.size(), 1U);
  items.async_pop(
      asio::bind_executor(loop, [&](std::exception_ptr error, std::optional<std::unique_ptr<int>> item) {
        EXPECT_FALSE(error);
        popped = **item;
      }));
  EXPECT_EQ(items.size(), 0U);
  EXPECT_EQ(pushed + popped, 0);
  loop.run();
  EXPECT_EQ(pushed, 1);
  EXPECT_EQ(popped, 5);
}

TEST(queue_callback, callbacks_coroutines_and_threads_are_served_in_the_order_they_came) {
  asio::io_context loop;
  queue<int> items(1);
  std::vector<int> order;
  const auto callback = [&](std::exception_ptr, std::optional<int> item) { order.push_back(*item); };
  items.async_pop(asio::bind_executor(loop, callback));
  const auto waits = [](queue<int>& from, std::vector<int>& out) -> task<> {
    const std::optional<int> item = co_await from.pop();
    out.push_back(*item);
  };
  asio::co_spawn(loop, waits(items, order), asio::detached);
  loop.poll();
  ASSERT_EQ(items.waiting_pops(), 2U);
  std::optional<int> by_thread;
  std::thread thread([&] { by_thread = items.pop_wait(); });
  while (items.waiting_pops() < 3) std::this_thread::yield();
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(items.try_push(i));
  thread.join();
  loop.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_EQ(by_thread, 3);
}

TEST(queue_callback, close_refuses_pushes_and_ends_pops) {
  asio::io_context loop;
  queue<int> full(1);
  queue<int> empty(1);
  int value = 1;
  ASSERT_TRUE(full.try_push(value));
  int calls = 0;
  const auto refused = [&](std::exception_ptr error) {
    EXPECT_TRUE(holds<weft::queue_closed>(error));
    ++calls;
  };
  full.async_push(2, asio::bind_executor(loop, refused));
  empty.async_pop(asio::bind_executor(loop, [&](std::exception_ptr error, std::optional<int> item) {
    EXPECT_FALSE(error);
    EXPECT_FALSE(item);
    ++calls;
  }));
  full.close();
  empty.close();
  full.async_push(3, asio::bind_executor(loop, refused));  // closed before it began
  loop.run();
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(full.try_pop(), 1);
  EXPECT_EQ(full.size(), 0U);
}

TEST(queue_callback, a_cancelled_operation_leaves_the_queue_as_it_was) {
  asio::io_context loop;
  queue<int> items(1);
  asio::cancellation_signal signal;
  int calls = 0;
  const auto cancelled_pop = [&](std::exception_ptr error, std::optional<int> item) {
    EXPECT_TRUE(holds<weft::cancelled>(error));
    EXPECT_FALSE(item);
    ++calls;
  };
  items.async_pop(asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(loop, cancelled_pop)));
  signal.emit(asio::cancellation_type::terminal);
  EXPECT_EQ(items.waiting_pops(), 0U);
  int value = 1;
  EXPECT_TRUE(items.try_push(value));
  const auto cancelled_push = [&](std::exception_ptr error) {
    EXPECT_TRUE(holds<weft::cancelled>(error));
    ++calls;
  };
  items.async_push(2, asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(loop, cancelled_push)));
  signal.emit(asio::cancellation_type::terminal);
  // The item arrives first: the pop has it, and the cancellation finds nothing to stop.
  std::optional<int> got;
  const auto served = [&](std::exception_ptr error, std::optional<int> item) {
    EXPECT_FALSE(error);
    got = item;
  };
  items.async_pop(asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(loop, served)));
  signal.emit(asio::cancellation_type::terminal);
  loop.run();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(got, 1);
  EXPECT_EQ(items.size(), 0U);
}

template <class T>
struct counting_allocator {
  using value_type = T;
  int* live;

  explicit counting_allocator(int& count) noexcept : live(&count) {}
  template <class U>
  counting_allocator(const counting_allocator<U>& other) noexcept : live(other.live) {}
  T* allocate(std::size_t count) {
    ++*live;
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* pointer, std::size_t count) noexcept {
    --*live;
    std::allocator<T>().deallocate(pointer, count);
  }
  template <class U>
  bool operator==(const counting_allocator<U>& other) const noexcept {
    return live == other.live;
  }
};

TEST(queue_callback, takes_one_block_from_the_callbacks_allocator_and_returns_it_before_the_call) {
  asio::io_context loop;
  queue<int> items(1);
  int live = 0;
  int during = -1;
  const auto callback = [&](std::exception_ptr, std::optional<int>) { during = live; };
  items.async_pop(asio::bind_allocator(counting_allocator<int>(live), asio::bind_executor(loop, callback)));
  EXPECT_EQ(live, 1);
  int value = 1;
  EXPECT_TRUE(items.try_push(value));
  loop.run();
  EXPECT_EQ(during, 0);
}

TEST(queue_callback, a_coroutine_may_await_it) {
  queue<int> items(1);
  weft::run([](queue<int>& both) -> task<> {
    co_await both.async_push(4, asio::use_awaitable);
    const std::optional<int> back = co_await both.async_pop(asio::use_awaitable);
    EXPECT_EQ(back, 4);
    both.close();
    EXPECT_THROW(co_await both.async_push(5, asio::use_awaitable), weft::queue_closed);
  }(items));
}

// A consumer that asks for the next item in its callback.
struct consumer {
  queue<int>& items;
  asio::thread_pool& threads;
  std::atomic<long>& sum;
  std::atomic<int>& ended;

  void next() {
    items.async_pop(asio::bind_executor(threads, [this](std::exception_ptr, std::optional<int> item) {
      if (!item) {
        ended.fetch_add(1);
        return;
      }
      sum.fetch_add(*item);
      next();
    }));
  }
};

struct producer {
  queue<int>& items;
  asio::thread_pool& threads;
  int value;

  void next() {
    if (value == 0) return;
    items.async_push(value--, asio::bind_executor(threads, [this](std::exception_ptr error) {
                       EXPECT_FALSE(error);
                       next();
                     }));
  }
};

TEST(queue_callback, producers_and_consumers_on_several_threads_lose_nothing) {
  constexpr int count = 3000;
  for (const std::size_t capacity : {1U, 3U, 100U}) {
    queue<int> items(capacity);
    std::atomic<long> sum{0};
    std::atomic<int> ended{0};
    asio::thread_pool consuming(2);
    consumer first{items, consuming, sum, ended};
    consumer second{items, consuming, sum, ended};
    first.next();
    second.next();
    {
      asio::thread_pool producing(2);
      producer one{items, producing, count};
      producer other{items, producing, count};
      one.next();
      other.next();
      for (int i = 1; i <= count; ++i) items.push_wait(i);
      producing.join();
    }
    items.close();
    consuming.join();
    EXPECT_EQ(sum.load(), 3L * count * (count + 1) / 2) << "capacity " << capacity;
    EXPECT_EQ(ended.load(), 2);
  }
}

}  // namespace queue_callback_test
