#include <weft/serve/inference_tensor.hpp>

#include <array>    // for std::array
#include <cstring>  // for std::memcpy

namespace weft {
namespace {

struct type_facts {
  std::string_view name;
  std::size_t size;
};

constexpr std::array<type_facts, 14> facts{{{"BOOL", 1},
                                            {"UINT8", 1},
                                            {"UINT16", 2},
                                            {"UINT32", 4},
                                            {"UINT64", 8},
                                            {"INT8", 1},
                                            {"INT16", 2},
                                            {"INT32", 4},
                                            {"INT64", 8},
                                            {"FP16", 2},
                                            {"BF16", 2},
                                            {"FP32", 4},
                                            {"FP64", 8},
                                            {"BYTES", 0}}};

const type_facts& facts_of(wire_type type) noexcept {
  return facts[static_cast<std::size_t>(type)];
}

std::size_t length_at(std::span<const std::byte> bytes) noexcept {
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  return length;
}

// How many texts there are; nothing if the last one is not whole.
std::optional<std::int64_t> count_texts(std::span<const std::byte> bytes) noexcept {
  std::int64_t count = 0;
  for (; !bytes.empty(); ++count) {
    if (bytes.size() < sizeof(std::uint32_t)) return std::nullopt;
    const std::size_t length = length_at(bytes);
    if (length > bytes.size() - sizeof(std::uint32_t)) return std::nullopt;
    bytes = bytes.subspan(sizeof(std::uint32_t) + length);
  }
  return count;
}

}  // namespace

std::string_view to_string(wire_type type) noexcept {
  return facts_of(type).name;
}

std::optional<wire_type> wire_type_from(std::string_view name) noexcept {
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (facts[i].name == name) return static_cast<wire_type>(i);
  }
  return std::nullopt;
}

std::size_t size_of(wire_type type) noexcept {
  return facts_of(type).size;
}

wire_type wire_type_of(dtype type) noexcept {
  switch (type) {
    case dtype::boolean:
      return wire_type::boolean;
    case dtype::uint8:
      return wire_type::uint8;
    case dtype::int8:
      return wire_type::int8;
    case dtype::uint16:
      return wire_type::uint16;
    case dtype::int16:
      return wire_type::int16;
    case dtype::float16:
      return wire_type::float16;
    case dtype::bfloat16:
      return wire_type::bfloat16;
    case dtype::uint32:
      return wire_type::uint32;
    case dtype::int32:
      return wire_type::int32;
    case dtype::float32:
      return wire_type::float32;
    case dtype::uint64:
      return wire_type::uint64;
    case dtype::int64:
      return wire_type::int64;
    case dtype::float64:
      return wire_type::float64;
  }
  return wire_type::bytes;
}

inference_tensor::inference_tensor(std::string name, std::vector<std::int64_t> shape,
                                   const std::vector<std::string>& texts)
    : name_(std::move(name)), type_(wire_type::bytes), shape_(std::move(shape)) {
  auto kept = std::make_shared<std::vector<std::byte>>();
  for (const std::string& text : texts) {
    const auto length = static_cast<std::uint32_t>(text.size());
    const auto length_bytes = std::as_bytes(std::span(&length, 1));
    const auto text_bytes = std::as_bytes(std::span(text));
    kept->insert(kept->end(), length_bytes.begin(), length_bytes.end());
    kept->insert(kept->end(), text_bytes.begin(), text_bytes.end());
  }
  bytes_ = *kept;
  owner_ = std::move(kept);
  check();
}

inference_tensor::inference_tensor(std::string name, wire_type type, std::vector<std::int64_t> shape,
                                   std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
    : name_(std::move(name)), type_(type), shape_(std::move(shape)), bytes_(bytes), owner_(std::move(owner)) {
  check();
}

std::int64_t inference_tensor::size() const noexcept {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape_) count *= extent;
  return count;
}

void inference_tensor::check() const {
  const std::int64_t wanted = size();
  if (type_ == wire_type::bytes) {
    const std::optional<std::int64_t> count = count_texts(bytes_);
    if (!count)
      throw shape_error(name_ +
                        ": its last text is cut off, each needs its length in 4 bytes and then that many");
    if (*count != wanted) {
      throw shape_error(name_ + ": has " + std::to_string(*count) + " texts, its shape needs " +
                        std::to_string(wanted));
    }
    return;
  }
  const std::size_t needed = static_cast<std::size_t>(wanted) * size_of(type_);
  if (bytes_.size() != needed) {
    throw shape_error(name_ + ": has " + std::to_string(bytes_.size()) + " bytes, its shape and " +
                      std::string(to_string(type_)) + " need " + std::to_string(needed));
  }
}

void inference_tensor::require(wire_type wanted) const {
  if (type_ == wanted) return;
  throw invalid_argument(name_ + ": its elements are " + std::string(to_string(type_)) + ", not " +
                         std::string(to_string(wanted)));
}

std::vector<std::string_view> inference_tensor::texts() const {
  require(wire_type::bytes);
  std::vector<std::string_view> found;
  for (std::span<const std::byte> rest = bytes_; !rest.empty();) {
    const std::size_t length = length_at(rest);
    rest = rest.subspan(sizeof(std::uint32_t));
    found.emplace_back(static_cast<const char*>(static_cast<const void*>(rest.data())), length);
    rest = rest.subspan(length);
  }
  return found;
}

}  // namespace weft
