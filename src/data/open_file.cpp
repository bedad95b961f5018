#include <data/open_file.hpp>
#include <data/reading_time.hpp>
#include <weft/core/error.hpp>

#include <fcntl.h>     // for ::open, ::posix_fadvise
#include <sys/stat.h>  // for ::fstat
#include <unistd.h>    // for ::read, ::pread, ::close

#include <algorithm>     // for std::max, std::min
#include <cerrno>        // for errno
#include <climits>       // for IOV_MAX
#include <cstddef>       // for std::size_t
#include <system_error>  // for std::error_code

namespace weft {
namespace {

constexpr std::int64_t most_bytes = std::int64_t{1} << 30;

[[noreturn]] void fail(const std::string& path, const char* action, int code) {
  throw io_error(path, action, std::error_code(code, std::generic_category()));
}

int open_for_reading(const std::string& path) {
  const reading_time counted;
  return ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
}

}  // namespace

std::int64_t& reading_nanoseconds() noexcept {
  static thread_local std::int64_t spent = 0;
  return spent;
}

open_file::open_file(const std::string& path) : path_(path), number_(open_for_reading(path)) {
  if (number_ < 0) fail(path, "open", errno);
}

open_file::~open_file() {
  ::close(number_);
}

std::int64_t open_file::size() const {
  struct stat facts {};
  if (::fstat(number_, &facts) != 0) fail(path_, "read", errno);
  return facts.st_size;
}

void open_file::will_need(const std::string& path) noexcept {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;  // found when it is read
  ::posix_fadvise(file, 0, 0, POSIX_FADV_WILLNEED);
  ::close(file);
}

void open_file::read(std::vector<std::uint8_t>& content) const {
  const reading_time counted;
  const auto refuse = [&](std::int64_t bytes) {
    throw format_error(path_, 0,
                       std::to_string(bytes) + " bytes are too many for a sample: at most " +
                           std::to_string(most_bytes) + " are accepted");
  };
  if (size() > most_bytes) refuse(size());
  // One byte more than there should be, so that the end of the file is seen at once.
  content.resize(static_cast<std::size_t>(std::max<std::int64_t>(size(), 0)) + 1);
  std::size_t filled = 0;
  for (;;) {
    const ssize_t count = ::read(number_, content.data() + filled, content.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_, "read", errno);
    filled += static_cast<std::size_t>(count);
    if (count == 0) break;
    if (static_cast<std::int64_t>(filled) > most_bytes) refuse(static_cast<std::int64_t>(filled));
    if (filled == content.size()) content.resize(2 * content.size());
  }
  content.resize(filled);
}

void open_file::read_at(std::int64_t offset, std::span<std::uint8_t> out) const {
  iovec whole{.iov_base = out.data(), .iov_len = out.size()};
  read_parts(offset, {&whole, 1});
}

std::size_t open_file::read_some_at(std::int64_t offset, std::span<std::uint8_t> out) const {
  const reading_time counted;
  std::size_t filled = 0;
  while (filled < out.size()) {
    const auto at = offset + static_cast<std::int64_t>(filled);
    const ssize_t count = ::pread(number_, out.data() + filled, out.size() - filled, at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_, "read", errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return filled;
}

std::size_t open_file::read_cached(std::int64_t offset, std::span<std::uint8_t> out) const noexcept {
  const iovec whole{.iov_base = out.data(), .iov_len = out.size()};
  const ssize_t count = ::preadv2(number_, &whole, 1, offset, RWF_NOWAIT);
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

void open_file::will_need(std::int64_t offset, std::int64_t bytes) const noexcept {
  static_cast<void>(::posix_fadvise(number_, offset, bytes, POSIX_FADV_WILLNEED));
}

void open_file::read_parts(std::int64_t offset, std::span<iovec> parts) const {
  const reading_time counted;
  while (!parts.empty()) {
    if (parts.front().iov_len == 0) {
      parts = parts.subspan(1);
      continue;
    }
    const auto together = static_cast<int>(std::min<std::size_t>(parts.size(), IOV_MAX));
    const ssize_t count = ::preadv(number_, parts.data(), together, offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_, "read", errno);
    if (count == 0)
      throw format_error(path_, std::min(offset, size()),
                         "the file ends here, it was longer when it was opened first");
    offset += count;
    for (auto left = static_cast<std::size_t>(count); left > 0;) {
      iovec& first = parts.front();
      const std::size_t part = std::min(left, first.iov_len);
      first.iov_base = static_cast<std::uint8_t*>(first.iov_base) + part;
      first.iov_len -= part;
      left -= part;
      if (first.iov_len == 0) parts = parts.subspan(1);
    }
  }
}

}  // namespace weft
