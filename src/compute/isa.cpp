#include <compute/dispatch.hpp>
#include <weft/compute/isa.hpp>
#include <weft/core/error.hpp>

#include <cstdlib>  // for std::getenv
#include <string>   // for std::string

namespace weft {
namespace {

constexpr isa levels[] = {isa::v2, isa::v3, isa::v4, isa::v4_bf16};

std::string names(const std::vector<isa>& values) {
  std::string text;
  for (const isa value : values) {
    if (!text.empty()) text += ", ";
    text += to_string(value);
  }
  return text;
}

isa select() {
  const std::vector<isa> supported = supported_isas();
  if (supported.empty()) throw error("weft's CPU kernels need an x86-64-v2 processor (SSE4.2)");
  const char* wanted = std::getenv("WEFT_ISA");
  if (wanted == nullptr || *wanted == '\0') return supported.back();
  try {
    return require_supported(parse_isa(wanted));
  } catch (const invalid_argument& problem) {
    throw invalid_argument(std::string("environment variable WEFT_ISA: ") + problem.what());
  }
}

}  // namespace

std::string_view to_string(isa level) noexcept {
  switch (level) {
    case isa::v2:
      return "v2";
    case isa::v3:
      return "v3";
    case isa::v4:
      return "v4";
    case isa::v4_bf16:
      break;
  }
  return "v4_bf16";
}

isa parse_isa(std::string_view name) {
  for (const isa level : levels) {
    if (to_string(level) == name) return level;
  }
  throw invalid_argument("instruction set '" + std::string(name) +
                         "' is unknown: it is one of v2, v3, v4, v4_bf16");
}

bool isa_supported(isa level) noexcept {
  __builtin_cpu_init();
  switch (level) {
    case isa::v2:
      return __builtin_cpu_supports("x86-64-v2") != 0;
    case isa::v3:
      return __builtin_cpu_supports("x86-64-v3") != 0;
    case isa::v4:
      return __builtin_cpu_supports("x86-64-v4") != 0;
    case isa::v4_bf16:
      break;
  }
  return __builtin_cpu_supports("x86-64-v4") != 0 && __builtin_cpu_supports("avx512bf16") != 0;
}

isa require_supported(isa level) {
  if (isa_supported(level)) return level;
  throw invalid_argument("instruction set " + std::string(to_string(level)) +
                         " cannot run on this machine: it supports " + names(supported_isas()));
}

std::vector<isa> supported_isas() {
  std::vector<isa> supported;
  for (const isa level : levels) {
    if (isa_supported(level)) supported.push_back(level);
  }
  return supported;
}

isa selected_isa() {
  static const isa selected = select();
  return selected;
}

namespace detail {

const kernel_table& kernels_of(isa level) noexcept {
  switch (level) {
    case isa::v2:
      return v2::kernels;
    case isa::v3:
      return v3::kernels;
    case isa::v4:
    case isa::v4_bf16:
      break;
  }
  return v4::kernels;
}

const product16_table& product16_kernels_of(isa level) noexcept {
  switch (level) {
    case isa::v2:
      return v2::product16_kernels;
    case isa::v3:
      return v3::product16_kernels;
    case isa::v4:
      return v4::product16_kernels;
    case isa::v4_bf16:
      break;
  }
  return v4_bf16::product16_kernels;
}

}  // namespace detail
}  // namespace weft
