#include <compute/file.hpp>
#include <weft/core/error.hpp>

#include <unistd.h>  // for getpid

#include <cerrno>        // for errno
#include <cstdio>        // for std::rename, std::remove
#include <fstream>       // for std::ifstream, std::ofstream
#include <ios>           // for std::ios
#include <system_error>  // for std::error_code, std::generic_category

namespace weft::detail {
namespace {

std::error_code last_error() {
  return {errno == 0 ? EIO : errno, std::generic_category()};
}

}  // namespace

std::vector<std::byte> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw io_error(path, "open", last_error());
  const std::streamoff size = file.tellg();
  if (size < 0) throw io_error(path, "read", last_error());
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), size)) throw io_error(path, "read", last_error());
  return bytes;
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
