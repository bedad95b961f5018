#include <weft/pool/detail/segment.hpp>

#include "pool/descriptor.hpp"

#include <weft/core/error.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>      // for std::find, std::min
#include <atomic>         // for std::atomic
#include <bit>            // for std::bit_floor
#include <cerrno>         // for errno
#include <fstream>        // for std::ifstream
#include <limits>         // for std::numeric_limits
#include <string>         // for std::string
#include <system_error>   // for std::generic_category
#include <unordered_map>  // for std::unordered_map
#include <utility>        // for std::move
#include <vector>         // for std::vector

namespace weft::detail {

namespace {

constexpr std::size_t huge_page = 2U << 20U;
constexpr std::size_t most_spare_bytes = 64U << 20U;

struct known_segments {
  std::mutex mutex;
  std::unordered_map<std::uint64_t, std::weak_ptr<segment>> by_id;
  std::vector<std::shared_ptr<segment>> spare;
  std::size_t spare_bytes = 0;
  std::mutex listeners_mutex;  // never inside the other
  std::vector<segment_listener*> listeners;
};

known_segments& known() {
  static auto* all = new known_segments;  // segments of static duration outlive every other static object
  return *all;
}

std::uint64_t next_id() {
  static std::atomic<std::uint32_t> count{0};
  return (static_cast<std::uint64_t>(::getpid()) << 32U) | ++count;
}

std::size_t read_number(const char* path) {
  std::ifstream file(path);
  std::size_t value = 0;
  return file >> value ? value : std::numeric_limits<std::size_t>::max();
}

// Shared memory beyond what there is does not fail: the kernel starts to kill. So ask first.
std::size_t available_memory() {
  std::size_t available = std::numeric_limits<std::size_t>::max();
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::size_t value = 0;
  std::string unit;
  std::size_t sum = 0;
  while (file >> key >> value) {
    std::getline(file, unit);
    if (key == "MemAvailable:" || key == "SwapFree:") sum += value * 1024;
  }
  if (sum > 0) available = sum;
  const std::size_t limit = read_number("/sys/fs/cgroup/memory.max");
  const std::size_t used = read_number("/sys/fs/cgroup/memory.current");
  if (limit != std::numeric_limits<std::size_t>::max() && used != std::numeric_limits<std::size_t>::max()) {
    available = std::min(available, limit > used ? limit - used : 0);
  }
  return available;
}

[[noreturn]] void fail_full(std::size_t bytes, const std::string& reason) {
  throw shared_memory_full("shared memory: no room for " + std::to_string(bytes) + " bytes: " + reason);
}

}  // namespace

std::shared_ptr<segment> segment::create(std::size_t bytes, bool huge_pages) {
  if (bytes == 0) bytes = 1;
  const std::size_t unit = huge_pages ? huge_page : 1;
  if (bytes > static_cast<std::size_t>(std::numeric_limits<off_t>::max()) - unit) {
    fail_full(bytes, "no machine has as much");
  }
  bytes = (bytes + unit - 1) / unit * unit;
  if (bytes > huge_page) {
    const std::size_t available = available_memory();
    if (bytes > available) fail_full(bytes, "only " + std::to_string(available) + " are available");
  }
  weft::detail::descriptor file(
      ::memfd_create("weft", MFD_CLOEXEC | (huge_pages ? MFD_HUGETLB : 0U) | MFD_ALLOW_SEALING));
  if (!file) {
    if (huge_pages) {
      throw invalid_argument("shared memory: huge_pages: the kernel has none: " +
                             std::generic_category().message(errno));
    }
    throw error("shared memory: cannot be made: " + std::generic_category().message(errno));
  }
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) {
    fail_full(bytes, std::generic_category().message(errno));
  }
  // Every page now: one that is missing later would be a bus error where it is first used.
  const int failure = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (failure != 0) {
    if (huge_pages) {
      throw shared_memory_full("shared memory: huge_pages: not enough of them for " + std::to_string(bytes) +
                               " bytes; /proc/sys/vm/nr_hugepages says how many are set aside");
    }
    fail_full(bytes, std::generic_category().message(failure));
  }
  auto made = std::shared_ptr<segment>(new segment(next_id(), file.release(), bytes));
  made->map();
  const std::lock_guard lock(known().mutex);
  known().by_id[made->id_] = made;
  return made;
}

std::shared_ptr<segment> segment::adopt(std::uint64_t id, int descriptor, std::size_t bytes) {
  auto made = std::shared_ptr<segment>(new segment(id, descriptor, bytes));
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  made->sealed_ = seals >= 0 && (seals & F_SEAL_WRITE) != 0;
  made->map();
  const std::lock_guard lock(known().mutex);
  known().by_id[id] = made;
  return made;
}

std::shared_ptr<segment> segment::find(std::uint64_t id) {
  const std::lock_guard lock(known().mutex);
  const auto found = known().by_id.find(id);
  return found == known().by_id.end() ? nullptr : found->second.lock();
}

segment::~segment() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
  if (descriptor_ >= 0) ::close(descriptor_);
  {
    const std::lock_guard lock(known().mutex);
    const auto found = known().by_id.find(id_);
    if (found != known().by_id.end() && found->second.expired()) known().by_id.erase(found);
  }
  if (!sent_) return;
  const std::lock_guard lock(known().listeners_mutex);
  for (segment_listener* listener : known().listeners) listener->segment_gone(id_);
}

void segment::map() {
  const int access = sealed_ ? PROT_READ : PROT_READ | PROT_WRITE;
  void* address = ::mmap(nullptr, bytes_, access, MAP_SHARED, descriptor_, 0);
  if (address == MAP_FAILED) {
    throw error("shared memory: cannot map " + std::to_string(bytes_) +
                " bytes: " + std::generic_category().message(errno));
  }
  data_ = static_cast<std::byte*>(address);
}

void segment::seal() {
  if (sealed_) return;
  // The kernel refuses while anybody can write.
  ::munmap(std::exchange(data_, nullptr), bytes_);
  if (::fcntl(descriptor_, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    const int reason = errno;
    map();
    if (reason == EBUSY)
      throw error("shared_array: cannot be sealed while a worker has it mapped for writing");
    throw error("shared_array: cannot be sealed: " + std::generic_category().message(reason));
  }
  sealed_ = true;
  map();
}

std::shared_ptr<segment> take_spare_segment(std::size_t at_least) {
  {
    const std::lock_guard lock(known().mutex);
    auto best = known().spare.end();
    for (auto next = known().spare.begin(); next != known().spare.end(); ++next) {
      if ((*next)->size() < at_least || (*next)->size() / 4 > at_least) continue;
      if (best == known().spare.end() || (*next)->size() < (*best)->size()) best = next;
    }
    if (best != known().spare.end()) {
      std::shared_ptr<segment> taken = std::move(*best);
      known().spare.erase(best);
      known().spare_bytes -= taken->size();
      return taken;
    }
  }
  // Sizes in steps of at most a quarter, so that the next message of about this size fits too.
  const std::size_t step = std::max<std::size_t>(std::bit_floor(at_least) / 4, 64U << 10U);
  return segment::create((at_least + step - 1) / step * step);
}

void keep_spare_segment(std::shared_ptr<segment> spare) {
  const std::lock_guard lock(known().mutex);
  if (known().spare_bytes + spare->size() > most_spare_bytes) return;  // `spare` goes after the lock
  known().spare_bytes += spare->size();
  known().spare.push_back(std::move(spare));
}

segment_listener::segment_listener() {
  const std::lock_guard lock(known().listeners_mutex);
  known().listeners.push_back(this);
}

segment_listener::~segment_listener() {
  const std::lock_guard lock(known().listeners_mutex);
  auto& all = known().listeners;
  all.erase(std::find(all.begin(), all.end(), this));
}

}  // namespace weft::detail
