#include <compute/cuda/team.cuh>
#include <compute/cuda_kernel_table.hpp>

#include <cstring>  // for std::memcpy

// Kernels of images and of rows of anything: normalisation, gathering, pooling, the patches of convolutions.
// What is added up at one place is added by one thread in order, where not said otherwise.

namespace weft::detail {
namespace {

constexpr int most_channels = 64;

struct channel_coefficients {
  float scale[most_channels];
  float shift[most_channels];
};

__global__ void normalize_images_kernel(const std::uint8_t* pixels, float* output, std::int64_t pixel_count,
                                        std::int64_t channels, channel_coefficients each,
                                        std::int64_t count) {
  for_each_index(count, [&](std::int64_t index) {
    const std::int64_t pixel = index % pixel_count;
    const std::int64_t channel = index / pixel_count % channels;
    const std::int64_t image = index / pixel_count / channels;
    const float value = static_cast<float>(pixels[(image * pixel_count + pixel) * channels + channel]);
    output[index] = value * each.scale[channel] + each.shift[channel];
  });
}

__global__ void normalize_kernel(normalize_arguments arguments, std::int64_t count) {
  for_each_index(count, [&](std::int64_t index) {
    const std::int64_t row = index / arguments.columns;
    const std::int64_t column = index % arguments.columns;
    const std::int64_t from = arguments.rows == nullptr ? row : arguments.rows[row];
    const float value = static_cast<float>(arguments.pixels.data[from * arguments.pixels.stride + column]);
    arguments.output.data[row * arguments.output.stride + column] = value * arguments.scale + arguments.shift;
  });
}

// The place of the first row that is outside [0, limit), or -1.
__global__ void first_bad_row_kernel(const std::int64_t* rows, std::int64_t count, std::int64_t limit,
                                     std::int64_t* result) {
  std::int64_t first = count;
  for (std::int64_t index = threadIdx.x; index < count; index += block_threads) {
    if ((rows[index] < 0 || rows[index] >= limit) && index < first) first = index;
  }
  first = across_block(first, [](std::int64_t a, std::int64_t b) { return a < b ? a : b; });
  if (threadIdx.x == 0) *result = first == count ? -1 : first;
}

template <class Unit>
__global__ void gather_kernel(const Unit* source, const std::int64_t* rows, Unit* output, std::int64_t units,
                              std::int64_t count) {
  for_each_index(count, [&](std::int64_t index) {
    output[index] = source[rows[index / units] * units + index % units];
  });
}

template <class Unit>
void launch_gather(CUstream_st* stream, const void* source, std::int64_t row_bytes, const std::int64_t* rows,
                   std::int64_t row_count, void* output) {
  const std::int64_t units = row_bytes / static_cast<std::int64_t>(sizeof(Unit));
  launch("gather_rows kernel", stream, blocks_for(row_count * units), gather_kernel<Unit>,
         static_cast<const Unit*>(source), rows, static_cast<Unit*>(output), units, row_count * units);
}

// Pooling
// ---------------------------------------------------------------------------------------------------

// Where an index of results lies: its plane, and its window's place in it.
struct window_place {
  std::int64_t plane, top, left;
};

__device__ window_place place_of(const window& moving, std::int64_t index) {
  const std::int64_t results = moving.out_height * moving.out_width;
  const std::int64_t at = index % results;
  return {index / results, at / moving.out_width * moving.stride - moving.padding,
          at % moving.out_width * moving.stride - moving.padding};
}

// Calls each(offset in the plane) for the elements under a window, row by row.
template <class Each>
__device__ void for_window(const window& moving, const window_place& place, const Each& each) {
  for (std::int64_t row = place.top < 0 ? 0 : place.top;
       row < place.top + moving.kernel_height && row < moving.height; ++row) {
    for (std::int64_t column = place.left < 0 ? 0 : place.left;
         column < place.left + moving.kernel_width && column < moving.width; ++column) {
      each(row * moving.width + column);
    }
  }
}

__global__ void max_pool_kernel(window moving, const float* input, float* output, std::int32_t* where,
                                std::int64_t count) {
  for_each_index(count, [&](std::int64_t index) {
    const window_place place = place_of(moving, index);
    const float* const plane = input + place.plane * moving.height * moving.width;
    float best = 0.0F;
    std::int64_t best_at = -1;
    for_window(moving, place, [&](std::int64_t at) {
      const float value = plane[at];
      if (best_at < 0 || value > best || (value != value && best == best)) {
        best = value;
        best_at = at;
      }
    });
    output[index] = best;
    where[index] = static_cast<std::int32_t>(best_at);
  });
}

// Where windows overlap, what they give to one element is added in the order that the threads come in.
__global__ void max_pool_backward_kernel(const float* output_gradient, const std::int32_t* where,
                                         float* input_gradient, std::int64_t results, std::int64_t plane_size,
                                         std::int64_t count) {
  for_each_index(count, [&](std::int64_t index) {
    const std::int64_t at = where[index];
    if (at < 0 || at >= plane_size) return;
    atomicAdd(input_gradient + index / results * plane_size + at, output_gradient[index]);
  });
}

__global__ void average_pool_kernel(window moving, const float* input, float* output, std::int64_t count) {
  const float share = 1.0F / static_cast<float>(moving.kernel_height * moving.kernel_width);
  for_each_index(count, [&](std::int64_t index) {
    const window_place place = place_of(moving, index);
    const float* const plane = input + place.plane * moving.height * moving.width;
    float sum = 0.0F;
    for_window(moving, place, [&](std::int64_t at) { sum += plane[at]; });
    output[index] = sum * share;
  });
}

// The first and the last window over a row or column.
struct window_range {
  std::int64_t first, last;
};

__device__ window_range windows_over(std::int64_t at, std::int64_t kernel, std::int64_t stride,
                                     std::int64_t padding, std::int64_t windows) {
  const std::int64_t shifted = at + padding;
  const std::int64_t first = shifted < kernel ? 0 : (shifted - kernel) / stride + 1;
  const std::int64_t last = shifted / stride;
  return {first, last < windows ? last : windows - 1};
}

__global__ void average_pool_backward_kernel(window moving, const float* output_gradient,
                                             float* input_gradient, std::int64_t count) {
  const float share = 1.0F / static_cast<float>(moving.kernel_height * moving.kernel_width);
  for_each_index(count, [&](std::int64_t index) {
    const std::int64_t column = index % moving.width;
    const std::int64_t row = index / moving.width % moving.height;
    const std::int64_t plane = index / moving.width / moving.height;
    const window_range down =
        windows_over(row, moving.kernel_height, moving.stride, moving.padding, moving.out_height);
    const window_range along =
        windows_over(column, moving.kernel_width, moving.stride, moving.padding, moving.out_width);
    const float* const from = output_gradient + plane * moving.out_height * moving.out_width;
    float sum = 0.0F;
    for (std::int64_t y = down.first; y <= down.last; ++y) {
      for (std::int64_t x = along.first; x <= along.last; ++x) sum += from[y * moving.out_width + x] * share;
    }
    input_gradient[index] = sum;
  });
}

// Convolution
// -----------------------------------------------------------------------------------------------

// Element (k, p) of an image's patches: k counts channels and the weight's places, p the outputs' places.
__global__ void gather_patches_kernel(patch_shape shape, const float* images, float* patches,
                                      std::int64_t count) {
  const std::int64_t places = shape.moving.out_height * shape.moving.out_width;
  const std::int64_t taps = shape.moving.kernel_height * shape.moving.kernel_width;
  for_each_index(count, [&](std::int64_t index) {
    const std::int64_t at = index % places;
    const std::int64_t tap = index / places % taps;
    const std::int64_t plane = index / places / taps;  // image * channels + channel
    const std::int64_t row = at / shape.moving.out_width * shape.moving.stride - shape.moving.padding +
                             tap / shape.moving.kernel_width;
    const std::int64_t column = at % shape.moving.out_width * shape.moving.stride - shape.moving.padding +
                                tap % shape.moving.kernel_width;
    const bool inside = row >= 0 && row < shape.moving.height && column >= 0 && column < shape.moving.width;
    patches[index] =
        inside ? images[(plane * shape.moving.height + row) * shape.moving.width + column] : 0.0F;
  });
}

// Each element of an image is the sum of those of the patches that show it.
__global__ void scatter_patches_kernel(patch_shape shape, const float* patches, float* images,
                                       std::int64_t count) {
  const window& moving = shape.moving;
  const std::int64_t places = moving.out_height * moving.out_width;
  for_each_index(count, [&](std::int64_t index) {
    const std::int64_t column = index % moving.width;
    const std::int64_t row = index / moving.width % moving.height;
    const std::int64_t plane = index / moving.width / moving.height;
    const float* const from = patches + plane * moving.kernel_height * moving.kernel_width * places;
    const window_range down =
        windows_over(row, moving.kernel_height, moving.stride, moving.padding, moving.out_height);
    const window_range along =
        windows_over(column, moving.kernel_width, moving.stride, moving.padding, moving.out_width);
    float sum = 0.0F;
    for (std::int64_t y = down.first; y <= down.last; ++y) {
      const std::int64_t tap_row = row + moving.padding - y * moving.stride;
      for (std::int64_t x = along.first; x <= along.last; ++x) {
        const std::int64_t tap = tap_row * moving.kernel_width + column + moving.padding - x * moving.stride;
        sum += from[tap * places + y * moving.out_width + x];
      }
    }
    images[index] = sum;
  });
}

__global__ void fill_channels_kernel(const float* values, float* planes, std::int64_t channels,
                                     std::int64_t plane_size, std::int64_t count) {
  for_each_index(count, [&](std::int64_t index) { planes[index] = values[index / plane_size % channels]; });
}

// A block makes one channel's sum.
__global__ void sum_channels_kernel(const float* planes, float* sums, std::int64_t images,
                                    std::int64_t channels, std::int64_t plane_size) {
  for (std::int64_t channel = blockIdx.x; channel < channels; channel += gridDim.x) {
    double sum = 0.0;
    for (std::int64_t index = threadIdx.x; index < images * plane_size; index += block_threads) {
      const std::int64_t plane = index / plane_size * channels + channel;
      sum += static_cast<double>(planes[plane * plane_size + index % plane_size]);
    }
    sum = across_block(sum, plus{});
    if (threadIdx.x == 0) sums[channel] = static_cast<float>(sum);
  }
}

__global__ void add_arrays_kernel(const float* arrays, std::int64_t arrays_count, float* sum, bool accumulate,
                                  std::int64_t size) {
  for_each_index(size, [&](std::int64_t index) {
    float total = accumulate ? sum[index] : 0.0F;
    for (std::int64_t array = 0; array < arrays_count; ++array) total += arrays[array * size + index];
    sum[index] = total;
  });
}

}  // namespace

void gpu::normalize_images(CUstream_st* stream, const std::uint8_t* pixels, float* output,
                           std::int64_t images, std::int64_t pixel_count, std::int64_t channels,
                           const float* scale, const float* shift) {
  if (channels > most_channels) {
    throw invalid_argument("normalize_images: a GPU takes at most 64 channels");
  }
  channel_coefficients each{};
  std::memcpy(each.scale, scale, static_cast<std::size_t>(channels) * sizeof(float));
  std::memcpy(each.shift, shift, static_cast<std::size_t>(channels) * sizeof(float));
  const std::int64_t count = images * pixel_count * channels;
  launch("normalize_images kernel", stream, blocks_for(count), normalize_images_kernel, pixels, output,
         pixel_count, channels, each, count);
}

void gpu::normalize(CUstream_st* stream, const normalize_arguments& arguments, std::int64_t rows) {
  const std::int64_t count = rows * arguments.columns;
  launch("normalize kernel", stream, blocks_for(count), normalize_kernel, arguments, count);
}

void gpu::find_bad_row(CUstream_st* stream, const std::int64_t* rows, std::int64_t count, std::int64_t limit,
                       std::int64_t* result) {
  launch("check of the rows", stream, 1, first_bad_row_kernel, rows, count, limit, result);
}

void gpu::gather(CUstream_st* stream, const void* source, std::int64_t row_bytes, const std::int64_t* rows,
                 std::int64_t row_count, void* output) {
  const auto fits = [&](std::uintptr_t unit) {
    return (reinterpret_cast<std::uintptr_t>(source) | reinterpret_cast<std::uintptr_t>(output) |
            static_cast<std::uintptr_t>(row_bytes)) %
               unit ==
           0;
  };
  if (fits(16)) {
    launch_gather<pack<float>>(stream, source, row_bytes, rows, row_count, output);
  } else if (fits(4)) {
    launch_gather<std::uint32_t>(stream, source, row_bytes, rows, row_count, output);
  } else {
    launch_gather<std::uint8_t>(stream, source, row_bytes, rows, row_count, output);
  }
}

void gpu::max_pool(CUstream_st* stream, const window& moving, const float* input, float* output,
                   std::int32_t* where, std::int64_t planes) {
  const std::int64_t count = planes * moving.out_height * moving.out_width;
  launch("max_pool2d kernel", stream, blocks_for(count), max_pool_kernel, moving, input, output, where,
         count);
}

void gpu::max_pool_backward(CUstream_st* stream, const float* output_gradient, const std::int32_t* where,
                            float* input_gradient, std::int64_t results, std::int64_t plane_size,
                            std::int64_t planes) {
  check_cuda(cudaMemsetAsync(input_gradient, 0, static_cast<std::size_t>(planes * plane_size) * sizeof(float),
                             stream),
             "cudaMemsetAsync");
  if (planes * results == 0) return;
  launch("max_pool2d_backward kernel", stream, blocks_for(planes * results), max_pool_backward_kernel,
         output_gradient, where, input_gradient, results, plane_size, planes * results);
}

void gpu::average_pool(CUstream_st* stream, const window& moving, const float* input, float* output,
                       std::int64_t planes) {
  const std::int64_t count = planes * moving.out_height * moving.out_width;
  launch("average_pool2d kernel", stream, blocks_for(count), average_pool_kernel, moving, input, output,
         count);
}

void gpu::average_pool_backward(CUstream_st* stream, const window& moving, const float* output_gradient,
                                float* input_gradient, std::int64_t planes) {
  const std::int64_t count = planes * moving.height * moving.width;
  launch("average_pool2d_backward kernel", stream, blocks_for(count), average_pool_backward_kernel, moving,
         output_gradient, input_gradient, count);
}

void gpu::gather_patches(CUstream_st* stream, const patch_shape& shape, const float* images, float* patches,
                         std::int64_t image_count) {
  const std::int64_t count = image_count * shape.rows() * shape.columns();
  launch("conv2d's patches", stream, blocks_for(count), gather_patches_kernel, shape, images, patches, count);
}

void gpu::scatter_patches(CUstream_st* stream, const patch_shape& shape, const float* patches, float* images,
                          std::int64_t image_count) {
  const std::int64_t count = image_count * shape.channels * shape.moving.height * shape.moving.width;
  if (count == 0) return;
  launch("conv2d_backward's patches", stream, blocks_for(count), scatter_patches_kernel, shape, patches,
         images, count);
}

void gpu::fill_channels(CUstream_st* stream, const float* values, float* planes, std::int64_t images,
                        std::int64_t channels, std::int64_t plane_size) {
  const std::int64_t count = images * channels * plane_size;
  launch("conv2d's bias", stream, blocks_for(count), fill_channels_kernel, values, planes, channels,
         plane_size, count);
}

void gpu::sum_channels(CUstream_st* stream, const float* planes, float* sums, std::int64_t images,
                       std::int64_t channels, std::int64_t plane_size) {
  launch("conv2d_backward's bias", stream, one_block_for_each(channels), sum_channels_kernel, planes, sums,
         images, channels, plane_size);
}

void gpu::add_arrays(CUstream_st* stream, const float* arrays, std::int64_t count, float* sum,
                     bool accumulate, std::int64_t size) {
  launch("conv2d_backward's sum", stream, blocks_for(size), add_arrays_kernel, arrays, count, sum, accumulate,
         size);
}

}  // namespace weft::detail
