#include <weft/compute/dtype.hpp>

namespace weft {

std::string_view to_string(dtype type) noexcept {
  switch (type) {
    case dtype::boolean:
      return "bool";
    case dtype::uint8:
      return "uint8";
    case dtype::int8:
      return "int8";
    case dtype::uint16:
      return "uint16";
    case dtype::int16:
      return "int16";
    case dtype::float16:
      return "float16";
    case dtype::bfloat16:
      return "bfloat16";
    case dtype::uint32:
      return "uint32";
    case dtype::int32:
      return "int32";
    case dtype::float32:
      return "float32";
    case dtype::uint64:
      return "uint64";
    case dtype::int64:
      return "int64";
    case dtype::float64:
      break;
  }
  return "float64";
}

std::int64_t size_of(dtype type) noexcept {
  switch (type) {
    case dtype::boolean:
    case dtype::uint8:
    case dtype::int8:
      return 1;
    case dtype::uint16:
    case dtype::int16:
    case dtype::float16:
    case dtype::bfloat16:
      return 2;
    case dtype::uint32:
    case dtype::int32:
    case dtype::float32:
      return 4;
    case dtype::uint64:
    case dtype::int64:
    case dtype::float64:
      break;
  }
  return 8;
}

}  // namespace weft
