#pragma once

#include <cstddef>     // for std::size_t
#include <functional>  // for std::function
#include <memory>      // for std::unique_ptr
#include <string>      // for std::string

namespace weft::detail {

/// How much a pool has to do at one moment.
struct pool_load {
  std::size_t queued;
  std::size_t running;
};

/// A pool's load as gauges in metrics(), while it lives.
class pool_gauges {
 public:
  /// @param pool the label; @param load called by threads that take snapshots, never after the destructor
  pool_gauges(const std::string& pool, std::function<pool_load()> load);
  ~pool_gauges();
  pool_gauges(const pool_gauges&) = delete;
  pool_gauges& operator=(const pool_gauges&) = delete;

 private:
  struct pair;
  std::unique_ptr<pair> both_;
};

}  // namespace weft::detail
