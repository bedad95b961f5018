#pragma once

#include <weft/core/error.hpp>
#include <weft/pool/detail/codec.hpp>

#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint64_t
#include <exception>    // for std::exception_ptr
#include <memory>       // for std::shared_ptr
#include <string>       // for std::string
#include <string_view>  // for std::string_view
#include <tuple>        // for std::tuple, std::get
#include <type_traits>  // for std::decay_t
#include <typeinfo>     // for std::type_info
#include <utility>      // for std::forward, std::index_sequence

namespace weft {

namespace detail {

class process_core;

/// Reads a call's arguments, makes the call, appends its result.
using remote_invoker = void (*)(payload_reader& arguments, payload& result);

/// A function that other processes of the same program know under the same number.
struct remote_function {
  std::string name;
  std::uint64_t id;
  remote_invoker invoke;

  /// The name without the type that makes it unique.
  std::string title() const { return name.substr(0, name.find("; ")); }
};

/// To be called by static initialisers only: they run in the same order in every process of a program, which
/// tells apart functions of the same name (in two unnamed namespaces).
const remote_function& register_function(std::string_view name, remote_invoker invoke);
/// Null if there is none.
const remote_function* find_function(std::uint64_t id) noexcept;

/// What a function takes and gives.
template <class Pointer>
struct pointed_function;
template <class R, class... Args>
struct pointed_function<R (*)(Args...)> {
  using result = std::remove_cvref_t<R>;
  using parameters = std::tuple<Args...>;
  using values = std::tuple<std::decay_t<Args>...>;
};
template <class R, class... Args>
struct pointed_function<R (*)(Args...) noexcept> : pointed_function<R (*)(Args...)> {};
template <class R, class T, class... Args>
struct pointed_function<R (T::*)(Args...)> : pointed_function<R (*)(Args...)> {};
template <class R, class T, class... Args>
struct pointed_function<R (T::*)(Args...) const> : pointed_function<R (*)(Args...)> {};
template <class R, class T, class... Args>
struct pointed_function<R (T::*)(Args...) noexcept> : pointed_function<R (*)(Args...)> {};
template <class R, class T, class... Args>
struct pointed_function<R (T::*)(Args...) const noexcept> : pointed_function<R (*)(Args...)> {};

template <class F>
struct signature : pointed_function<decltype(&F::operator())> {};
template <class F>
requires std::is_pointer_v<F> || std::is_member_pointer_v<F>
struct signature<F> : pointed_function<F> {
};

template <auto F>
using remote_result = typename signature<decltype(F)>::result;

/// `F = count_words; Type = long int (*)(const std::string&)`
template <auto F, class Type>
constexpr std::string_view spell() {
  const std::string_view text = __PRETTY_FUNCTION__;
  const std::size_t begin = text.find("F = ") + 4;
  const std::size_t end = text.find("; std::string_view", begin);
  return text.substr(begin, (end == std::string_view::npos ? text.size() - 1 : end) - begin);
}

template <auto F>
void invoke_function(payload_reader& in, payload& out) {
  using types = signature<decltype(F)>;
  typename types::values values;
  std::apply([&](auto&... each) { (decode(in, each), ...); }, values);
  const auto call = [&]<std::size_t... I>(std::index_sequence<I...>)->decltype(auto) {
    return F(static_cast<std::tuple_element_t<I, typename types::parameters>&&>(std::get<I>(values))...);
  };
  constexpr auto each = std::make_index_sequence<std::tuple_size_v<typename types::values>>();
  if constexpr (std::is_void_v<typename types::result>) {
    call(each);
  } else {
    encode(out, call(each));
  }
}

template <auto F>
inline const remote_function& registered = register_function(spell<F, std::remove_cvref_t<decltype(F)>>(),
                                                             &invoke_function<F>);

/// Appends an argument as the type of its parameter.
template <class Value, class Argument>
void encode_argument(payload& out, Argument&& argument) {
  if constexpr (std::is_same_v<std::remove_cvref_t<Argument>, Value>) {
    encode(out, argument);
  } else {
    const Value converted(std::forward<Argument>(argument));
    encode(out, converted);
  }
}

template <class F, class... Args>
void encode_arguments(payload& out, Args&&... arguments) {
  using values = typename signature<F>::values;
  static_assert(sizeof...(Args) == std::tuple_size_v<values>,
                "one argument for each of the function's parameters");
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (encode_argument<std::tuple_element_t<I, values>>(out, std::forward<Args>(arguments)), ...);
  }
  (std::index_sequence_for<Args...>());
}

/// How exceptions of one type cross.
struct error_codec {
  const std::type_info* type;
  void (*write)(const std::exception& error, payload& out);
  std::exception_ptr (*read)(payload_reader& in);
};

bool register_error_codec(const error_codec& codec);

/// Appends an exception, as itself or as a remote_error.
void encode_error(payload& out, const std::exception_ptr& error, const std::string& origin);
/// The exception that was appended.
std::exception_ptr decode_error(payload_reader& in);

template <class E>
struct error_text {
  static void write(const std::exception& error, payload& out) { encode(out, std::string(error.what())); }
  static std::exception_ptr read(payload_reader& in) {
    std::string text;
    decode(in, text);
    return std::make_exception_ptr(E(text));
  }
};

template <class E>
struct error_fields {
  static void write(const std::exception& error, payload& out) { encode(out, dynamic_cast<const E&>(error)); }
  static std::exception_ptr read(payload_reader& in) {
    E error{};
    decode(in, error);
    return std::make_exception_ptr(std::move(error));
  }
};

template <class E>
struct error_without_text {
  static void write(const std::exception&, payload&) {}
  static std::exception_ptr read(payload_reader&) { return std::make_exception_ptr(E()); }
};

}  // namespace detail

/// Lets exceptions of type E arrive from a worker as themselves and not as remote_error. E derives from
/// std::exception and has cereal's functions, or is made from its text, or needs none. To be called before
/// main(), so that every process of the program does it:
///
///     const bool known = weft::register_error<no_such_sample>();
///
/// All of weft's own and the standard library's are known already.
template <class E>
bool register_error() {
  static_assert(std::is_base_of_v<std::exception, E>, "only exceptions that derive from std::exception");
  if constexpr (detail::brings_code<E>) {
    return detail::register_error_codec(
        {&typeid(E), &detail::error_fields<E>::write, &detail::error_fields<E>::read});
  } else if constexpr (std::is_constructible_v<E, std::string>) {
    return detail::register_error_codec(
        {&typeid(E), &detail::error_text<E>::write, &detail::error_text<E>::read});
  } else {
    static_assert(std::is_default_constructible_v<E>,
                  "E needs cereal's functions, or a constructor from its text");
    return detail::register_error_codec(
        {&typeid(E), &detail::error_without_text<E>::write, &detail::error_without_text<E>::read});
  }
}

/// A function and its arguments, to be called later and maybe in several workers:
/// `remote_call::of<&f>(args...)`.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class remote_call {
 public:
  /// No call.
  remote_call() = default;

  /// The call F(arguments...); what it returns will be dropped.
  template <auto F, class... Args>
  static remote_call of(Args&&... arguments) {
    remote_call made;
    auto bytes = std::make_shared<detail::payload>();
    detail::encode_arguments<std::remove_cvref_t<decltype(F)>>(*bytes, std::forward<Args>(arguments)...);
    made.function_ = &detail::registered<F>;
    made.arguments_ = std::move(bytes);
    return made;
  }

  /// Whether there is a call to make.
  explicit operator bool() const noexcept { return function_ != nullptr; }

 private:
  friend class detail::process_core;
  const detail::remote_function* function_ = nullptr;
  std::shared_ptr<const detail::payload> arguments_;
};

}  // namespace weft
