#pragma once

#include <weft/core/error.hpp>
#include <weft/pool/detail/codec.hpp>
#include <weft/pool/detail/segment.hpp>

#include <algorithm>    // for std::copy
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint64_t
#include <limits>       // for std::numeric_limits
#include <memory>       // for std::shared_ptr
#include <span>         // for std::span
#include <string>       // for std::to_string
#include <type_traits>  // for std::is_trivially_copyable_v
#include <utility>      // for std::move

namespace weft {

/// How a shared_array is made.
struct shared_array_options {
  /// In pages of 2 MB, which must have been set aside (/proc/sys/vm/nr_hugepages).
  bool huge_pages = false;
};

/// A fixed number of elements in memory that worker processes share: as an argument or a result of a call it
/// costs a few bytes, whatever its size, and every process sees the same elements at once.
///
///     shared_array<float> images(60'000 * 784);
///     load(images);
///     auto fixed = std::move(images).seal();          // shared_array<const float>
///     pool.submit<&train>(fixed, settings);
///
/// A copy refers to the same elements. The memory has no name and is freed when the last process that refers
/// to it lets go, however it ends. Each array takes a file descriptor in each process that has it.
///
/// Elements are trivially copyable and hold no pointers. Writing to an element that another process reads or
/// writes needs the care that threads need: std::atomic_ref works across processes where it is lock-free.
///
/// Thread safety: distinct objects safe; shared objects safe for reading. Elements follow the rules of T.
template <class T>
class shared_array {
  static_assert(std::is_trivially_copyable_v<T>, "only bytes can be shared between processes");

 public:
  /// The element type without const.
  using value_type = std::remove_const_t<T>;

  /// No elements.
  shared_array() = default;

  /// Elements that are all zero bytes. Throws shared_memory_full where there is no room for them.
  explicit shared_array(std::size_t size, shared_array_options options = {}) requires(!std::is_const_v<T>)
      : memory_(size == 0 ? nullptr : detail::segment::create(checked_bytes(size), options.huge_pages)),
        size_(size) {}

  /// A copy of these elements.
  explicit shared_array(std::span<const T> elements,
                        shared_array_options options = {}) requires(!std::is_const_v<T>)
      : shared_array(elements.size(), options) {
    std::copy(elements.begin(), elements.end(), begin());
  }

  /// The same elements, which cannot be changed through this one.
  template <class U>
  requires(std::is_same_v<const U, T> && !std::is_const_v<U>) shared_array(const shared_array<U>& other)
  noexcept : memory_(other.memory_), size_(other.size_) {}

  /// Makes the elements read-only in every process and for ever: a write is a fault, not a race. Throws error
  /// while a copy is left here or a worker has it: seal before it is shared.
  shared_array<const T> seal() && requires(!std::is_const_v<T>) {
    if (memory_ && memory_.use_count() > 1) {
      throw error("shared_array: cannot be sealed while copies of it exist; seal before it is shared");
    }
    if (memory_) memory_->seal();
    shared_array<const T> sealed;
    sealed.memory_ = std::move(memory_);
    sealed.size_ = std::exchange(size_, 0);
    return sealed;
  }

  /// Whether nobody can change the elements.
  bool sealed() const noexcept { return memory_ && memory_->sealed(); }

  /// The first element, null if there are none; aligned to a page.
  T* data() const noexcept { return memory_ ? reinterpret_cast<T*>(memory_->data()) : nullptr; }
  /// The number of elements.
  std::size_t size() const noexcept { return size_; }
  /// Whether there are none.
  bool empty() const noexcept { return size_ == 0; }
  /// The element at this index; not checked.
  T& operator[](std::size_t index) const noexcept { return data()[index]; }
  /// The first element.
  T* begin() const noexcept { return data(); }
  /// One past the last element.
  T* end() const noexcept { return data() + size_; }
  /// All of them.
  std::span<T> elements() const noexcept { return {data(), size_}; }

  /// For cereal: which memory, not what is in it.
  template <class Archive>
  void save(Archive& archive) const {
    static_assert(std::is_same_v<Archive, detail::output_archive>,
                  "a shared_array can be sent to a worker process and nowhere else");
    archive(static_cast<std::uint64_t>(size_), memory_ ? memory_->id() : 0);
    if (memory_) archive.out().attach(memory_);
  }

  /// For cereal.
  template <class Archive>
  void load(Archive& archive) {
    static_assert(std::is_same_v<Archive, detail::input_archive>,
                  "a shared_array can be sent to a worker process and nowhere else");
    std::uint64_t size = 0;
    std::uint64_t id = 0;
    archive(size, id);
    memory_ = id == 0 ? nullptr : archive.in().fetch(id);
    size_ = size;
    if (memory_ && memory_->size() / sizeof(T) < size_) throw error("shared_array: its memory is too small");
    if (!std::is_const_v<T> && sealed()) {
      memory_.reset();
      throw error(
          "shared_array: a sealed array was sent to a function that takes a shared_array it can change");
    }
  }

 private:
  template <class>
  friend class shared_array;

  static std::size_t checked_bytes(std::size_t size) {
    if (size > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
      throw shared_memory_full("shared memory: no room for " + std::to_string(size) + " elements of " +
                               std::to_string(sizeof(T)) + " bytes");
    }
    return size * sizeof(T);
  }

  std::shared_ptr<detail::segment> memory_;
  std::size_t size_ = 0;
};

}  // namespace weft
