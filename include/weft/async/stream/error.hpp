#pragma once

#include <weft/core/error.hpp>

#include <exception>  // for std::exception_ptr
#include <string>     // for std::string
#include <utility>    // for std::move

namespace weft {

/// A stage of a pipeline failed: its function, its source or its sink threw. what() names the stage and says
/// what the original exception said.
///
/// A cancellation is not a failure: `cancelled` leaves a pipeline as it is.
class stage_error : public error {
 public:
  /// @param stage the stage's name; @param cause what it threw
  stage_error(std::string stage, std::exception_ptr cause)
      : error("stage '" + stage + "': " + describe(cause)),
        stage_(std::move(stage)),
        cause_(std::move(cause)) {}

  /// The name of the stage that failed.
  const std::string& stage() const noexcept { return stage_; }

  /// What the stage threw.
  const std::exception_ptr& cause() const noexcept { return cause_; }

  /// Throws what the stage threw, for a handler that wants its type.
  [[noreturn]] void rethrow_cause() const { std::rethrow_exception(cause_); }

  /// Whether what the stage threw is an E.
  template <class E>
  bool caused_by() const noexcept {
    try {
      std::rethrow_exception(cause_);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  }

 private:
  static std::string describe(const std::exception_ptr& cause) {
    try {
      std::rethrow_exception(cause);
    } catch (const std::exception& failure) {
      return failure.what();
    } catch (...) {
      return "it threw something that is not a std::exception";
    }
  }

  std::string stage_;
  std::exception_ptr cause_;
};

}  // namespace weft
