#include <data/open_archive.hpp>
#include <weft/core/error.hpp>

#include <algorithm>     // for std::max, std::min
#include <cerrno>        // for EIO
#include <cstddef>       // for std::byte, std::size_t
#include <limits>        // for std::numeric_limits
#include <system_error>  // for std::error_code
#include <utility>       // for std::move

namespace weft {
namespace {

constexpr std::size_t archive_block_bytes = std::size_t{1} << 20;

}  // namespace

open_archive::open_archive(std::string path, format wanted)
    : path_(std::move(path)),
      kind_(wanted == format::zip ? "zip" : "tar"),
      file_(path_),
      archive_(archive_read_new()) {
  if (!archive_) throw error(path_ + ": there is no memory for libarchive");
  if (wanted == format::zip) {
    archive_read_support_format_zip_seekable(archive_.get());
  } else {
    archive_read_support_format_tar(archive_.get());
  }
  int status = ARCHIVE_OK;
  if (wanted == format::compressed_tar) {
    archive_read_support_filter_zstd(archive_.get());
    content_.emplace(path_);
    block_.resize(archive_block_bytes);
    status = archive_read_open(archive_.get(), this, nullptr, give_block, nullptr);
  } else {
    status = archive_read_open_fd(archive_.get(), file_.number(), archive_block_bytes);
  }
  if (status == ARCHIVE_FATAL) fail();
}

la_ssize_t open_archive::give_block(archive* open, void* self, const void** block) noexcept {
  auto& here = *static_cast<open_archive*>(self);
  try {
    *block = here.block_.data();
    return static_cast<la_ssize_t>(here.content_->read(here.block_));
  } catch (...) {  // it does not pass through C
    here.failure_ = std::current_exception();
    archive_set_error(open, EIO, "reading failed");
    return -1;
  }
}

bool open_archive::next() {
  const int status = archive_read_next_header(archive_.get(), &entry_);
  if (status == ARCHIVE_EOF) {
    if (content_) content_->skip(std::numeric_limits<std::int64_t>::max());
    return false;
  }
  if (status < ARCHIVE_WARN) fail();
  return true;
}

std::string open_archive::format_name() const {
  const char* name = archive_format_name(archive_.get());
  return name == nullptr ? "" : name;
}

std::int64_t open_archive::stored_offset() const noexcept {
  if (content_) return content_->stored_offset();
  return std::max<std::int64_t>(archive_filter_bytes(archive_.get(), -1), 0);
}

template <class Byte>
void open_archive::read(std::vector<Byte>& out) {
  const auto wanted = static_cast<std::size_t>(size());
  out.clear();
  // What the header promises is believed a block at a time: the archive may be truncated.
  while (out.size() < wanted) {
    const std::size_t filled = out.size();
    const std::size_t part = std::min(wanted - filled, std::max(filled, archive_block_bytes));
    out.resize(filled + part);
    const std::size_t count = read_some(out.data() + filled, part);
    out.resize(filled + count);
    if (count == 0) refuse("the archive ends in the middle of a file: it is truncated");
  }
  // The read that finds the end is the one that verifies.
  char more = 0;
  if (read_some(&more, 1) != 0) refuse("a file has more content than its header says");
}

template void open_archive::read(std::vector<std::uint8_t>&);
template void open_archive::read(std::vector<std::byte>&);

void open_archive::skim() {
  std::vector<std::uint8_t> block(archive_block_bytes);
  while (read_some(block.data(), block.size()) != 0) continue;
}

std::size_t open_archive::read_some(void* out, std::size_t bytes) {
  const la_ssize_t count = archive_read_data(archive_.get(), out, bytes);
  if (count < 0) fail();
  return static_cast<std::size_t>(count);
}

void open_archive::refuse(const std::string& reason) const {
  throw format_error(path_, stored_offset(), reason);
}

void open_archive::fail() const {
  if (failure_) std::rethrow_exception(failure_);
  const int code = archive_errno(archive_.get());
  const char* text = archive_error_string(archive_.get());
  if (code == EIO || code == EISDIR || code == EACCES) {
    throw io_error(path_, "read", std::error_code(code, std::generic_category()));
  }
  refuse(std::string("not a whole ") + kind_ +
         " archive: " + (text != nullptr ? text : "libarchive does not say why"));
}

}  // namespace weft
