#pragma once

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t, std::uint8_t
#include <limits>   // for std::numeric_limits
#include <memory>   // for std::unique_ptr
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// Reads a file front to back and inflates it on the way when it is gzip, which its first two bytes tell;
/// any other file comes out as it is. It holds one block of the file, so a file larger than memory works; the
/// system fetches the next 2 to 6 MiB of it meanwhile.
///
/// A gzip file is one or more members (RFC 1952); they come out as one content, each member's checksum and
/// length verified. Two positions are kept: in the content, and in the file as it is stored on disk.
///
/// Thread safety: distinct objects safe; shared objects unsafe. Blocks its thread: call it on a pool's
/// thread.
class gzip_reader {
 public:
  /// Opens the file and reads its first block.
  ///
  /// @param path the file to read
  /// @throws io_error if the file cannot be opened or read, and if it is a folder
  explicit gzip_reader(std::string path);
  /// Takes the open file over; the other may only be destroyed or assigned to.
  gzip_reader(gzip_reader&&) noexcept;
  /// Closes this file and takes the other's over.
  gzip_reader& operator=(gzip_reader&&) noexcept;
  ~gzip_reader();

  /// Fills out with the next bytes of the content. A member's checksum is verified when the read that passes
  /// its end is made: content is known to be whole once read() has returned fewer bytes than asked for.
  ///
  /// @param out where the bytes go
  /// @return how many there were: fewer than asked for only at the end of the content
  /// @throws io_error if the file cannot be read; format_error, naming the stored byte, for gzip data that is
  ///         corrupt, ends too soon, or is followed by bytes that are no further member
  std::size_t read(std::span<std::uint8_t> out);

  /// Reads and drops the next bytes of the content.
  ///
  /// @param count how many to drop, at least 0
  /// @return how many there were: fewer than asked for only at the end of the content
  /// @throws what read() throws
  std::int64_t skip(std::int64_t count);

  /// The file's name, as given.
  const std::string& path() const noexcept;
  /// Whether the file is gzip.
  bool compressed() const noexcept;
  /// How many bytes of the content have been read.
  std::int64_t content_offset() const noexcept;
  /// How many bytes of the file it took to produce them.
  std::int64_t stored_offset() const noexcept;
  /// The most content that the file can still hold, in bytes: for a plain file what is left of it, for gzip
  /// what is left times 1032, deflate's highest ratio. The largest std::int64_t if the size is unknown (a
  /// pipe).
  std::int64_t content_bound() const noexcept;

 private:
  class state;
  std::unique_ptr<state> state_;
};

/// How much read_gzip_file() takes into memory.
struct gzip_options {
  /// The largest content accepted, in bytes; a file that holds more is refused, however small it is on disk.
  std::int64_t limit = std::int64_t{4} << 30;
};

/// Reads a whole file into memory, inflated if it is gzip.
///
/// @param path the file to read
/// @param options how much content is accepted
/// @return the content
/// @throws what gzip_reader::read() throws; format_error if the content is larger than options.limit;
///         invalid_argument if the limit is negative
/// Thread safety: safe. Blocks its thread: call it on a pool's thread.
std::vector<std::uint8_t> read_gzip_file(const std::string& path, gzip_options options = {});

/// Where in the file the byte at a position of its content is stored, for messages: the same position in a
/// plain file, and in a gzip file the stored byte at which inflating produces it. Reads the file up to there.
///
/// @param path the file
/// @param content_offset a position in the content
/// @throws what gzip_reader::read() throws
/// Thread safety: safe. Blocks its thread.
std::int64_t stored_offset_of(const std::string& path, std::int64_t content_offset);

}  // namespace weft
