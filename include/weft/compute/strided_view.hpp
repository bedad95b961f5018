#pragma once

#include <weft/compute/place.hpp>
#include <weft/core/error.hpp>
#include <weft/core/shape.hpp>

#include <array>        // for std::array, std::to_array
#include <concepts>     // for std::convertible_to
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t
#include <string>       // for std::string, std::to_string
#include <type_traits>  // for std::remove_const_t, std::is_const_v
#include <utility>      // for std::swap

namespace weft {

/// The shape type of an array of this rank.
template <int Rank>
using shape_of_rank = shape<static_cast<std::size_t>(Rank)>;

/// Throws shape_error unless both shapes are equal.
///
/// @param operation what is being done, e.g. "copy"; it starts the message
/// @param left_name, right_name what the shapes belong to
/// @param left, right the shapes
template <std::size_t LeftRank, std::size_t RightRank>
void require_same_shape(const char* operation, const char* left_name, const shape<LeftRank>& left,
                        const char* right_name, const shape<RightRank>& right) {
  if constexpr (LeftRank == RightRank) {
    if (left == right) return;
  }
  throw shape_error(std::string(operation) + ": " + left_name + " has shape " + to_string(left) + " but " +
                    right_name + " has shape " + to_string(right));
}

namespace detail {

/// The extents, where there is one for each axis; a shape itself would fill what is missing with 0.
template <int Rank, std::size_t Count>
constexpr shape_of_rank<Rank> extents_of(const std::int64_t (&extents)[Count]) noexcept {
  static_assert(Count == static_cast<std::size_t>(Rank),
                "the number of extents is not the rank: give one for each axis");
  if constexpr (Count == static_cast<std::size_t>(Rank)) {
    return std::to_array(extents);
  } else {
    return {};
  }
}

/// The indices, where there is one for each axis.
template <int Rank, class... Index>
constexpr shape_of_rank<Rank> position_of(Index... index) noexcept {
  static_assert(sizeof...(Index) == static_cast<std::size_t>(Rank),
                "the number of indices is not the rank: give one for each axis");
  if constexpr (sizeof...(Index) == static_cast<std::size_t>(Rank)) {
    return {static_cast<std::int64_t>(index)...};
  } else {
    return {};
  }
}

/// Throws invalid_argument unless the elements lie in host memory.
inline void require_host(const char* operation, const place& where) {
  if (where.kind == memory_kind::host) return;
  throw invalid_argument(std::string(operation) + ": the elements are on " + to_string(where) +
                         ": move them to the host with an executor first");
}

/// Copies an array of `rank` axes element by element, axis by axis.
template <class T>
void copy_strided(const T* from, const std::int64_t* from_strides, T* to, const std::int64_t* to_strides,
                  const std::int64_t* extents, int rank) {
  for (std::int64_t index = 0; index < *extents; ++index) {
    if (rank == 1) {
      to[index * *to_strides] = from[index * *from_strides];
    } else {
      copy_strided(from + index * *from_strides, from_strides + 1, to + index * *to_strides, to_strides + 1,
                   extents + 1, rank - 1);
    }
  }
}

}  // namespace detail

template <class T, int Rank>
class tensor_view;

/// A borrowed array of Rank axes whose elements lie at data() + sum of index * stride: slices of any axis,
/// transposes, broadcasts. It owns nothing: what it refers to must outlive it. A dense tensor_view converts
/// to it, dense() goes back; a kernel that takes only dense arrays does not compile with it.
///
/// Thread safety: distinct objects safe; shared objects safe for reading. Elements follow the rules of T.
template <class T, int Rank>
class strided_view {
  static_assert(Rank >= 1, "a tensor has at least one axis");

 public:
  /// The element type without const.
  using value_type = std::remove_const_t<T>;
  /// The type of the extents and of the strides.
  using shape_type = shape_of_rank<Rank>;

  /// An empty view: every extent is 0.
  constexpr strided_view() noexcept = default;

  /// @param data the element at index 0 of every axis; may be null if there are none
  /// @param extents the length of each axis, outermost first; throws shape_error if one is negative
  /// @param strides how many elements apart neighbours of each axis are; may be 0 or negative
  /// @param where whose memory it is
  constexpr strided_view(T* data, const shape_type& extents, const shape_type& strides, place where = {})
      : data_(data), extents_(extents), strides_(strides), where_(where) {
    for (const std::int64_t extent : extents) {
      if (extent < 0) throw shape_error("strided_view: negative extent in shape " + to_string(extents));
    }
  }

  /// The same for extents and strides in braces, of which there must be Rank.
  template <std::size_t Extents, std::size_t Strides>
  constexpr strided_view(T* data, const std::int64_t (&extents)[Extents],
                         const std::int64_t (&strides)[Strides], place where = {})
      : strided_view(data, detail::extents_of<Rank>(extents), detail::extents_of<Rank>(strides), where) {}

  /// All elements of a dense view.
  constexpr strided_view(const tensor_view<T, Rank>& dense) noexcept  // NOLINT(google-explicit-constructor)
      : data_(dense.data()),
        extents_(dense.extents()),
        strides_(dense_strides(extents_)),
        where_(dense.where()) {}

  /// All elements of a dense view, read-only.
  template <class U>
  requires(std::is_same_v<const U, T> &&
           !std::is_const_v<U>) constexpr strided_view(const tensor_view<U, Rank>& dense) noexcept
      : strided_view(tensor_view<T, Rank>(dense)) {}

  /// A view of the same elements that cannot change them.
  template <class U>
  requires(std::is_same_v<const U, T> &&
           !std::is_const_v<U>) constexpr strided_view(const strided_view<U, Rank>& other) noexcept
      : data_(other.data()), extents_(other.extents()), strides_(other.strides()), where_(other.where()) {}

  /// The strides of a dense array of this shape.
  static constexpr shape_type dense_strides(const shape_type& extents) noexcept {
    shape_type strides{};
    std::int64_t stride = 1;
    for (std::size_t axis = extents.size(); axis-- > 0;) {
      strides[axis] = stride;
      stride *= extents[axis];
    }
    return strides;
  }

  /// The element at index 0 of every axis.
  constexpr T* data() const noexcept { return data_; }
  /// The length of each axis, outermost first.
  constexpr const shape_type& extents() const noexcept { return extents_; }
  /// The length of one axis, 0 <= axis < Rank (not checked).
  constexpr std::int64_t extent(int axis) const noexcept { return extents_[static_cast<std::size_t>(axis)]; }
  /// How many elements apart neighbours are, for each axis.
  constexpr const shape_type& strides() const noexcept { return strides_; }
  /// The stride of one axis, 0 <= axis < Rank (not checked).
  constexpr std::int64_t stride(int axis) const noexcept { return strides_[static_cast<std::size_t>(axis)]; }
  /// The number of elements.
  constexpr std::int64_t size() const noexcept { return element_count(extents_); }
  /// Whether there are no elements.
  constexpr bool empty() const noexcept { return size() == 0; }
  /// Whose memory the elements lie in.
  constexpr place where() const noexcept { return where_; }

  /// The element at these indices, one per axis; not checked.
  template <std::convertible_to<std::int64_t>... Index>
  constexpr T& operator()(Index... index) const noexcept {
    return data_[offset(detail::position_of<Rank>(index...))];
  }

  /// The element at these indices, one per axis; throws invalid_argument, naming both, if they are outside
  /// the shape.
  template <std::convertible_to<std::int64_t>... Index>
  constexpr T& at(Index... index) const {
    const shape_type position = detail::position_of<Rank>(index...);
    for (std::size_t axis = 0; axis < extents_.size(); ++axis) {
      if (position[axis] < 0 || position[axis] >= extents_[axis]) {
        throw invalid_argument("strided_view at(): index " + to_string(position) + " is outside shape " +
                               to_string(extents_));
      }
    }
    return data_[offset(position)];
  }

  /// The index-th entry of the outer axis; throws invalid_argument if there is none.
  constexpr strided_view<T, Rank - 1> operator[](std::int64_t index) const requires(Rank >= 2) {
    return select(0, index);
  }

  /// The index-th entry of an axis, which goes; throws invalid_argument if there is none.
  constexpr strided_view<T, Rank - 1> select(int axis, std::int64_t index) const requires(Rank >= 2) {
    const std::size_t gone = checked(axis);
    if (index < 0 || index >= extents_[gone]) {
      throw invalid_argument("strided_view: index " + std::to_string(index) + " is outside axis " +
                             std::to_string(axis) + " of shape " + to_string(extents_));
    }
    shape_of_rank<Rank - 1> extents{};
    shape_of_rank<Rank - 1> strides{};
    for (std::size_t from = 0, to = 0; from < extents_.size(); ++from) {
      if (from == gone) continue;
      extents[to] = extents_[from];
      strides[to++] = strides_[from];
    }
    return {data_ + index * strides_[gone], extents, strides, where_};
  }

  /// Entries [first, last) of an axis, every step-th of them; throws invalid_argument unless
  /// 0 <= first <= last <= extent(axis) and step > 0.
  constexpr strided_view slice(int axis, std::int64_t first, std::int64_t last, std::int64_t step = 1) const {
    const std::size_t cut = checked(axis);
    if (first < 0 || last < first || last > extents_[cut] || step < 1) {
      throw invalid_argument("strided_view slice: [" + std::to_string(first) + ", " + std::to_string(last) +
                             ") in steps of " + std::to_string(step) + " is not within axis " +
                             std::to_string(axis) + " of shape " + to_string(extents_));
    }
    strided_view part = *this;
    part.data_ += first == last ? 0 : first * strides_[cut];
    part.extents_[cut] = (last - first + step - 1) / step;
    part.strides_[cut] *= step;
    return part;
  }

  /// The axes in another order: axis i of the result is axis order[i] of this; throws invalid_argument unless
  /// every axis is there once.
  constexpr strided_view permute(const std::array<int, static_cast<std::size_t>(Rank)>& order) const {
    strided_view result = *this;
    std::array<bool, static_cast<std::size_t>(Rank)> seen{};
    for (std::size_t to = 0; to < order.size(); ++to) {
      const std::size_t from = checked(order[to]);
      if (seen[from]) {
        throw invalid_argument("strided_view permute: axis " + std::to_string(from) + " is there twice");
      }
      seen[from] = true;
      result.extents_[to] = extents_[from];
      result.strides_[to] = strides_[from];
    }
    return result;
  }

  /// The last two axes exchanged.
  constexpr strided_view transpose() const noexcept requires(Rank >= 2) {
    strided_view result = *this;
    std::swap(result.extents_[Rank - 1], result.extents_[Rank - 2]);
    std::swap(result.strides_[Rank - 1], result.strides_[Rank - 2]);
    return result;
  }

  /// The same elements repeated to a larger shape, by NumPy's rule: shapes are aligned at their last axes,
  /// and an axis that is missing or of length 1 is repeated. Throws shape_error if they do not fit.
  template <int NewRank>
  constexpr strided_view<T, NewRank> broadcast_to(const shape_of_rank<NewRank>& extents) const {
    shape_of_rank<NewRank> strides{};
    bool fits = NewRank >= Rank;
    for (int axis = 0; fits && axis < Rank; ++axis) {
      const auto from = static_cast<std::size_t>(axis);
      const auto to = static_cast<std::size_t>(axis + NewRank - Rank);
      fits = extents_[from] == extents[to] || extents_[from] == 1;
      strides[to] = extents_[from] == 1 ? 0 : strides_[from];
    }
    if (!fits) {
      throw shape_error("broadcast_to: shape " + to_string(extents_) + " cannot be repeated to shape " +
                        to_string(extents));
    }
    return {data_, extents, strides, where_};
  }

  /// The same for extents in braces, of which there must be NewRank.
  template <int NewRank, std::size_t Count>
  constexpr strided_view<T, NewRank> broadcast_to(const std::int64_t (&extents)[Count]) const {
    return broadcast_to<NewRank>(detail::extents_of<NewRank>(extents));
  }

  /// Whether the elements are one piece of memory, row-major.
  constexpr bool is_dense() const noexcept {
    const shape_type expected = dense_strides(extents_);
    for (std::size_t axis = 0; axis < extents_.size(); ++axis) {
      if (extents_[axis] > 1 && strides_[axis] != expected[axis]) return empty();
    }
    return true;
  }

  /// The dense view of the same elements; throws shape_error, naming shape and strides, if they are not
  /// dense: copy them into a tensor then.
  constexpr tensor_view<T, Rank> dense() const {
    if (!is_dense()) {
      throw shape_error("dense: strides " + to_string(strides_) + " of shape " + to_string(extents_) +
                        " are not row-major without gaps: copy the elements into a tensor");
    }
    return {data_, extents_, where_};
  }

 private:
  constexpr std::size_t checked(int axis) const {
    if (axis < 0 || axis >= Rank) {
      throw invalid_argument("strided_view: there is no axis " + std::to_string(axis) + " in shape " +
                             to_string(extents_));
    }
    return static_cast<std::size_t>(axis);
  }

  constexpr std::int64_t offset(const shape_type& position) const noexcept {
    std::int64_t sum = 0;
    for (std::size_t axis = 0; axis < position.size(); ++axis) sum += position[axis] * strides_[axis];
    return sum;
  }

  T* data_ = nullptr;
  shape_type extents_{};
  shape_type strides_{};
  place where_{};
};

}  // namespace weft
