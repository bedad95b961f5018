#pragma once

#include <cstddef>     // for std::byte
#include <functional>  // for std::function
#include <iosfwd>      // for std::ostream
#include <string>      // for std::string
#include <vector>      // for std::vector

namespace weft::detail {

/// All bytes of a file; throws io_error naming it.
std::vector<std::byte> read_file(const std::string& path);

/// Writes a file that is complete or not there: `write` fills a file of another name in the same folder,
/// which is then renamed. Throws io_error naming `path`.
void write_file(const std::string& path, const std::function<void(std::ostream&)>& write);

}  // namespace weft::detail
