#pragma once

#include <data/open_file.hpp>
#include <weft/data/gzip.hpp>

#include <archive.h>        // for archive_read_free
#include <archive_entry.h>  // for archive_entry

#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::int64_t, std::uint8_t
#include <exception>  // for std::exception_ptr
#include <memory>     // for std::unique_ptr
#include <optional>   // for std::optional
#include <string>     // for std::string
#include <vector>     // for std::vector

namespace weft {

/// An archive open for reading by libarchive, whose failures become weft's errors. gzip is inflated by a
/// gzip_reader: libarchive does not compare its checksum.
class open_archive {
 public:
  enum class format : std::uint8_t { tar, compressed_tar, zip };

  open_archive(std::string path, format wanted);
  open_archive(const open_archive&) = delete;
  open_archive& operator=(const open_archive&) = delete;
  ~open_archive() = default;

  /// Goes to the next entry; false at the end, when what is behind it has been verified too.
  bool next();

  const std::string& path() const noexcept { return path_; }
  const open_file& file() const noexcept { return file_; }
  archive_entry* entry() const noexcept { return entry_; }
  std::int64_t size() const noexcept { return archive_entry_size(entry_); }
  /// What libarchive calls the format of this entry.
  std::string format_name() const;
  /// Where the content of the entry begins, in an archive that is not compressed as a whole.
  std::int64_t content_offset() const noexcept { return archive_filter_bytes(archive_.get(), 0); }
  /// How far the file has been read.
  std::int64_t stored_offset() const noexcept;

  /// The content of the entry, its checksum verified if it has one.
  template <class Byte>
  void read(std::vector<Byte>& out);

  /// Reads the content of the entry for its checksum alone, a block at a time.
  void skim();

  /// Throws format_error with this reason.
  [[noreturn]] void refuse(const std::string& reason) const;

 private:
  struct closer {
    void operator()(archive* open) const noexcept { archive_read_free(open); }
  };

  static la_ssize_t give_block(archive* open, void* self, const void** block) noexcept;
  [[noreturn]] void fail() const;
  std::size_t read_some(void* out, std::size_t bytes);

  std::string path_;
  const char* kind_;
  open_file file_;
  std::optional<gzip_reader> content_;  // of a compressed_tar
  std::vector<std::uint8_t> block_;     // of that content
  std::exception_ptr failure_;          // of reading it
  std::unique_ptr<archive, closer> archive_;
  archive_entry* entry_ = nullptr;
};

}  // namespace weft
