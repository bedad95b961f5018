#include <weft/pool/actor.hpp>

#include <weft/async/run.hpp>
#include <weft/pool/captured.hpp>
#include <weft/pool/process_pool.hpp>

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace actor_test {

using weft::actor;
using weft::task;

class account {
 public:
  account() = default;
  account(std::string owner, int balance) : owner_(std::move(owner)), balance_(balance) {
    if (balance < 0) throw std::invalid_argument("no credit");
  }
  int deposit(int amount) { return balance_ += amount; }
  int balance() const { return balance_; }
  const std::string& owner() const noexcept { return owner_; }
  int process() const { return ::getpid(); }
  void crash() { ::_exit(7); }
  void hang() {
    for (;;) ::pause();
  }

 private:
  std::string owner_ = "nobody";
  int balance_ = 0;
};

class notes_its_end {
 public:
  explicit notes_its_end(std::string path) : path_(std::move(path)) {}
  ~notes_its_end() { std::fclose(std::fopen(path_.c_str(), "w")); }
  void work() {}

 private:
  std::string path_;
};

TEST(actor, keeps_its_state_in_a_process_of_its_own) {
  actor<account> one({}, "Ada", 10);
  actor<account> other;
  EXPECT_EQ(one.call<&account::deposit>(5).get(), 15);
  EXPECT_EQ(one.call<&account::deposit>(5).get(), 20);
  EXPECT_EQ(one.call<&account::owner>().get(), "Ada");
  EXPECT_EQ(other.call<&account::balance>().get(), 0);
  EXPECT_NE(one.call<&account::process>().get(), other.call<&account::process>().get());
  EXPECT_NE(one.call<&account::process>().get(), ::getpid());
}

TEST(actor, runs_its_methods_in_the_order_of_the_calls) {
  actor<account> one;
  std::vector<weft::future<int>> calls;
  for (int i = 1; i <= 1000; ++i) calls.push_back(one.call<&account::deposit>(1));
  for (int i = 1; i <= 1000; ++i) EXPECT_EQ(calls[static_cast<std::size_t>(i - 1)].get(), i);
}

TEST(actor, without_restarts_its_death_fails_this_and_every_later_call) {
  actor<account> one({}, "Ada", 10);
  auto crash = one.call<&account::crash>();
  auto behind = one.call<&account::balance>();
  EXPECT_THROW(crash.get(), weft::worker_died);
  EXPECT_THROW(behind.get(), weft::worker_died);
  try {
    one.call<&account::balance>().get();
    FAIL() << "a dead actor answered";
  } catch (const weft::worker_died& error) {
    EXPECT_EQ(error.exit_code(), 7);
    EXPECT_NE(std::string(error.what()).find("not replaced"), std::string::npos) << error.what();
  }
}

TEST(actor, restarts_make_it_anew_from_the_same_arguments) {
  actor<account> one({.restarts = 2}, "Ada", 10);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(one.call<&account::deposit>(5).get(), 15);
    auto crash = one.call<&account::crash>();
    auto behind = one.call<&account::balance>();
    EXPECT_THROW(crash.get(), weft::worker_died);
    EXPECT_EQ(behind.get(), 10);
  }
  EXPECT_THROW(one.call<&account::crash>().get(), weft::worker_died);
  EXPECT_THROW(one.call<&account::balance>().get(), weft::worker_died);
}

TEST(actor, a_hung_call_is_cancelled_at_the_price_of_a_restart) {
  actor<account> one({.restarts = -1}, "Ada", 1);
  one.call<&account::deposit>(1).get();
  auto hung = one.call<&account::hang>();
  // cancel() stops it wherever it is: in the queue or in the method.
  EXPECT_TRUE(hung.cancel());
  EXPECT_THROW(hung.get(), weft::cancelled);
  EXPECT_GE(one.call<&account::balance>().get(), 1);
}

TEST(actor, what_its_constructor_throws_reaches_the_calls) {
  actor<account> one({}, "Bob", -1);
  EXPECT_THROW(one.call<&account::balance>().get(), std::invalid_argument);
  EXPECT_THROW(one.call<&account::balance>().get(), std::invalid_argument);
}

TEST(actor, is_awaited_by_coroutines) {
  actor<account> one({}, "Ada", 1);
  weft::run([](actor<account>& target) -> task<> {
    EXPECT_EQ(co_await target.run<&account::deposit>(2), 3);
    EXPECT_EQ(co_await target.run<&account::deposit>(2), 5);
  }(one));
}

TEST(actor, the_object_is_destroyed_with_it) {
  const std::string path = testing::TempDir() + "weft_actor_" + std::to_string(::getpid());
  {
    actor<notes_its_end> one({}, path);
    one.call<&notes_its_end::work>().get();
    EXPECT_NE(::access(path.c_str(), F_OK), 0);
  }
  EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  ::unlink(path.c_str());
}

int talk(int value) {
  std::printf("printed %d\n", value);
  std::cout << "streamed " << value << '\n';
  std::cerr << "complained " << value << '\n';
  if (value < 0) throw std::runtime_error("negative");
  return value * 2;
}
void whisper() {
  std::fputs("psst", stdout);
}

TEST(captured, what_each_call_prints_comes_with_its_result) {
  weft::process_pool pool({.workers = 1, .forward_stderr = false});
  for (int i = 0; i < 3; ++i) {
    const auto said = pool.submit<weft::capture<&talk>>(i).get();
    const std::string number = std::to_string(i);
    EXPECT_EQ(said.value, 2 * i);
    EXPECT_EQ(said.output, "printed " + number + "\nstreamed " + number + "\n");
    EXPECT_EQ(said.error, "complained " + number + "\n");
  }
  EXPECT_EQ(pool.submit<weft::capture<&whisper>>().get().output, "psst");
  EXPECT_THROW(pool.submit<weft::capture<&talk>>(-1).get(), std::runtime_error);
  EXPECT_EQ(pool.submit<weft::capture<&whisper>>().get().output, "psst");
}

}  // namespace actor_test
