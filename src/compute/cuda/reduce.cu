#include <compute/cuda/team.cuh>
#include <compute/cuda_kernel_table.hpp>

// Reductions. What is reduced is cut into parts whose borders depend on the shape alone; a block reduces each
// in a fixed order, and a second kernel joins the parts in order.

namespace weft::detail {
namespace {

template <class T>
struct sum_type {
  using type = double;
};
template <>
struct sum_type<std::int32_t> {
  using type = std::int64_t;
};
template <>
struct sum_type<std::int64_t> {
  using type = std::int64_t;
};

// The two kinds of reduction: what a part is, how an element becomes one and how two are joined.
template <class T>
struct summing {
  using part = typename sum_type<T>::type;
  __device__ static part none() { return 0; }
  __device__ static part of(T value, std::int64_t) { return static_cast<part>(value); }
  __device__ static part join(part a, part b) { return a + b; }
  __device__ static void store(part total, const reduction_run& run, void* output, std::int64_t at) {
    if (run.mean) total = total / static_cast<part>(run.count);
    static_cast<T*>(output)[at] = static_cast<T>(total);
  }
};
template <class T>
struct finding {
  using part = located_value<T>;
  __device__ static part none() { return {T{}, -1}; }
  __device__ static part of(T value, std::int64_t at) { return {value, at}; }
  __device__ static part join(part a, part b) { return first_largest{}(a, b); }
  __device__ static void store(part best, const reduction_run& run, void* output, std::int64_t at) {
    if (run.operation == reduction::argmax) {
      static_cast<std::int64_t*>(output)[at] = best.index;
    } else {
      static_cast<T*>(output)[at] = best.value;
    }
  }
};

// The place of a part among all of them: part by part of a result.
__device__ std::int64_t part_begin(const reduction_run& run, std::int64_t part) {
  return run.count * part / run.parts;
}

// Neighbours are reduced: a block makes one part of one result.
template <class T, class Kind>
__global__ void reduce_rows_kernel(reduction_run run, const T* input, void* output,
                                   typename Kind::part* parts) {
  for (std::int64_t task = blockIdx.x; task < run.outer * run.parts; task += gridDim.x) {
    const std::int64_t row = task / run.parts;
    const std::int64_t begin = part_begin(run, task % run.parts);
    const std::int64_t end = part_begin(run, task % run.parts + 1);
    const T* const from = input + row * run.count;
    auto total = Kind::none();
    for (std::int64_t k = begin + threadIdx.x; k < end; k += block_threads) {
      total = Kind::join(total, Kind::of(from[k], k));
    }
    total = across_block(total, [](auto a, auto b) { return Kind::join(a, b); });
    if (threadIdx.x != 0) continue;
    if (run.parts == 1) {
      Kind::store(total, run, output, row);
    } else {
      parts[task] = total;
    }
  }
}

// Elements `inner` apart are reduced: a block makes one part of 32 neighbouring results.
template <class T, class Kind>
__global__ void reduce_columns_kernel(reduction_run run, const T* input, void* output,
                                      typename Kind::part* parts) {
  using part_type = typename Kind::part;
  alignas(16) __shared__ unsigned char memory[block_threads * sizeof(part_type)];
  part_type* const shared = reinterpret_cast<part_type*>(memory);
  const int lane = threadIdx.x % warp_threads;
  const int warp = threadIdx.x / warp_threads;
  const std::int64_t groups = (run.inner + warp_threads - 1) / warp_threads;
  for (std::int64_t task = blockIdx.x; task < run.outer * groups * run.parts; task += gridDim.x) {
    const std::int64_t part = task % run.parts;
    const std::int64_t group = task / run.parts % groups;
    const std::int64_t outer = task / run.parts / groups;
    const std::int64_t column = group * warp_threads + lane;
    const bool inside = column < run.inner;
    const T* const from = input + outer * run.count * run.inner + column;
    auto total = Kind::none();
    if (inside) {
      const std::int64_t end = part_begin(run, part + 1);
      for (std::int64_t k = part_begin(run, part) + warp; k < end; k += block_warps) {
        total = Kind::join(total, Kind::of(from[k * run.inner], k));
      }
    }
    shared[threadIdx.x] = total;
    __syncthreads();
    if (warp == 0 && inside) {
      for (int other = 1; other < block_warps; ++other) {
        total = Kind::join(total, shared[other * warp_threads + lane]);
      }
      const std::int64_t result = outer * run.inner + column;
      if (run.parts == 1) {
        Kind::store(total, run, output, result);
      } else {
        parts[result * run.parts + part] = total;
      }
    }
    __syncthreads();
  }
}

// A warp makes one result.
template <class T, class Kind>
__global__ void join_parts_kernel(reduction_run run, const typename Kind::part* parts, void* output) {
  using team = detail::team<warp_threads>;
  for (std::int64_t result = team::first_row(); result < run.outer * run.inner; result += team::row_step()) {
    auto total = Kind::none();
    for (std::int64_t part = team::index(); part < run.parts; part += warp_threads) {
      total = Kind::join(total, parts[result * run.parts + part]);
    }
    total = team::join(total, [](auto a, auto b) { return Kind::join(a, b); });
    if (team::index() == 0) Kind::store(total, run, output, result);
  }
}

template <class T, class Kind>
void run_kind(CUstream_st* stream, const reduction_run& run, const void* input, void* output, void* scratch) {
  static_assert(sizeof(typename Kind::part) <= largest_part);
  const auto* from = static_cast<const T*>(input);
  auto* parts = static_cast<typename Kind::part*>(scratch);
  if (run.inner == 1) {
    launch("reduction kernel", stream, one_block_for_each(run.outer * run.parts), reduce_rows_kernel<T, Kind>,
           run, from, output, parts);
  } else {
    const std::int64_t groups = (run.inner + warp_threads - 1) / warp_threads;
    launch("reduction kernel", stream, one_block_for_each(run.outer * groups * run.parts),
           reduce_columns_kernel<T, Kind>, run, from, output, parts);
  }
  if (run.parts > 1) {
    launch("reduction kernel", stream, blocks_for(run.outer * run.inner * warp_threads),
           join_parts_kernel<T, Kind>, run, parts, output);
  }
}

template <class T>
void run_type(CUstream_st* stream, const reduction_run& run, const void* input, void* output, void* scratch) {
  if (run.operation == reduction::sum) {
    run_kind<T, summing<T>>(stream, run, input, output, scratch);
  } else {
    run_kind<T, finding<T>>(stream, run, input, output, scratch);
  }
}

}  // namespace

void gpu::reduce(CUstream_st* stream, const reduction_run& run, number type, const void* input, void* output,
                 void* scratch) {
  switch (type) {
    case number::float32:
      run_type<float>(stream, run, input, output, scratch);
      break;
    case number::float64:
      run_type<double>(stream, run, input, output, scratch);
      break;
    case number::int32:
      run_type<std::int32_t>(stream, run, input, output, scratch);
      break;
    case number::int64:
      run_type<std::int64_t>(stream, run, input, output, scratch);
      break;
  }
}

}  // namespace weft::detail
