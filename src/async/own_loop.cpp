#include <weft/async/detail/own_loop.hpp>

#include <weft/async/detail/spin.hpp>
#include <weft/async/detail/waiter.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/prefer.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>  // for std::uint64_t
#include <memory>   // for std::make_unique
#include <utility>  // for std::exchange

#include "async/event_loop.hpp"

namespace weft::detail {

constinit thread_local own_loop* own_loop::current_ = nullptr;

/// An eventfd that the loop listens to whenever it sleeps.
class own_loop::doorbell {
 public:
  explicit doorbell(own_loop& owner)
      : owner_(owner), descriptor_(owner.context_, ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    listen();
  }

  void ring() noexcept {
    const std::uint64_t one = 1;
    // Cannot fail: the count is read long before it is full.
    [[maybe_unused]] const auto written = ::write(descriptor_.native_handle(), &one, sizeof(one));
  }

 private:
  // Listening is no work that keeps the loop from its end.
  void listen() {
    descriptor_.async_read_some(boost::asio::buffer(&count_, sizeof(count_)),
                                [this](boost::system::error_code, std::size_t) {
                                  owner_.context_.get_executor().on_work_started();
                                  owner_.let_in();
                                  listen();
                                });
    owner_.context_.get_executor().on_work_finished();
  }

  own_loop& owner_;
  boost::asio::posix::stream_descriptor descriptor_;
  std::uint64_t count_ = 0;
};

own_loop::own_loop() : outer_(std::exchange(current_, this)) {
  boost::asio::make_service<single_thread_mark>(context_);
}

own_loop::~own_loop() {
  current_ = outer_;
  spin_until([this] { return delivering_.load(std::memory_order_acquire) == 0; });
}

void own_loop::run() {
  for (;;) {
    context_.poll();
    if (context_.stopped()) return;
    sleep();
  }
}

void own_loop::sleep() {
  if (!doorbell_) doorbell_ = std::make_unique<doorbell>(*this);
  // Released with it: the doorbell. Whoever still takes the loop for awake posts, which wakes it as well.
  asleep_.store(true, std::memory_order_release);
  context_.run_one();
  asleep_.store(false, std::memory_order_relaxed);
}

void own_loop::deliver(posted_waiter& item) noexcept {
  // Before the item can go on, and so before the loop can end. The release below pairs with the destructor's
  // acquire: what is done to the loop here comes before its end.
  delivering_.fetch_add(1, std::memory_order_relaxed);
  waiter* last = delivered_.load(std::memory_order_relaxed);
  do {
    item.next_ = last;
  } while (
      !delivered_.compare_exchange_weak(last, &item, std::memory_order_release, std::memory_order_relaxed));
  if (last == nullptr) announce();
  delivering_.fetch_sub(1, std::memory_order_release);
}

void own_loop::announce() noexcept {
  if (asleep_.load(std::memory_order_relaxed) && asleep_.exchange(false, std::memory_order_acquire)) {
    doorbell_->ring();
  } else {
    let_in_soon();
  }
}

void own_loop::let_in_soon() noexcept {
  namespace asio = boost::asio;
  // Acquires what let_in() did with the buffer, and releases what has been delivered.
  if (entrance_posted_.exchange(true, std::memory_order_acq_rel)) return;
  asio::prefer(asio::require(context_.get_executor(), asio::execution::blocking.never),
               asio::execution::allocator(resume_allocator<void>(entrance_)))
      .execute([this] {
        entrance_posted_.exchange(false, std::memory_order_acq_rel);
        let_in();
      });
}

void own_loop::let_in() {
  asleep_.store(false, std::memory_order_relaxed);
  waiter* last = delivered_.exchange(nullptr, std::memory_order_acquire);
  waiter* first = nullptr;
  while (last != nullptr) {
    waiter* const before = std::exchange(last->next_, first);
    first = std::exchange(last, before);
  }
  while (first != nullptr) {
    waiter* const next = first->next_;
    static_cast<posted_waiter*>(first)->go_on();
    first = next;
  }
}

}  // namespace weft::detail
