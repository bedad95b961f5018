#pragma once

#include <weft/pool/detail/payload.hpp>

#include <boost/pfr.hpp>
#include <cereal/cereal.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/chrono.hpp>
#include <cereal/types/complex.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>

#include <array>        // for std::array
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint64_t
#include <tuple>        // for std::tuple_element_t
#include <type_traits>  // for std::is_aggregate_v
#include <utility>      // for std::index_sequence
#include <vector>       // for std::vector

// How values cross to another process: with cereal where it knows the type, field by field where the type is
// a plain aggregate, and as one block of bytes where nothing in it needs more.

namespace weft::detail {

namespace elsewhere {
/// An archive of nobody: does a type bring code of its own?
struct foreign_archive {};
}  // namespace elsewhere

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t N>
inline constexpr bool is_std_array<std::array<T, N>> = true;

template <class T>
inline constexpr bool brings_code =
    std::disjunction_v<cereal::traits::has_member_serialize<T, elsewhere::foreign_archive>,
                       cereal::traits::has_non_member_serialize<T, elsewhere::foreign_archive>,
                       cereal::traits::has_member_save<T, elsewhere::foreign_archive>,
                       cereal::traits::has_non_member_save<T, elsewhere::foreign_archive>>;

/// A struct of which Boost.PFR can list the fields, for whose serialisation nobody has written code.
template <class T>
concept codeless_aggregate =
    std::is_class_v<T> && std::is_aggregate_v<T> && !is_std_array<T> && !brings_code<T>;

template <class T>
consteval bool bytes_are_enough() {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return true;
  } else if constexpr (is_std_array<T>) {
    return bytes_are_enough<typename T::value_type>();
  } else if constexpr (codeless_aggregate<T> && std::is_trivially_copyable_v<T>) {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return (bytes_are_enough<boost::pfr::tuple_element_t<I, T>>() && ...);
    }
    (std::make_index_sequence<boost::pfr::tuple_size_v<T>>());
  } else {
    return false;
  }
}

/// No pointer, no class with an idea of its own of what it is.
template <class T>
concept plain = bytes_are_enough<T>();

class output_archive : public cereal::OutputArchive<output_archive, cereal::AllowEmptyClassElision> {
 public:
  explicit output_archive(payload& out) : OutputArchive(this), out_(out) {}
  payload& out() noexcept { return out_; }

 private:
  payload& out_;
};

class input_archive : public cereal::InputArchive<input_archive, cereal::AllowEmptyClassElision> {
 public:
  explicit input_archive(payload_reader& in) : InputArchive(this), in_(in) {}
  payload_reader& in() noexcept { return in_; }

 private:
  payload_reader& in_;
};

template <class T>
requires std::is_arithmetic_v<T>
void save(output_archive& archive, const T& value) {
  archive.out().append(&value, sizeof(value));
}
template <class T>
requires std::is_arithmetic_v<T>
void load(input_archive& archive, T& value) {
  archive.in().read(&value, sizeof(value));
}

template <class T>
void save(output_archive& archive, const cereal::BinaryData<T>& block) {
  archive.out().append(block.data, static_cast<std::size_t>(block.size));
}
template <class T>
void load(input_archive& archive, cereal::BinaryData<T>& block) {
  archive.in().read(block.data, static_cast<std::size_t>(block.size));
}

template <class T>
void serialize(output_archive& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
template <class T>
void serialize(input_archive& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
template <class T>
void serialize(output_archive& archive, cereal::SizeTag<T>& tag) {
  archive(tag.size);
}
template <class T>
void serialize(input_archive& archive, cereal::SizeTag<T>& tag) {
  archive(tag.size);
}

template <class Archive, class T>
requires(std::is_same_v<Archive, output_archive> || std::is_same_v<Archive, input_archive>) &&
    codeless_aggregate<T> void serialize(Archive& archive, T& value) {
  if constexpr (plain<T> && std::is_same_v<Archive, output_archive>) {
    archive.out().append(&value, sizeof(value));
  } else if constexpr (plain<T>) {
    archive.in().read(&value, sizeof(value));
  } else {
    boost::pfr::for_each_field(value, [&](auto& field) { archive(field); });
  }
}

template <class T>
inline constexpr bool is_plain_vector = false;
template <class T, class A>
inline constexpr bool is_plain_vector<std::vector<T, A>> = plain<T> && !std::is_same_v<T, bool>;

/// Appends the value.
template <class T>
void encode(payload& out, const T& value) {
  if constexpr (plain<T>) {
    out.append(&value, sizeof(value));
  } else if constexpr (is_plain_vector<T>) {
    const auto count = static_cast<std::uint64_t>(value.size());
    out.append(&count, sizeof(count));
    out.append(value.data(), value.size() * sizeof(typename T::value_type));
  } else {
    output_archive archive(out);
    archive(value);
  }
}

/// Reads the next value into one that exists.
template <class T>
void decode(payload_reader& in, T& value) {
  if constexpr (plain<T>) {
    in.read(&value, sizeof(value));
  } else if constexpr (is_plain_vector<T>) {
    using item = typename T::value_type;
    std::uint64_t count = 0;
    in.read(&count, sizeof(count));
    if (count > in.left() / sizeof(item))
      throw error("a message from another process is shorter than it says");
    const auto bytes = in.take(count * sizeof(item));
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(item) == 0) {
      const auto* first = reinterpret_cast<const item*>(bytes.data());
      value.assign(first, first + count);  // one copy, and no zeroes first
    } else {
      value.resize(count);
      if (count > 0) std::memcpy(value.data(), bytes.data(), bytes.size());
    }
  } else {
    input_archive archive(in);
    archive(value);
  }
}

}  // namespace weft::detail

CEREAL_SETUP_ARCHIVE_TRAITS(weft::detail::input_archive, weft::detail::output_archive)
