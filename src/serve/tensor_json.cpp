#include <serve/tensor_json.hpp>

#include <observe/json.hpp>
#include <serve/http_message.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>     // for std::isfinite
#include <concepts>  // for std::integral
#include <cstring>   // for std::memcpy
#include <iterator>  // for std::back_inserter
#include <limits>    // for std::numeric_limits
#include <utility>   // for std::in_range, std::move

namespace weft::detail {
namespace {

namespace dom = simdjson::dom;

constexpr std::int64_t most_counted = 0xFFFFFF;  // simdjson says this of any array that is not shorter

bool is_array(dom::element element) {
  return element.type() == dom::element_type::ARRAY;
}

// Calls each(element, number) for the elements in order; nesting and count must be those of the shape.
template <class Each>
class element_walk {
 public:
  element_walk(const std::vector<std::int64_t>& shape, std::int64_t count, const std::string& field,
               Each each)
      : shape_(shape), count_(count), field_(field), each_(std::move(each)) {}

  void walk(dom::element data, std::size_t depth) {
    if (depth == shape_.size()) {
      // A tensor without extents is one element, in an array or not.
      if (is_array(data)) {
        flat(dom::array(data));
      } else {
        visit(data);
      }
    } else if (!is_array(data)) {
      refuse(field_ + ": must be an array");
    } else {
      const dom::array array(data);
      const auto first = array.begin();
      if (first != array.end() && is_array(*first)) {
        nested(array, depth);
      } else {
        flat(array);
      }
    }
    if (number_ != count_) {
      refuse(fmt::format("{}: has {} elements, the shape [{}] needs {}", field_, number_,
                         fmt::join(shape_, ", "), count_));
    }
  }

 private:
  void visit(dom::element element) {
    if (number_ == count_) {
      refuse(fmt::format("{}: has more than the {} elements of the shape [{}]", field_, count_,
                         fmt::join(shape_, ", ")));
    }
    each_(element, number_++);
  }

  void flat(dom::array array) {
    for (const dom::element element : array) visit(element);
  }

  void nested(dom::array array, std::size_t depth) {
    std::int64_t found = 0;
    for (const dom::element element : array) {
      if (depth + 1 == shape_.size()) {
        visit(element);
      } else if (!is_array(element)) {
        refuse(fmt::format("{}: is nested in part only, near element {}", field_, number_));
      } else {
        nested(dom::array(element), depth + 1);
      }
      ++found;
    }
    if (found != shape_[depth]) {
      refuse(fmt::format("{}: an array at depth {} has {} entries, the shape [{}] needs {}", field_, depth,
                         found, fmt::join(shape_, ", "), shape_[depth]));
    }
  }

  const std::vector<std::int64_t>& shape_;
  const std::int64_t count_;
  const std::string& field_;
  Each each_;
  std::int64_t number_ = 0;
};

[[noreturn]] void wrong_element(const std::string& field, std::int64_t number, wire_type type) {
  refuse(fmt::format("{}: element {} is no {}", field, number, to_string(type)));
}

template <class T>
bool read(dom::element element, T& value) {
  if constexpr (std::same_as<T, bool>) {
    return element.get(value) == simdjson::SUCCESS;
  } else if constexpr (std::unsigned_integral<T>) {
    std::uint64_t wide = 0;
    if (element.get(wide) != simdjson::SUCCESS || !std::in_range<T>(wide)) return false;
    value = static_cast<T>(wide);
    return true;
  } else if constexpr (std::integral<T>) {
    std::int64_t wide = 0;
    if (element.get(wide) != simdjson::SUCCESS || !std::in_range<T>(wide)) return false;
    value = static_cast<T>(wide);
    return true;
  } else {
    double wide = 0;
    if (element.get(wide) != simdjson::SUCCESS) return false;
    if constexpr (std::same_as<T, double>) {
      value = wide;
    } else {
      if (std::abs(wide) > std::numeric_limits<float>::max()) return false;
      value = T(static_cast<float>(wide));
    }
    return std::isfinite(static_cast<double>(value));
  }
}

template <class T>
inference_tensor numbers(dom::element data, const tensor_spec& spec, std::vector<std::int64_t> shape,
                         std::int64_t count, const std::string& field, std::size_t outer) {
  const byte_block block(static_cast<std::size_t>(count) * sizeof(T));
  T* const values = static_cast<T*>(static_cast<void*>(block.data()));
  element_walk(shape, count, field, [&](dom::element element, std::int64_t number) {
    if (!read(element, values[number])) wrong_element(field, number, spec.type);
  }).walk(data, outer);
  return {spec.name, spec.type, std::move(shape), block.bytes(), block.owner()};
}

inference_tensor texts(dom::element data, const tensor_spec& spec, std::vector<std::int64_t> shape,
                       std::int64_t count, const std::string& field, std::size_t outer) {
  auto bytes = std::make_shared<std::vector<std::byte>>();
  element_walk(shape, count, field, [&](dom::element element, std::int64_t number) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS) wrong_element(field, number, spec.type);
    const auto length = static_cast<std::uint32_t>(text.size());
    const auto length_bytes = std::as_bytes(std::span(&length, 1));
    const auto text_bytes = std::as_bytes(std::span(text));
    bytes->insert(bytes->end(), length_bytes.begin(), length_bytes.end());
    bytes->insert(bytes->end(), text_bytes.begin(), text_bytes.end());
  }).walk(data, outer);
  const std::span<const std::byte> all = *bytes;
  return {spec.name, spec.type, std::move(shape), all, std::move(bytes)};
}

template <class T>
void append_number(std::string& text, T value) {
  if constexpr (std::integral<T>) {
    fmt::format_to(std::back_inserter(text), "{}", value);
  } else {
    // Ten digits and an exponent, or what a double needs; the standard's shortest form reads back the same.
    std::conditional_t<std::same_as<T, double>, double, float> number(value);
    if (std::isfinite(number)) {
      fmt::format_to(std::back_inserter(text), "{}", number);
    } else {
      text += "null";
    }
  }
}

// Appends the element of that number.
class element_writer {
 public:
  explicit element_writer(const inference_tensor& tensor) : tensor_(tensor) {
    if (tensor.type() == wire_type::bytes) texts_ = tensor.texts();
  }

  void append(std::string& text, std::size_t number) const {
    switch (tensor_.type()) {
      case wire_type::boolean:
        text += tensor_.bytes()[number] != std::byte{0} ? "true" : "false";
        break;
      case wire_type::uint8:
        append_number<unsigned>(text, tensor_.values<std::uint8_t>()[number]);
        break;
      case wire_type::uint16:
        append_number(text, tensor_.values<std::uint16_t>()[number]);
        break;
      case wire_type::uint32:
        append_number(text, tensor_.values<std::uint32_t>()[number]);
        break;
      case wire_type::uint64:
        append_number(text, tensor_.values<std::uint64_t>()[number]);
        break;
      case wire_type::int8:
        append_number<int>(text, tensor_.values<std::int8_t>()[number]);
        break;
      case wire_type::int16:
        append_number(text, tensor_.values<std::int16_t>()[number]);
        break;
      case wire_type::int32:
        append_number(text, tensor_.values<std::int32_t>()[number]);
        break;
      case wire_type::int64:
        append_number(text, tensor_.values<std::int64_t>()[number]);
        break;
      case wire_type::float16:
        append_number(text, tensor_.values<half>()[number]);
        break;
      case wire_type::bfloat16:
        append_number(text, tensor_.values<bfloat16>()[number]);
        break;
      case wire_type::float32:
        append_number(text, tensor_.values<float>()[number]);
        break;
      case wire_type::float64:
        append_number(text, tensor_.values<double>()[number]);
        break;
      case wire_type::bytes:
        text += json_string(texts_[number]);
        break;
    }
  }

 private:
  const inference_tensor& tensor_;
  std::vector<std::string_view> texts_;
};

void append_level(std::string& text, const element_writer& elements, const std::vector<std::int64_t>& shape,
                  std::size_t depth, std::size_t& number) {
  if (depth == shape.size()) {
    elements.append(text, number++);
    return;
  }
  text += '[';
  for (std::int64_t i = 0; i < shape[depth]; ++i) {
    if (i != 0) text += ',';
    append_level(text, elements, shape, depth + 1, number);
  }
  text += ']';
}

}  // namespace

inference_tensor tensor_from_json(dom::element data, const tensor_spec& spec, std::vector<std::int64_t> shape,
                                  std::int64_t count, const std::string& field, std::size_t outer) {
  const auto as = [&]<class T>(T) { return numbers<T>(data, spec, std::move(shape), count, field, outer); };
  switch (spec.type) {
    case wire_type::boolean:
      return as(bool{});
    case wire_type::uint8:
      return as(std::uint8_t{});
    case wire_type::uint16:
      return as(std::uint16_t{});
    case wire_type::uint32:
      return as(std::uint32_t{});
    case wire_type::uint64:
      return as(std::uint64_t{});
    case wire_type::int8:
      return as(std::int8_t{});
    case wire_type::int16:
      return as(std::int16_t{});
    case wire_type::int32:
      return as(std::int32_t{});
    case wire_type::int64:
      return as(std::int64_t{});
    case wire_type::float16:
      return as(half{});
    case wire_type::bfloat16:
      return as(bfloat16{});
    case wire_type::float32:
      return as(float{});
    case wire_type::float64:
      return as(double{});
    case wire_type::bytes:
      break;
  }
  return texts(data, spec, std::move(shape), count, field, outer);
}

std::vector<std::int64_t> nested_shape(dom::element data, const std::string& field) {
  std::vector<std::int64_t> shape;
  while (is_array(data)) {
    if (shape.size() == largest_rank)
      refuse(fmt::format("{}: is nested deeper than {}", field, largest_rank));
    const dom::array array(data);
    auto count = static_cast<std::int64_t>(array.size());
    if (count >= most_counted) count = std::distance(array.begin(), array.end());
    if (count == 0) refuse(field + ": has an empty array");
    shape.push_back(count);
    data = *array.begin();
  }
  return shape;
}

void append_flat_json(std::string& text, const inference_tensor& tensor) {
  const element_writer elements(tensor);
  const auto count = static_cast<std::size_t>(tensor.size());
  text += '[';
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) text += ',';
    elements.append(text, i);
  }
  text += ']';
}

void append_nested_json(std::string& text, const inference_tensor& tensor, bool single) {
  std::size_t number = 0;
  append_level(text, element_writer(tensor), tensor.shape(), single ? 1 : 0, number);
}

}  // namespace weft::detail
