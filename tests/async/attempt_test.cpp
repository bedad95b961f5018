#include <weft/async/detail/attempt.hpp>

#include <weft/async/gather.hpp>
#include <weft/async/queue.hpp>
#include <weft/async/timeout.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>

#include <gtest/gtest.h>

#include "coroutines.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace attempt_test {

using namespace std::chrono_literals;
using weft::queue;
using weft::task;
using weft_test::in_coroutine;

static_assert(std::is_same_v<weft::detail::awaited<int>, int>);
static_assert(std::is_same_v<decltype(weft::timeout(std::declval<queue<int>&>().push(1), 1s)), task<>>);
static_assert(
    std::is_same_v<decltype(weft::timeout(std::declval<queue<int>&>().pop(), 1s)), task<std::optional<int>>>);
static_assert(std::is_same_v<decltype(weft::run(std::declval<queue<int>&>().pop_some(2))), std::vector<int>>);
static_assert(std::is_same_v<decltype(weft::gather(std::declval<queue<int>&>().push(1),
                                                   std::declval<queue<int>&>().pop())),
                             task<std::tuple<std::monostate, std::optional<int>>>>);

TEST(attempt, nothing_happens_before_it_is_awaited) {
  queue<int> items(1);
  {
    auto unused = items.push(1);
    auto moved = std::move(unused);
  }
  EXPECT_EQ(items.size(), 0U);
  auto push = items.push(2);
  weft::run(std::move(push));
  EXPECT_EQ(items.size(), 1U);
}

TEST(attempt, an_item_that_is_never_pushed_is_destroyed) {
  auto item = std::make_shared<int>(1);
  queue<std::shared_ptr<int>> items(1);
  { auto unused = items.push(item); }
  EXPECT_EQ(item.use_count(), 1);
}

TEST(attempt, becomes_the_task_that_it_stands_for) {
  queue<int> items(4);
  std::vector<int> some{2, 3};
  task<> push = items.push(1);
  task<std::size_t> push_all = items.push_all(std::span<int>(some));
  task<std::optional<int>> pop = items.pop();
  task<std::vector<int>> pop_some = items.pop_some(4);
  EXPECT_EQ(items.size(), 0U);
  weft::run(std::move(push));
  EXPECT_EQ(weft::run(std::move(push_all)), 2U);
  EXPECT_EQ(weft::run(std::move(pop)), 1);
  EXPECT_EQ(weft::run(std::move(pop_some)), (std::vector<int>{2, 3}));
}

TEST(attempt, waits_as_a_coroutine_if_it_must) {
  in_coroutine([]() -> task<> {
    queue<int> items(1);
    std::vector<int> seen;
    auto consume = [](queue<int>& in, std::vector<int>& out) -> task<> {
      while (const auto item = co_await in.pop()) out.push_back(*item);
    };
    auto produce = [](queue<int>& out) -> task<> {
      for (int i = 0; i < 5; ++i) co_await out.push(i);
      out.close();
    };
    co_await weft::gather(consume(items, seen), produce(items));
    EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3, 4}));
  });
}

TEST(attempt, is_run_by_asio_for_somebody_else) {
  boost::asio::io_context loop;
  queue<int> items(2);
  std::optional<int> got;
  bool pushed = false;
  boost::asio::co_spawn(loop, items.pop(), [&](std::exception_ptr error, std::optional<int> item) {
    EXPECT_EQ(error, nullptr);
    got = item;
  });
  boost::asio::co_spawn(loop, items.push(7), [&](std::exception_ptr error, const auto&) {
    EXPECT_EQ(error, nullptr);
    pushed = true;
  });
  loop.run();
  EXPECT_TRUE(pushed);
  EXPECT_EQ(got, 7);
}

TEST(attempt, its_error_reaches_who_asio_runs_it_for) {
  boost::asio::io_context loop;
  queue<int> items(2);
  items.close();
  bool refused = false;
  boost::asio::co_spawn(loop, items.push(7), [&](std::exception_ptr error, const auto&) {
    EXPECT_THROW(std::rethrow_exception(error), weft::queue_closed);
    refused = true;
  });
  loop.run();
  EXPECT_TRUE(refused);
}

TEST(attempt, asios_operators_choose_between_two) {
  in_coroutine([]() -> task<> {
    using namespace boost::asio::experimental::awaitable_operators;
    queue<int> empty(1);
    queue<int> full(1);
    co_await full.push(3);
    auto won = co_await (empty.pop() || full.pop());
    EXPECT_EQ(won.index(), 1U);
    const std::optional<int> item = std::get<1>(std::move(won));
    EXPECT_EQ(item, 3);
    EXPECT_EQ(empty.waiting_pops(), 0U);
  });
}

TEST(attempt, throws_where_it_is_awaited) {
  in_coroutine([]() -> task<> {
    queue<int> items(1);
    items.close();
    EXPECT_THROW(co_await items.push(1), weft::queue_closed);
    int kept = 5;
    EXPECT_THROW(co_await items.push_from(kept), weft::queue_closed);
    EXPECT_EQ(kept, 5);
  });
}

}  // namespace attempt_test
