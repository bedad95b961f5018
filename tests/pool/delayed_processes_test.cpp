#include <weft/pool/delayed.hpp>

#include "processes.hpp"

#include <weft/async/run.hpp>
#include <weft/async/timeout.hpp>
#include <weft/pool/process_pool.hpp>
#include <weft/pool/shared_array.hpp>
#include <weft/pool/thread_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Graphs whose calls are made in worker processes, and the same graphs on threads.

namespace delayed_processes_test {

using namespace std::chrono_literals;
using weft::delayed;
using weft::delayed_error;
using weft::delayed_value;
using weft::process_pool;
using weft::shared_array;
using weft::thread_pool;

int add(int a, int b) {
  return a + b;
}
int process_id() {
  return ::getpid();
}
int crash(int) {
  return ::raise(SIGKILL);
}
int read_page(int page) {
  return page == 3 ? throw std::out_of_range("no page 3") : page;
}
int total(const std::vector<int>& all) {
  int sum = 0;
  for (const int each : all) sum += each;
  return sum;
}
std::string text_of(int i) {
  return std::to_string(i);
}
std::string join(const std::vector<std::string>& words, const std::string& between) {
  std::string all;
  for (const auto& word : words) all += word + between;
  return all;
}
std::unique_ptr<int> make_box(int i) {
  return std::make_unique<int>(i);
}
int open_box(std::unique_ptr<int> box) {
  return *box;
}
std::size_t count_boxes(std::vector<std::unique_ptr<int>> boxes) {
  return boxes.size();
}
void count_one(const shared_array<int>& calls, int) {
  ++std::atomic_ref(calls[0]);
}
void throw_at_start() {
  throw std::runtime_error("no licence");
}

/// An argument that cannot be written.
struct unwritable {
  template <class Archive>
  void serialize(Archive&) {
    throw std::domain_error("not for others");
  }
};
int take_unwritable(const unwritable&) {
  return 1;
}

TEST(delayed_processes, takes_values_results_and_vectors_of_results) {
  process_pool pool({.workers = 2});
  const auto text = delayed<&text_of>("text");
  std::vector<delayed_value<std::string>> parts;
  for (int i = 0; i < 5; ++i) parts.push_back(text(i));
  EXPECT_EQ(delayed<&join>()(parts, "-").compute(pool), "0-1-2-3-4-");
  EXPECT_EQ(delayed<&join>()(std::vector{parts[1], parts[1]}, parts[2]).compute(pool), "1212");
  EXPECT_EQ((delayed<[](int i) { return i + 1; }>()(41).compute(pool)), 42);
  const shared_array<int> calls(1);
  delayed<&count_one>()(calls, delayed<&add>()(1, 2)).compute(pool);
  EXPECT_EQ(calls[0], 1);
  EXPECT_TRUE(delayed<&text_of>()(1).name().ends_with("text_of")) << "unless it is given a name";
}

TEST(delayed_processes, runs_in_workers_or_on_threads_as_the_pool_says) {
  process_pool processes({.workers = 1});
  thread_pool threads(1);
  const auto where = delayed<&process_id>()();
  const int worker = where.compute(processes);
  EXPECT_EQ(processes.process_ids(), std::vector{worker});
  EXPECT_NE(worker, ::getpid());
  EXPECT_EQ(where.compute(threads), ::getpid());
  EXPECT_EQ(threads.submit([&] { return where.compute(processes); }).get(), worker);
}

TEST(delayed_processes, a_function_that_workers_do_not_know_is_named) {
  process_pool pool({.workers = 1});
  const auto known = delayed<&add>("sum")(delayed([] { return 1; }, "guess")(), 2);
  try {
    known.compute(pool);
    FAIL() << "nothing was thrown";
  } catch (const weft::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("'guess'"), std::string::npos) << error.what();
  }
  thread_pool threads(1);
  EXPECT_EQ(known.compute(threads), 3);
}

TEST(delayed_processes, results_that_cannot_be_copied_go_to_one_consumer) {
  process_pool pool({.workers = 2});
  const auto make = delayed<&make_box>("make");
  const auto open = delayed<&open_box>("open");
  const auto box = make(5);
  EXPECT_EQ(open(box).compute(pool), 5);
  EXPECT_EQ(*box.compute(pool), 5);
  EXPECT_EQ(delayed<&count_boxes>()(std::vector{make(1), make(2)}).compute(pool), 2U);
  EXPECT_THROW(delayed<&add>()(open(box), open(box)).compute(pool), weft::invalid_argument);
  const auto once = open(std::make_unique<int>(6));
  EXPECT_EQ(once.compute(pool), 6);
  EXPECT_THROW(once.compute(pool), delayed_error);
}

TEST(delayed_processes, errors_name_the_path_and_the_others_are_stopped) {
  gate never;  // a call that waits here ends only by being stopped
  process_pool pool({.workers = 2});
  std::vector<delayed_value<int>> pages{delayed<&read_page>("read")(3),
                                        delayed<&wait_at_gate>("wait")(::getpid(), never.descriptor(), 1)};
  try {
    delayed<&total>("total")(pages).compute(pool);
    FAIL() << "nothing was thrown";
  } catch (const delayed_error& error) {
    EXPECT_STREQ(error.what(), "delayed: total <- read: no page 3");
    EXPECT_TRUE(error.caused_by<std::out_of_range>());
  }
  EXPECT_EQ(delayed<&add>()(1, 1).compute(pool), 2) << "the pool goes on";
}

TEST(delayed_processes, a_worker_that_dies_fails_the_graph_by_name) {
  gate never;
  process_pool pool({.workers = 2});
  const auto waits = delayed<&wait_at_gate>("wait")(::getpid(), never.descriptor(), 1);
  const auto dies = delayed<&crash>("crash")(delayed<&add>("sum")(1, 2));
  for (int round = 0; round < 3; ++round) {
    try {
      delayed<&total>("total")(std::vector{waits, delayed<&add>("half")(dies, 1)}).compute(pool);
      FAIL() << "nothing was thrown";
    } catch (const delayed_error& error) {
      EXPECT_EQ(error.path(), (std::vector<std::string>{"total", "half", "crash"}));
      EXPECT_TRUE(error.caused_by<weft::worker_died>()) << error.what();
    }
    EXPECT_EQ(delayed<&add>()(1, 1).compute(pool), 2) << "the pool goes on";
  }
}

TEST(delayed_processes, calls_that_cannot_be_sent_fail_by_name) {
  process_pool pool({.workers = 1});
  try {
    delayed<&add>("sum")(delayed<&take_unwritable>("take")(unwritable()), 1).compute(pool);
    FAIL() << "nothing was thrown";
  } catch (const delayed_error& error) {
    EXPECT_STREQ(error.what(), "delayed: sum <- take: not for others");
  }
  EXPECT_EQ(delayed<&add>()(1, 1).compute(pool), 2);
  process_pool broken({.workers = 1, .initializer = weft::remote_call::of<&throw_at_start>()});
  for (int round = 0; round < 2; ++round) {
    EXPECT_THROW(delayed<&add>()(delayed<&add>()(1, 2), 3).compute(broken), delayed_error);
  }
}

TEST(delayed_processes, a_cancelled_computation_stops_what_runs) {
  gate never;
  process_pool pool({.workers = 2});
  weft::run([](process_pool& workers, int gate_number) -> weft::task<> {
    std::vector<delayed_value<int>> many;
    for (int i = 0; i < 20; ++i) many.push_back(delayed<&wait_at_gate>("wait")(::getpid(), gate_number, i));
    const auto all = delayed<&total>("total")(many);
    auto hanging = all.async_compute(workers);
    auto too_long = weft::timeout(std::move(hanging), 1ms);
    EXPECT_THROW(co_await std::move(too_long), weft::timeout_error);
    const auto sum = delayed<&add>()(1, 2);
    EXPECT_EQ(co_await sum.async_compute(workers), 3);
  }(pool, never.descriptor()));
}

// ---- random graphs against a serial evaluation ------------------------------------------------------------

std::uint64_t mix(std::size_t number, const std::vector<std::uint64_t>& inputs) {
  std::uint64_t hash = number;
  for (const std::uint64_t input : inputs) hash = (hash ^ input) * 0x9E3779B97F4A7C15U + 1;
  return hash;
}
std::uint64_t count_and_mix(const shared_array<int>& calls, std::size_t number,
                            const std::vector<std::uint64_t>& inputs) {
  ++std::atomic_ref(calls[number]);
  return mix(number, inputs);
}

TEST(delayed_processes, random_graphs_give_what_a_serial_evaluation_gives) {
  process_pool processes({.workers = 3});
  thread_pool threads(2);
  boost::asio::thread_pool loops(2);  // where results are received by more than one thread
  std::mt19937 random(11);
  for (int round = 0; round < 20; ++round) {
    const std::size_t size = 1 + random() % 60;
    const shared_array<int> calls(size + 1);
    std::vector<delayed_value<std::uint64_t>> nodes;
    std::vector<std::uint64_t> values;
    const auto call = delayed<&count_and_mix>("mix");
    for (std::size_t i = 0; i <= size; ++i) {
      std::vector<delayed_value<std::uint64_t>> inputs;
      std::vector<std::uint64_t> input_values;
      const bool last = i == size;  // takes all, so that every node is needed
      const std::size_t count = last ? i : i == 0 ? 0 : random() % 4;
      for (std::size_t k = 0; k < count; ++k) {
        const std::size_t from = last ? k : random() % i;
        inputs.push_back(nodes[from]);
        input_values.push_back(values[from]);
      }
      values.push_back(mix(i, input_values));
      nodes.push_back(call(calls, i, std::move(inputs)));
    }
    const weft::delayed_options options{.running = static_cast<int>(random() % 6),
                                        .ahead = static_cast<int>(random() % 5)};
    const auto& end = nodes.back();
    EXPECT_EQ(end.compute(processes, options), values.back());
    EXPECT_EQ(end.compute(threads, options), values.back());
    auto elsewhere = end.async_compute(processes, options);
    EXPECT_EQ(boost::asio::co_spawn(loops, std::move(elsewhere), boost::asio::use_future).get(),
              values.back());
    for (const int count : calls) ASSERT_EQ(count, 3);
  }
}

// ---- memory -----------------------------------------------------------------------------------------------

std::atomic<int> alive{0};
std::atomic<int> most_alive{0};

/// A result that takes up memory.
class block {
 public:
  explicit block(int v = 0) : value(v) {
    const int now = ++alive;
    int most = most_alive.load();
    while (now > most && !most_alive.compare_exchange_weak(most, now)) {
    }
  }
  block(block&& other) noexcept : block(other.value) {}
  block& operator=(block&& other) noexcept {
    value = other.value;
    return *this;
  }
  ~block() { --alive; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
  int value;
};

// Of `seen`: how many loads, how many steps, and how far the loads have been ahead.
block load_block(const shared_array<int>& seen, int i) {
  const int ahead = ++std::atomic_ref(seen[0]) - std::atomic_ref(seen[1]);
  std::atomic_ref furthest(seen[2]);
  int most = furthest.load();
  while (ahead > most && !furthest.compare_exchange_weak(most, ahead)) {
  }
  return block(i);
}
// A slow step: it waits until the loads have gone as far as they are let.
int fold(const shared_array<int>& seen, int sum, const block& one) {
  const std::atomic_ref loads(seen[0]);
  for (int before = -1; before != loads.load(); std::this_thread::yield()) {
    before = loads.load();
    for (int i = 0; i < 100 && before == loads.load(); ++i) std::this_thread::yield();
  }
  ++std::atomic_ref(seen[1]);
  return sum + one.value;
}

TEST(delayed_processes, roots_are_withheld_and_results_freed) {
  process_pool pool({.workers = 2});
  const shared_array<int> seen(3);
  alive = 0;
  most_alive = 0;
  auto sum = delayed<&add>()(0, 0);
  for (int i = 0; i < 100; ++i) sum = delayed<&fold>()(seen, sum, delayed<&load_block>()(seen, i));
  EXPECT_EQ(sum.compute(pool, {.ahead = 3}), 100 * 99 / 2);
  EXPECT_EQ(alive.load(), 0);
  EXPECT_EQ(seen[0], 100);
  // One load being folded, three ahead and one that is being made.
  EXPECT_LE(seen[2], 5);
  EXPECT_LE(most_alive.load(), 2 * 5) << "with what a move has twice for a moment";
}

TEST(delayed_processes, nothing_is_left_when_a_worker_dies) {
  EXPECT_EQ(process_pool({.workers = 1}).submit<&add>(1, 1).get(), 2);  // what the first pool starts stays
  const std::size_t descriptors = open_descriptors();
  {
    process_pool pool({.workers = 2});
    const shared_array<int> seen(3);
    alive = 0;
    std::vector<delayed_value<block>> blocks;
    for (int i = 0; i < 30; ++i) blocks.push_back(delayed<&load_block>()(seen, i));
    blocks.push_back(delayed<[](int) { return block(crash(1)); }>()(1));
    const auto count = [](std::vector<block> all) { return all.size(); };
    EXPECT_THROW(delayed<count>("count")(std::move(blocks)).compute(pool), delayed_error);
    EXPECT_EQ(alive.load(), 0);
  }
  EXPECT_EQ(open_descriptors(), descriptors);
}

}  // namespace delayed_processes_test
