#pragma once

#include <weft/pool/process_pool.hpp>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

// What tests of worker processes look at from outside.

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;  // which makes every process slower to start and to end
#else
inline constexpr bool sanitized = false;
#endif

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

/// Children of this process, zombies too.
inline std::size_t children() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(entry.path() / "children");
    count += static_cast<std::size_t>(
        std::distance(std::istream_iterator<int>(file), std::istream_iterator<int>()));
  }
  return count;
}

/// Mappings of shared memory that weft has made.
inline std::size_t shared_mappings() {
  std::ifstream file("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);)
    count += line.find("/memfd:weft") != std::string::npos ? 1 : 0;
  return count;
}

inline int parent_of(int process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  int parent = 0;
  for (std::string key; status >> key;) {
    if (key == "PPid:") status >> parent;
  }
  return parent;
}

/// A process that can be waited for without being its parent.
class watched_process {
 public:
  explicit watched_process(int pid) : descriptor_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  watched_process(const watched_process&) = delete;
  watched_process& operator=(const watched_process&) = delete;
  ~watched_process() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  /// Blocks until it has ended; true at once if it had ended before it was watched.
  bool wait() const {
    if (descriptor_ < 0) return true;
    pollfd ended{descriptor_, POLLIN, 0};
    return ::poll(&ended, 1, 60'000) == 1;
  }

 private:
  int descriptor_;
};

/// Blocks until the test opens the gate, which is a pipe of the test's process.
inline int wait_at_gate(int parent, int descriptor, int result) {
  const std::string path = "/proc/" + std::to_string(parent) + "/fd/" + std::to_string(descriptor);
  weft::report_progress(std::string("waiting"));
  const int file = ::open(path.c_str(), O_RDONLY);
  char byte = 0;
  [[maybe_unused]] const auto got = ::read(file, &byte, 1);
  ::close(file);
  return result;
}

/// A pipe into which a worker looks; closed when it is opened, so that any number can pass.
class gate {
 public:
  gate() { EXPECT_EQ(::pipe(ends_), 0); }
  gate(const gate&) = delete;
  gate& operator=(const gate&) = delete;
  ~gate() {
    open();
    ::close(ends_[0]);
  }
  void open() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  int descriptor() const { return ends_[0]; }

 private:
  int ends_[2];
};
