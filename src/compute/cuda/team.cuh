#pragma once

#include <compute/cuda/launch.cuh>

#include <cstdint>  // for std::int64_t

// What the threads of a warp or a block make together. Partial results are joined in an order that never
// changes, so that equal inputs give equal bits.

namespace weft::detail {

constexpr int warp_threads = 32;
constexpr int block_warps = block_threads / warp_threads;

struct plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

struct larger {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

template <class T>
struct located_value {
  T value;
  std::int64_t index;  // -1: none yet
};

/// The larger one, the first of equals; what is not a number is larger than every number.
struct first_largest {
  template <class T>
  __device__ located_value<T> operator()(located_value<T> a, located_value<T> b) const {
    if (b.index < 0) return a;
    if (a.index < 0) return b;
    const bool above = b.value > a.value || (b.value != b.value && a.value == a.value);
    const bool below = a.value > b.value || (a.value != a.value && b.value == b.value);
    if (above != below) return above ? b : a;
    return a.index < b.index ? a : b;
  }
};

template <class T>
__device__ T from_lane(T value, int mask) {
  return __shfl_xor_sync(0xffffffffU, value, mask);
}
template <class T>
__device__ located_value<T> from_lane(located_value<T> value, int mask) {
  return {from_lane(value.value, mask), from_lane(value.index, mask)};
}

/// What the lanes of a warp have, joined; every lane gets the same bits if combine(a, b) is combine(b, a).
template <class T, class Combine>
__device__ T across_warp(T value, const Combine& combine) {
  for (int mask = warp_threads / 2; mask > 0; mask /= 2) value = combine(value, from_lane(value, mask));
  return value;
}

/// What the threads of a block have, joined; every thread gets the result, and every thread must call it.
template <class T, class Combine>
__device__ T across_block(T value, const Combine& combine) {
  alignas(16) __shared__ unsigned char memory[block_warps * sizeof(T)];
  T* const of_warps = reinterpret_cast<T*>(memory);
  value = across_warp(value, combine);
  __syncthreads();  // an earlier use of the memory is over
  if (threadIdx.x % warp_threads == 0) of_warps[threadIdx.x / warp_threads] = value;
  __syncthreads();
  value = of_warps[0];
  for (int warp = 1; warp < block_warps; ++warp) value = combine(value, of_warps[warp]);
  return value;
}

/// The threads that work on a row together: a warp or a block.
template <int Threads>
struct team {
  static_assert(Threads == warp_threads || Threads == block_threads);
  static constexpr int teams_per_block = block_threads / Threads;

  __device__ static std::int64_t index() { return threadIdx.x % Threads; }
  __device__ static std::int64_t first_row() {
    return static_cast<std::int64_t>(blockIdx.x) * teams_per_block + threadIdx.x / Threads;
  }
  __device__ static std::int64_t row_step() { return static_cast<std::int64_t>(gridDim.x) * teams_per_block; }
  template <class T, class Combine>
  __device__ static T join(T value, const Combine& combine) {
    if constexpr (Threads == warp_threads) {
      return across_warp(value, combine);
    } else {
      return across_block(value, combine);
    }
  }
};

/// A thread's part of a row: columns `index()`, `index() + Threads`, ... Up to Kept of them are read once and
/// kept in registers; with Kept 0 they are read whenever they are asked for.
template <int Threads, int Kept>
class row_part {
 public:
  __device__ row_part(const float* row, std::int64_t columns) : row_(row), columns_(columns) {
    if constexpr (Kept > 0) {
#pragma unroll
      for (int i = 0; i < Kept; ++i) {
        const std::int64_t column = team<Threads>::index() + i * Threads;
        kept_[i] = column < columns ? row[column] : 0.0F;
      }
    }
  }

  /// Calls each(column, value).
  template <class Each>
  __device__ void for_each(const Each& each) const {
    if constexpr (Kept > 0) {
#pragma unroll
      for (int i = 0; i < Kept; ++i) {
        const std::int64_t column = team<Threads>::index() + i * Threads;
        if (column < columns_) each(column, kept_[i]);
      }
    } else {
      for (std::int64_t column = team<Threads>::index(); column < columns_; column += Threads) {
        each(column, row_[column]);
      }
    }
  }

 private:
  const float* row_;
  std::int64_t columns_;
  float kept_[Kept > 0 ? Kept : 1];
};

/// Launches the instance of a kernel for rows of so many columns: what `Launcher::kernel<Threads, Kept>()`
/// gives, whose last parameter is the number of rows.
template <class Launcher, class... Arguments>
void launch_rows(const char* name, CUstream_st* stream, std::int64_t rows, std::int64_t columns,
                 const Arguments&... arguments) {
  const auto go = [&]<int Threads, int Kept>() {
    const std::int64_t teams = block_threads / Threads;
    launch(name, stream, one_block_for_each((rows + teams - 1) / teams),
           Launcher::template kernel<Threads, Kept>(), arguments..., rows);
  };
  if (columns <= 4 * warp_threads) {
    go.template operator()<warp_threads, 4>();
  } else if (columns <= 16 * warp_threads) {
    go.template operator()<warp_threads, 16>();
  } else if (columns <= 8 * block_threads) {
    go.template operator()<block_threads, 8>();
  } else {
    go.template operator()<block_threads, 0>();
  }
}

}  // namespace weft::detail
