#pragma once

#include <chrono>        // for std::chrono::milliseconds
#include <cstdint>       // for std::int64_t
#include <stdexcept>     // for std::runtime_error
#include <string>        // for std::string
#include <system_error>  // for std::error_code
#include <utility>       // for std::move

namespace weft {

/// The root of every exception that weft throws; what() says what went wrong and what to do about it.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// An option or argument has a value that cannot work; what() names it and the values that can.
struct invalid_argument : error {
  using error::error;
};

/// The operation was cancelled before it took effect: a value being pushed is still the caller's.
struct cancelled : error {
  cancelled() : error("the operation was cancelled") {}
  using error::error;
};

/// A queue refused an item because it has been closed.
struct queue_closed : error {
  queue_closed() : error("the queue is closed: it takes no new items") {}
  using error::error;
};

/// An operation did not finish within its time limit; it has been cancelled and joined.
struct timeout_error : error {
  timeout_error() : error("the operation did not finish within its time limit") {}
  using error::error;
};

/// A batcher refused a request because more are waiting than it can serve in time; nothing has been done for
/// it.
class overloaded : public error {
 public:
  /// @param what who is overloaded and by how much; @param retry_after when it is worth trying again
  overloaded(const std::string& what, std::chrono::milliseconds retry_after)
      : error(what + "; try again in " + std::to_string(retry_after.count()) + " ms"),
        retry_after_(retry_after) {}

  /// When it is worth trying again, from now.
  std::chrono::milliseconds retry_after() const noexcept { return retry_after_; }

 private:
  std::chrono::milliseconds retry_after_;
};

/// A batcher refused a request because it has been closed.
struct batcher_closed : error {
  batcher_closed() : error("the batcher is closed: it takes no new requests") {}
  using error::error;
};

/// A pool was destroyed before a call had run to its end; what() says which call and how far it was.
struct pool_closed : error {
  using error::error;
};

/// A worker process ended while it ran a call, or could not start; what() says how it ended and with which
/// last words. The pool has replaced the worker: only this call failed.
class worker_died : public error {
 public:
  /// @param what the whole story; @param signal what killed it, 0 if it exited; @param exit_code what it
  /// exited with, 0 if it was killed; @param last_output the last lines of its standard error
  worker_died(const std::string& what, int signal, int exit_code, std::string last_output)
      : error(what), signal_(signal), exit_code_(exit_code), last_output_(std::move(last_output)) {}

  /// The signal that killed it, such as SIGSEGV; 0 if it exited by itself.
  int signal() const noexcept { return signal_; }
  /// What it exited with; 0 if a signal killed it.
  int exit_code() const noexcept { return exit_code_; }
  /// The last lines that it wrote to its standard error.
  const std::string& last_output() const noexcept { return last_output_; }

 private:
  int signal_;
  int exit_code_;
  std::string last_output_;
};

/// A worker was killed because the call that it ran took more memory than the pool allows one.
struct memory_limit_exceeded : worker_died {
  using worker_died::worker_died;
};

/// There is not enough memory for a shared array or a large argument; what() says how much there is.
struct shared_memory_full : error {
  using error::error;
};

/// An exception from another process whose type is not registered here; see register_error().
class remote_error : public error {
 public:
  /// @param type_name the type that was thrown; @param message its what(); @param origin the function and
  /// the process that threw it
  remote_error(std::string type_name, std::string message, std::string origin)
      : error(type_name + ": " + message + " (thrown by " + origin + ")"),
        type_name_(std::move(type_name)),
        message_(std::move(message)),
        origin_(std::move(origin)) {}

  /// The name of the type that was thrown.
  const std::string& type_name() const noexcept { return type_name_; }
  /// Its what(), empty if it had none.
  const std::string& message() const noexcept { return message_; }
  /// The function that threw it and the process where it ran.
  const std::string& origin() const noexcept { return origin_; }

 private:
  std::string type_name_;
  std::string message_;
  std::string origin_;
};

/// Shapes that do not fit an operation; what() prints the operation and both shapes.
struct shape_error : error {
  using error::error;
};

/// The operating system refused a file operation; what() names the file.
class io_error : public error {
 public:
  /// @param path the file; @param action what was tried, e.g. "open"; @param code why it failed
  io_error(std::string path, const std::string& action, std::error_code code)
      : error(path + ": cannot " + action + ": " + code.message()), path_(std::move(path)), code_(code) {}

  /// The file that could not be read or written.
  const std::string& path() const noexcept { return path_; }
  /// The operating system's reason.
  std::error_code code() const noexcept { return code_; }

 private:
  std::string path_;
  std::error_code code_;
};

/// A file whose bytes are not what its format promises; what() names the file and the byte.
class format_error : public error {
 public:
  /// @param path the file; @param offset the byte in that file, as stored on disk; @param reason what is
  /// wrong
  format_error(std::string path, std::int64_t offset, const std::string& reason)
      : error(path + ": byte " + std::to_string(offset) + ": " + reason),
        path_(std::move(path)),
        offset_(offset) {}

  /// The file that is not well formed.
  const std::string& path() const noexcept { return path_; }
  /// Where in the file, in bytes from its start, counted in the file as it is on disk.
  std::int64_t offset() const noexcept { return offset_; }

 private:
  std::string path_;
  std::int64_t offset_;
};

}  // namespace weft
