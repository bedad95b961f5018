#include <weft/pool/remote.hpp>

#include <cxxabi.h>
#include <unistd.h>

#include <cstdlib>        // for std::free
#include <functional>     // for std::bad_function_call
#include <memory>         // for std::bad_weak_ptr
#include <new>            // for std::bad_alloc
#include <optional>       // for std::bad_optional_access
#include <stdexcept>      // for std::runtime_error
#include <system_error>   // for std::system_error
#include <typeinfo>       // for std::bad_cast
#include <unordered_map>  // for std::unordered_map
#include <variant>        // for std::bad_variant_access

namespace weft::detail {

namespace {

std::uint64_t hash(std::string_view text) noexcept {
  std::uint64_t value = 14695981039346656037ULL;  // FNV-1a
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return value;
}

std::unordered_map<std::uint64_t, remote_function>& functions() {
  static auto* all = new std::unordered_map<std::uint64_t, remote_function>;
  return *all;
}

std::string readable(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 ? text : name;
  std::free(text);
  return result;
}

// ------------------------------------------------------------------------------ errors that hold more than
// text

struct system_error_codec {
  static void write(const std::exception& error, payload& out) {
    const auto& it = dynamic_cast<const std::system_error&>(error);
    encode(out, std::string(it.code().category().name()));
    encode(out, it.code().value());
    encode(out, std::string(it.what()));
  }
  static std::exception_ptr read(payload_reader& in) {
    std::string category;
    int value = 0;
    std::string text;
    decode(in, category);
    decode(in, value);
    decode(in, text);
    const bool system = category == std::system_category().name();
    const std::error_code code(value, system ? std::system_category() : std::generic_category());
    // what() appends the code's own message, which the text ends with.
    const std::string ending = ": " + code.message();
    if (text.ends_with(ending)) text.resize(text.size() - ending.size());
    return std::make_exception_ptr(std::system_error(code, text));
  }
};

struct io_error_codec {
  static void write(const std::exception& error, payload& out) {
    const auto& it = dynamic_cast<const io_error&>(error);
    const std::string begin = it.path() + ": cannot ";
    std::string action = it.what();
    const std::string ending = ": " + it.code().message();
    action = action.substr(begin.size(), action.size() - begin.size() - ending.size());
    encode(out, it.path());
    encode(out, action);
    encode(out, it.code().value());
  }
  static std::exception_ptr read(payload_reader& in) {
    std::string path;
    std::string action;
    int value = 0;
    decode(in, path);
    decode(in, action);
    decode(in, value);
    return std::make_exception_ptr(io_error(path, action, std::error_code(value, std::generic_category())));
  }
};

struct format_error_codec {
  static void write(const std::exception& error, payload& out) {
    const auto& it = dynamic_cast<const format_error&>(error);
    const std::string begin = it.path() + ": byte " + std::to_string(it.offset()) + ": ";
    encode(out, it.path());
    encode(out, it.offset());
    encode(out, std::string(it.what()).substr(begin.size()));
  }
  static std::exception_ptr read(payload_reader& in) {
    std::string path;
    std::int64_t offset = 0;
    std::string reason;
    decode(in, path);
    decode(in, offset);
    decode(in, reason);
    return std::make_exception_ptr(format_error(path, offset, reason));
  }
};

template <class E>
struct worker_died_codec {
  static void write(const std::exception& error, payload& out) {
    const auto& it = dynamic_cast<const worker_died&>(error);
    encode(out, std::string(it.what()));
    encode(out, it.signal());
    encode(out, it.exit_code());
    encode(out, it.last_output());
  }
  static std::exception_ptr read(payload_reader& in) {
    std::string text;
    int signal = 0;
    int exit_code = 0;
    std::string last_output;
    decode(in, text);
    decode(in, signal);
    decode(in, exit_code);
    decode(in, last_output);
    return std::make_exception_ptr(E(text, signal, exit_code, last_output));
  }
};

struct remote_error_codec {
  static void write(const std::exception& error, payload& out) {
    const auto& it = dynamic_cast<const remote_error&>(error);
    encode(out, it.type_name());
    encode(out, it.message());
    encode(out, it.origin());
  }
  static std::exception_ptr read(payload_reader& in) {
    std::string type_name;
    std::string message;
    std::string origin;
    decode(in, type_name);
    decode(in, message);
    decode(in, origin);
    return std::make_exception_ptr(remote_error(type_name, message, origin));
  }
};

// ---------------------------------------------------------------------------------------------------------------

using codec_table = std::unordered_map<std::string, error_codec>;

template <class Codec, class E>
void add(codec_table& all) {
  all[typeid(E).name()] = {&typeid(E), &Codec::write, &Codec::read};
}

template <class... E>
void add_texts(codec_table& all) {
  (add<error_text<E>, E>(all), ...);
}

template <class... E>
void add_silent(codec_table& all) {
  (add<error_without_text<E>, E>(all), ...);
}

codec_table& codecs() {
  static auto* all = [] {
    auto* made = new codec_table;
    add_texts<error, weft::invalid_argument, cancelled, shape_error, shared_memory_full, std::runtime_error,
              std::logic_error, std::invalid_argument, std::domain_error, std::length_error,
              std::out_of_range, std::range_error, std::overflow_error, std::underflow_error>(*made);
    add<error_text<timeout_error>, timeout_error>(*made);
    add_silent<queue_closed, std::bad_alloc, std::bad_array_new_length, std::bad_cast, std::bad_typeid,
               std::bad_optional_access, std::bad_variant_access, std::bad_weak_ptr, std::bad_function_call>(
        *made);
    add<system_error_codec, std::system_error>(*made);
    add<io_error_codec, io_error>(*made);
    add<format_error_codec, format_error>(*made);
    add<worker_died_codec<worker_died>, worker_died>(*made);
    add<worker_died_codec<memory_limit_exceeded>, memory_limit_exceeded>(*made);
    add<remote_error_codec, remote_error>(*made);
    return made;
  }();
  return *all;
}

void encode_remote_error(payload& out, const std::string& type, const std::string& text,
                         const std::string& origin) {
  encode(out, std::string(typeid(remote_error).name()));
  remote_error_codec::write(remote_error(type, text, origin), out);
}

}  // namespace

const remote_function& register_function(std::string_view name, remote_invoker invoke) {
  std::string unique(name);
  for (int copy = 2;; ++copy) {
    const std::uint64_t id = hash(unique) | 1U;  // never 0
    const auto [place, fresh] = functions().try_emplace(id, remote_function{unique, id, invoke});
    if (fresh || place->second.invoke == invoke) return place->second;
    unique = std::string(name) + " #" + std::to_string(copy);
  }
}

const remote_function* find_function(std::uint64_t id) noexcept {
  const auto found = functions().find(id);
  return found == functions().end() ? nullptr : &found->second;
}

bool register_error_codec(const error_codec& codec) {
  codecs()[codec.type->name()] = codec;
  return true;
}

void encode_error(payload& out, const std::exception_ptr& failure, const std::string& origin) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    const auto found = codecs().find(typeid(error).name());
    if (found == codecs().end()) {
      encode_remote_error(out, readable(typeid(error).name()), error.what(), origin);
    } else {
      encode(out, found->first);
      found->second.write(error, out);
    }
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    encode_remote_error(out, type != nullptr ? readable(type->name()) : "an unknown type", "", origin);
  }
}

std::exception_ptr decode_error(payload_reader& in) {
  std::string type;
  decode(in, type);
  const auto found = codecs().find(type);
  if (found == codecs().end()) {
    return std::make_exception_ptr(
        remote_error(readable(type.c_str()), "its type is not registered here", "a worker"));
  }
  return found->second.read(in);
}

}  // namespace weft::detail
