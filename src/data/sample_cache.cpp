#include <data/open_file.hpp>
#include <weft/core/error.hpp>
#include <weft/data/sample_cache.hpp>

#include <fcntl.h>   // for ::open
#include <unistd.h>  // for ::write, ::close, ::getpid
#include <zlib.h>    // for crc32_z

#include <array>         // for std::array
#include <cerrno>        // for errno, EINTR
#include <charconv>      // for std::from_chars
#include <cstring>       // for std::memcpy
#include <filesystem>    // for std::filesystem::create_directories
#include <system_error>  // for std::error_code
#include <utility>       // for std::move

namespace weft {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t entries_a_folder = 1000;
constexpr const char* ending = ".sample";

/// What stands before a sample's bytes in its file.
struct header {
  std::array<char, 8> magic = {'w', 'e', 'f', 't', 'c', 'a', '0', '1'};
  std::uint64_t name = 0;
  std::int64_t size = 0;
  std::uint64_t checksum = 0;  // of the bytes

  friend bool operator==(const header&, const header&) = default;
};

std::uint64_t checksum(std::span<const std::uint8_t> bytes) {
  return crc32_z(0, bytes.data(), bytes.size());
}

std::uint64_t checksum(const std::string& name) {
  std::uint64_t sum = 0xcbf29ce484222325U;  // FNV-1a
  for (const char letter : name) sum = (sum ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
  return sum;
}

header header_of(const std::string& name, std::span<const std::uint8_t> bytes) {
  header made;
  made.name = checksum(name);
  made.size = static_cast<std::int64_t>(bytes.size());
  made.checksum = checksum(bytes);
  return made;
}

bool write_all(int file, const void* data, std::size_t count) {
  const auto* from = static_cast<const char*>(data);
  while (count > 0) {
    const ssize_t written = ::write(file, from, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    from += written;
    count -= static_cast<std::size_t>(written);
  }
  return true;
}

}  // namespace

sample_cache::sample_cache(cache_options options) : options_(std::move(options)) {
  if (options_.max_bytes < 0) {
    throw invalid_argument("sample_cache: max_bytes is " + std::to_string(options_.max_bytes) +
                           "; it cannot be negative");
  }
  if (!options_.folder.empty()) list_folder();
}

void sample_cache::list_folder() {
  try {
    fs::create_directories(options_.folder);
    for (const fs::directory_entry& each : fs::recursive_directory_iterator(options_.folder)) {
      if (!each.is_regular_file() || each.path().extension() != ending) continue;
      const std::string stem = each.path().stem().string();
      std::int64_t index = -1;
      const auto [end, problem] = std::from_chars(stem.data(), stem.data() + stem.size(), index);
      if (problem != std::errc() || end != stem.data() + stem.size() || index < 0) continue;
      const auto size =
          static_cast<std::int64_t>(each.file_size()) - static_cast<std::int64_t>(sizeof(header));
      entries_[index] = {.size = size};
      stats_.bytes += size;
    }
  } catch (const fs::filesystem_error& failure) {
    throw io_error(options_.folder, "use as a cache", failure.code());
  }
}

std::string sample_cache::path_of(std::int64_t index) const {
  return options_.folder + "/" + std::to_string(index / entries_a_folder) + "/" + std::to_string(index) +
         ending;
}

std::shared_ptr<const sample_cache::content> sample_cache::find(std::int64_t index, const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(index);
    if (found == entries_.end()) {
      ++stats_.misses;
      return nullptr;
    }
    if (options_.folder.empty() && found->second.name == checksum(name)) {
      ++stats_.hits;
      return found->second.bytes;
    }
  }
  std::shared_ptr<const content> bytes;
  if (!options_.folder.empty()) bytes = read(index, name);
  const std::lock_guard lock(mutex_);
  if (bytes) {
    ++stats_.hits;
    return bytes;
  }
  ++stats_.misses;
  // Unless another thread has dropped it.
  if (const auto found = entries_.find(index); found != entries_.end()) {
    ++stats_.damaged;
    stats_.bytes -= found->second.size;
    entries_.erase(found);
  }
  return nullptr;
}

std::shared_ptr<const sample_cache::content> sample_cache::read(std::int64_t index,
                                                                const std::string& name) const {
  try {
    const std::string path = path_of(index);
    const open_file file(path);
    header stored;
    std::array<std::uint8_t, sizeof(header)> raw{};
    file.read_at(0, raw);
    std::memcpy(&stored, raw.data(), sizeof(header));
    if (stored.size < 0 || stored.size != file.size() - static_cast<std::int64_t>(sizeof(header)))
      return nullptr;
    auto bytes = std::make_shared<content>(static_cast<std::size_t>(stored.size));
    file.read_at(sizeof(header), *bytes);
    return stored == header_of(name, *bytes) ? bytes : nullptr;
  } catch (const error&) {  // it is gone or cannot be read: it counts as damaged
    return nullptr;
  }
}

void sample_cache::keep(std::int64_t index, const std::string& name, std::span<const std::uint8_t> bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  const bool on_disk = !options_.folder.empty();
  {
    const std::lock_guard lock(mutex_);
    if (entries_.contains(index)) return;
    if (!writes_) {
      ++stats_.write_errors;
      return;
    }
    if (stats_.bytes > options_.max_bytes - size) {
      ++stats_.full;
      return;
    }
    stats_.bytes += size;
  }
  entry made = {.name = checksum(name), .size = size};
  const bool written = !on_disk || write(index, name, bytes);
  if (!on_disk) made.bytes = std::make_shared<const content>(bytes.begin(), bytes.end());
  const std::lock_guard lock(mutex_);
  if (!written) {
    writes_ = false;
    ++stats_.write_errors;
  }
  if (!written || !entries_.emplace(index, std::move(made)).second) stats_.bytes -= size;
}

bool sample_cache::write(std::int64_t index, const std::string& name, std::span<const std::uint8_t> bytes) {
  const std::string path = path_of(index);
  std::string unfinished = path + ".partial-" + std::to_string(::getpid()) + "-";
  {
    const std::lock_guard lock(mutex_);
    unfinished += std::to_string(++written_);
  }
  std::error_code problem;
  fs::create_directories(fs::path(path).parent_path(), problem);
  const int file = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (file < 0) return false;
  const header first = header_of(name, bytes);
  bool whole = write_all(file, &first, sizeof(first)) && write_all(file, bytes.data(), bytes.size());
  whole = ::close(file) == 0 && whole;
  if (whole) fs::rename(unfinished, path, problem);
  if (whole && !problem) return true;
  fs::remove(unfinished, problem);
  return false;
}

cache_stats sample_cache::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace weft
