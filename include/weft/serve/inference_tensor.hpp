#pragma once

#include <weft/compute/dtype.hpp>
#include <weft/core/error.hpp>

#include <cstddef>      // for std::byte, std::size_t
#include <cstdint>      // for std::int64_t, std::uint8_t
#include <memory>       // for std::shared_ptr
#include <optional>     // for std::optional
#include <span>         // for std::span
#include <string>       // for std::string
#include <string_view>  // for std::string_view
#include <utility>      // for std::move
#include <vector>       // for std::vector

namespace weft {

/// The types of the Open Inference Protocol.
enum class wire_type : std::uint8_t {
  boolean,   ///< BOOL, one byte
  uint8,     ///< UINT8
  uint16,    ///< UINT16
  uint32,    ///< UINT32
  uint64,    ///< UINT64
  int8,      ///< INT8
  int16,     ///< INT16
  int32,     ///< INT32
  int64,     ///< INT64
  float16,   ///< FP16
  bfloat16,  ///< BF16
  float32,   ///< FP32
  float64,   ///< FP64
  bytes      ///< BYTES: each element is a text of its own length
};

/// "FP32", "BYTES" and so on.
std::string_view to_string(wire_type type) noexcept;

/// The type of that name; nothing if there is none.
std::optional<wire_type> wire_type_from(std::string_view name) noexcept;

/// The size of one element in bytes; 0 for `bytes`.
std::size_t size_of(wire_type type) noexcept;

/// What carries elements of a dtype.
wire_type wire_type_of(dtype type) noexcept;

/// What a model takes or returns: a name, a type, a shape and the elements in row-major order, shared and
/// never changed.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class inference_tensor {
 public:
  /// Nothing: no name, no elements.
  inference_tensor() = default;

  /// @param name its name; @param shape its extents; @param values its elements, whose type is one of
  /// dtype_of. Throws shape_error unless there are as many as the shape has.
  template <class T>
  inference_tensor(std::string name, std::vector<std::int64_t> shape, std::vector<T> values)
      : name_(std::move(name)), type_(wire_type_of(dtype_of_v<T>)), shape_(std::move(shape)) {
    auto kept = std::make_shared<const std::vector<T>>(std::move(values));
    bytes_ = std::as_bytes(std::span(*kept));
    owner_ = std::move(kept);
    check();
  }

  /// The same for texts: a tensor of BYTES.
  inference_tensor(std::string name, std::vector<std::int64_t> shape, const std::vector<std::string>& texts);

  /// Elements as the binary extension has them: little-endian, and before each text its length in four bytes.
  ///
  /// @param name its name; @param type of its elements; @param shape its extents
  /// @param bytes the elements, valid as long as `owner` lives and aligned for the type
  /// @param owner what keeps them
  ///
  /// Throws shape_error unless there are as many as the shape has.
  inference_tensor(std::string name, wire_type type, std::vector<std::int64_t> shape,
                   std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

  /// Its name.
  const std::string& name() const noexcept { return name_; }
  /// The type of its elements.
  wire_type type() const noexcept { return type_; }
  /// Its extents.
  const std::vector<std::int64_t>& shape() const noexcept { return shape_; }
  /// How many elements it has.
  std::int64_t size() const noexcept;
  /// Its elements as the binary extension has them.
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// What keeps bytes() alive.
  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }

  /// Its elements; throws invalid_argument if they are of another type.
  template <class T>
  std::span<const T> values() const {
    require(wire_type_of(dtype_of_v<T>));
    return {static_cast<const T*>(static_cast<const void*>(bytes_.data())), bytes_.size() / sizeof(T)};
  }

  /// Its elements if it is of BYTES; throws invalid_argument otherwise. They are valid as long as it lives.
  std::vector<std::string_view> texts() const;

 private:
  void check() const;
  void require(wire_type wanted) const;

  std::string name_;
  wire_type type_ = wire_type::float32;
  std::vector<std::int64_t> shape_;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

}  // namespace weft
