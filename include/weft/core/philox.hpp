#pragma once

#include <Random123/philox.h>  // for r123::Philox4x32

#include <array>    // for std::array
#include <cmath>    // for std::sqrt, std::log, std::sin, std::cos
#include <cstdint>  // for std::uint32_t, std::uint64_t
#include <numbers>  // for std::numbers::pi

namespace weft {

/// Counter-based random numbers, Philox 4x32-10: the n-th block of a stream is a pure function of (seed,
/// stream, n), so a result depends on the seed and the sample's index and never on the number of threads.
///
/// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; the generator is
/// Random123's.
///
/// Thread safety: immutable, so distinct and shared objects are safe.
class philox {
 public:
  /// @param seed the experiment's seed; @param stream separates independent uses of one seed
  explicit constexpr philox(std::uint64_t seed, std::uint64_t stream = 0) noexcept
      : seed_(seed), stream_(stream) {}

  /// The index-th block of four independent uniform 32-bit words.
  std::array<std::uint32_t, 4> block(std::uint64_t index) const noexcept {
    const r123::Philox4x32::ctr_type counter{{low(index), high(index), low(stream_), high(stream_)}};
    const r123::Philox4x32::key_type key{{low(seed_), high(seed_)}};
    const auto words = r123::Philox4x32{}(counter, key);
    return {words[0], words[1], words[2], words[3]};
  }

  /// The index-th uniform 64-bit word.
  std::uint64_t word(std::uint64_t index) const noexcept {
    const auto words = block(index);
    return (std::uint64_t{words[1]} << 32) | words[0];
  }

  /// The index-th uniform double in [0, 1), with 53 random bits.
  double uniform(std::uint64_t index) const noexcept {
    return static_cast<double>(word(index) >> 11) * 0x1.0p-53;
  }

  /// The index-th uniform integer in [0, bound), bound > 0. Multiply-shift: the bias is below bound / 2^64
  /// (Lemire, "Fast random integer generation in an interval", 2019).
  std::uint64_t below(std::uint64_t index, std::uint64_t bound) const noexcept {
    __extension__ using wide = unsigned __int128;
    return static_cast<std::uint64_t>((wide{word(index)} * bound) >> 64);
  }

  /// The index-th standard normal (Box and Muller, 1958; the cosine half).
  double normal(std::uint64_t index) const noexcept {
    const auto words = block(index);
    const std::uint64_t first = (std::uint64_t{words[1]} << 32) | words[0];
    const std::uint64_t second = (std::uint64_t{words[3]} << 32) | words[2];
    const double radius_uniform =
        (static_cast<double>(first >> 11) + 1.0) * 0x1.0p-53;  // (0, 1]: log is finite
    const double angle_uniform = static_cast<double>(second >> 11) * 0x1.0p-53;
    return std::sqrt(-2.0 * std::log(radius_uniform)) * std::cos(2.0 * std::numbers::pi * angle_uniform);
  }

 private:
  static constexpr std::uint32_t low(std::uint64_t value) noexcept {
    return static_cast<std::uint32_t>(value);
  }
  static constexpr std::uint32_t high(std::uint64_t value) noexcept {
    return static_cast<std::uint32_t>(value >> 32);
  }

  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace weft
