#include <weft/compute/any_executor.hpp>
#include <weft/compute/cpu_executor.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/compute/cuda_executor.hpp>

#include <charconv>      // for std::from_chars
#include <optional>      // for std::optional
#include <system_error>  // for std::errc

namespace weft {
namespace {

// The number after "<kind>:", or the default for "<kind>" alone; nothing for anything else.
std::optional<int> number_of(std::string_view name, std::string_view kind, int otherwise) {
  if (name.substr(0, kind.size()) != kind) return std::nullopt;
  name.remove_prefix(kind.size());
  if (name.empty()) return otherwise;
  int number = 0;
  const auto [end, problem] = std::from_chars(name.data() + 1, name.data() + name.size(), number);
  if (name.front() != ':' || problem != std::errc() || end != name.data() + name.size() || number < 0) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

any_executor::any_executor(std::shared_ptr<executor_base> shared) : shared_(std::move(shared)) {
  if (shared_ == nullptr) throw invalid_argument("any_executor: there is no executor: the pointer is null");
}

any_executor make_executor(std::string_view name) {
  if (name == "auto") name = cuda_devices().empty() ? "cpu" : "cuda:0";
  if (const auto threads = number_of(name, "cpu", 0); threads && (name == "cpu" || *threads > 0)) {
    return any_executor(
        std::make_shared<cpu_executor>(cpu_executor_options{.threads = *threads, .name = std::string(name)}));
  }
  if (const auto device = number_of(name, "cuda", 0)) {
    return any_executor(std::make_shared<cuda_executor>(cuda_executor_options{.device = *device}));
  }
  throw invalid_argument("make_executor: '" + std::string(name) +
                         "' is unknown: it is cpu, cpu:THREADS, cuda, cuda:DEVICE or auto");
}

}  // namespace weft
