#include <weft/async/task_group.hpp>

namespace weft {

task<void> task_group::join() {
  if (children_->others_finished()) co_return;
  detail::coroutine_waiter self;
  auto enlist = [&] { return children_->enlist_for_others(self); };
  auto cancel = [&] { children_->withdraw_from_others(self); };
  co_await self.suspend(enlist, cancel);
  if (self.reason() == detail::wake_reason::cancelled) throw cancelled();
}

task<void> task_group::place() {
  detail::coroutine_waiter self;
  auto enlist = [&] { return children_->enlist_for_place(self); };
  auto cancel = [&] { children_->withdraw_from_place(self); };
  co_await self.suspend(enlist, cancel);
  if (self.reason() == detail::wake_reason::cancelled) throw cancelled();
}

}  // namespace weft
