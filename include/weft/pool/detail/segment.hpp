#pragma once

#include <cstddef>  // for std::byte, std::size_t
#include <cstdint>  // for std::uint64_t
#include <memory>   // for std::shared_ptr
#include <mutex>    // for std::mutex

namespace weft::detail {

/// Anonymous shared memory, known by the same number in every process that it has reached. It has no name in
/// any file system: when the last process that maps it is gone, however it ended, so is the memory.
class segment {
 public:
  /// Zeroed bytes of which every page is there. Throws shared_memory_full where there is not enough memory
  /// and invalid_argument where huge pages are asked for and none are set aside.
  static std::shared_ptr<segment> create(std::size_t bytes, bool huge_pages = false);

  /// Maps what another process has created; takes the descriptor over.
  static std::shared_ptr<segment> adopt(std::uint64_t id, int descriptor, std::size_t bytes);

  /// The segment of this number if this process has it.
  static std::shared_ptr<segment> find(std::uint64_t id);

  segment(const segment&) = delete;
  segment& operator=(const segment&) = delete;
  ~segment();

  std::uint64_t id() const noexcept { return id_; }
  int descriptor() const noexcept { return descriptor_; }
  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return bytes_; }
  bool sealed() const noexcept { return sealed_; }

  /// Makes the bytes read-only, here and everywhere, for ever. Throws error if another process has them
  /// mapped for writing.
  void seal();

  /// What the bytes mean, which `read` finds out once; it lives as long as the segment does in this process.
  template <class Read>
  const void* object(Read read) {
    const std::lock_guard lock(object_mutex_);
    if (!object_) object_ = read();
    return object_.get();
  }

  /// To be called before a worker is told of it: when it goes, the worker will be told.
  void note_sent() noexcept { sent_ = true; }

 private:
  segment(std::uint64_t id, int descriptor, std::size_t bytes) noexcept
      : id_(id), descriptor_(descriptor), bytes_(bytes) {}
  void map();

  std::uint64_t id_;
  int descriptor_;
  std::size_t bytes_;
  std::byte* data_ = nullptr;
  bool sealed_ = false;
  bool sent_ = false;
  std::mutex object_mutex_;
  std::shared_ptr<const void> object_;
};

/// Large messages use the same memory again and again: a fresh page costs more than to copy into it.
std::shared_ptr<segment> take_spare_segment(std::size_t at_least);
/// Keeps it for the next large message, or lets it go when enough are kept.
void keep_spare_segment(std::shared_ptr<segment> spare);

/// Somebody who must hear when a segment that was sent away is gone. The list of listeners is global.
class segment_listener {
 public:
  segment_listener(const segment_listener&) = delete;
  segment_listener& operator=(const segment_listener&) = delete;

  virtual void segment_gone(std::uint64_t id) noexcept = 0;

 protected:
  segment_listener();
  ~segment_listener();
};

}  // namespace weft::detail
