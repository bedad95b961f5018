#include <weft/compute/print.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstddef>   // for std::byte
#include <iterator>  // for std::back_inserter

namespace weft::detail {
namespace {

constexpr std::int64_t most_elements = 1000;
constexpr std::int64_t shown_at_each_end = 3;

template <class T>
T value_at(const std::byte* element) {
  return *reinterpret_cast<const T*>(element);
}

void print_element(std::string& text, const std::byte* element, dtype type) {
  const auto put = [&text](auto value) { fmt::format_to(std::back_inserter(text), "{}", value); };
  // A 16-bit number has fewer digits that matter than the float it is exact as.
  const auto put_short = [&text](float value, int digits) {
    fmt::format_to(std::back_inserter(text), "{:.{}g}", value, digits);
  };
  switch (type) {
    case dtype::boolean:
      return put(value_at<std::uint8_t>(element) != 0);
    case dtype::uint8:
      return put(value_at<std::uint8_t>(element));
    case dtype::int8:
      return put(static_cast<int>(value_at<std::int8_t>(element)));
    case dtype::uint16:
      return put(value_at<std::uint16_t>(element));
    case dtype::int16:
      return put(value_at<std::int16_t>(element));
    case dtype::float16:
      return put_short(value_at<half>(element), 5);
    case dtype::bfloat16:
      return put_short(value_at<bfloat16>(element), 4);
    case dtype::uint32:
      return put(value_at<std::uint32_t>(element));
    case dtype::int32:
      return put(value_at<std::int32_t>(element));
    case dtype::float32:
      return put(value_at<float>(element));
    case dtype::uint64:
      return put(value_at<std::uint64_t>(element));
    case dtype::int64:
      return put(value_at<std::int64_t>(element));
    case dtype::float64:
      break;
  }
  put(value_at<double>(element));
}

class printer {
 public:
  printer(dtype type, std::span<const std::int64_t> extents, std::span<const std::int64_t> strides)
      : type_(type), width_(size_of(type)), extents_(extents), strides_(strides) {
    std::int64_t count = 1;
    for (const std::int64_t extent : extents) count *= extent;
    abridged_ = count > most_elements;
  }

  void print_axis(std::string& text, const std::byte* first, std::size_t axis) const {
    const std::int64_t extent = extents_[axis];
    const bool innermost = axis + 1 == extents_.size();
    const std::string separator = innermost ? ", " : ",\n" + std::string(axis + 1, ' ');
    text += '[';
    for (std::int64_t index = 0; index < extent; ++index) {
      if (index > 0) text += separator;
      if (abridged_ && index == shown_at_each_end && extent > 2 * shown_at_each_end) {
        text += "...";
        index = extent - shown_at_each_end - 1;
        continue;
      }
      const std::byte* entry = first + index * strides_[axis] * width_;
      if (innermost) {
        print_element(text, entry, type_);
      } else {
        print_axis(text, entry, axis + 1);
      }
    }
    text += ']';
  }

 private:
  dtype type_;
  std::int64_t width_;
  std::span<const std::int64_t> extents_;
  std::span<const std::int64_t> strides_;
  bool abridged_ = false;
};

}  // namespace

std::string print(const void* data, dtype type, std::span<const std::int64_t> extents,
                  std::span<const std::int64_t> strides, place where) {
  std::string text = fmt::format("{} [{}]", to_string(type), fmt::join(extents, ", "));
  if (where.kind != memory_kind::host) return text + " on " + to_string(where);
  text += '\n';
  printer(type, extents, strides).print_axis(text, static_cast<const std::byte*>(data), 0);
  return text;
}

}  // namespace weft::detail
