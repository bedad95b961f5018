#include <weft/pool/captured.hpp>

#include <weft/core/error.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>         // for std::array
#include <cerrno>        // for errno
#include <cstddef>       // for std::size_t
#include <cstdio>        // for std::fflush
#include <iostream>      // for std::cout
#include <system_error>  // for std::generic_category

namespace weft::detail {

namespace {

void flush() {
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
}

std::string read_all(int file) {
  std::string text;
  std::array<char, 4096> part{};
  for (;;) {
    const ssize_t count = ::pread(file, part.data(), part.size(), static_cast<off_t>(text.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(part.data(), static_cast<std::size_t>(count));
  }
}

void write_all(int file, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(file, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    done += static_cast<std::size_t>(count);
  }
}

}  // namespace

output_capture::output_capture() {
  flush();
  for (int i = 0; i < 2; ++i) {
    usual_[i] = ::fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
    memory_[i] = ::memfd_create("weft-output", MFD_CLOEXEC);
    if (memory_[i] < 0)
      throw error("capture: no memory for output: " + std::generic_category().message(errno));
    ::dup2(memory_[i], i + 1);
  }
}

output_capture::~output_capture() {
  if (memory_[0] < 0) return;
  restore();
  for (int i = 0; i < 2; ++i) {
    write_all(i + 1, read_all(memory_[i]));
    ::close(memory_[i]);
  }
}

void output_capture::take(std::string& output, std::string& error) {
  restore();
  output = read_all(memory_[0]);
  error = read_all(memory_[1]);
  for (int& file : memory_) {
    ::close(file);
    file = -1;
  }
}

void output_capture::restore() noexcept {
  flush();
  for (int i = 0; i < 2; ++i) {
    ::dup2(usual_[i], i + 1);
    ::close(usual_[i]);
  }
}

}  // namespace weft::detail
