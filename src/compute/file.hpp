#pragma once

#include <cstddef>     // for std::byte
#include <cstdint>     // for std::int64_t
#include <functional>  // for std::function
#include <iosfwd>      // for std::ostream
#include <string>      // for std::string
#include <vector>      // for std::vector

namespace weft::detail {

/// All bytes of a file; throws io_error naming it.
std::vector<std::byte> read_file(const std::string& path);

/// The beginning of a file.
struct file_front {
  std::vector<std::byte> bytes;
  std::int64_t size;  // of the whole file
};

/// The first bytes of a file, as many as asked for if it has them; throws io_error naming it.
file_front read_file_front(const std::string& path, std::int64_t most);

/// Writes a file that is complete or not there: `write` fills a file of another name in the same folder,
/// which is then renamed. Throws io_error naming `path`.
void write_file(const std::string& path, const std::function<void(std::ostream&)>& write);

}  // namespace weft::detail
