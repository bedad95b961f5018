#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/pool/future.hpp>

#include <cstddef>     // for std::size_t
#include <cstdint>     // for std::uint32_t
#include <exception>   // for std::exception_ptr
#include <functional>  // for std::function
#include <memory>      // for std::unique_ptr, std::shared_ptr
#include <mutex>       // for std::mutex
#include <set>         // for std::set
#include <span>        // for std::span
#include <string>      // for std::string
#include <utility>     // for std::move
#include <vector>      // for std::vector

namespace weft::detail {

/// What a node of a graph gave in one run.
struct graph_result {
  graph_result() = default;
  graph_result(const graph_result&) = delete;
  graph_result& operator=(const graph_result&) = delete;
  virtual ~graph_result() = default;
};

/// What a node is given for one of its inputs.
struct graph_input {
  graph_result* result;
  bool exclusive;  // nobody else will look at it: it may be moved from
};

/// A call that has not been made, and the nodes whose results it takes. The graph is immutable.
class graph_node {
 public:
  graph_node(std::string name, bool copyable, std::vector<std::shared_ptr<graph_node>> inputs)
      : name_(std::move(name)), copyable_(copyable), inputs_(std::move(inputs)) {}
  graph_node(const graph_node&) = delete;
  graph_node& operator=(const graph_node&) = delete;
  /// Frees what only this node keeps, however deep, without recursion.
  virtual ~graph_node();

  const std::string& name() const noexcept { return name_; }
  /// Whether several may have the result.
  bool copyable() const noexcept { return copyable_; }
  std::span<const std::shared_ptr<graph_node>> inputs() const noexcept { return inputs_; }

  virtual std::unique_ptr<graph_result> run(std::span<const graph_input> inputs) = 0;

 private:
  std::string name_;
  bool copyable_;
  std::vector<std::shared_ptr<graph_node>> inputs_;
};

/// The graph of a node as Graphviz text.
std::string graphviz(const graph_node& target);

/// One run of a graph on a pool.
///
/// A driver is a call on the pool that runs one node after the other: the lowest-numbered one whose inputs
/// are there, and if there is none, a root. Nodes are numbered depth first, so a branch is finished before
/// the next is begun. Roots are withheld: one is started only if one of the next `ahead` nodes that have
/// inputs and have not been started comes after it, so that quick roots cannot run away from slow consumers.
///
/// Thread safety: wait() and enlist() are for one thread; stop() for any. It must not be destroyed
/// before it has ended.
class graph_run {
 public:
  using submitter = std::function<future<void>(std::function<void()>)>;

  /// @param running how many drivers, at least 1; @param submit starts a call on the pool
  graph_run(std::shared_ptr<graph_node> target, std::size_t running, std::size_t ahead, submitter submit);
  graph_run(const graph_run&) = delete;
  graph_run& operator=(const graph_run&) = delete;

  void start();
  /// Blocks until it has ended; on a pool's thread it runs drivers that nobody has begun.
  void wait();
  /// True if `self` now waits for the end; false if it has ended.
  bool enlist(waiter& self) noexcept;
  /// Starts no more nodes. It ends when those that run have.
  void stop() noexcept;
  /// The result of the target; throws delayed_error, or `cancelled` if it was stopped. Once it has ended.
  std::unique_ptr<graph_result> take();

 private:
  using index = std::uint32_t;
  static constexpr index none = static_cast<index>(-1);

  struct step {
    graph_node* node = nullptr;
    std::vector<index> inputs;
    std::vector<index> consumers;  // one for each time a result is taken
    std::size_t missing = 0;       // inputs that are not there yet
    std::size_t uses = 0;          // consumers that are not done yet
    std::unique_ptr<graph_result> result;
  };

  struct driver {
    bool busy = false;
    future<void> call;
  };

  void plan();
  void drive(std::size_t place);
  // Under the mutex:
  index choose();
  index root_limit() const;
  std::size_t choosable() const;
  void start_drivers();
  void leave(std::size_t place, wake_chain& woken) noexcept;
  void fail(index which, std::exception_ptr cause);
  std::vector<std::string> path_to(index which) const;

  const std::shared_ptr<graph_node> target_;
  const std::size_t ahead_;
  const submitter submit_;

  std::mutex mutex_;
  std::vector<step> steps_;      // depth first: inputs before those who take them, the target last
  std::vector<index> roots_;     // in order
  std::size_t next_root_ = 0;    // the first of them that has not been started
  std::set<index> ready_;        // nodes with inputs, all of which are there
  std::set<index> not_started_;  // nodes with inputs
  std::vector<driver> drivers_;
  std::size_t active_ = 0;    // drivers that are busy
  std::size_t starting_ = 0;  // of them, those that have not chosen a node yet
  bool stopped_ = false;
  std::exception_ptr failure_;
  wait_list waiters_;
};

}  // namespace weft::detail
