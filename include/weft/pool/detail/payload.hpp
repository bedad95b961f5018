#pragma once

#include <weft/core/error.hpp>
#include <weft/pool/detail/segment.hpp>

#include <algorithm>  // for std::max, std::min
#include <array>      // for std::array
#include <cstddef>    // for std::byte, std::size_t
#include <cstring>    // for std::memcpy
#include <memory>     // for std::shared_ptr, std::unique_ptr
#include <span>       // for std::span
#include <utility>    // for std::move
#include <vector>     // for std::vector

namespace weft::detail {

/// The bytes of a call's arguments or of its result, on their way to another process: in this object while
/// they are few, then on the heap, and from 64 KB on in shared memory, where the other side reads them.
class payload {
 public:
  /// What is larger goes through shared memory.
  static constexpr std::size_t largest_message = 64U << 10U;

  /// Whether shared memory is to be used again, or will be kept by who takes it.
  enum class memory : bool { reused, kept };

  payload() = default;
  explicit payload(memory use) : use_(use) {}
  payload(const payload&) = delete;
  payload& operator=(const payload&) = delete;
  ~payload() { drop_shared(); }

  void append(const void* bytes, std::size_t count) {
    if (count > capacity_ - size_) grow(size_ + count);
    if (count > 0) std::memcpy(data_ + size_, bytes, count);
    size_ += count;
  }

  /// The other side will be given this segment before it reads the bytes.
  void attach(std::shared_ptr<segment> part) { attachments_.push_back(std::move(part)); }

  /// Lets go of everything.
  void clear() noexcept {
    drop_shared();
    attachments_.clear();
    heap_.reset();
    data_ = few_.data();
    size_ = 0;
    capacity_ = sizeof(few_);
  }

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  const std::vector<std::shared_ptr<segment>>& attachments() const noexcept { return attachments_; }
  /// Where the bytes are if they are many, else null.
  const std::shared_ptr<segment>& shared() const noexcept { return shared_; }
  /// The shared memory, which the caller now keeps until the other side has read it; bytes() remains.
  std::shared_ptr<segment> release_shared() noexcept { return std::move(shared_); }

 private:
  void drop_shared() noexcept {
    if (shared_ && use_ == memory::reused) keep_spare_segment(std::move(shared_));
    shared_.reset();
  }

  void grow(std::size_t at_least) {
    if (at_least <= largest_message) {
      const std::size_t capacity = std::min(std::max(2 * capacity_, at_least), largest_message);
      auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
      std::memcpy(larger.get(), data_, size_);
      heap_ = std::move(larger);
      data_ = heap_.get();
      capacity_ = capacity;
      return;
    }
    const std::size_t capacity = shared_ ? std::max(2 * capacity_, at_least) : at_least;
    auto larger = use_ == memory::reused ? take_spare_segment(capacity) : segment::create(capacity);
    std::memcpy(larger->data(), data_, size_);
    data_ = larger->data();
    capacity_ = larger->size();
    heap_.reset();
    drop_shared();
    shared_ = std::move(larger);
  }

  memory use_ = memory::reused;
  std::array<std::byte, 128> few_;
  std::unique_ptr<std::byte[]> heap_;
  std::shared_ptr<segment> shared_;
  std::byte* data_ = few_.data();
  std::size_t size_ = 0;
  std::size_t capacity_ = sizeof(few_);
  std::vector<std::shared_ptr<segment>> attachments_;
};

/// Where a message's segments come from.
class segment_source {
 public:
  /// The segment of this number, which is here or about to arrive.
  virtual std::shared_ptr<segment> fetch(std::uint64_t id) = 0;

 protected:
  ~segment_source() = default;
};

/// Reads what a payload holds, on the other side.
class payload_reader {
 public:
  payload_reader(std::span<const std::byte> bytes, segment_source& source) noexcept
      : rest_(bytes), source_(source) {}

  /// The next bytes, in place; throws error if there are fewer.
  std::span<const std::byte> take(std::size_t count) {
    if (count > rest_.size()) throw error("a message from another process is shorter than it should be");
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  void read(void* into, std::size_t count) {
    const auto bytes = take(count);
    if (count > 0) std::memcpy(into, bytes.data(), count);
  }

  std::shared_ptr<segment> fetch(std::uint64_t id) { return source_.fetch(id); }
  std::size_t left() const noexcept { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
  segment_source& source_;
};

}  // namespace weft::detail
