#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <mutex>  // for std::mutex

namespace weft::detail {

/// Suspends the coroutine in `list` unless `ready()` is true; both are used under the mutex. Whoever makes it
/// true wakes the list's waiters; the condition may have changed again when the coroutine goes on.
///
/// `ready` is kept by reference and must outlive the await. Throws `cancelled` if the coroutine was
/// cancelled.
template <class Ready>
task<void> wait_for(std::mutex& mutex, wait_list& list, Ready& ready) {
  coroutine_waiter self;
  auto enlist = [&] {
    const std::lock_guard lock(mutex);
    if (ready()) {
      self.set_reason(wake_reason::ready);
      return false;
    }
    list.push_back(self);
    return true;
  };
  auto cancel = [&] {
    wake_chain woken;
    const std::lock_guard lock(mutex);
    if (!self.linked()) return;
    list.remove(self);
    woken.add(self, wake_reason::cancelled);
  };
  co_await self.suspend(enlist, cancel);
  if (self.reason() == wake_reason::cancelled) throw cancelled();
}

/// Wakes everyone in the list, once the caller has released the mutex.
inline void wake_all(wait_list& list, wake_chain& woken) noexcept {
  while (!list.empty()) {
    waiter& next = *list.front();
    list.remove(next);
    woken.add(next, wake_reason::ready);
  }
}

}  // namespace weft::detail
