#include <weft/pool/delayed.hpp>
#include <weft/pool/detail/graph_run.hpp>

#include <algorithm>      // for std::min, std::reverse
#include <iterator>       // for std::next
#include <unordered_map>  // for std::unordered_map
#include <utility>        // for std::move

namespace weft::detail {

namespace {

/// The nodes that a target needs, depth first: each after its inputs, the target last.
std::vector<const graph_node*> depth_first(const graph_node& target) {
  struct visit {
    const graph_node* node;
    std::size_t next_input;
  };
  std::vector<const graph_node*> order;
  std::unordered_map<const graph_node*, bool> seen;
  std::vector<visit> path{{&target, 0}};
  seen.emplace(&target, true);
  while (!path.empty()) {
    visit& top = path.back();
    if (top.next_input == top.node->inputs().size()) {
      order.push_back(top.node);
      path.pop_back();
      continue;
    }
    const graph_node* input = top.node->inputs()[top.next_input++].get();
    if (seen.emplace(input, true).second) path.push_back({input, 0});
  }
  return order;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result + '"';
}

}  // namespace

graph_node::~graph_node() {
  std::vector<std::shared_ptr<graph_node>> last = std::move(inputs_);
  while (!last.empty()) {
    const std::shared_ptr<graph_node> node = std::move(last.back());
    last.pop_back();
    if (node.use_count() != 1) continue;
    for (auto& input : node->inputs_) last.push_back(std::move(input));
    node->inputs_.clear();
  }
}

std::string graphviz(const graph_node& target) {
  const std::vector<const graph_node*> order = depth_first(target);
  std::unordered_map<const graph_node*, std::size_t> numbers;
  for (std::size_t i = 0; i < order.size(); ++i) numbers.emplace(order[i], i);
  std::string text = "digraph delayed {\n";
  for (std::size_t i = 0; i < order.size(); ++i) {
    text += "  n" + std::to_string(i) + " [label=" + quoted(order[i]->name()) + "];\n";
    for (const auto& input : order[i]->inputs()) {
      text += "  n" + std::to_string(numbers.at(input.get())) + " -> n" + std::to_string(i) + ";\n";
    }
  }
  return text + "}\n";
}

graph_run::graph_run(std::shared_ptr<graph_node> target, limits limit, submitter submit)
    : target_(std::move(target)), ahead_(limit.ahead), submit_(std::move(submit)), drivers_(limit.running) {
  plan();
}

graph_run::graph_run(std::shared_ptr<graph_node> target, limits limit, std::shared_ptr<process_core> workers,
                     boost::asio::any_io_executor home)
    : target_(std::move(target)),
      ahead_(limit.ahead),
      workers_(std::move(workers)),
      home_(std::move(home)),
      drivers_(limit.running) {
  plan();
  for (const step& each : steps_) {
    if (each.node->remote()) continue;
    throw invalid_argument("delayed: worker processes do not know the function of '" + each.node->name() +
                           "'; make the call with delayed<&f>(\"" + each.node->name() +
                           "\"), or compute the graph on a thread_pool");
  }
}

void graph_run::plan() {
  const std::vector<const graph_node*> order = depth_first(*target_);
  std::unordered_map<const graph_node*, index> numbers;
  steps_.resize(order.size());
  for (index i = 0; i < steps_.size(); ++i) {
    numbers.emplace(order[i], i);
    step& now = steps_[i];
    now.node = const_cast<graph_node*>(order[i]);
    for (const auto& input : order[i]->inputs()) {
      const index from = numbers.at(input.get());
      now.inputs.push_back(from);
      steps_[from].consumers.push_back(i);
      ++steps_[from].uses;
    }
    now.missing = now.inputs.size();
    if (now.missing == 0) {
      roots_.push_back(i);
    } else {
      not_started_.insert(not_started_.end(), i);
    }
  }
  ++steps_.back().uses;  // ours
  for (const step& each : steps_) {
    if (each.uses > 1 && !each.node->copyable()) {
      throw invalid_argument("delayed: the result of '" + each.node->name() + "' is taken " +
                             std::to_string(each.uses) +
                             " times and cannot be copied; let one call take it, or return a shared_ptr");
    }
  }
}

void graph_run::start() {
  std::unique_lock lock(mutex_);
  workers_ ? send_calls(lock) : start_drivers();
}

graph_run::index graph_run::root_limit() const {
  if (not_started_.size() < ahead_) return none;
  return *std::next(not_started_.begin(), static_cast<std::ptrdiff_t>(ahead_ - 1));
}

graph_run::index graph_run::choose() {
  if (stopped_) return none;
  if (!ready_.empty()) {
    const index which = *ready_.begin();
    ready_.erase(ready_.begin());
    not_started_.erase(which);
    return which;
  }
  if (next_root_ == roots_.size() || roots_[next_root_] > root_limit()) return none;
  return roots_[next_root_++];
}

std::size_t graph_run::choosable() const {
  if (stopped_) return 0;
  std::size_t count = ready_.size();
  const index limit = root_limit();
  for (std::size_t i = next_root_; i < roots_.size() && count < drivers_.size() && roots_[i] < limit; ++i) {
    ++count;
  }
  return count;
}

void graph_run::start_drivers() {
  for (std::size_t place = 0; place < drivers_.size() && choosable() > starting_; ++place) {
    if (drivers_[place].busy) continue;
    // Nothing of the new call can run before the mutex is free.
    drivers_[place].call = submit_([this, place] { drive(place); });
    drivers_[place].busy = true;
    ++active_;
    ++starting_;
  }
}

void graph_run::drive(std::size_t place) {
  std::vector<graph_input> inputs;
  results done_with;
  wake_chain woken;
  std::unique_lock lock(mutex_);
  --starting_;
  for (index which = choose(); which != none; which = choose()) {
    start_drivers();
    collect_inputs(which, inputs);
    lock.unlock();
    std::unique_ptr<graph_result> result;
    std::exception_ptr cause;
    try {
      result = steps_[which].node->run(inputs);
    } catch (...) {
      cause = std::current_exception();
    }
    lock.lock();
    release_inputs(which, done_with);
    cause ? fail(which, std::move(cause)) : store(which, std::move(result));
    // What an input holds may take long to free, or use the pool.
    lock.unlock();
    done_with.clear();
    lock.lock();
  }
  drivers_[place].busy = false;
  leave(woken);
}

void graph_run::send_calls(std::unique_lock<std::mutex>& lock) {
  std::vector<graph_input> inputs;
  results done_with;
  for (std::size_t place = idle_driver(); place != drivers_.size(); place = idle_driver()) {
    const index which = choose();
    if (which == none) return;
    driver& here = drivers_[place];
    here.busy = true;
    ++active_;
    collect_inputs(which, inputs);
    lock.unlock();
    std::unique_ptr<sent_call> sent;
    std::exception_ptr cause;
    try {
      sent = steps_[which].node->send(workers_, inputs);
    } catch (...) {
      cause = std::current_exception();
    }
    lock.lock();
    release_inputs(which, done_with);
    if (cause) {
      fail(which, std::move(cause));
      here.busy = false;
      --active_;
    } else {
      here.node = which;
      here.sent = std::move(sent);
      here.result.emplace(*this, place);
      if (stopped_) here.sent->shared().cancel();  // since it was chosen
      // It goes on in a posted function, which cannot get far before the mutex is free.
      if (!here.sent->shared().enlist(*here.result)) here.result->wake();
    }
    lock.unlock();
    done_with.clear();
    lock.lock();
  }
}

void graph_run::receive(std::size_t place) {
  wake_chain woken;
  std::unique_lock lock(mutex_);
  driver& here = drivers_[place];
  const index which = here.node;
  std::unique_ptr<sent_call> sent = std::move(here.sent);
  lock.unlock();
  std::unique_ptr<graph_result> result;
  std::exception_ptr cause;
  try {
    result = sent->take();
  } catch (...) {
    cause = std::current_exception();
  }
  sent.reset();
  lock.lock();
  cause ? fail(which, std::move(cause)) : store(which, std::move(result));
  here.busy = false;
  send_calls(lock);
  leave(woken);
}

std::size_t graph_run::idle_driver() const noexcept {
  std::size_t place = 0;
  while (place < drivers_.size() && drivers_[place].busy) ++place;
  return place;
}

void graph_run::collect_inputs(index which, std::vector<graph_input>& inputs) const {
  inputs.clear();
  for (const index from : steps_[which].inputs) {
    inputs.push_back({steps_[from].result.get(), steps_[from].uses == 1});
  }
}

void graph_run::release_inputs(index which, results& done_with) {
  for (const index from : steps_[which].inputs) {
    if (--steps_[from].uses == 0) done_with.push_back(std::move(steps_[from].result));
  }
}

void graph_run::store(index which, std::unique_ptr<graph_result> result) {
  steps_[which].result = std::move(result);
  for (const index to : steps_[which].consumers) {
    if (--steps_[to].missing == 0) ready_.insert(to);
  }
}

void graph_run::leave(wake_chain& woken) noexcept {
  if (--active_ > 0) return;
  while (!waiters_.empty()) {
    waiter& next = *waiters_.front();
    waiters_.remove(next);
    woken.add(next, wake_reason::ready);
  }
}

void graph_run::fail(index which, std::exception_ptr cause) {
  stopped_ = true;
  if (!failure_) failure_ = std::make_exception_ptr(delayed_error(path_to(which), std::move(cause)));
  stop_sent();
}

void graph_run::stop_sent() noexcept {
  for (const driver& each : drivers_) {
    if (each.sent) each.sent->shared().cancel();
  }
}

std::vector<std::string> graph_run::path_to(index which) const {
  std::vector<std::string> names{steps_[which].node->name()};
  while (!steps_[which].consumers.empty()) {
    which = steps_[which].consumers.front();
    names.push_back(steps_[which].node->name());
  }
  std::reverse(names.begin(), names.end());
  return names;
}

void graph_run::wait() {
  if (pool_call_depth == 0) {
    thread_waiter self;
    if (enlist(self)) self.block();
    return;
  }
  while (true) {
    future<void> call;
    {
      const std::lock_guard lock(mutex_);
      for (driver& each : drivers_) {
        if (each.busy && each.call.valid()) {
          call = std::move(each.call);
          break;
        }
      }
    }
    if (!call.valid()) return;
    call.wait();
  }
}

bool graph_run::enlist(waiter& self) noexcept {
  const std::lock_guard lock(mutex_);
  if (active_ == 0) {
    self.set_reason(wake_reason::ready);
    return false;
  }
  waiters_.push_back(self);
  return true;
}

task<void> graph_run::join() {
  bool asked_to_stop = false;
  coroutine_waiter self;
  auto wait_here = [&] { return enlist(self); };
  auto cancel = [&] {
    asked_to_stop = true;
    stop();
  };
  co_await self.suspend(wait_here, cancel);
  if (asked_to_stop) throw cancelled();
}

void graph_run::stop() noexcept {
  wake_chain woken;
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  stop_sent();
  for (std::size_t place = 0; place < drivers_.size(); ++place) {
    driver& each = drivers_[place];
    if (!each.busy || !each.call.valid() || !each.call.cancel()) continue;
    --starting_;
    each.busy = false;
    leave(woken);
  }
}

std::unique_ptr<graph_result> graph_run::take() {
  if (failure_) std::rethrow_exception(std::move(failure_));
  if (!steps_.back().result) throw cancelled();
  return std::move(steps_.back().result);
}

}  // namespace weft::detail
