#pragma once

#include <weft/compute/memory.hpp>
#include <weft/compute/place.hpp>
#include <weft/compute/strided_view.hpp>
#include <weft/core/error.hpp>
#include <weft/core/shape.hpp>

#include <algorithm>    // for std::copy_n, std::fill_n, std::swap
#include <array>        // for std::array
#include <concepts>     // for std::convertible_to
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t
#include <limits>       // for std::numeric_limits
#include <memory>       // for std::unique_ptr, std::shared_ptr
#include <new>          // for std::align_val_t
#include <span>         // for std::span
#include <string>       // for std::string
#include <type_traits>  // for std::remove_const_t, std::is_trivially_copyable_v
#include <utility>      // for std::exchange, std::move

namespace weft {

/// The alignment in bytes of every tensor's first element: a cache line, and the widest vector register.
inline constexpr std::size_t tensor_alignment = 64;

/// A borrowed, dense, row-major array of Rank axes. It owns nothing: what it refers to must outlive it.
/// T may be const; a view of T converts to a view of const T, and to a strided_view, which is what slices and
/// permutations of inner axes are. Elements in a GPU's memory must not be touched by the host.
///
/// Thread safety: distinct objects safe; shared objects safe for reading. Elements follow the rules of T.
template <class T, int Rank>
class tensor_view {
  static_assert(Rank >= 1, "a tensor has at least one axis");

 public:
  /// The element type without const.
  using value_type = std::remove_const_t<T>;
  /// The extents' type.
  using shape_type = shape_of_rank<Rank>;

  /// An empty view: every extent is 0.
  constexpr tensor_view() noexcept = default;

  /// @param data the first of element_count(extents) elements, row-major; may be null if that count is 0
  /// @param extents the length of each axis, outermost first; throws shape_error if one is negative
  /// @param where whose memory it is
  constexpr tensor_view(T* data, const shape_type& extents, place where = {})
      : data_(data), extents_(extents), where_(where) {
    for (const std::int64_t extent : extents) {
      if (extent < 0) throw shape_error("tensor_view: negative extent in shape " + to_string(extents));
    }
  }

  /// The same for extents in braces, of which there must be Rank.
  template <std::size_t Count>
  constexpr tensor_view(T* data, const std::int64_t (&extents)[Count], place where = {})
      : tensor_view(data, detail::extents_of<Rank>(extents), where) {}

  /// A view of the same elements that cannot change them.
  template <class U>
  requires(std::is_same_v<const U, T> &&
           !std::is_const_v<U>) constexpr tensor_view(const tensor_view<U, Rank>& other) noexcept
      : data_(other.data()), extents_(other.extents()), where_(other.where()) {}

  /// Whose memory the elements lie in.
  constexpr place where() const noexcept { return where_; }
  /// The first element.
  constexpr T* data() const noexcept { return data_; }
  /// The length of each axis, outermost first.
  constexpr const shape_type& extents() const noexcept { return extents_; }
  /// The length of one axis, 0 <= axis < Rank (not checked).
  constexpr std::int64_t extent(int axis) const noexcept { return extents_[static_cast<std::size_t>(axis)]; }
  /// The number of elements.
  constexpr std::int64_t size() const noexcept { return element_count(extents_); }
  /// Whether there are no elements.
  constexpr bool empty() const noexcept { return size() == 0; }
  /// All elements in memory order.
  constexpr std::span<T> elements() const noexcept { return {data_, static_cast<std::size_t>(size())}; }
  /// The first element's address, and one past the last's: elements in memory order.
  constexpr T* begin() const noexcept { return data_; }
  /// One past the last element.
  constexpr T* end() const noexcept { return data_ + size(); }

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
        throw invalid_argument("tensor at(): index " + to_string(position) + " is outside shape " +
                               to_string(extents_));
      }
    }
    return data_[offset(position)];
  }

  /// The index-th entry of the outer axis, a view of one rank less; throws invalid_argument if there is none.
  constexpr tensor_view<T, Rank - 1> operator[](std::int64_t index) const requires(Rank >= 2) {
    if (index < 0 || index >= extents_[0]) {
      throw invalid_argument("tensor []: index " + std::to_string(index) +
                             " is outside the outer axis of shape " + to_string(extents_));
    }
    shape_of_rank<Rank - 1> inner{};
    std::copy_n(extents_.begin() + 1, inner.size(), inner.begin());
    return {data_ + index * element_count(inner), inner, where_};
  }

  /// Entries [first, last) of the outer axis, without a copy; throws invalid_argument unless
  /// 0 <= first <= last <= extent(0).
  constexpr tensor_view slice(std::int64_t first, std::int64_t last) const {
    if (first < 0 || last < first || last > extents_[0]) {
      throw invalid_argument("tensor slice: [" + std::to_string(first) + ", " + std::to_string(last) +
                             ") is not within the outer axis of shape " + to_string(extents_));
    }
    shape_type part = extents_;
    part[0] = 1;
    const std::int64_t row = element_count(part);
    part[0] = last - first;
    return {data_ + first * row, part, where_};
  }

  /// The same elements with strides, for what a dense view cannot show: slices of inner axes, transposes.
  constexpr strided_view<T, Rank> strided() const noexcept { return *this; }
  /// Entries [first, last) of an axis, every step-th of them, without a copy; throws as
  /// strided_view::slice().
  constexpr strided_view<T, Rank> slice(int axis, std::int64_t first, std::int64_t last,
                                        std::int64_t step = 1) const {
    return strided().slice(axis, first, last, step);
  }
  /// The last two axes exchanged, without a copy.
  constexpr strided_view<T, Rank> transpose() const noexcept requires(Rank >= 2) {
    return strided().transpose();
  }

  /// The same elements under another shape of the same count; throws shape_error otherwise.
  template <int NewRank>
  constexpr tensor_view<T, NewRank> reshape(const shape_of_rank<NewRank>& extents) const {
    if (element_count(extents) != size()) {
      throw shape_error("reshape: shape " + to_string(extents_) + " has " + std::to_string(size()) +
                        " elements but shape " + to_string(extents) + " has " +
                        std::to_string(element_count(extents)));
    }
    return {data_, extents, where_};
  }

  /// The same for extents in braces, of which there must be NewRank.
  template <int NewRank, std::size_t Count>
  constexpr tensor_view<T, NewRank> reshape(const std::int64_t (&extents)[Count]) const {
    return reshape<NewRank>(detail::extents_of<NewRank>(extents));
  }

 private:
  constexpr std::int64_t offset(const shape_type& position) const noexcept {
    std::int64_t flat = 0;
    for (std::size_t axis = 0; axis < position.size(); ++axis) flat = flat * extents_[axis] + position[axis];
    return flat;
  }

  T* data_ = nullptr;
  shape_type extents_{};
  place where_{};
};

/// A dense, row-major array of Rank axes that owns its elements, aligned to tensor_alignment: in host memory
/// and zero-initialised, or from a memory of the caller's choice and not initialised. Moving leaves the
/// source empty. Copying copies the elements into host memory; those of a GPU move with an executor
/// (transfer.hpp), and copying such a tensor throws invalid_argument.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
template <class T, int Rank>
class tensor {
  static_assert(Rank >= 1, "a tensor has at least one axis");
  static_assert(std::is_trivially_copyable_v<T> && !std::is_const_v<T>, "elements are plain values");

 public:
  /// The element type.
  using value_type = T;
  /// The extents' type.
  using shape_type = shape_of_rank<Rank>;

  /// An empty tensor: every extent is 0.
  tensor() noexcept = default;

  /// Zeros; throws shape_error if an extent is negative or the size in bytes does not fit, std::bad_alloc if
  /// there is no memory for it.
  explicit tensor(const shape_type& extents) : data_(allocate(extents)), extents_(extents) {
    std::fill_n(data_.get(), size(), T{});
  }

  /// Elements of that memory, not initialised; throws as the constructor above and as memory::allocate().
  tensor(const shape_type& extents, std::shared_ptr<memory> source)
      : data_(allocate(extents, std::move(source))), extents_(extents) {}

  /// A tensor with these elements, row-major; throws shape_error unless there are element_count(extents).
  tensor(const shape_type& extents, std::span<const T> elements)
      : data_(allocate(extents)), extents_(extents) {
    if (static_cast<std::int64_t>(elements.size()) != size()) {
      throw shape_error("tensor: " + std::to_string(elements.size()) + " elements given for shape " +
                        to_string(extents) + ", which has " + std::to_string(size()));
    }
    std::copy_n(elements.begin(), elements.size(), data_.get());
  }

  /// The same for extents in braces, of which there must be Rank.
  template <std::size_t Count>
  explicit tensor(const std::int64_t (&extents)[Count]) : tensor(detail::extents_of<Rank>(extents)) {}
  /// The same, in that memory.
  template <std::size_t Count>
  tensor(const std::int64_t (&extents)[Count], std::shared_ptr<memory> source)
      : tensor(detail::extents_of<Rank>(extents), std::move(source)) {}
  /// The same, with these elements.
  template <std::size_t Count>
  tensor(const std::int64_t (&extents)[Count], std::span<const T> elements)
      : tensor(detail::extents_of<Rank>(extents), elements) {}

  /// A copy of what the view shows.
  explicit tensor(tensor_view<const T, Rank> source) : tensor(source.extents(), on_host(source).elements()) {}

  /// A dense copy of what the view shows.
  explicit tensor(strided_view<const T, Rank> source);

  /// Copies the elements.
  tensor(const tensor& other) : tensor(other.view()) {}
  /// Takes the elements; other becomes empty.
  tensor(tensor&& other) noexcept
      : data_(std::move(other.data_)), extents_(std::exchange(other.extents_, shape_type{})) {}
  /// Copies or takes the elements.
  tensor& operator=(tensor other) noexcept {
    std::swap(data_, other.data_);
    std::swap(extents_, other.extents_);
    return *this;
  }
  ~tensor() = default;

  /// Borrowed access to all elements, valid while this tensor is neither moved from, assigned nor destroyed.
  tensor_view<T, Rank> view() noexcept { return {data_.get(), extents_, where()}; }
  /// Borrowed read-only access.
  tensor_view<const T, Rank> view() const noexcept { return {data_.get(), extents_, where()}; }
  /// The same, as an implicit conversion where a view is expected.
  operator tensor_view<T, Rank>() noexcept { return view(); }
  /// Read-only access as an implicit conversion.
  operator tensor_view<const T, Rank>() const noexcept { return view(); }
  /// The same where a strided view is expected.
  operator strided_view<T, Rank>() noexcept { return view(); }
  /// Read-only access where a strided view is expected.
  operator strided_view<const T, Rank>() const noexcept { return view(); }

  /// Whose memory the elements lie in.
  place where() const noexcept { return data_.get_deleter().where(); }
  /// The memory that was asked for them; null for the host's heap.
  const std::shared_ptr<memory>& source() const noexcept { return data_.get_deleter().source; }

  /// The first element; null only if nothing was ever allocated.
  T* data() noexcept { return data_.get(); }
  /// The first element.
  const T* data() const noexcept { return data_.get(); }
  /// The length of each axis, outermost first.
  const shape_type& extents() const noexcept { return extents_; }
  /// The length of one axis, 0 <= axis < Rank (not checked).
  std::int64_t extent(int axis) const noexcept { return extents_[static_cast<std::size_t>(axis)]; }
  /// The number of elements.
  std::int64_t size() const noexcept { return element_count(extents_); }
  /// Whether there are no elements.
  bool empty() const noexcept { return size() == 0; }
  /// All elements in memory order.
  std::span<T> elements() noexcept { return view().elements(); }
  /// All elements in memory order.
  std::span<const T> elements() const noexcept { return view().elements(); }

  /// The element at these indices; not checked.
  template <class... Index>
  T& operator()(Index... index) noexcept {
    return view()(index...);
  }
  /// The element at these indices; not checked.
  template <class... Index>
  const T& operator()(Index... index) const noexcept {
    return view()(index...);
  }
  /// The element at these indices; throws invalid_argument if they are outside the shape.
  template <class... Index>
  T& at(Index... index) {
    return view().at(index...);
  }
  /// The element at these indices; throws invalid_argument if they are outside the shape.
  template <class... Index>
  const T& at(Index... index) const {
    return view().at(index...);
  }
  /// The index-th entry of the outer axis, a view; throws invalid_argument if there is none.
  auto operator[](std::int64_t index) requires(Rank >= 2) { return view()[index]; }
  /// The index-th entry of the outer axis, a read-only view; throws invalid_argument if there is none.
  auto operator[](std::int64_t index) const requires(Rank >= 2) { return view()[index]; }
  /// Entries [first, last) of the outer axis, a view; throws invalid_argument if they are not all there.
  tensor_view<T, Rank> slice(std::int64_t first, std::int64_t last) { return view().slice(first, last); }
  /// Entries [first, last) of the outer axis, a read-only view; throws invalid_argument if they are not all
  /// there.
  tensor_view<const T, Rank> slice(std::int64_t first, std::int64_t last) const {
    return view().slice(first, last);
  }
  /// Entries [first, last) of an axis, every step-th of them; throws as strided_view::slice().
  strided_view<T, Rank> slice(int axis, std::int64_t first, std::int64_t last, std::int64_t step = 1) {
    return view().slice(axis, first, last, step);
  }
  /// The same, read-only.
  strided_view<const T, Rank> slice(int axis, std::int64_t first, std::int64_t last,
                                    std::int64_t step = 1) const {
    return view().slice(axis, first, last, step);
  }
  /// The last two axes exchanged, a view.
  strided_view<T, Rank> transpose() noexcept requires(Rank >= 2) { return view().transpose(); }
  /// The last two axes exchanged, a read-only view.
  strided_view<const T, Rank> transpose() const noexcept requires(Rank >= 2) { return view().transpose(); }

 private:
  struct release {
    std::shared_ptr<memory> source;  // null for the host's heap
    std::size_t bytes = 0;

    place where() const noexcept { return source == nullptr ? place{} : source->where(); }
    void operator()(T* data) const noexcept {
      if (source != nullptr) return source->deallocate(data, bytes);
      ::operator delete (static_cast<void*>(data), std::align_val_t{tensor_alignment});
    }
  };
  using storage = std::unique_ptr<T[], release>;

  static tensor_view<const T, Rank> on_host(tensor_view<const T, Rank> source) {
    detail::require_host("tensor", source.where());
    return source;
  }

  static storage allocate(const shape_type& extents, std::shared_ptr<memory> source = nullptr) {
    std::int64_t bytes = static_cast<std::int64_t>(sizeof(T));
    bool nothing = false;
    for (const std::int64_t extent : extents) {
      if (extent < 0) throw shape_error("tensor: negative extent in shape " + to_string(extents));
      nothing = nothing || extent == 0;
    }
    if (nothing) return storage(nullptr, release{std::move(source), 0});
    for (const std::int64_t extent : extents) {
      if (bytes > std::numeric_limits<std::int64_t>::max() / extent) {
        throw shape_error("tensor: shape " + to_string(extents) + " has more bytes than memory can address");
      }
      bytes *= extent;
    }
    const auto size = static_cast<std::size_t>(bytes);
    void* data = source != nullptr ? source->allocate(size)
                                   : ::operator new (size, std::align_val_t{tensor_alignment});
    return storage(static_cast<T*>(data), release{std::move(source), size});
  }

  storage data_;
  shape_type extents_{};
};

/// Copies all elements within host memory; throws shape_error unless both shapes are equal, and
/// invalid_argument for a GPU's memory. The two must not overlap.
template <class T, int Rank>
void copy(strided_view<const T, Rank> source, strided_view<T, Rank> target) {
  require_same_shape("copy", "the source", source.extents(), "the target", target.extents());
  detail::require_host("copy", source.where());
  detail::require_host("copy", target.where());
  if (source.is_dense() && target.is_dense()) {
    std::copy_n(source.data(), source.size(), target.data());
  } else {
    detail::copy_strided(source.data(), source.strides().data(), target.data(), target.strides().data(),
                         source.extents().data(), Rank);
  }
}

template <class T, int Rank>
tensor<T, Rank>::tensor(strided_view<const T, Rank> source) : tensor(source.extents()) {
  copy<T, Rank>(source, strided_view<T, Rank>(view()));
}

}  // namespace weft
