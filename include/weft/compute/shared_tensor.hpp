#pragma once

#include <weft/compute/strided_view.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/core/error.hpp>
#include <weft/core/shape.hpp>
#include <weft/pool/shared_array.hpp>

#include <algorithm>    // for std::copy
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t
#include <limits>       // for std::numeric_limits
#include <string>       // for std::to_string
#include <type_traits>  // for std::is_const_v
#include <utility>      // for std::move, std::exchange

namespace weft {

/// A tensor whose elements worker processes share: a shape and a shared_array. As an argument or a result of
/// a call it costs a few bytes, and every process sees the same elements: PyTorch's Tensor.share_memory_().
///
///     shared_tensor<float, 2> weights({784, 10});
///     pool.submit<&train>(weights, settings);         // double train(shared_tensor<float, 2>, ...)
///
/// It is passed where a tensor_view is expected, and gives one by view(): kernels read and write the shared
/// elements themselves. A copy refers to the same elements, const or not, as with shared_array.
///
/// Thread safety: distinct objects safe; shared objects safe for reading. Elements follow the rules of T; see
/// shared_array for those that several processes write to.
template <class T, int Rank>
class shared_tensor {
  static_assert(Rank >= 1, "a tensor has at least one axis");

 public:
  /// The element type without const.
  using value_type = std::remove_const_t<T>;
  /// The extents' type.
  using shape_type = shape_of_rank<Rank>;

  /// An empty tensor: every extent is 0.
  shared_tensor() = default;

  /// Zeros; throws shape_error if an extent is negative or the elements cannot be counted, shared_memory_full
  /// where there is no room for them.
  explicit shared_tensor(const shape_type& extents,
                         shared_array_options options = {}) requires(!std::is_const_v<T>)
      : array_(count(extents), options), extents_(extents) {}

  /// The same for extents in braces, of which there must be Rank.
  template <std::size_t Count>
  explicit shared_tensor(const std::int64_t (&extents)[Count],
                         shared_array_options options = {}) requires(!std::is_const_v<T>)
      : shared_tensor(detail::extents_of<Rank>(extents), options) {}

  /// A copy of what the view shows, which must be in the host's memory; throws invalid_argument if it is not.
  explicit shared_tensor(tensor_view<const value_type, Rank> source,
                         shared_array_options options = {}) requires(!std::is_const_v<T>)
      : shared_tensor(on_host(source).extents(), options) {
    std::copy(source.begin(), source.end(), array_.begin());
  }

  /// The elements of an array, row-major, without a copy; throws shape_error unless there are
  /// element_count(extents).
  shared_tensor(const shape_type& extents, shared_array<T> elements)
      : array_(std::move(elements)), extents_(extents) {
    if (count(extents) != array_.size()) {
      throw shape_error("shared_tensor: an array of " + std::to_string(array_.size()) +
                        " elements given for shape " + to_string(extents) + ", which has " +
                        std::to_string(count(extents)));
    }
  }

  /// The same for extents in braces, of which there must be Rank.
  template <std::size_t Count>
  shared_tensor(const std::int64_t (&extents)[Count], shared_array<T> elements)
      : shared_tensor(detail::extents_of<Rank>(extents), std::move(elements)) {}

  /// The same elements, which cannot be changed through this one.
  template <class U>
  requires(std::is_same_v<const U, T> && !std::is_const_v<U>)
      shared_tensor(const shared_tensor<U, Rank>& other)
  noexcept : array_(other.array()), extents_(other.extents()) {}

  /// Makes the elements read-only in every process and for ever; throws as shared_array::seal().
  shared_tensor<const T, Rank> seal() && requires(!std::is_const_v<T>) {
    shared_array<const T> sealed = std::move(array_).seal();
    return {std::exchange(extents_, {}), std::move(sealed)};
  }

  /// Whether nobody can change the elements.
  bool sealed() const noexcept { return array_.sealed(); }

  /// Borrowed access to the elements, valid while this or a copy of it lives in this process.
  tensor_view<T, Rank> view() const noexcept { return {array_.data(), extents_}; }
  /// The same, as an implicit conversion where a view is expected.
  operator tensor_view<T, Rank>() const noexcept { return view(); }
  /// Read-only access as an implicit conversion.
  operator tensor_view<const T, Rank>() const noexcept requires(!std::is_const_v<T>) { return view(); }
  /// The same where a strided view is expected.
  operator strided_view<T, Rank>() const noexcept { return view(); }
  /// Read-only access where a strided view is expected.
  operator strided_view<const T, Rank>() const noexcept requires(!std::is_const_v<T>) { return view(); }

  /// The elements in memory order, as they are shared.
  const shared_array<T>& array() const noexcept { return array_; }
  /// The length of each axis, outermost first.
  const shape_type& extents() const noexcept { return extents_; }
  /// The number of elements.
  std::int64_t size() const noexcept { return element_count(extents_); }

  /// For cereal: which memory, and its shape.
  template <class Archive>
  void save(Archive& archive) const {
    archive(extents_, array_);
  }

  /// For cereal.
  template <class Archive>
  void load(Archive& archive) {
    shape_type extents{};
    shared_array<T> elements;
    archive(extents, elements);
    *this = shared_tensor(extents, std::move(elements));
  }

 private:
  static tensor_view<const value_type, Rank> on_host(tensor_view<const value_type, Rank> source) {
    detail::require_host("shared_tensor", source.where());
    return source;
  }

  static std::size_t count(const shape_type& extents) {
    bool nothing = false;
    for (const std::int64_t extent : extents) {
      if (extent < 0) throw shape_error("shared_tensor: negative extent in shape " + to_string(extents));
      nothing = nothing || extent == 0;
    }
    if (nothing) return 0;
    std::int64_t count = 1;
    for (const std::int64_t extent : extents) {
      if (count > std::numeric_limits<std::int64_t>::max() / extent) {
        throw shape_error("shared_tensor: shape " + to_string(extents) +
                          " has more elements than can be counted");
      }
      count *= extent;
    }
    return static_cast<std::size_t>(count);
  }

  shared_array<T> array_;
  shape_type extents_{};
};

}  // namespace weft
