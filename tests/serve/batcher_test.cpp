#include <async/coroutines.hpp>
#include <weft/async/gather.hpp>
#include <weft/async/run.hpp>
#include <weft/async/task_group.hpp>
#include <weft/serve/batcher.hpp>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <latch>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>

namespace batcher_test {

using namespace std::chrono_literals;
using weft::task;
using weft_test::wait_until;

using doubler = weft::batcher<int, int>;

std::vector<int> doubled(std::span<const int> requests) {
  std::vector<int> responses;
  for (const int request : requests) responses.push_back(2 * request);
  return responses;
}

// A model that is held until the test lets each batch go, and that writes down what it was given.
class held_model {
 public:
  std::vector<int> operator()(std::span<const int> requests) {
    {
      const std::lock_guard lock(state_->mutex);
      state_->batches.emplace_back(requests.begin(), requests.end());
    }
    state_->let_go.acquire();
    return doubled(requests);
  }

  void release(std::ptrdiff_t batches = 1) { state_->let_go.release(batches); }
  std::vector<std::vector<int>> batches() const {
    const std::lock_guard lock(state_->mutex);
    return state_->batches;
  }

 private:
  struct state {
    std::counting_semaphore<> let_go{0};
    std::mutex mutex;
    std::vector<std::vector<int>> batches;
  };
  std::shared_ptr<state> state_ = std::make_shared<state>();
};

// A thread that infers and keeps what came of it.
class client {
 public:
  client(doubler& batches, int request, weft::infer_options options = {})
      : thread_([this, &batches, request, options] {
          try {
            response = batches.infer_wait(request, options);
          } catch (...) {
            failure = std::current_exception();
          }
        }) {}
  void join() { thread_.join(); }

  std::optional<int> response;
  std::exception_ptr failure;

 private:
  std::jthread thread_;
};

template <class Error>
bool is(const std::exception_ptr& failure) {
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const Error&) {
    return true;
  } catch (...) {
  }
  return false;
}

TEST(BatcherTest, EveryRequestGetsItsOwnResponse) {
  doubler batches(doubled, {.max_batch_size = 8});
  weft::run([](doubler& of) -> task<> {
    std::vector<task<int>> asked;
    for (int i = 0; i < 100; ++i) asked.push_back(of.infer(i));
    const std::vector<int> responses = co_await weft::gather(std::move(asked));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(responses[static_cast<std::size_t>(i)], 2 * i);
  }(batches));
  const weft::batcher_stats stats = batches.stats();
  EXPECT_EQ(stats.accepted, 100);
  EXPECT_EQ(stats.succeeded, 100);
  EXPECT_EQ(stats.queued, 0);
  EXPECT_EQ(std::accumulate(stats.sizes.begin(), stats.sizes.end(), std::uint64_t{0}), stats.batches);
}

TEST(BatcherTest, WhatArrivesWhileABatchRunsSharesTheNext) {
  held_model model;
  doubler batches(model, {.max_batch_size = 8});
  client first(batches, 1);
  wait_until([&] { return batches.stats().running == 1; });
  std::vector<std::unique_ptr<client>> others;
  for (int i = 2; i <= 6; ++i) others.push_back(std::make_unique<client>(batches, i));
  wait_until([&] { return batches.stats().queued == 5; });
  model.release(2);
  first.join();
  for (auto& other : others) other->join();
  ASSERT_EQ(model.batches().size(), 2);
  EXPECT_EQ(model.batches()[1].size(), 5);
  EXPECT_EQ(batches.stats().sizes[5], 1);
  EXPECT_EQ(others[4]->response, 12);
}

// Two coroutines ask on one loop, of which the first alone has run: the loop is held up then.
class held_turn {
 public:
  explicit held_turn(doubler& batches) {
    const std::uint64_t before = batches.stats().accepted;
    for (const int request : {1, 2}) {
      boost::asio::co_spawn(loop_, ask(batches, request), boost::asio::detached);
    }
    while (batches.stats().accepted == before) loop_.poll_one();
  }
  void go_on() { loop_.run(); }
  int sum() const { return sum_; }

 private:
  task<> ask(doubler& batches, int request) { sum_ += co_await batches.infer(request); }

  boost::asio::io_context loop_;
  int sum_ = 0;
};

TEST(BatcherTest, WhatComesInOneTurnOfALoopSharesABatch) {
  doubler batches(doubled, {.max_batch_size = 8});
  doubler others(doubled);
  wait_until([&] { return batches.stats().idle == 1; });
  held_turn turn(batches);
  // Time enough for an instance that had been told.
  for (int i = 0; i < 100; ++i) EXPECT_EQ(others.infer_wait(i), 2 * i);
  EXPECT_EQ(batches.stats().queued, 1);
  turn.go_on();
  EXPECT_EQ(turn.sum(), 6);
  EXPECT_EQ(batches.stats().sizes[2], 1);
}

TEST(BatcherTest, ALoopThatIsHeldUpHoldsUpNobodyElse) {
  doubler batches(doubled, {.max_batch_size = 8});
  held_turn turn(batches);
  EXPECT_EQ(batches.infer_wait(10), 20);
  turn.go_on();
  EXPECT_EQ(turn.sum(), 6);
}

// The thread on which a model ran that was asked once, by a coroutine of the calling thread. What is not due
// by the end of that turn is due when the batcher is closed.
std::thread::id thread_of_model(std::chrono::microseconds delay) {
  std::thread::id ran;
  doubler batches(
      [&](std::span<const int> requests) {
        ran = std::this_thread::get_id();
        return doubled(requests);
      },
      {.max_queue_delay = delay, .run_on_loop = true});
  wait_until([&] { return batches.stats().idle == 1; });
  weft::run([](doubler& of) -> task<> {
    const auto close_later = [](doubler& which) -> task<> {
      for (int turn = 0; turn < 3; ++turn) co_await weft_test::yield();
      which.close();
    };
    const auto [response, closed] = co_await weft::gather(of.infer(4), close_later(of));
    EXPECT_EQ(response, 8);
  }(batches));
  return ran;
}

TEST(BatcherTest, ALoopRunsWhatItsRequestsMakeDueByOption) {
  EXPECT_EQ(thread_of_model({}), std::this_thread::get_id());
  EXPECT_NE(thread_of_model(1h), std::this_thread::get_id());
}

TEST(BatcherTest, ALoopThatRunsBatchesItselfTakesAllOfATurn) {
  doubler batches(doubled, {.max_batch_size = 8, .run_on_loop = true});
  wait_until([&] { return batches.stats().idle == 1; });
  held_turn turn(batches);
  turn.go_on();
  EXPECT_EQ(turn.sum(), 6);
  EXPECT_EQ(batches.stats().sizes[2], 1);
}

TEST(BatcherTest, ALoopRunsABatchInThePlaceOfAnInstance) {
  std::atomic<int> running{0};
  std::atomic<int> wrong{0};
  doubler batches(
      [&](std::span<const int> requests) {
        if (running.fetch_add(1) != 0) ++wrong;
        std::vector<int> responses = doubled(requests);
        running.fetch_sub(1);
        return responses;
      },
      {.max_batch_size = 4, .run_on_loop = true});
  const auto ask = [](doubler& of, std::atomic<int>& count) -> task<> {
    for (int i = 0; i < 500; ++i) {
      const int response = co_await of.infer(i);
      if (response != 2 * i) ++count;
    }
  };
  {
    std::vector<std::jthread> asking;
    for (int i = 0; i < 2; ++i) asking.emplace_back([&] { weft::run(ask(batches, wrong)); });
    for (int i = 0; i < 500; ++i) wrong += batches.infer_wait(i) != 2 * i;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(batches.stats().succeeded, 1500);
}

TEST(BatcherTest, ALoopMayTurnToABatcherThatHasGone) {
  auto batches = std::make_unique<doubler>(doubled, weft::batcher_options{.run_on_loop = true});
  wait_until([&] { return batches->stats().idle == 1; });
  boost::asio::io_context loop;
  int response = 0;
  const auto ask = [](doubler& of, int& answer) -> task<> { answer = co_await of.infer(21); };
  boost::asio::co_spawn(loop, ask(*batches, response), boost::asio::detached);
  while (batches->stats().accepted == 0) loop.poll_one();
  batches.reset();
  loop.run();
  EXPECT_EQ(response, 42);
}

TEST(BatcherTest, NoBatchIsLargerThanAllowed) {
  held_model model;
  doubler batches(model, {.max_batch_size = 3});
  std::vector<std::unique_ptr<client>> clients;
  clients.push_back(std::make_unique<client>(batches, 0));
  wait_until([&] { return batches.stats().running == 1; });
  for (int i = 1; i <= 7; ++i) clients.push_back(std::make_unique<client>(batches, i));
  wait_until([&] { return batches.stats().queued == 7; });
  model.release(4);
  for (auto& each : clients) each->join();
  EXPECT_EQ(batches.stats().sizes, (std::vector<std::uint64_t>{0, 2, 0, 2}));
  EXPECT_EQ(batches.stats().released[static_cast<std::size_t>(weft::release_reason::full)], 2);
}

TEST(BatcherTest, AnExceptionConcernsItsBatchAlone) {
  doubler batches([](std::span<const int> requests) {
    if (requests[0] < 0) throw std::out_of_range("negative");
    return doubled(requests);
  });
  EXPECT_THROW(batches.infer_wait(-1), std::out_of_range);
  EXPECT_EQ(batches.infer_wait(4), 8);
  EXPECT_EQ(batches.stats().failed, 1);
}

TEST(BatcherTest, AnotherNumberOfResponsesIsAnError) {
  doubler batches([](std::span<const int>) { return std::vector<int>(3); });
  try {
    batches.infer_wait(1);
    FAIL() << "no error";
  } catch (const weft::error& wrong) {
    EXPECT_NE(std::string(wrong.what()).find("3 responses to 1 requests"), std::string::npos) << wrong.what();
  }
}

TEST(BatcherTest, ThePoisonousRequestIsIsolatedByOption) {
  std::atomic<int> calls{0};
  std::binary_semaphore let_go(0);
  doubler batches(
      [&](std::span<const int> requests) {
        if (calls++ == 0) let_go.acquire();
        for (const int request : requests) {
          if (request < 0) throw std::out_of_range("negative");
        }
        return doubled(requests);
      },
      {.max_batch_size = 8, .isolate_failures = true});
  client first(batches, 1);
  wait_until([&] { return batches.stats().running == 1; });
  client good(batches, 2);
  client poisonous(batches, -1);
  client fine(batches, 3);
  wait_until([&] { return batches.stats().queued == 3; });
  let_go.release();
  for (client* each : {&first, &good, &poisonous, &fine}) each->join();
  EXPECT_EQ(good.response, 4);
  EXPECT_EQ(fine.response, 6);
  EXPECT_TRUE(is<std::out_of_range>(poisonous.failure));
  EXPECT_EQ(calls, 5);  // the first alone, three together, each of them alone
}

TEST(BatcherTest, WhoIsCancelledInTheQueueNeverReachesTheModel) {
  held_model model;
  doubler batches(model);
  client first(batches, 1);
  wait_until([&] { return batches.stats().running == 1; });
  weft::run([](doubler& of) -> task<> {
    co_await weft::with_task_group([&of](weft::task_group& group) -> task<> {
      group.spawn([&of]() -> task<> { co_await of.infer(7); });
      co_await weft_test::until([&of] { return of.stats().queued == 1; });
      group.cancel();
    });
  }(batches));
  EXPECT_EQ(batches.stats().queued, 0);
  EXPECT_EQ(batches.stats().cancelled, 1);
  model.release();
  first.join();
  batches.close();
  EXPECT_EQ(model.batches(), (std::vector<std::vector<int>>{{1}}));
}

TEST(BatcherTest, WhoIsCancelledInABatchLeavesAtOnceAndTheOthersGoOn) {
  held_model model;
  doubler batches(model);
  client first(batches, 1);
  wait_until([&] { return batches.stats().running == 1; });
  client stays(batches, 2);
  wait_until([&] { return batches.stats().queued == 1; });
  weft::run([](doubler& of, held_model gate) -> task<> {
    co_await weft::with_task_group([&](weft::task_group& group) -> task<> {
      group.spawn([&of]() -> task<> { co_await of.infer(7); });
      co_await weft_test::until([&of] { return of.stats().queued == 2; });
      gate.release();  // the first batch; the second, with 2 and 7, then runs and is held
      co_await weft_test::until([&gate] { return gate.batches().size() == 2; });
      group.cancel();
    });
  }(batches, model));
  EXPECT_EQ(batches.stats().running, 1);
  EXPECT_EQ(batches.stats().cancelled, 1);
  model.release();
  stays.join();
  first.join();
  EXPECT_EQ(stays.response, 4);
  EXPECT_EQ(model.batches()[1], (std::vector<int>{2, 7}));
}

TEST(BatcherTest, ATimeLimitEndsTheWaitThoughTheModelHangs) {
  held_model model;
  doubler batches(model);
  client first(batches, 1);
  wait_until([&] { return batches.stats().running == 1; });
  EXPECT_THROW(batches.infer_wait(2, {.timeout = 1ms}), weft::timeout_error);
  EXPECT_THROW(weft::run(batches.infer(3, {.timeout = 1ms})), weft::timeout_error);
  EXPECT_EQ(batches.stats().queued, 0);
  model.release();
  first.join();
  EXPECT_EQ(first.response, 2);
  EXPECT_EQ(model.batches().size(), 1);
}

TEST(BatcherTest, ATimeLimitThatIsOverBeforeTheWaitIsNoOverload) {
  held_model model;
  const auto hold_up = [](const int&) -> std::uint64_t {  // the thread that asks
    const auto end = std::chrono::steady_clock::now() + 2ms;
    while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return 0;
  };
  doubler batches(model, {}, hold_up);
  EXPECT_THROW(batches.infer_wait(1, {.timeout = 1ms}), weft::timeout_error);
  EXPECT_THROW(weft::run(batches.infer(2, {.timeout = 1ms})), weft::timeout_error);
  EXPECT_TRUE(model.batches().empty());
}

TEST(BatcherTest, ATimeLimitInARunningBatchEndsTheWaitToo) {
  held_model model;
  doubler batches(model, {.default_timeout = 1ms});
  EXPECT_THROW(batches.infer_wait(1), weft::timeout_error);
  model.release(2);
  batches.close();
}

TEST(BatcherTest, WhatIsTooMuchIsRefusedAtOnce) {
  held_model model;
  doubler batches(model, {.max_batch_size = 2, .max_queue_size = 2});
  client first(batches, 1);
  wait_until([&] { return batches.stats().running == 1; });
  client second(batches, 2);
  client third(batches, 3);
  wait_until([&] { return batches.stats().queued == 2; });
  try {
    batches.infer_wait(4);
    FAIL() << "was taken";
  } catch (const weft::overloaded& refused) {
    EXPECT_GE(refused.retry_after(), 1ms);
    EXPECT_NE(std::string(refused.what()).find("2 requests wait"), std::string::npos);
  }
  EXPECT_THROW(weft::run(batches.infer(5)), weft::overloaded);
  EXPECT_EQ(batches.stats().refused, 2);
  model.release(2);
  for (client* each : {&first, &second, &third}) each->join();
  EXPECT_EQ(third.response, 6);
}

TEST(BatcherTest, WhatCannotBeDoneInTimeIsRefusedAtOnce) {
  doubler batches(
      [](std::span<const int> requests) {
        const auto end =
            std::chrono::steady_clock::now() + 20ms;  // the model's work, as the batcher will learn
        while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
        return doubled(requests);
      },
      {.max_batch_size = 1});
  batches.infer_wait(1);
  EXPECT_THROW(batches.infer_wait(2, {.timeout = 5ms}), weft::overloaded);
  EXPECT_EQ(batches.infer_wait(3, {.timeout = 1h}), 6);
}

TEST(BatcherTest, PrioritiesGoInOrder) {
  held_model model;
  doubler batches(model, {.max_batch_size = 2, .priority_levels = 3});
  client first(batches, 0);
  wait_until([&] { return batches.stats().running == 1; });
  std::vector<std::unique_ptr<client>> clients;
  std::size_t queued = 0;
  const auto ask = [&](int request, std::size_t priority) {
    clients.push_back(std::make_unique<client>(batches, request, weft::infer_options{.priority = priority}));
    ++queued;
    wait_until([&] { return batches.stats().queued == queued; });
  };
  ask(30, 0);
  ask(20, 2);
  ask(31, 3);
  ask(10, 1);
  model.release(3);
  first.join();
  for (auto& each : clients) each->join();
  EXPECT_EQ(model.batches(), (std::vector<std::vector<int>>{{0}, {10, 20}, {30, 31}}));
  EXPECT_THROW(batches.infer_wait(1, {.priority = 4}), weft::invalid_argument);
}

TEST(BatcherTest, GroupsDoNotMix) {
  held_model model;
  doubler batches(model, {.max_batch_size = 4},
                  [](const int& request) { return static_cast<std::uint64_t>(request % 2); });
  client first(batches, 0);
  wait_until([&] { return batches.stats().running == 1; });
  std::vector<std::unique_ptr<client>> clients;
  for (int i = 1; i <= 6; ++i) {
    clients.push_back(std::make_unique<client>(batches, i));
    wait_until([&] { return batches.stats().queued == static_cast<std::size_t>(i); });
  }
  model.release(3);
  first.join();
  for (auto& each : clients) each->join();
  EXPECT_EQ(model.batches(), (std::vector<std::vector<int>>{{0}, {1, 3, 5}, {2, 4, 6}}));
}

TEST(BatcherTest, OrderIsPreservedByOption) {
  std::binary_semaphore let_first_go(0);
  doubler batches(
      [&](std::span<const int> requests) {
        if (requests[0] == 1) let_first_go.acquire();
        return doubled(requests);
      },
      {.max_batch_size = 1, .instances = 2, .preserve_order = true});
  client first(batches, 1);
  wait_until([&] { return batches.stats().running == 1; });
  std::atomic<bool> second_answered{false};
  std::jthread second([&] {
    EXPECT_EQ(batches.infer_wait(2), 4);
    second_answered = true;
  });
  wait_until([&] { return batches.stats().succeeded == 1; });  // done, and held
  EXPECT_FALSE(second_answered);
  let_first_go.release();
  first.join();
  second.join();
  EXPECT_EQ(first.response, 2);
}

TEST(BatcherTest, InstancesRunAtTheSameTime) {
  std::latch both(2);
  doubler batches(
      [&](std::span<const int> requests) {
        both.arrive_and_wait();  // hangs unless two are here
        return doubled(requests);
      },
      {.max_batch_size = 1, .instances = 2});
  client first(batches, 1);
  client second(batches, 2);
  first.join();
  second.join();
  EXPECT_EQ(first.response, 2);
  EXPECT_EQ(second.response, 4);
}

TEST(BatcherTest, CloseServesWhatWaitsAndRefusesTheRest) {
  held_model model;
  doubler batches(model, {.max_batch_size = 8, .max_queue_delay = 1h});
  client first(batches, 1);
  client second(batches, 2);
  wait_until([&] { return batches.stats().queued == 2; });
  batches.close();
  batches.close();
  model.release(1);
  first.join();
  second.join();
  EXPECT_EQ(first.response, 2);
  EXPECT_EQ(second.response, 4);
  EXPECT_EQ(batches.stats().released[static_cast<std::size_t>(weft::release_reason::closing)], 1);
  EXPECT_THROW(batches.infer_wait(3), weft::batcher_closed);
  EXPECT_THROW(weft::run(batches.infer(3)), weft::batcher_closed);
}

TEST(BatcherTest, ClosingEndsEveryInstance) {
  std::atomic<int> computed{0};
  {
    doubler batches(
        [&](std::span<const int> requests) {
          computed += static_cast<int>(requests.size());
          return doubled(requests);
        },
        {.instances = 4});
    EXPECT_EQ(batches.infer_wait(1), 2);
    batches.close();
    EXPECT_THROW(batches.infer_wait(2), weft::batcher_closed);
  }  // returns once all four have gone
  EXPECT_EQ(computed, 1);
}

TEST(BatcherTest, EveryLoopGetsItsOwnAnswers) {
  doubler batches(doubled, {.max_batch_size = 8});
  std::atomic<int> right{0};
  const auto ask = [](doubler& of, int from, std::atomic<int>& count) -> task<> {
    const std::thread::id mine = std::this_thread::get_id();
    for (int i = from; i < from + 100; ++i) {
      const int response = co_await of.infer(i);
      if (response == 2 * i && std::this_thread::get_id() == mine) ++count;
    }
  };
  {
    std::vector<std::jthread> loops;
    for (int i = 0; i < 3; ++i) loops.emplace_back([&, i] { weft::run(ask(batches, 1000 * i, right)); });
  }
  EXPECT_EQ(right, 300);
}

TEST(BatcherTest, TheModelMayBeACoroutine) {
  weft::batcher<int, std::string> batches(
      [](std::span<const int> requests) -> task<std::vector<std::string>> {
        co_await weft_test::yield();
        std::vector<std::string> responses;
        for (const int request : requests) responses.push_back(std::to_string(request));
        co_return responses;
      });
  EXPECT_EQ(weft::run(batches.infer(42)), "42");
}

TEST(BatcherTest, RequestsMayBeMoveOnly) {
  weft::batcher<std::unique_ptr<int>, std::unique_ptr<int>> batches(
      [](std::span<const std::unique_ptr<int>> requests) {
        std::vector<std::unique_ptr<int>> responses;
        for (const auto& request : requests) responses.push_back(std::make_unique<int>(*request + 1));
        return responses;
      });
  EXPECT_EQ(*weft::run(batches.infer(std::make_unique<int>(1))), 2);
}

// Coroutines on two loops and plain threads ask, and some give up; every answer is right and every request is
// counted.
TEST(BatcherTest, StressWithCancellationsAndFailures) {
  for (const unsigned seed : {1U, 2U, 3U, 4U, 5U}) {
    doubler batches(
        [](std::span<const int> requests) {
          if (requests.size() % 5 == 0) throw std::runtime_error("a size that does not suit");
          return doubled(requests);
        },
        {.max_batch_size = 6,
         .preferred_batch_sizes = {4},
         .max_queue_delay = std::chrono::microseconds(seed % 2 * 50),
         .max_queue_size = 40,
         .priority_levels = 2,
         .instances = 2,
         .run_on_loop = seed == 5,
         .preserve_order = seed == 3 || seed == 5,
         .isolate_failures = seed == 4});
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<std::uint64_t> gone{0};
    std::atomic<std::uint64_t> refused{0};
    const auto ask = [&](std::mt19937& random) -> task<> {
      const int request = static_cast<int>(random() % 1000);
      const weft::infer_options options{.priority = random() % 3,
                                        .timeout = std::chrono::microseconds(random() % 4 == 0 ? 20 : 0)};
      try {
        const int response = co_await batches.infer(request, options);
        EXPECT_EQ(response, 2 * request);
        ++answered;
      } catch (const weft::timeout_error&) {
        ++gone;
      } catch (const weft::overloaded&) {
        ++refused;
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "a size that does not suit");
        ++failed;
      }
    };
    const auto loop = [&](unsigned number) {
      std::mt19937 random(seed * 10 + number);
      weft::run([](auto& one, std::mt19937& numbers) -> task<> {
        co_await weft::with_task_group({.limit = 30}, [&](weft::task_group& group) -> task<> {
          for (int i = 0; i < 500; ++i) co_await group.spawn_when_free(one(numbers));
        });
      }(ask, random));
    };
    {
      std::jthread other([&] { loop(1); });
      loop(2);
    }
    EXPECT_EQ(answered + failed + gone + refused, 1000);
    batches.close();
    wait_until([&] { return batches.stats().running == 0; });
    const weft::batcher_stats stats = batches.stats();
    EXPECT_EQ(stats.queued, 0);
    EXPECT_EQ(stats.accepted, stats.succeeded + stats.failed + stats.cancelled);
    EXPECT_EQ(stats.accepted + stats.refused, 1000);
    EXPECT_GE(stats.succeeded, answered);
  }
}

}  // namespace batcher_test
