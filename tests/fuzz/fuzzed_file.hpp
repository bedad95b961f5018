#pragma once

#include <sys/mman.h>  // for ::memfd_create
#include <unistd.h>    // for ::pwrite, ::ftruncate, ::close

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint8_t
#include <cstdlib>  // for std::abort
#include <string>   // for std::string

namespace weft::test {

/// A file in memory with these bytes, which can be opened by its path as often as needed.
class fuzzed_file {
 public:
  fuzzed_file(const std::uint8_t* bytes, std::size_t size) : number_(::memfd_create("fuzzed", MFD_CLOEXEC)) {
    if (number_ < 0 || ::pwrite(number_, bytes, size, 0) != static_cast<ssize_t>(size)) std::abort();
  }
  fuzzed_file(const fuzzed_file&) = delete;
  fuzzed_file& operator=(const fuzzed_file&) = delete;
  ~fuzzed_file() { ::close(number_); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(number_); }

 private:
  int number_;
};

}  // namespace weft::test
