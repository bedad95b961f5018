#pragma once

#include <cstddef>  // for std::byte, std::size_t, std::max_align_t
#include <new>      // for operator new

namespace weft::detail {

/// Room for one posted resumption, kept by who posts it so that posting allocates nothing.
struct resume_buffer {
  static constexpr std::size_t size = 64;
  alignas(std::max_align_t) std::byte bytes[size];
  bool taken = false;
};

/// Gives out a resume_buffer; falls back to the heap for anything larger or for a second block.
template <class T>
class resume_allocator {
 public:
  using value_type = T;

  explicit resume_allocator(resume_buffer& buffer) noexcept : buffer_(&buffer) {}
  template <class U>
  resume_allocator(const resume_allocator<U>& other) noexcept  // NOLINT(google-explicit-constructor)
      : buffer_(other.buffer_) {}

  T* allocate(std::size_t count) {
    if (!buffer_->taken && count * sizeof(T) <= resume_buffer::size) {
      buffer_->taken = true;
      return static_cast<T*>(static_cast<void*>(buffer_->bytes));
    }
    return static_cast<T*>(::operator new(count * sizeof(T)));
  }

  void deallocate(T* pointer, std::size_t) noexcept {
    if (static_cast<void*>(pointer) == static_cast<void*>(buffer_->bytes)) {
      buffer_->taken = false;
    } else {
      ::operator delete(pointer);
    }
  }

  template <class U>
  bool operator==(const resume_allocator<U>& other) const noexcept {
    return buffer_ == other.buffer_;
  }

 private:
  template <class>
  friend class resume_allocator;
  resume_buffer* buffer_;
};

}  // namespace weft::detail
