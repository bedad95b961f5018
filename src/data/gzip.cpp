#include <fcntl.h>     // for open, posix_fadvise
#include <sys/stat.h>  // for fstat
#include <unistd.h>    // for read, close
#include <zlib.h>      // for inflate
#include <weft/core/error.hpp>
#include <weft/data/gzip.hpp>

#include <algorithm>     // for std::clamp, std::max, std::min
#include <array>         // for std::array
#include <cerrno>        // for errno
#include <cstring>       // for std::memcpy
#include <system_error>  // for std::error_code, std::system_category
#include <utility>       // for std::move

namespace weft {
namespace {

constexpr std::size_t gzip_block_bytes = std::size_t{256} * 1024;
constexpr std::int64_t fetched_ahead = std::int64_t{4} << 20;
constexpr std::int64_t highest_deflate_ratio = 1032;
constexpr std::int64_t unknown_bound = std::numeric_limits<std::int64_t>::max();
constexpr std::uint8_t gzip_magic_first = 0x1f;
constexpr std::uint8_t gzip_magic_second = 0x8b;

std::error_code last_error() {
  return {errno, std::system_category()};
}

class file_handle {
 public:
  explicit file_handle(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) throw io_error(path, "open", last_error());
  }
  file_handle(const file_handle&) = delete;
  file_handle& operator=(const file_handle&) = delete;
  ~file_handle() { ::close(descriptor_); }

  std::size_t read(const std::string& path, std::span<std::uint8_t> out) {
    for (;;) {
      fetch_ahead();
      const ssize_t count = ::read(descriptor_, out.data(), out.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw io_error(path, "read", last_error());
      read_ += count;
      return static_cast<std::size_t>(count);
    }
  }

  /// In bytes; -1 for what states none: a pipe, or a file under /proc, whose stated size is 0.
  std::int64_t size() const noexcept {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) return -1;
    return static_cast<std::int64_t>(status.st_size);
  }

 private:
  // Has the system fetch what comes, so that a disk works while the caller does; a pipe says no.
  void fetch_ahead() noexcept {
    if (fetched_ - read_ > fetched_ahead / 2) return;
    fetched_ = std::max(fetched_, read_);
    static_cast<void>(::posix_fadvise(descriptor_, fetched_, fetched_ahead, POSIX_FADV_WILLNEED));
    fetched_ += fetched_ahead;
  }

  int descriptor_;
  std::int64_t read_ = 0;
  std::int64_t fetched_ = 0;
};

}  // namespace

class gzip_reader::state {
 public:
  explicit state(std::string path) : path_(std::move(path)), file_(path_), stored_size_(file_.size()) {
    refill();
    // A pipe may hand out its first byte alone.
    while (filled_ == 1 && !at_end_) {
      const std::size_t count = file_.read(path_, std::span(block_).subspan(1));
      at_end_ = count == 0;
      filled_ += count;
    }
    compressed_ = starts_member();
    if (compressed_) {
      constexpr int gzip_only = 16 + MAX_WBITS;
      if (::inflateInit2(&stream_, gzip_only) != Z_OK) throw error(path_ + ": zlib could not be initialised");
    }
  }
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() {
    if (compressed_) ::inflateEnd(&stream_);
  }

  std::size_t read(std::span<std::uint8_t> out) {
    const std::size_t count = compressed_ ? read_inflated(out) : read_plain(out);
    content_offset_ += static_cast<std::int64_t>(count);
    return count;
  }

  std::int64_t stored_offset() const noexcept { return block_start_ + static_cast<std::int64_t>(next_); }

  std::int64_t content_bound() const noexcept {
    if (stored_size_ < 0) return unknown_bound;
    const std::int64_t left = std::max<std::int64_t>(stored_size_ - stored_offset(), 0);
    if (!compressed_) return left;
    // What zlib has taken in but not yet given out is at most one window and one match.
    constexpr std::int64_t held_back = 64 * 1024;
    return left > (unknown_bound - held_back) / highest_deflate_ratio
               ? unknown_bound
               : left * highest_deflate_ratio + held_back;
  }

  const std::string& path() const noexcept { return path_; }
  bool compressed() const noexcept { return compressed_; }
  std::int64_t content_offset() const noexcept { return content_offset_; }

 private:
  void refill() {
    block_start_ += static_cast<std::int64_t>(filled_);
    next_ = 0;
    filled_ = file_.read(path_, block_);
    at_end_ = filled_ == 0;
  }

  bool has_input() {
    if (next_ == filled_ && !at_end_) refill();
    return next_ < filled_;
  }

  bool starts_member() const noexcept {
    return filled_ - next_ >= 2 && block_[next_] == gzip_magic_first &&
           block_[next_ + 1] == gzip_magic_second;
  }

  // The block has been used up and what is wanted is larger than it: straight to where it goes.
  std::size_t read_past_block(std::span<std::uint8_t> out) {
    const std::size_t part = file_.read(path_, out);
    block_start_ += static_cast<std::int64_t>(filled_ + part);
    next_ = filled_ = 0;
    at_end_ = part == 0;
    return part;
  }

  std::size_t read_plain(std::span<std::uint8_t> out) {
    std::size_t count = 0;
    while (count < out.size()) {
      if (next_ == filled_ && !at_end_ && out.size() - count >= block_.size()) {
        const std::size_t part = read_past_block(out.subspan(count));
        count += part;
        if (part == 0) break;
        continue;
      }
      if (!has_input()) break;
      const std::size_t part = std::min(out.size() - count, filled_ - next_);
      std::memcpy(out.data() + count, block_.data() + next_, part);
      next_ += part;
      count += part;
    }
    return count;
  }

  std::size_t read_inflated(std::span<std::uint8_t> out) {
    std::size_t count = 0;
    while (count < out.size() && !finished_) {
      if (!has_input()) {
        throw format_error(path_, stored_offset(),
                           "the gzip data ends here, in the middle of a member: the file is truncated");
      }
      count += inflate_block(out.subspan(count));
    }
    return count;
  }

  /// One call of inflate on what is left of the block; at the end of a member it looks for the next one.
  std::size_t inflate_block(std::span<std::uint8_t> out) {
    const std::size_t room = std::min(out.size(), std::size_t{std::numeric_limits<uInt>::max()});
    stream_.next_in = block_.data() + next_;
    stream_.avail_in = static_cast<uInt>(filled_ - next_);
    stream_.next_out = out.data();
    stream_.avail_out = static_cast<uInt>(room);
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    next_ = filled_ - stream_.avail_in;
    switch (status) {
      case Z_OK:
      case Z_BUF_ERROR:
        break;
      case Z_STREAM_END:
        open_next_member();
        break;
      case Z_MEM_ERROR:
        throw error(path_ + ": out of memory while inflating");
      default:
        throw format_error(path_, stored_offset(),
                           std::string("the gzip data is corrupt: ") +
                               (stream_.msg != nullptr ? stream_.msg : "it needs a preset dictionary"));
    }
    return room - stream_.avail_out;
  }

  void open_next_member() {
    if (!has_input()) {
      finished_ = true;
      return;
    }
    // The second magic byte is left to zlib, which reports a wrong one: it may lie in the next block.
    if (block_[next_] != gzip_magic_first) {
      throw format_error(path_, stored_offset(),
                         "the gzip data is complete, but the file has bytes after it");
    }
    ::inflateReset(&stream_);
  }

  std::string path_;
  file_handle file_;
  std::int64_t stored_size_;
  std::array<std::uint8_t, gzip_block_bytes> block_;
  std::size_t next_ = 0;
  std::size_t filled_ = 0;
  std::int64_t block_start_ = 0;
  std::int64_t content_offset_ = 0;
  z_stream stream_{};
  bool at_end_ = false;
  bool compressed_ = false;
  bool finished_ = false;
};

gzip_reader::gzip_reader(std::string path) : state_(std::make_unique<state>(std::move(path))) {}
gzip_reader::gzip_reader(gzip_reader&&) noexcept = default;
gzip_reader& gzip_reader::operator=(gzip_reader&&) noexcept = default;
gzip_reader::~gzip_reader() = default;

std::size_t gzip_reader::read(std::span<std::uint8_t> out) {
  return state_->read(out);
}

std::int64_t gzip_reader::skip(std::int64_t count) {
  std::vector<std::uint8_t> dropped(
      static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, gzip_block_bytes)));
  std::int64_t done = 0;
  while (done < count) {
    const auto part = static_cast<std::size_t>(std::min<std::int64_t>(count - done, gzip_block_bytes));
    const std::size_t got = state_->read(std::span(dropped).first(part));
    done += static_cast<std::int64_t>(got);
    if (got < part) break;
  }
  return done;
}

const std::string& gzip_reader::path() const noexcept {
  return state_->path();
}
bool gzip_reader::compressed() const noexcept {
  return state_->compressed();
}
std::int64_t gzip_reader::content_offset() const noexcept {
  return state_->content_offset();
}
std::int64_t gzip_reader::stored_offset() const noexcept {
  return state_->stored_offset();
}
std::int64_t gzip_reader::content_bound() const noexcept {
  return state_->content_bound();
}

std::vector<std::uint8_t> read_gzip_file(const std::string& path, gzip_options options) {
  if (options.limit < 0) {
    throw invalid_argument("gzip_options.limit is " + std::to_string(options.limit) +
                           "; it must be at least 0");
  }
  gzip_reader reader(path);
  std::vector<std::uint8_t> content;
  // One byte more than the limit is asked for: reading it is what shows that the content is too large.
  const std::int64_t wanted = options.limit == unknown_bound ? unknown_bound : options.limit + 1;
  for (;;) {
    const auto size = static_cast<std::int64_t>(content.size());
    const std::int64_t part = std::min({std::max<std::int64_t>(size, gzip_block_bytes), wanted - size,
                                        std::max<std::int64_t>(reader.content_bound(), 1)});
    content.resize(static_cast<std::size_t>(size + part));
    const std::size_t got = reader.read(std::span(content).subspan(static_cast<std::size_t>(size)));
    content.resize(static_cast<std::size_t>(size) + got);
    if (static_cast<std::int64_t>(content.size()) > options.limit) {
      throw format_error(
          path, reader.stored_offset(),
          "the content is larger than the limit of " + std::to_string(options.limit) + " bytes");
    }
    if (static_cast<std::int64_t>(got) < part) return content;
  }
}

std::int64_t stored_offset_of(const std::string& path, std::int64_t content_offset) {
  gzip_reader reader(path);
  reader.skip(content_offset);
  return reader.stored_offset();
}

}  // namespace weft
