#pragma once

#include <sys/uio.h>  // for iovec

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t, std::uint8_t
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// A file open for reading. Its functions throw io_error with the path; they block.
class open_file {
 public:
  /// @param path borrowed: it must outlive this
  explicit open_file(const std::string& path);
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file();

  int number() const noexcept { return number_; }
  /// In bytes, as the system states it.
  std::int64_t size() const;
  /// All of it, whatever its stated size; throws format_error beyond 1 GiB.
  void read(std::vector<std::uint8_t>& content) const;
  /// Has the system read the file from now on, without waiting for it; nothing if it cannot.
  static void will_need(const std::string& path) noexcept;
  /// Exactly these bytes; throws format_error if the file ends before.
  void read_at(std::int64_t offset, std::span<std::uint8_t> out) const;
  /// These bytes, fewer only where the file ends.
  std::size_t read_some_at(std::int64_t offset, std::span<std::uint8_t> out) const;
  /// The first of these bytes, as many as the system has in its cache: it does not wait for a disk.
  std::size_t read_cached(std::int64_t offset, std::span<std::uint8_t> out) const noexcept;
  /// Tells the system to fetch these bytes, and does not wait.
  void will_need(std::int64_t offset, std::int64_t bytes) const noexcept;
  /// As read_at(), the bytes of one place in the file distributed over several parts, which are used up.
  void read_parts(std::int64_t offset, std::span<iovec> parts) const;

 private:
  const std::string& path_;
  int number_;
};

}  // namespace weft
