#pragma once

#include "async/coroutines.hpp"

#include <weft/async/detail/waiter.hpp>
#include <weft/async/stream.hpp>
#include <weft/async/task.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <exception>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace weft_test {

inline weft::task<> yield(int times) {
  for (int i = 0; i < times; ++i) co_await yield();
}

inline std::vector<int> numbers(int count) {
  std::vector<int> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

/// Threads for map(pool, ...), with nothing but what it asks for.
class plain_pool {
 public:
  explicit plain_pool(std::size_t threads) : count_(static_cast<int>(threads)), threads_(threads) {}
  ~plain_pool() { threads_.join(); }

  int threads() const noexcept { return count_; }

  /// Waits for the call also when it is cancelled meanwhile.
  template <class F>
  weft::task<void> run(F function) {
    weft::detail::coroutine_waiter caller;
    std::exception_ptr error;
    auto call = [&] {
      try {
        function();
      } catch (...) {
        error = std::current_exception();
      }
      caller.wake();
    };
    auto enlist = [&] {
      boost::asio::post(threads_, [&] { call(); });
      return true;
    };
    auto ignore = [] {};
    co_await caller.suspend(enlist, ignore);
    if (error) std::rethrow_exception(error);
  }

 private:
  int count_;
  boost::asio::thread_pool threads_;
};

/// Counts up for ever and tells how far it has been asked.
class counter_source {
 public:
  explicit counter_source(int& asked) : asked_(&asked) {}
  weft::task<std::optional<int>> next() { co_return (*asked_)++; }

 private:
  int* asked_;
};

/// An item that knows how many of its kind are alive.
class tracked {
 public:
  struct census {
    std::atomic<int> alive{0};
    std::atomic<int> most{0};
  };

  tracked(census& all, int number) : all_(&all), value(number) { count(); }
  tracked(tracked&& from) noexcept : all_(std::exchange(from.all_, nullptr)), value(from.value) {}
  tracked& operator=(tracked&& from) noexcept {
    std::swap(all_, from.all_);
    std::swap(value, from.value);
    return *this;
  }
  ~tracked() {
    if (all_ != nullptr) all_->alive.fetch_sub(1);
  }

 private:
  void count() {
    const int now = all_->alive.fetch_add(1) + 1;
    int most = all_->most.load();
    while (now > most && !all_->most.compare_exchange_weak(most, now)) {
    }
  }
  census* all_;

 public:
  int value;
};

}  // namespace weft_test
