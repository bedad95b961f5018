#pragma once

#include <weft/core/error.hpp>
#include <weft/data/loader.hpp>
#include <weft/data/sample_cache.hpp>

#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t, std::uint8_t
#include <cstring>      // for std::memcpy
#include <memory>       // for std::shared_ptr
#include <span>         // for std::span
#include <string>       // for std::string
#include <type_traits>  // for std::is_trivially_copyable_v
#include <utility>      // for std::move
#include <vector>       // for std::vector

namespace weft {

namespace detail {

template <class T>
struct cached_elements {
  static constexpr bool possible = std::is_trivially_copyable_v<T>;
  static std::span<const std::uint8_t> bytes(const T& value) {
    return {reinterpret_cast<const std::uint8_t*>(&value), sizeof(T)};
  }
  static bool take(const std::vector<std::uint8_t>& from, T& value) {
    if (from.size() != sizeof(T)) return false;
    std::memcpy(&value, from.data(), sizeof(T));
    return true;
  }
};

template <class T>
struct cached_elements<std::vector<T>> {
  static constexpr bool possible = std::is_trivially_copyable_v<T>;
  static std::span<const std::uint8_t> bytes(const std::vector<T>& values) {
    return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(T)};
  }
  static bool take(const std::vector<std::uint8_t>& from, std::vector<T>& values) {
    if (from.size() % sizeof(T) != 0) return false;
    values.resize(from.size() / sizeof(T));
    if (!from.empty()) std::memcpy(values.data(), from.data(), from.size());
    return true;
  }
};

}  // namespace detail

/// A loader's source: the samples of another one, each loaded from it once and then from a cache; a sample
/// that two threads ask for before it is there is loaded by both. Samples are plain values or vectors of
/// them; they are kept as they lie in memory, so a cache on disk is for machines of one kind. Images have
/// caches of their own: see image_options::cache.
///
///     auto cache = std::make_shared<weft::sample_cache>(weft::cache_options{.folder = "/var/tmp/waves"});
///     weft::loader batches(pool, weft::cached_source(waves, cache), {.epochs = 10});
///
/// Thread safety: as that of the source.
template <value_source Source>
class cached_source {
 public:
  /// What a sample is.
  using sample_type = std::remove_cvref_t<decltype(std::declval<const Source&>().load(std::int64_t{0}))>;
  static_assert(detail::cached_elements<sample_type>::possible,
                "samples are kept that are plain values or vectors of plain values");

  /// @param source whose samples are kept, moved in; @param cache where, not null
  /// @throws invalid_argument if there is no cache
  cached_source(Source source, std::shared_ptr<sample_cache> cache)
      : source_(std::move(source)), cache_(std::move(cache)) {
    if (!cache_) throw invalid_argument("cached_source: the cache is null");
  }

  /// How many samples there are.
  std::int64_t size() const { return static_cast<std::int64_t>(source_.size()); }
  /// What the source calls a sample. @param index which one
  std::string name(std::int64_t index) const {
    if constexpr (requires { source_.name(index); }) {
      return source_.name(index);
    } else {
      return "sample " + std::to_string(index);
    }
  }

  /// A sample, from the cache if it is there. @param index which one
  sample_type load(std::int64_t index) const {
    using elements = detail::cached_elements<sample_type>;
    const std::string called = name(index);
    sample_type sample;
    const auto kept = cache_->find(index, called);
    if (kept && elements::take(*kept, sample)) return sample;
    sample = source_.load(index);
    cache_->keep(index, called, elements::bytes(sample));
    return sample;
  }

  /// What the cache has done.
  cache_stats cached() const { return cache_->stats(); }

 private:
  Source source_;
  std::shared_ptr<sample_cache> cache_;
};

}  // namespace weft
