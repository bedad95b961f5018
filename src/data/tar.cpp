#include <weft/data/tar.hpp>

#include <archive.h>        // for archive_read_new
#include <archive_entry.h>  // for archive_entry_pathname
#include <data/open_file.hpp>

#include <algorithm>     // for std::find, std::find_if
#include <cctype>        // for std::tolower
#include <cstddef>       // for std::size_t
#include <optional>      // for std::optional
#include <system_error>  // for std::error_code
#include <utility>       // for std::move, std::swap

namespace weft {
namespace {

constexpr std::size_t block_bytes = std::size_t{1} << 20;
constexpr std::size_t most_open = 128;
constexpr std::int64_t most_between = 8192;

void check(const tar_options& options) {
  if (options.limit < 0) {
    throw invalid_argument("tar_options.limit is " + std::to_string(options.limit) +
                           "; it must be at least 0");
  }
}

/// The key and the extension of a file's name; no key if it belongs to no sample.
struct sample_name {
  std::string_view key;
  std::string extension;
};

sample_name split(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  const std::size_t slash = path.rfind('/');
  const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
  const std::size_t dot = path.find('.', begin);
  if (dot == std::string_view::npos || dot == begin) return {};
  std::string extension(path.substr(dot + 1));
  for (char& letter : extension) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return {path.substr(0, dot), std::move(extension)};
}

/// An open archive of which the files that belong to samples are visited.
class archive_file {
 public:
  archive_file(std::string path, const tar_options& options, bool compressed_too)
      : path_(std::move(path)), options_(options), file_(path_), archive_(archive_read_new()) {
    if (!archive_) throw error(path_ + ": there is no memory for libarchive");
    archive_read_support_format_tar(archive_.get());
    if (compressed_too) {
      archive_read_support_filter_gzip(archive_.get());
      archive_read_support_filter_zstd(archive_.get());
    }
    const int status = archive_read_open_fd(archive_.get(), file_.number(), block_bytes);
    if (status == ARCHIVE_FATAL) fail();
  }

  /// Goes to the next file of a sample; false at the end.
  bool next() {
    for (;;) {
      const int status = archive_read_next_header(archive_.get(), &entry_);
      if (status == ARCHIVE_EOF) {
        require_no_garbage();
        return false;
      }
      if (status < ARCHIVE_WARN) fail();
      seen_ = true;
      const char* path = archive_entry_pathname(entry_);
      if (path == nullptr || archive_entry_filetype(entry_) != AE_IFREG || archive_entry_hardlink(entry_))
        continue;
      name_ = split(path);
      if (name_.key.empty()) continue;
      if (size() > options_.limit) {
        refuse(std::string(path) + " has " + std::to_string(size()) + " bytes, more than the limit of " +
               std::to_string(options_.limit));
      }
      return true;
    }
  }

  const sample_name& name() const noexcept { return name_; }
  std::int64_t size() const noexcept { return archive_entry_size(entry_); }
  bool sparse() const noexcept { return archive_entry_sparse_count(entry_) > 0; }
  /// Where the content of the file begins.
  std::int64_t content_offset() const noexcept { return archive_filter_bytes(archive_.get(), 0); }

  /// The content of the file.
  void read(std::vector<std::uint8_t>& out) {
    const auto wanted = static_cast<std::size_t>(size());
    out.clear();
    // What the header promises is believed a block at a time: the shard may be truncated.
    while (out.size() < wanted) {
      const std::size_t filled = out.size();
      const std::size_t part = std::min(wanted - filled, std::max(filled, block_bytes));
      out.resize(filled + part);
      const la_ssize_t count = archive_read_data(archive_.get(), out.data() + filled, part);
      if (count < 0) fail();
      out.resize(filled + static_cast<std::size_t>(count));
      if (count == 0) refuse("the shard ends in the middle of a file: it is truncated");
    }
  }

  [[noreturn]] void refuse(const std::string& reason) const {
    throw format_error(path_, stored_offset(), reason);
  }

 private:
  struct closer {
    void operator()(archive* open) const noexcept { archive_read_free(open); }
  };

  std::int64_t stored_offset() const noexcept {
    return std::max<std::int64_t>(archive_filter_bytes(archive_.get(), -1), 0);
  }

  [[noreturn]] void fail() const {
    const int code = archive_errno(archive_.get());
    const char* text = archive_error_string(archive_.get());
    if (code == EIO || code == EISDIR || code == EACCES) {
      throw io_error(path_, "read", std::error_code(code, std::generic_category()));
    }
    refuse(std::string("not a whole tar archive: ") +
           (text != nullptr ? text : "libarchive does not say why"));
  }

  // An archive without a single header is one only if it says so by blocks of zeros.
  void require_no_garbage() const {
    if (!seen_ && stored_offset() == 0) refuse("the file is empty, it should be a tar archive");
  }

  std::string path_;
  tar_options options_;
  open_file file_;
  std::unique_ptr<archive, closer> archive_;
  archive_entry* entry_ = nullptr;
  sample_name name_;
  bool seen_ = false;
};

}  // namespace

const std::vector<std::uint8_t>* shard_sample::find(std::string_view extension) const noexcept {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const shard_file& each) { return each.extension == extension; });
  return found == files.end() ? nullptr : &found->bytes;
}

const std::vector<std::uint8_t>& shard_sample::at(std::string_view extension) const {
  if (const auto* bytes = find(extension)) return *bytes;
  std::string known;
  for (const shard_file& each : files) known += " ." + each.extension;
  throw invalid_argument("shard sample " + key + ": there is no ." + std::string(extension) +
                         " file, it has" + (known.empty() ? " none" : known));
}

class tar_reader::state {
 public:
  state(std::string path, const tar_options& options) : archive_(std::move(path), options, true) {
    waiting_ = archive_.next();
  }

  bool read(shard_sample& sample) {
    if (!waiting_) return false;
    sample.key = archive_.name().key;
    std::size_t count = 0;
    do {
      if (sample.files.size() == count) sample.files.emplace_back();
      shard_file& next = sample.files[count++];
      next.extension = archive_.name().extension;
      archive_.read(next.bytes);
      waiting_ = archive_.next();
    } while (waiting_ && archive_.name().key == sample.key);
    sample.files.resize(count);
    return true;
  }

 private:
  archive_file archive_;
  bool waiting_ = false;  // the archive stands at a file that has not been read
};

tar_reader::tar_reader(std::string path, tar_options options) {
  check(options);
  state_ = std::make_unique<state>(std::move(path), options);
}
tar_reader::tar_reader(tar_reader&&) noexcept = default;
tar_reader& tar_reader::operator=(tar_reader&&) noexcept = default;
tar_reader::~tar_reader() = default;

bool tar_reader::read(shard_sample& sample) {
  return state_->read(sample);
}

/// A shard's path, and the shard itself if it stays open.
class tar_shards::shard {
 public:
  shard(std::string path, bool stay_open) : path_(std::move(path)) {
    if (stay_open) file_.emplace(path_);
  }

  const std::string& path() const noexcept { return path_; }

  void read_parts(std::int64_t offset, std::span<iovec> parts) const {
    if (file_) {
      file_->read_parts(offset, parts);
    } else {
      open_file(path_).read_parts(offset, parts);
    }
  }

 private:
  std::string path_;
  std::optional<open_file> file_;
};

tar_shards::tar_shards(std::vector<std::string> shards, tar_options options) {
  check(options);
  if (shards.empty()) throw invalid_argument("tar_shards: there is no shard");
  for (const std::string& path : shards) {
    const auto number = static_cast<std::uint32_t>(shards_.size());
    shards_.push_back(std::make_shared<const shard>(path, shards_.size() < most_open));
    archive_file archive(path, options, false);
    const std::int64_t stored = open_file(path).size();
    while (archive.next()) {
      if (archive.sparse()) archive.refuse("a file is stored with holes; tar_reader can read it");
      const std::int64_t offset = archive.content_offset();
      if (archive.size() > stored - offset)
        archive.refuse("the shard ends in the middle of a file: it is truncated");
      const bool another =
          samples_.empty() || samples_.back().shard != number || samples_.back().key != archive.name().key;
      if (another) samples_.push_back({std::string(archive.name().key), number, files_.size(), 0});
      ++samples_.back().files;
      files_.push_back({offset, archive.size(), extension_number(archive.name().extension)});
    }
  }
}

std::uint32_t tar_shards::extension_number(std::string extension) {
  const auto found = std::find(extensions_.begin(), extensions_.end(), extension);
  const auto number = static_cast<std::uint32_t>(found - extensions_.begin());
  if (found == extensions_.end()) extensions_.push_back(std::move(extension));
  return number;
}

std::string tar_shards::name(std::int64_t index) const {
  const entry& wanted = samples_[static_cast<std::size_t>(index)];
  return shards_[wanted.shard]->path() + "/" + wanted.key;
}

shard_sample tar_shards::load(std::int64_t index) const {
  shard_sample sample;
  load_into(index, sample);
  return sample;
}

// The files of a sample follow one another: one read takes them all, and drops what is between them.
void tar_shards::load_into(std::int64_t index, shard_sample& sample) const {
  static thread_local std::vector<std::uint8_t> between;
  static thread_local std::vector<iovec> parts;
  const entry& wanted = samples_[static_cast<std::size_t>(index)];
  const shard& from = *shards_[wanted.shard];
  sample.key = wanted.key;
  sample.files.resize(wanted.files);
  between.resize(most_between);
  parts.clear();
  std::int64_t begin = 0;
  std::int64_t end = 0;
  for (std::size_t i = 0; i < wanted.files; ++i) {
    const file& stored = files_[wanted.first_file + i];
    std::vector<std::uint8_t>& bytes = sample.files[i].bytes;
    sample.files[i].extension = extensions_[stored.extension];
    bytes.resize(static_cast<std::size_t>(stored.size));
    const std::int64_t gap = stored.offset - end;
    if (parts.empty()) {
      begin = stored.offset;
    } else if (gap >= 0 && gap <= most_between) {
      parts.push_back({.iov_base = between.data(), .iov_len = static_cast<std::size_t>(gap)});
    } else {
      from.read_parts(begin, parts);
      parts.clear();
      begin = stored.offset;
    }
    parts.push_back({.iov_base = bytes.data(), .iov_len = bytes.size()});
    end = stored.offset + stored.size;
  }
  from.read_parts(begin, parts);
}

std::int64_t tar_shards::load(const sample_request& request, batch_type& batch) const {
  shard_sample& sample = batch[static_cast<std::size_t>(request.row)];
  load_into(request.index, sample);
  std::int64_t bytes = 0;
  for (const shard_file& each : sample.files) bytes += static_cast<std::int64_t>(each.bytes.size());
  return bytes;
}

void tar_shards::keep(batch_type& batch, std::span<const std::int64_t> rows) const {
  std::size_t kept = 0;
  for (const std::int64_t row : rows) std::swap(batch[kept++], batch[static_cast<std::size_t>(row)]);
  batch.resize(kept);
}

}  // namespace weft
