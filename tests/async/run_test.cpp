#include <weft/async/run.hpp>

#include <async/coroutines.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace run_test {

using namespace weft_test;
using weft::run;
using weft::task;

TEST(run, returns_what_main_returns) {
  EXPECT_EQ(run([]() -> task<int> { co_return 5; }()), 5);
  EXPECT_EQ(run([]() -> task<std::string> {
              co_await yield();
              co_return "text";
            }()),
            "text");
  run([]() -> task<> { co_await yield(); }());
}

TEST(run, returns_what_can_only_be_moved) {
  EXPECT_EQ(*run([]() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); }()), 7);
}

TEST(run, needs_no_default_constructor) {
  struct number {
    explicit number(int v) : value(v) {}
    int value;
  };
  EXPECT_EQ(run([]() -> task<number> { co_return number(3); }()).value, 3);
  EXPECT_THROW(run([]() -> task<number> {
                 throw std::out_of_range("main");
                 co_return number(3);
               }()),
               std::out_of_range);
}

TEST(run, throws_what_main_throws_whatever_its_type) {
  EXPECT_THROW(run([]() -> task<int> {
                 co_await yield();
                 throw std::out_of_range("main");
               }()),
               std::out_of_range);
  EXPECT_THROW(run([]() -> task<> {
                 throw 5;
                 co_return;
               }()),
               int);
}

TEST(run, stays_on_the_calling_thread) {
  run([](std::thread::id caller) -> task<> {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    co_await yield();
    EXPECT_EQ(std::this_thread::get_id(), caller);
  }(std::this_thread::get_id()));
}

TEST(run, finishes_what_was_started_on_its_loop) {
  bool finished = false;
  run([](bool& flag) -> task<> {
    boost::asio::co_spawn(
        co_await boost::asio::this_coro::executor,
        [](bool& inner) -> task<> {
          for (int i = 0; i < 5; ++i) co_await yield();
          inner = true;
        }(flag),
        boost::asio::detached);
  }(finished));
  EXPECT_TRUE(finished);
}

TEST(run, nests_in_other_threads) {
  int sum = 0;
  run([](int& out) -> task<> {
    co_await yield();
    std::thread other([&out] { out += run([]() -> task<int> { co_return 2; }()); });
    other.join();
    out += 1;
  }(sum));
  EXPECT_EQ(sum, 3);
}

}  // namespace run_test
