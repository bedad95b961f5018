#include <compute/file.hpp>
#include <weft/core/error.hpp>

#include <unistd.h>  // for getpid

#include <algorithm>     // for std::min
#include <cerrno>        // for errno
#include <cstdio>        // for std::rename, std::remove
#include <filesystem>    // for std::filesystem::is_directory
#include <fstream>       // for std::ifstream, std::ofstream
#include <ios>           // for std::ios
#include <limits>        // for std::numeric_limits
#include <system_error>  // for std::error_code, std::generic_category

namespace weft::detail {
namespace {

std::error_code last_error() {
  return {errno == 0 ? EIO : errno, std::generic_category()};
}

}  // namespace

std::vector<std::byte> read_file(const std::string& path) {
  return read_file_front(path, std::numeric_limits<std::int64_t>::max()).bytes;
}

file_front read_file_front(const std::string& path, std::int64_t most) {
  std::error_code problem;
  // A folder can be opened, and has a size.
  if (std::filesystem::is_directory(path, problem)) {
    throw io_error(path, "read", std::make_error_code(std::errc::is_a_directory));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw io_error(path, "open", last_error());
  file_front front{.bytes = {}, .size = file.tellg()};
  if (front.size < 0) throw io_error(path, "read", last_error());
  const std::int64_t wanted = std::min(front.size, most);
  front.bytes.resize(static_cast<std::size_t>(wanted));
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(front.bytes.data()), wanted)) {
    throw io_error(path, "read", last_error());
  }
  return front;
}

void write_file(const std::string& path, const std::function<void(std::ostream&)>& write) {
  const std::string temporary = path + ".partial-" + std::to_string(getpid());
  errno = 0;
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    if (!file) throw io_error(path, "write", last_error());
    write(file);
    file.flush();
    if (!file) {
      const std::error_code reason = last_error();
      std::remove(temporary.c_str());
      throw io_error(path, "write", reason);
    }
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    const std::error_code reason = last_error();
    std::remove(temporary.c_str());
    throw io_error(path, "write", reason);
  }
}

}  // namespace weft::detail
