#pragma once

#include <data/open_file.hpp>

#include <cstdint>   // for std::int64_t, std::uint8_t
#include <optional>  // for std::optional
#include <span>      // for std::span
#include <string>    // for std::string
#include <utility>   // for std::move

namespace weft::detail {

/// How many files of one source stay open.
constexpr std::size_t most_kept_open = 128;

/// A file of a source that reads it at many places. It stays open, so that removing it does not end a running
/// epoch, or, in a source of very many files, is opened for each read.
///
/// Thread safety: shared objects safe.
class kept_file {
 public:
  kept_file(std::string path, bool stay_open) : path_(std::move(path)) {
    if (stay_open) file_.emplace(path_);
  }

  const std::string& path() const noexcept { return path_; }

  /// Calls it with the open file.
  template <class Call>
  decltype(auto) with(const Call& call) const {
    if (file_) return call(*file_);
    const open_file opened(path_);
    return call(opened);
  }

  /// Has the system fetch these bytes, and does not wait; nothing if it cannot.
  void will_need(std::int64_t offset, std::int64_t bytes) const noexcept {
    try {
      with([&](const open_file& file) { file.will_need(offset, bytes); });
    } catch (...) {  // found when it is read
      return;
    }
  }

 private:
  std::string path_;
  std::optional<open_file> file_;
};

}  // namespace weft::detail
