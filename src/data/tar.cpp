#include <weft/data/tar.hpp>

#include <archive_entry.h>  // for archive_entry_pathname
#include <data/kept_file.hpp>
#include <data/open_archive.hpp>

#include <algorithm>  // for std::find, std::find_if
#include <cctype>     // for std::tolower
#include <cstddef>    // for std::size_t
#include <utility>    // for std::move, std::swap

namespace weft {
namespace {

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
  archive_file(std::string path, const tar_options& options, open_archive::format wanted)
      : options_(options), archive_(std::move(path), wanted) {}

  /// Goes to the next file of a sample; false at the end.
  bool next() {
    while (archive_.next()) {
      seen_ = true;
      const char* path = archive_entry_pathname(archive_.entry());
      if (path == nullptr || archive_entry_filetype(archive_.entry()) != AE_IFREG ||
          archive_entry_hardlink(archive_.entry()) != nullptr) {
        continue;
      }
      name_ = split(path);
      if (name_.key.empty()) continue;
      if (archive_.size() > options_.limit) {
        archive_.refuse(std::string(path) + " has " + std::to_string(archive_.size()) +
                        " bytes, more than the limit of " + std::to_string(options_.limit));
      }
      return true;
    }
    // An archive without a single header is one only if it says so by blocks of zeros.
    if (!seen_ && archive_.stored_offset() == 0) {
      archive_.refuse("the file is empty, it should be a tar archive");
    }
    return false;
  }

  const sample_name& name() const noexcept { return name_; }
  bool sparse() const noexcept { return archive_entry_sparse_count(archive_.entry()) > 0; }
  open_archive& archive() noexcept { return archive_; }

 private:
  tar_options options_;
  open_archive archive_;
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
  state(std::string path, const tar_options& options)
      : archive_(std::move(path), options, open_archive::format::compressed_tar) {
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
      archive_.archive().read(next.bytes);
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

std::optional<shard_sample> tar_reader::next() {
  std::optional<shard_sample> sample(std::in_place);
  if (!read(*sample)) sample.reset();
  return sample;
}

tar_shards::tar_shards(std::vector<std::string> shards, tar_options options) {
  check(options);
  if (shards.empty()) throw invalid_argument("tar_shards: there is no shard");
  for (const std::string& path : shards) {
    const auto number = static_cast<std::uint32_t>(shards_.size());
    shards_.push_back(
        std::make_shared<const detail::kept_file>(path, shards_.size() < detail::most_kept_open));
    archive_file visited(path, options, open_archive::format::tar);
    open_archive& archive = visited.archive();
    const std::int64_t stored = archive.file().size();
    while (visited.next()) {
      if (visited.sparse()) archive.refuse("a file is stored with holes; tar_reader can read it");
      const std::int64_t offset = archive.content_offset();
      if (archive.size() > stored - offset)
        archive.refuse("the shard ends in the middle of a file: it is truncated");
      const bool another =
          samples_.empty() || samples_.back().shard != number || samples_.back().key != visited.name().key;
      if (another) samples_.push_back({std::string(visited.name().key), number, files_.size(), 0});
      ++samples_.back().files;
      files_.push_back({offset, archive.size(), extension_number(visited.name().extension)});
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
  sample.key = wanted.key;
  sample.files.resize(wanted.files);
  between.resize(most_between);
  parts.clear();
  std::int64_t begin = 0;
  std::int64_t end = 0;
  const auto read = [&] {
    shards_[wanted.shard]->with([&](const open_file& shard) { shard.read_parts(begin, parts); });
  };
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
      read();
      parts.clear();
      begin = stored.offset;
    }
    parts.push_back({.iov_base = bytes.data(), .iov_len = bytes.size()});
    end = stored.offset + stored.size;
  }
  read();
}

void tar_shards::will_need(std::int64_t index) const {
  const entry& wanted = samples_[static_cast<std::size_t>(index)];
  const file* const first = files_.data() + wanted.first_file;
  const file& last = first[wanted.files - 1];
  shards_[wanted.shard]->will_need(first->offset, last.offset + last.size - first->offset);
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
