#include <weft/async/detail/ring.hpp>

#include <gtest/gtest.h>

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// Every interleaving of a few threads' operations on a small ring, one atomic step at a time (sequentially
// consistent: what weaker orders allow is ThreadSanitizer's to find in queue_test). The threads are fibers; a
// depth-first search replays the program under every schedule.

namespace ring_test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool fibers_work = false;
#else
constexpr bool fibers_work = true;
#endif

class explorer {
 public:
  static inline explorer* current = nullptr;

  /// Runs `program()`, which returns the threads' bodies, under every schedule; `check()` after each.
  void explore(const std::function<std::vector<std::function<void()>>()>& program,
               const std::function<void()>& check) {
    choices_.clear();
    do {
      auto bodies = program();
      current = this;
      run_once(std::move(bodies));
      current = nullptr;
      check();
      ++schedules;
    } while (advance() && !testing::Test::HasFailure());
  }

  /// A thread is about to do something that others can see.
  void step() { swapcontext(&fibers_[active_].context, &scheduler_); }

  /// A thread reads a word. One that reads the same word for the third time in a row, with nothing written
  /// meanwhile, spins: the others go on first.
  void read(const void* word) {
    fiber& reader = fibers_[active_];
    reader.repeats = reader.last_read == word && reader.writes_seen == writes_ ? reader.repeats + 1 : 0;
    reader.last_read = word;
    reader.writes_seen = writes_;
    if (reader.repeats >= 2) {
      wait_for_a_write();
    } else {
      step();
    }
  }

  /// A thread cannot go on before another has written something.
  void wait_for_a_write() {
    fibers_[active_].waits_for = writes_;
    step();
  }

  void wrote() { ++writes_; }

  long schedules = 0;

 private:
  struct fiber {
    ucontext_t context{};
    std::unique_ptr<std::byte[]> stack;
    std::function<void()> body;
    bool finished = false;
    std::optional<long> waits_for;
    const void* last_read = nullptr;
    long writes_seen = 0;
    int repeats = 0;
  };
  struct choice {
    std::vector<std::size_t> candidates;
    std::size_t taken = 0;
  };

  static void enter() {
    current->fibers_[current->active_].body();
    current->fibers_[current->active_].finished = true;
    current->step();
  }

  void run_once(std::vector<std::function<void()>> bodies) {
    constexpr std::size_t stack_size = 64 * 1024;
    fibers_ = std::vector<fiber>(bodies.size());
    writes_ = 0;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      fiber& made = fibers_[i];
      made.body = std::move(bodies[i]);
      made.stack = std::make_unique<std::byte[]>(stack_size);
      getcontext(&made.context);
      made.context.uc_stack.ss_sp = made.stack.get();
      made.context.uc_stack.ss_size = stack_size;
      makecontext(&made.context, &explorer::enter, 0);
    }
    for (std::size_t depth = 0;; ++depth) {
      std::vector<std::size_t> ready;
      bool all_finished = true;
      for (std::size_t i = 0; i < fibers_.size(); ++i) {
        if (fibers_[i].finished) continue;
        all_finished = false;
        if (!fibers_[i].waits_for || *fibers_[i].waits_for != writes_) ready.push_back(i);
      }
      if (all_finished) return;
      ASSERT_FALSE(ready.empty()) << "deadlock";
      if (depth == choices_.size()) choices_.push_back({ready, 0});
      ASSERT_EQ(choices_[depth].candidates, ready) << "the program is not deterministic";
      active_ = ready[choices_[depth].taken];
      fibers_[active_].waits_for.reset();
      swapcontext(&scheduler_, &fibers_[active_].context);
    }
  }

  /// The next schedule in depth-first order; false after the last.
  bool advance() {
    while (!choices_.empty()) {
      if (++choices_.back().taken < choices_.back().candidates.size()) return true;
      choices_.pop_back();
    }
    return false;
  }

  std::vector<fiber> fibers_;
  std::vector<choice> choices_;
  ucontext_t scheduler_{};
  std::size_t active_ = 0;
  long writes_ = 0;
};

/// What the ring needs of std::atomic, a step of the explorer at each use.
template <class T>
class stepping_atomic {
 public:
  stepping_atomic(T value) : value_(value) {}  // NOLINT(google-explicit-constructor)

  T load(std::memory_order = std::memory_order_seq_cst) const {
    if (explorer::current == nullptr) return value_;
    explorer::current->read(this);
    return value_;
  }

  void store(T value, std::memory_order = std::memory_order_seq_cst) {
    write([&] { value_ = value; });
  }

  bool compare_exchange_weak(T& expected, T desired, std::memory_order, std::memory_order) {
    bool equal = false;
    write([&] {
      equal = value_ == expected;
      (equal ? value_ : expected) = equal ? desired : value_;
    });
    return equal;
  }

  T fetch_or(T bits, std::memory_order) {
    T before{};
    write([&] {
      before = value_;
      value_ |= bits;
    });
    return before;
  }

 private:
  template <class Change>
  void write(Change change) {
    if (explorer::current != nullptr) explorer::current->step();
    change();
    if (explorer::current != nullptr) explorer::current->wrote();
  }
  T value_;
};

using small_ring = weft::detail::ring<int, stepping_atomic>;
using weft::detail::claim;

/// The owner's mutex, as the explorer sees it.
class stepping_mutex {
 public:
  void lock() {
    for (;;) {
      explorer::current->step();
      if (!taken_) break;
      explorer::current->wait_for_a_write();
    }
    taken_ = true;
    explorer::current->wrote();
  }
  void unlock() {
    explorer::current->step();
    taken_ = false;
    explorer::current->wrote();
  }

 private:
  bool taken_ = false;
};

struct world {
  explicit world(std::size_t capacity) : items(capacity) {}

  void push(int value) {
    if (items.try_push(value) == claim::done) in.insert(value);
  }
  void pop() {
    items.try_pop([this](int&& value) { take(value); });
  }
  /// What an operation does while anybody waits.
  void push_frozen(int value) {
    mutex.lock();
    items.freeze();
    if (items.frozen_size() < items.capacity()) {
      items.frozen_push(value);
      in.insert(value);
    }
    items.thaw();
    mutex.unlock();
  }
  void pop_frozen() {
    mutex.lock();
    items.freeze();
    if (items.frozen_size() != 0) items.frozen_pop([this](int&& value) { take(value); });
    items.thaw();
    mutex.unlock();
  }
  void take(int value) { EXPECT_TRUE(out.insert(value).second) << value << " came out twice"; }

  /// Empties the ring; then everything that went in must have come out, and nothing else.
  void check() {
    EXPECT_LE(items.size(), items.capacity());
    while (items.try_pop([this](int&& value) { take(value); }) == claim::done) {
    }
    EXPECT_EQ(in, out);
    EXPECT_EQ(items.size(), 0U);
    int last = 99;
    EXPECT_EQ(items.try_push(last), claim::done) << "the ring is not usable any more";
  }

  small_ring items;
  stepping_mutex mutex;
  std::set<int> in;
  std::set<int> out;
};

/// Explores all schedules of the given threads, each a string of operations: '+' push, '-' pop, 'P' and 'O'
/// the same while frozen.
long explore(std::size_t capacity, const std::vector<std::string>& threads) {
  explorer all;
  std::unique_ptr<world> here;
  const auto program = [&] {
    here = std::make_unique<world>(capacity);
    std::vector<std::function<void()>> bodies;
    for (std::size_t thread = 0; thread < threads.size(); ++thread) {
      bodies.emplace_back([&here, &threads, thread] {
        int value = static_cast<int>(thread) * 10;
        for (const char operation : threads[thread]) {
          if (operation == '+') here->push(value++);
          if (operation == '-') here->pop();
          if (operation == 'P') here->push_frozen(value++);
          if (operation == 'O') here->pop_frozen();
        }
      });
    }
    return bodies;
  };
  all.explore(program, [&here] { here->check(); });
  return all.schedules;
}

TEST(ring, every_interleaving_of_two_pushes_and_two_pops_keeps_the_items) {
  if (!fibers_work) GTEST_SKIP() << "the interleavings run on fibers, which the sanitizers do not follow";
  for (const std::size_t capacity : {1U, 2U}) {
    EXPECT_GT(explore(capacity, {"++", "--"}), 100) << "too few schedules to mean anything";
    EXPECT_GT(explore(capacity, {"+-", "+-"}), 100);
  }
}

// Two tests, since each takes long enough for a processor of its own.
TEST(ring, every_interleaving_of_two_pushers_and_a_popper_keeps_the_items) {
  if (!fibers_work) GTEST_SKIP() << "the interleavings run on fibers, which the sanitizers do not follow";
  EXPECT_GT(explore(1, {"+", "+", "-"}), 1000);
}

TEST(ring, every_interleaving_of_a_pusher_and_two_poppers_keeps_the_items) {
  if (!fibers_work) GTEST_SKIP() << "the interleavings run on fibers, which the sanitizers do not follow";
  EXPECT_GT(explore(1, {"+", "-", "-"}), 1000);
}

TEST(ring, every_interleaving_with_freezing_keeps_the_items) {
  if (!fibers_work) GTEST_SKIP() << "the interleavings run on fibers, which the sanitizers do not follow";
  for (const std::size_t capacity : {1U, 2U}) {
    EXPECT_GT(explore(capacity, {"+", "O"}), 20);
    EXPECT_GT(explore(capacity, {"P", "-"}), 20);
    EXPECT_GT(explore(capacity, {"++", "O"}), 100);
    EXPECT_GT(explore(capacity, {"P-", "+"}), 100);
    EXPECT_GT(explore(capacity, {"+-", "O"}), 100);
  }
}

TEST(ring, one_claim_takes_all_that_there_is_over_the_wrap_too) {
  constexpr std::size_t capacity = 5;
  for (std::size_t size = 1; size <= capacity + 1; ++size) {
    weft::detail::ring<int> items(capacity);
    const std::size_t fits = std::min(size, capacity);
    int next_in = 0;
    int next_out = 0;
    for (int turn = 0; turn < 100; ++turn) {
      std::vector<int> some(size);
      for (std::size_t i = 0; i < size; ++i) some[i] = next_in + static_cast<int>(i);
      ASSERT_EQ(items.try_push_some(some.data(), size).first, fits) << size << " at a time, turn " << turn;
      next_in += static_cast<int>(fits);
      std::vector<int> out;
      ASSERT_EQ(items.try_pop_some(size, [&](int&& item) { out.push_back(item); }).first, fits);
      for (const int item : out) ASSERT_EQ(item, next_out++);
    }
    EXPECT_EQ(next_out, next_in);
    EXPECT_EQ(items.size(), 0U);
  }
}

}  // namespace ring_test
