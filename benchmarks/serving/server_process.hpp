#pragma once

#include <sys/types.h>  // for pid_t

#include <cstdint>    // for std::uint16_t
#include <stdexcept>  // for std::runtime_error
#include <string>     // for std::string
#include <vector>     // for std::vector

namespace http_cases {

/// A server that cannot run because its library is missing; the text says which.
class missing : public std::runtime_error {
 public:
  using runtime_error::runtime_error;
};

/// A server in a process of its own, with those that it starts.
class server_process {
 public:
  /// Returns when the server listens; throws what kept it from it.
  explicit server_process(const std::vector<std::string>& command);
  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;
  /// SIGTERM; what is left after a few seconds is killed.
  ~server_process();

  std::uint16_t port() const noexcept { return port_; }
  /// What it says that it is, such as "FastAPI 0.165.0"; empty if it does not.
  const std::string& version() const noexcept { return version_; }
  /// The time of processors that it has used so far.
  double cpu_seconds() const;
  /// Its memory: what is its own, and its share of what it shares.
  double pss_bytes() const;

 private:
  std::vector<pid_t> processes() const;
  void end();

  pid_t pid_ = -1;
  int output_ = -1;
  std::uint16_t port_ = 0;
  std::string version_;
};

}  // namespace http_cases
