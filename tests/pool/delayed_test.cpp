#include <weft/pool/delayed.hpp>

#include <weft/async/queue.hpp>
#include <weft/async/run.hpp>
#include <weft/async/task_group.hpp>
#include <weft/pool/thread_pool.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <latch>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace delayed_test {

using weft::delayed;
using weft::delayed_value;
using weft::thread_pool;

int add(int a, int b) {
  return a + b;
}

TEST(delayed, runs_nothing_before_it_is_computed_and_then_what_the_result_needs) {
  thread_pool pool(2);
  std::atomic<int> calls{0};
  const auto one = delayed([&calls] { return ++calls, 1; });
  const auto sum = delayed(add)(one(), 41);
  EXPECT_EQ(calls.load(), 0);
  EXPECT_EQ(sum.compute(pool), 42);
  EXPECT_EQ(calls.load(), 1);
  EXPECT_EQ(sum.compute(pool), 42) << "a second time";
  EXPECT_EQ(calls.load(), 2);
}

TEST(delayed, shared_nodes_run_once) {
  thread_pool pool(3);
  std::atomic<int> loads{0};
  const auto load = delayed([&loads] { return ++loads, std::string("text"); })();
  const auto size = delayed([](const std::string& text) { return static_cast<int>(text.size()); });
  const auto twice = delayed(add)(size(load), size(load));
  EXPECT_EQ(twice.compute(pool), 8);
  EXPECT_EQ(loads.load(), 1);
}

TEST(delayed, takes_values_results_and_vectors_of_results) {
  thread_pool pool(2);
  const auto text = delayed([](int i) { return std::to_string(i); });
  std::vector<delayed_value<std::string>> parts;
  for (int i = 0; i < 5; ++i) parts.push_back(text(i));
  const auto join = delayed([](const std::vector<std::string>& words, const std::string& between) {
    std::string all;
    for (const auto& word : words) all += word + between;
    return all;
  });
  EXPECT_EQ(join(parts, std::string("-")).compute(pool), "0-1-2-3-4-");
  EXPECT_EQ(join(std::vector{parts[1], parts[1]}, parts[2]).compute(pool), "1212");
  std::atomic<int> done{0};
  delayed([&done](int) { ++done; })(delayed(add)(1, 2)).compute(pool);
  EXPECT_EQ(done.load(), 1);
}

TEST(delayed, results_that_cannot_be_copied_go_to_one_consumer) {
  thread_pool pool(2);
  const auto make = delayed([](int i) { return std::make_unique<int>(i); }, "make");
  const auto open = delayed([](std::unique_ptr<int> box) { return *box; });
  const auto box = make(5);
  EXPECT_EQ(open(box).compute(pool), 5);
  EXPECT_EQ(*box.compute(pool), 5);
  try {
    delayed(add)(open(box), open(box)).compute(pool);
    FAIL() << "a unique_ptr went to two";
  } catch (const weft::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("'make' is taken 2 times"), std::string::npos) << error.what();
  }
  const auto boxes = delayed([](std::vector<std::unique_ptr<int>> all) { return all.size(); });
  EXPECT_EQ(boxes(std::vector{make(1), make(2)}).compute(pool), 2U);

  const auto once = open(std::make_unique<int>(6));  // an argument that can be given once
  EXPECT_EQ(once.compute(pool), 6);
  EXPECT_THROW(once.compute(pool), weft::delayed_error);
}

TEST(delayed, results_are_moved_where_nobody_else_takes_them) {
  struct counted {
    std::atomic<int>* copies;
    explicit counted(std::atomic<int>& to) : copies(&to) {}
    counted(const counted& other) : copies(other.copies) { ++*copies; }
    counted(counted&& other) noexcept : copies(other.copies) {}
  };
  thread_pool pool(1);
  std::atomic<int> copies{0};
  const auto make = delayed([&copies] { return counted(copies); });
  const auto by_value = delayed([](counted) { return 1; });
  const auto by_reference = delayed([](const counted&) { return 1; });
  EXPECT_EQ(by_value(make()).compute(pool), 1);
  EXPECT_EQ(copies.load(), 0);
  const auto shared = make();
  EXPECT_EQ(delayed(add)(by_reference(shared), by_reference(shared)).compute(pool), 2);
  EXPECT_EQ(copies.load(), 0);
  EXPECT_EQ(delayed(add)(by_value(shared), by_value(shared)).compute(pool), 2);
  EXPECT_EQ(copies.load(), 1) << "the last consumer has it moved in";
}

TEST(delayed, errors_name_the_path_and_keep_the_exception) {
  thread_pool pool(2);
  const auto read =
      delayed([](int i) -> int { return i == 3 ? throw std::out_of_range("no page 3") : i; }, "read");
  const auto count = delayed([](int i) { return i; }, "count");
  std::vector<delayed_value<int>> counts;
  for (int i = 0; i < 8; ++i) counts.push_back(count(read(i)));
  const auto total = delayed([](const std::vector<int>& all) { return all.size(); }, "total")(counts);
  try {
    total.compute(pool);
    FAIL() << "nothing was thrown";
  } catch (const weft::delayed_error& error) {
    EXPECT_EQ(error.path(), (std::vector<std::string>{"total", "count", "read"}));
    EXPECT_STREQ(error.what(), "delayed: total <- count <- read: no page 3");
    EXPECT_TRUE(error.caused_by<std::out_of_range>());
    EXPECT_FALSE(error.caused_by<std::bad_alloc>());
  }
  EXPECT_EQ(delayed(add)(1, 1).compute(pool), 2) << "the pool goes on";
}

TEST(delayed, options_that_cannot_work_are_refused) {
  thread_pool pool(1);
  const auto sum = delayed(add)(1, 1);
  EXPECT_THROW(sum.compute(pool, {.running = -1}), weft::invalid_argument);
  EXPECT_THROW(sum.compute(pool, {.ahead = -1}), weft::invalid_argument);
  EXPECT_EQ(sum.compute(pool, {.running = 5, .ahead = 1}), 2);
}

TEST(delayed, draws_itself) {
  const auto load = delayed([] { return 1; }, "load \"a\"")();
  const auto sum = delayed(add, "sum")(load, load);
  EXPECT_EQ(sum.graphviz(),
            "digraph delayed {\n"
            "  n0 [label=\"load \\\"a\\\"\"];\n"
            "  n1 [label=\"sum\"];\n"
            "  n0 -> n1;\n"
            "  n0 -> n1;\n"
            "}\n");
}

TEST(delayed, a_chain_may_be_long) {
  thread_pool pool(2);
  const auto next = delayed([](int i) { return i + 1; });
  auto end = next(0);
  for (int i = 1; i < 50'000; ++i) end = next(end);
  EXPECT_EQ(end.compute(pool), 50'000);
}

TEST(delayed, works_inside_a_call_of_the_same_pool) {
  thread_pool pool(1);
  const auto sum = delayed(add)(delayed(add)(1, 2), delayed(add)(3, 4));
  EXPECT_EQ(pool.submit([&] { return sum.compute(pool); }).get(), 10);
  EXPECT_EQ(pool.submit([&] { return weft::run(sum.async_compute(pool)); }).get(), 10);
  const auto nested = delayed([&](int i) { return i + sum.compute(pool); });
  EXPECT_EQ(delayed(add)(nested(1), nested(2)).compute(pool), 23);
}

TEST(delayed, is_awaited) {
  thread_pool pool(2);
  weft::run([](thread_pool& workers) -> weft::task<> {
    EXPECT_EQ(co_await delayed(add)(delayed(add)(1, 2), 3).async_compute(workers), 6);
    auto fails = delayed([]() -> int { throw std::out_of_range("x"); })().async_compute(workers);
    EXPECT_THROW(co_await std::move(fails), weft::delayed_error);
  }(pool));
}

TEST(delayed, a_cancelled_computation_waits_for_what_runs_and_starts_no_more) {
  thread_pool pool(2);
  weft::queue<int> started(100);
  weft::queue<int> gate(1);
  std::atomic<int> running{0};
  std::atomic<int> begun{0};
  bool threw = false;
  const auto block = delayed([&](int) {
    ++begun;
    ++running;
    started.push_wait(1);
    gate.pop_wait();
    --running;
    return 1;
  });
  std::vector<delayed_value<int>> many;
  for (int i = 0; i < 100; ++i) many.push_back(block(i));
  const auto all = delayed([](const std::vector<int>& v) { return static_cast<int>(v.size()); })(many);
  weft::run([](thread_pool& workers, const delayed_value<int>& value, weft::queue<int>& in,
               weft::queue<int>& go, std::atomic<int>& busy, bool& cancelled) -> weft::task<> {
    auto compute = [&]() -> weft::task<> {
      try {
        co_await value.async_compute(workers);
      } catch (const weft::cancelled&) {
        cancelled = true;
        EXPECT_EQ(busy.load(), 0) << "it resumed while a call was running";
      }
    };
    co_await weft::with_task_group([&](weft::task_group& group) -> weft::task<> {
      group.spawn(compute());
      co_await in.pop();
      const auto loop = co_await boost::asio::this_coro::executor;
      group.cancel();
      boost::asio::post(loop, [&] { go.close(); });  // after the cancellation, which is posted too
    });
  }(pool, all, started, gate, running, threw));
  EXPECT_TRUE(threw);
  EXPECT_LE(begun.load(), 2);
}

// ---- random graphs against a serial evaluation ------------------------------------------------------------

TEST(delayed, random_graphs_give_what_a_serial_evaluation_gives) {
  thread_pool one(1);
  thread_pool three(3);
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    const int size = 1 + static_cast<int>(random() % 80);
    std::vector<delayed_value<std::uint64_t>> nodes;
    std::vector<std::uint64_t> values;
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(size) + 1);
    const auto mix = [](std::size_t number, const std::vector<std::uint64_t>& inputs) {
      std::uint64_t hash = number;
      for (const std::uint64_t input : inputs) hash = (hash ^ input) * 0x9E3779B97F4A7C15U + 1;
      return hash;
    };
    const auto call = delayed([&](std::size_t number, const std::vector<std::uint64_t>& inputs) {
      ++calls[number];
      return mix(number, inputs);
    });
    for (std::size_t i = 0; i <= static_cast<std::size_t>(size); ++i) {
      std::vector<delayed_value<std::uint64_t>> inputs;
      std::vector<std::uint64_t> input_values;
      const bool last = i == static_cast<std::size_t>(size);  // takes all, so that every node is needed
      const std::size_t count = last ? i : i == 0 ? 0 : random() % 4;
      for (std::size_t k = 0; k < count; ++k) {
        const std::size_t from = last ? k : random() % i;
        inputs.push_back(nodes[from]);
        input_values.push_back(values[from]);
      }
      values.push_back(mix(i, input_values));
      nodes.push_back(call(i, std::move(inputs)));
    }
    const weft::delayed_options options{.running = static_cast<int>(random() % 5),
                                        .ahead = static_cast<int>(random() % 5)};
    EXPECT_EQ(nodes.back().compute(round % 2 == 0 ? one : three, options), values.back());
    for (const auto& count : calls) ASSERT_EQ(count.load(), 1);
  }
}

// ---- memory -----------------------------------------------------------------------------------------------

std::atomic<int> alive{0};
std::atomic<int> most_alive{0};

/// A result that takes up memory.
struct block {
  explicit block(int v) : value(v) {
    const int now = ++alive;
    int most = most_alive.load();
    while (now > most && !most_alive.compare_exchange_weak(most, now)) {
    }
  }
  block(block&& other) noexcept : block(other.value) {}
  block(const block& other) = delete;
  ~block() { --alive; }
  int value;
};

TEST(delayed, roots_do_not_run_away_from_what_consumes_them) {
  thread_pool pool(2);
  alive = 0;
  most_alive = 0;
  // A fold over 500 loads, each step of which is slower than any number of loads: with one thread folding,
  // the other would load everything.
  std::atomic<int> loads{0};
  std::atomic<int> steps{0};
  std::atomic<int> furthest{0};
  const auto load = delayed([&](int i) {
    const int ahead = ++loads - steps;
    int most = furthest.load();
    while (ahead > most && !furthest.compare_exchange_weak(most, ahead)) {
    }
    return block(i);
  });
  const auto fold = delayed([&](int sum, block one) {
    // A slow step: it waits until the loads have gone as far as they are let.
    for (int seen = -1; seen != loads.load(); std::this_thread::yield()) {
      seen = loads.load();
      for (int i = 0; i < 100 && seen == loads.load(); ++i) std::this_thread::yield();
    }
    ++steps;
    return sum + one.value;
  });
  auto sum = delayed([] { return 0; })();
  for (int i = 0; i < 500; ++i) sum = fold(sum, load(i));
  EXPECT_EQ(sum.compute(pool, {.ahead = 3}), 500 * 499 / 2);
  EXPECT_EQ(alive.load(), 0);
  // One load being folded, three ahead and one that is being made.
  EXPECT_LE(furthest.load(), 5);
  EXPECT_LE(most_alive.load(), 2 * 5) << "with what a move has twice for a moment";
}

TEST(delayed, a_tree_keeps_only_what_the_open_branches_hold) {
  thread_pool pool(2);
  alive = 0;
  most_alive = 0;
  const auto leaf = delayed([](int i) { return block(i); });
  const auto merge = delayed([](block a, block b) { return block(a.value + b.value); });
  std::vector<delayed_value<block>> level;
  for (int i = 0; i < 1024; ++i) level.push_back(leaf(i));
  while (level.size() > 1) {
    std::vector<delayed_value<block>> above;
    for (std::size_t i = 0; i + 1 < level.size(); i += 2) above.push_back(merge(level[i], level[i + 1]));
    level = std::move(above);
  }
  EXPECT_EQ(level.front().compute(pool).value, 1024 * 1023 / 2);
  EXPECT_EQ(alive.load(), 0);
  EXPECT_LE(most_alive.load(), 64) << "of 1024 leaves";
}

TEST(delayed, nothing_is_left_when_a_call_throws) {
  thread_pool pool(3);
  alive = 0;
  const auto leaf = delayed([](int i) { return i == 70 ? throw std::runtime_error("70") : block(i); });
  const auto all = delayed([](std::vector<block> blocks) { return blocks.size(); });
  std::vector<delayed_value<block>> leaves;
  for (int i = 0; i < 100; ++i) leaves.push_back(leaf(i));
  EXPECT_THROW(all(leaves).compute(pool), weft::delayed_error);
  EXPECT_EQ(alive.load(), 0);
}

}  // namespace delayed_test
