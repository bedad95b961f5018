#pragma once

#include <bit>      // for std::bit_cast
#include <cstdint>  // for std::uint16_t, std::uint32_t

namespace weft {

/// An IEEE 754 binary16: 11 bits of precision, up to 65504. It is stored in 16 bits and computed with as
/// float; a float is rounded to the nearest value, to even between two.
///
/// Thread safety: a plain value.
class half {
 public:
  /// 0.
  constexpr half() noexcept = default;
  /// The nearest value; infinity from 65520 on; not a number stays so.
  explicit constexpr half(float value) noexcept : bits_(round(value)) {}
  /// The value, exactly.
  constexpr operator float() const noexcept { return widen(bits_); }  // NOLINT(google-explicit-constructor)

  /// The value with this representation.
  static constexpr half from_bits(std::uint16_t bits) noexcept {
    half result;
    result.bits_ = bits;
    return result;
  }
  /// Its representation.
  constexpr std::uint16_t bits() const noexcept { return bits_; }

 private:
  static constexpr std::uint16_t round(float value) noexcept {
    const auto all = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (all >> 16) & 0x8000U;
    const std::uint32_t magnitude = all & 0x7fffffffU;
    if (magnitude > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);   // not a number
    if (magnitude >= 0x477ff000U) return static_cast<std::uint16_t>(sign | 0x7c00U);  // 65520 and above
    if (magnitude < 0x38800000U) {
      // Below the smallest normal half: the last mantissa bit of a float just above 0.5 is worth 2^-24, the
      // smallest half, so that the addition rounds.
      const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
      return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U));
    }
    const std::uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13) & 1U);
    return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
  }

  static constexpr float widen(std::uint16_t bits) noexcept {
    const std::uint32_t sign = (bits & 0x8000U) << 16;
    const std::uint32_t magnitude = bits & 0x7fffU;
    if (magnitude >= 0x7c00U) {
      return std::bit_cast<float>(sign | 0x7f800000U | ((magnitude & 0x3ffU) << 13));
    }
    if (magnitude >= 0x400U) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000U));
    const float tiny = static_cast<float>(magnitude) * 0x1p-24F;
    return sign == 0 ? tiny : -tiny;
  }

  std::uint16_t bits_ = 0;
};

/// The upper half of an IEEE 754 binary32: 8 bits of precision over float's range. It is stored in 16 bits
/// and computed with as float; a float is rounded to the nearest value, to even between two.
///
/// Thread safety: a plain value.
class bfloat16 {
 public:
  /// 0.
  constexpr bfloat16() noexcept = default;
  /// The nearest value; not a number stays so.
  explicit constexpr bfloat16(float value) noexcept : bits_(round(value)) {}
  /// The value, exactly.
  constexpr operator float() const noexcept {  // NOLINT(google-explicit-constructor)
    return std::bit_cast<float>(std::uint32_t{bits_} << 16);
  }

  /// The value with this representation.
  static constexpr bfloat16 from_bits(std::uint16_t bits) noexcept {
    bfloat16 result;
    result.bits_ = bits;
    return result;
  }
  /// Its representation.
  constexpr std::uint16_t bits() const noexcept { return bits_; }

 private:
  static constexpr std::uint16_t round(float value) noexcept {
    const auto all = std::bit_cast<std::uint32_t>(value);
    if ((all & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>((all >> 16) | 0x40U);
    return static_cast<std::uint16_t>((all + 0x7fffU + ((all >> 16) & 1U)) >> 16);
  }

  std::uint16_t bits_ = 0;
};

}  // namespace weft
