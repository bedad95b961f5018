#pragma once

// Not part of <weft/compute.hpp>, for who exchanges tensors with other libraries only.

#include <weft/compute/dtype.hpp>
#include <weft/compute/tensor.hpp>

#include <dlpack/dlpack.h>  // for DLManagedTensor

#include <algorithm>    // for std::copy
#include <cstddef>      // for std::byte
#include <cstdint>      // for std::int64_t
#include <memory>       // for std::unique_ptr
#include <type_traits>  // for std::remove_const_t
#include <utility>      // for std::move

namespace weft {

namespace detail {

/// What DLPack calls an element type, and back; from_dlpack throws invalid_argument for one that weft lacks.
DLDataType to_dlpack(dtype type) noexcept;
dtype from_dlpack(DLDataType type);
/// The same for whose memory it is.
DLDevice to_dlpack(place where) noexcept;
place from_dlpack(DLDevice device);
/// Throws invalid_argument, naming both, unless the tensor has this type and rank.
void require_dlpack(const DLTensor& tensor, dtype type, int rank);

struct call_deleter {
  void operator()(DLManagedTensor* managed) const noexcept {
    if (managed->deleter != nullptr) managed->deleter(managed);
  }
};

}  // namespace detail

/// Hands a tensor to another library without a copy, by DLPack's ABI (https://dmlc.github.io/dlpack): the
/// elements belong to the result until the receiver calls its deleter. torch.from_dlpack() takes it in a
/// capsule named "dltensor".
template <class T, int Rank>
DLManagedTensor* to_dlpack(tensor<T, Rank> values) {
  struct owner {
    DLManagedTensor managed{};
    tensor<T, Rank> values;
    shape_of_rank<Rank> extents{};
    shape_of_rank<Rank> strides{};
  };
  auto held = std::make_unique<owner>();
  held->values = std::move(values);
  held->extents = held->values.extents();
  held->strides = strided_view<T, Rank>::dense_strides(held->extents);
  held->managed.dl_tensor = {.data = held->values.data(),
                             .device = detail::to_dlpack(held->values.where()),
                             .ndim = Rank,
                             .dtype = detail::to_dlpack(dtype_of_v<T>),
                             .shape = held->extents.data(),
                             .strides = held->strides.data(),
                             .byte_offset = 0};
  held->managed.manager_ctx = held.get();
  held->managed.deleter = [](DLManagedTensor* self) { delete static_cast<owner*>(self->manager_ctx); };
  return &held.release()->managed;
}

/// A tensor of another library, received by DLPack without a copy and given back when this is destroyed.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
template <class T, int Rank>
class dlpack_tensor {
 public:
  /// Takes over the tensor, also if it throws: invalid_argument, naming what it is and what was asked for, if
  /// its type, rank or device is another than T, Rank and the host or CUDA.
  explicit dlpack_tensor(DLManagedTensor* managed) : managed_(managed) {
    const DLTensor& received = managed->dl_tensor;
    detail::require_dlpack(received, dtype_of_v<std::remove_const_t<T>>, Rank);
    shape_of_rank<Rank> extents{};
    std::copy(received.shape, received.shape + Rank, extents.begin());
    shape_of_rank<Rank> strides = strided_view<T, Rank>::dense_strides(extents);
    if (received.strides != nullptr) std::copy(received.strides, received.strides + Rank, strides.begin());
    auto* first = static_cast<std::byte*>(received.data) + received.byte_offset;
    view_ = {static_cast<T*>(static_cast<void*>(first)), extents, strides,
             detail::from_dlpack(received.device)};
  }

  /// Its elements, valid while this object lives.
  strided_view<T, Rank> view() const noexcept { return view_; }

 private:
  std::unique_ptr<DLManagedTensor, detail::call_deleter> managed_;
  strided_view<T, Rank> view_;
};

}  // namespace weft
