#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>
#include <weft/pool/future.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>     // for std::size_t
#include <cstdint>     // for std::uint32_t
#include <exception>   // for std::exception_ptr
#include <functional>  // for std::function
#include <memory>      // for std::unique_ptr, std::shared_ptr
#include <mutex>       // for std::mutex
#include <optional>    // for std::optional
#include <set>         // for std::set
#include <span>        // for std::span
#include <string>      // for std::string
#include <utility>     // for std::move
#include <vector>      // for std::vector

namespace weft::detail {

class process_core;

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

/// A node's call that was sent to a worker process.
class sent_call {
 public:
  sent_call() = default;
  sent_call(const sent_call&) = delete;
  sent_call& operator=(const sent_call&) = delete;
  virtual ~sent_call() = default;

  virtual shared_call& shared() noexcept = 0;
  /// The result, or what the call threw; once, when it is ready.
  virtual std::unique_ptr<graph_result> take() = 0;
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

  /// Whether worker processes know its function.
  virtual bool remote() const noexcept = 0;
  /// Sends the call to one of them; the inputs have been read when it returns. Only if remote().
  virtual std::unique_ptr<sent_call> send(const std::shared_ptr<process_core>& workers,
                                          std::span<const graph_input> inputs) = 0;

 private:
  std::string name_;
  bool copyable_;
  std::vector<std::shared_ptr<graph_node>> inputs_;
};

/// The graph of a node as Graphviz text.
std::string graphviz(const graph_node& target);

/// One run of a graph on a pool.
///
/// There are as many drivers as nodes may run at the same time. A driver takes one node after the other: the
/// lowest-numbered one whose inputs are there, and if there is none, a root. Nodes are numbered depth first,
/// so a branch is finished before the next is begun. Roots are withheld: one is started only if one of the
/// next `ahead` nodes that have inputs and have not been started comes after it, so that quick roots cannot
/// run away from slow consumers.
///
/// On threads a driver is a call on the pool and runs its nodes itself. With worker processes it is only a
/// place: it sends a node's call, and when the result is there it goes on in a function posted to an
/// executor. That function and not the thread that brings the result sends the next call, because writing
/// arguments and freeing results is the program's code.
///
/// Thread safety: wait() and join() are for one thread; stop() for any. It must not be destroyed before it
/// has ended.
class graph_run {
 public:
  using submitter = std::function<future<void>(std::function<void()>)>;

  /// How many drivers there are, at least 1, and how far roots may be ahead.
  struct limits {
    std::size_t running;
    std::size_t ahead;
  };

  /// @param submit starts a call on the pool
  graph_run(std::shared_ptr<graph_node> target, limits limit, submitter submit);
  /// @param workers run the nodes; @param home where results are received. Throws invalid_argument if the
  /// workers do not know a node's function.
  graph_run(std::shared_ptr<graph_node> target, limits limit, std::shared_ptr<process_core> workers,
            boost::asio::any_io_executor home);
  graph_run(const graph_run&) = delete;
  graph_run& operator=(const graph_run&) = delete;

  void start();
  /// Blocks until it has ended; on a pool's thread it runs drivers that nobody has begun.
  void wait();
  /// Awaits the end; cancelled, it stops the run, awaits its end and throws `cancelled`.
  task<void> join();
  /// Starts no more nodes, and stops those that run in worker processes. It ends when those that run have.
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

  // Waits for the call that a driver has sent.
  struct arrival final : posted_waiter {
    arrival(graph_run& owner, std::size_t of) : run(&owner), place(of) {}
    void post() override { post_to(run->home_); }
    void go_on() override { run->receive(place); }
    graph_run* run;
    std::size_t place;
  };

  struct driver {
    bool busy = false;
    future<void> call;  // on threads
    index node = none;  // with worker processes, as what follows
    std::unique_ptr<sent_call> sent;
    std::optional<arrival> result;
  };

  using results = std::vector<std::unique_ptr<graph_result>>;

  void plan();
  void drive(std::size_t place);
  void receive(std::size_t place);
  void send_calls(std::unique_lock<std::mutex>& lock);
  bool enlist(waiter& self) noexcept;
  // Under the mutex:
  index choose();
  index root_limit() const;
  std::size_t choosable() const;
  void start_drivers();
  std::size_t idle_driver() const noexcept;
  void collect_inputs(index which, std::vector<graph_input>& inputs) const;
  void release_inputs(index which, results& done_with);
  void store(index which, std::unique_ptr<graph_result> result);
  void leave(wake_chain& woken) noexcept;
  void stop_sent() noexcept;
  void fail(index which, std::exception_ptr cause);
  std::vector<std::string> path_to(index which) const;

  const std::shared_ptr<graph_node> target_;
  const std::size_t ahead_;
  const submitter submit_;
  const std::shared_ptr<process_core> workers_;
  const boost::asio::any_io_executor home_;

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
