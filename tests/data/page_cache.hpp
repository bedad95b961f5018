#pragma once

#include <gtest/gtest.h>

#include <fcntl.h>     // for ::open, ::posix_fadvise
#include <sys/mman.h>  // for ::mmap, ::mincore
#include <unistd.h>    // for ::fsync, ::close, ::sysconf

#include <algorithm>  // for std::all_of
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::int64_t, std::uint8_t
#include <cstdlib>    // for std::abort
#include <string>     // for std::string
#include <thread>     // for std::this_thread::yield
#include <vector>     // for std::vector

namespace weft::test {

/// What the system's cache has of a file.
class page_cache {
 public:
  explicit page_cache(const std::string& path, std::size_t size)
      : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
        pages_((size + page_bytes() - 1) / page_bytes()),
        mapped_(::mmap(nullptr, size, PROT_READ, MAP_SHARED, file_, 0)) {
    if (file_ < 0 || mapped_ == MAP_FAILED) std::abort();
  }
  page_cache(const page_cache&) = delete;
  page_cache& operator=(const page_cache&) = delete;
  ~page_cache() {
    ::munmap(mapped_, pages_ * page_bytes());
    ::close(file_);
  }

  /// False if the file system keeps its pages.
  bool drop() const {
    ::fsync(file_);
    ::posix_fadvise(file_, 0, 0, POSIX_FADV_DONTNEED);
    return !has(0, 1);
  }

  bool has(std::int64_t offset, std::int64_t count) const {
    std::vector<unsigned char> there(pages_);
    if (::mincore(mapped_, pages_ * page_bytes(), there.data()) != 0) std::abort();
    const auto page = static_cast<std::int64_t>(page_bytes());
    return std::all_of(there.begin() + offset / page, there.begin() + (offset + count - 1) / page + 1,
                       [](unsigned char state) { return (state & 1) != 0; });
  }

 private:
  static std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

  int file_;
  std::size_t pages_;
  void* mapped_;
};

/// Expects that the call has the system fetch these bytes of a file of so many, and waits until they are
/// there.
template <class Call>
void expect_fetched(const std::string& path, std::size_t file_bytes, std::int64_t offset, std::int64_t count,
                    const Call& call) {
  const page_cache pages(path, file_bytes);
  if (!pages.drop()) GTEST_SKIP() << "this file system keeps what was written in memory";
  // Again and again, since the system may drop what it has fetched.
  for (call(); !pages.has(offset, count); call()) std::this_thread::yield();
}

}  // namespace weft::test
