#pragma once

#include <weft/async/detail/wait_for.hpp>
#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>

#include <cstddef>    // for std::size_t
#include <deque>      // for std::deque
#include <exception>  // for std::exception_ptr
#include <mutex>      // for std::mutex
#include <optional>   // for std::optional
#include <utility>    // for std::move

namespace weft::detail {

/// The items between a consumer coroutine and the coroutines that produce for it.
///
/// A producer gets a place first, then produces, then fills the place: what is held and what is being
/// produced together never exceed the capacity. Producers that wait are woken when half of the places are
/// free, so that two coroutines of one thread change turns once per half buffer and not once per item.
///
/// Thread safety: safe for any number of producers and one consumer.
template <class T>
class handover {
 public:
  handover(std::size_t capacity, std::size_t producers) : capacity_(capacity), producers_(producers) {}

  // ---- a producer -----------------------------------------------------------------------------------------

  /// Takes a place if there is one.
  bool try_reserve() {
    const std::lock_guard lock(mutex_);
    if (reserved_ + items_.size() >= capacity_) return false;
    ++reserved_;
    return true;
  }

  /// Waits until there may be a place.
  task<void> room() {
    auto ready = [this] { return reserved_ + items_.size() < capacity_; };
    co_await wait_for(mutex_, waiting_producers_, ready);
  }

  /// Fills a place.
  void put(T&& item) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    --reserved_;
    wake_all(waiting_consumer_, woken);
  }

  /// Gives a place back and ends; the stream ends with the last producer.
  void finish() {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    --reserved_;
    if (--producers_ == 0) wake_all(waiting_consumer_, woken);
    wake_all(waiting_producers_, woken);
  }

  /// Ends the stream with an error that the consumer gets after the items that are there.
  void fail(std::exception_ptr error) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
    producers_ = 0;
    wake_all(waiting_consumer_, woken);
  }

  // ---- the consumer ---------------------------------------------------------------------------------------

  /// Whether there is an item or it is known that there will be none.
  bool decided() {
    const std::lock_guard lock(mutex_);
    return decided_locked();
  }

  /// Waits until decided().
  task<void> arrival() {
    auto ready = [this] { return decided_locked(); };
    co_await wait_for(mutex_, waiting_consumer_, ready);
  }

  /// The next item, or none at the end, once decided(). Throws what fail() was given.
  std::optional<T> take() {
    std::optional<T> item;
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (items_.empty()) {
      if (error_) std::rethrow_exception(error_);
      return item;
    }
    item.emplace(std::move(items_.front()));
    items_.pop_front();
    if (!waiting_producers_.empty() && (reserved_ + items_.size()) * 2 <= capacity_)
      wake_all(waiting_producers_, woken);
    return item;
  }

 private:
  bool decided_locked() const noexcept { return !items_.empty() || producers_ == 0; }

  std::mutex mutex_;
  const std::size_t capacity_;
  std::size_t producers_;
  std::size_t reserved_ = 0;
  std::deque<T> items_;
  std::exception_ptr error_;
  wait_list waiting_producers_;
  wait_list waiting_consumer_;
};

}  // namespace weft::detail
