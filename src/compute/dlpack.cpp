#include <weft/compute/dlpack.hpp>

#include <string>  // for std::to_string

namespace weft::detail {
namespace {

// Newer than the header of Debian 12; part of DLPack's ABI since its version 0.8.
constexpr std::uint8_t boolean_code = 6;

std::string name_of(DLDataType type) {
  return "DLPack type code " + std::to_string(type.code) + " of " + std::to_string(type.bits) + " bits and " +
         std::to_string(type.lanes) + " lanes";
}

}  // namespace

DLDataType to_dlpack(dtype type) noexcept {
  const auto bits = static_cast<std::uint8_t>(8 * size_of(type));
  switch (type) {
    case dtype::boolean:
      return {boolean_code, bits, 1};
    case dtype::uint8:
    case dtype::uint16:
    case dtype::uint32:
    case dtype::uint64:
      return {kDLUInt, bits, 1};
    case dtype::int8:
    case dtype::int16:
    case dtype::int32:
    case dtype::int64:
      return {kDLInt, bits, 1};
    case dtype::bfloat16:
      return {kDLBfloat, bits, 1};
    case dtype::float16:
    case dtype::float32:
    case dtype::float64:
      break;
  }
  return {kDLFloat, bits, 1};
}

dtype from_dlpack(DLDataType type) {
  for (int candidate = 0; candidate <= static_cast<int>(dtype::float64); ++candidate) {
    const DLDataType known = to_dlpack(static_cast<dtype>(candidate));
    if (known.code == type.code && known.bits == type.bits && known.lanes == type.lanes) {
      return static_cast<dtype>(candidate);
    }
  }
  throw invalid_argument("dlpack_tensor: weft has no dtype for " + name_of(type));
}

DLDevice to_dlpack(place where) noexcept {
  if (where.kind == memory_kind::cuda) return {kDLCUDA, where.index};
  return {kDLCPU, 0};
}

place from_dlpack(DLDevice device) {
  switch (static_cast<int>(device.device_type)) {
    case kDLCPU:
    case kDLCUDAHost:
      return {};
    case kDLCUDA:
      return cuda_place(device.device_id);
    default:
      throw invalid_argument("dlpack_tensor: DLPack device type " +
                             std::to_string(static_cast<int>(device.device_type)) +
                             " is neither the host nor CUDA: copy the tensor to one of these first");
  }
}

void require_dlpack(const DLTensor& tensor, dtype type, int rank) {
  const dtype found = from_dlpack(tensor.dtype);
  if (found == type && tensor.ndim == rank) return;
  throw invalid_argument("dlpack_tensor: the tensor is " + std::string(to_string(found)) + " of rank " +
                         std::to_string(tensor.ndim) + ": " + std::string(to_string(type)) + " of rank " +
                         std::to_string(rank) + " was asked for");
}

}  // namespace weft::detail
