#include "machine.hpp"

#include <fmt/core.h>
#include <sys/utsname.h>  // for uname
#include <unistd.h>       // for sysconf

#include <fstream>  // for std::ifstream
#include <string_view>
#include <thread>  // for std::thread::hardware_concurrency
#include <weft/compute/isa.hpp>

namespace fashion {
namespace {

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string memory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page <= 0) return "unknown";
  return fmt::format("{:.1f} GiB",
                     static_cast<double>(pages) * static_cast<double>(page) / (1024.0 * 1024.0 * 1024.0));
}

std::string kernel() {
  utsname names{};
  return ::uname(&names) == 0 ? fmt::format("{} {} {}", names.sysname, names.release, names.machine)
                              : "unknown";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> describe_machine() {
  return {{"processor", processor()},
          {"cores", std::to_string(std::thread::hardware_concurrency())},
          {"memory", memory()},
          {"system", kernel()},
          {"kernels compiled for", fmt::format("x86-64-{}", weft::to_string(weft::selected_isa()))},
          {"compiler", "g++ " __VERSION__},
          {"build", FASHION_BUILD_TYPE},
          {"weft", FASHION_WEFT_VERSION}};
}

}  // namespace fashion
