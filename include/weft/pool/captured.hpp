#pragma once

#include <weft/pool/remote.hpp>

#include <string>       // for std::string
#include <tuple>        // for std::tuple
#include <type_traits>  // for std::is_void_v
#include <utility>      // for std::forward

namespace weft {

/// What a call returned and what it wrote meanwhile; see capture.
template <class R>
struct captured {
  /// What it returned.
  R value{};
  /// What it wrote to its standard output.
  std::string output;
  /// What it wrote to its standard error.
  std::string error;
};

/// What a call that returns nothing wrote.
template <>
struct captured<void> {
  /// What it wrote to its standard output.
  std::string output;
  /// What it wrote to its standard error.
  std::string error;
};

namespace detail {

/// Turns this process's standard output and error to memory until taken or destroyed.
class output_capture {
 public:
  output_capture();
  output_capture(const output_capture&) = delete;
  output_capture& operator=(const output_capture&) = delete;
  /// Passes on what was written and not taken.
  ~output_capture();
  /// Ends the capture.
  void take(std::string& output, std::string& error);

 private:
  void restore() noexcept;
  int usual_[2];
  int memory_[2];
};

template <auto F, class Parameters>
struct captured_call;

template <auto F, class... Parameters>
struct captured_call<F, std::tuple<Parameters...>> {
  using result = remote_result<F>;
  static captured<result> run(Parameters... parameters) {
    captured<result> all;
    output_capture capture;
    if constexpr (std::is_void_v<result>) {
      F(std::forward<Parameters>(parameters)...);
    } else {
      all.value = F(std::forward<Parameters>(parameters)...);
    }
    capture.take(all.output, all.error);
    return all;
  }
};

}  // namespace detail

/// The function F with what it prints: `pool.submit<weft::capture<&f>>(x)` gives a future<captured<R>>. What
/// a call has written that throws goes where it would have gone, and what one has written that dies is lost.
///
/// Only for calls in worker processes: standard output and error belong to the whole process.
template <auto F>
inline constexpr auto capture =
    &detail::captured_call<F, typename detail::signature<decltype(F)>::parameters>::run;

}  // namespace weft
