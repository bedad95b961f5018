#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <weft/compute/kernels/conv2d.hpp>

#include <algorithm>  // for std::clamp, std::copy_n, std::fill_n, std::min
#include <cstddef>    // for std::byte, std::size_t
#include <string>     // for std::to_string
#include <vector>     // for std::vector

namespace weft {
namespace {

// The weight's gradient is summed up in so many parts of the batch, and in blocks of about so many floats.
constexpr std::int64_t most_parts = 16;
constexpr std::int64_t sums_together = 65536;

// The patches of one image as a matrix: a row for each element of the weight, a column for each output.
class patches {
 public:
  patches(const conv2d_options& options, const shape<4>& input, const shape<4>& weight,
          const shape<4>& output)
      : options_(options), input_(input), weight_(weight), output_(output) {}

  std::int64_t rows() const { return weight_[1] * weight_[2] * weight_[3]; }
  std::int64_t columns() const { return output_[2] * output_[3]; }
  std::int64_t size() const { return rows() * columns(); }

  // Writes the matrix of an image.
  void gather(const float* image, float* matrix) const {
    walk([&](std::int64_t row, std::int64_t column, std::int64_t at) {
      matrix[row * columns() + column] = at < 0 ? 0.0F : image[at];
    });
  }

  // Adds the matrix up into an image of zeros.
  void scatter(const float* matrix, float* image) const {
    std::fill_n(image, input_[1] * input_[2] * input_[3], 0.0F);
    walk([&](std::int64_t row, std::int64_t column, std::int64_t at) {
      if (at >= 0) image[at] += matrix[row * columns() + column];
    });
  }

 private:
  // Calls each(row, column, place in the image or -1), row by row.
  template <class Each>
  void walk(const Each& each) const {
    std::int64_t row = 0;
    for (std::int64_t channel = 0; channel < weight_[1]; ++channel) {
      for (std::int64_t down = 0; down < weight_[2]; ++down) {
        for (std::int64_t along = 0; along < weight_[3]; ++along, ++row) {
          for (std::int64_t y = 0; y < output_[2]; ++y) {
            const std::int64_t from_row = y * options_.stride - options_.padding + down;
            const bool inside = from_row >= 0 && from_row < input_[2];
            const std::int64_t line = (channel * input_[2] + from_row) * input_[3];
            for (std::int64_t x = 0; x < output_[3]; ++x) {
              const std::int64_t from_column = x * options_.stride - options_.padding + along;
              each(row, y * output_[3] + x,
                   inside && from_column >= 0 && from_column < input_[3] ? line + from_column : -1);
            }
          }
        }
      }
    }
  }

  conv2d_options options_;
  shape<4> input_, weight_, output_;
};

// Planes with a border of zeros, for convolutions of stride 1.
class bordered {
 public:
  bordered(const shape<4>& images, std::int64_t rows, std::int64_t columns)
      : channels_(images[1]), height_(images[2]), width_(images[3]), rows_(rows), columns_(columns) {}

  std::int64_t width() const { return width_ + 2 * columns_; }
  std::int64_t plane() const { return (height_ + 2 * rows_) * width(); }
  std::int64_t size() const { return channels_ * plane() + 2 * detail::most_lanes; }

  void copy(const float* image, float* to) const {
    std::fill_n(to, size(), 0.0F);
    for (std::int64_t channel = 0; channel < channels_; ++channel) {
      float* first = to + channel * plane() + rows_ * width() + columns_;
      for (std::int64_t y = 0; y < height_; ++y) {
        std::copy_n(image + (channel * height_ + y) * width_, width_, first + y * width());
      }
    }
  }

  // Where the elements of a patch of the kernel's height and width lie, from its first one.
  std::vector<std::int64_t> offsets(std::int64_t kernel_height, std::int64_t kernel_width) const {
    std::vector<std::int64_t> all;
    for (std::int64_t channel = 0; channel < channels_; ++channel) {
      for (std::int64_t y = 0; y < kernel_height; ++y) {
        for (std::int64_t x = 0; x < kernel_width; ++x) all.push_back(channel * plane() + y * width() + x);
      }
    }
    return all;
  }

 private:
  std::int64_t channels_, height_, width_, rows_, columns_;
};

// output = weight * patches + bias at stride 1, image by image.
void convolve(const cpu_context& context, tensor_view<const float, 4> input, const bordered& border,
              const float* weight, const float* bias, const shape<4>& kernel, tensor_view<float, 4> output) {
  const std::vector<std::int64_t> offsets = border.offsets(kernel[2], kernel[3]);
  const shape<4>& extents = output.extents();
  const std::int64_t from = input.size() / extents[0];
  const std::int64_t to = output.size() / extents[0];
  const auto run = detail::kernels_of(context.level()).convolve;
  context.parallel_for(extents[0], [&](std::int64_t index) {
    const std::int64_t sums = extents[1] * (extents[2] * border.width() + 2 * detail::most_lanes);
    float* padded = detail::thread_scratch(border.size() + sums);
    border.copy(input.data() + index * from, padded);
    run({.padded = padded,
         .offsets = offsets.data(),
         .weight = weight,
         .bias = bias,
         .output = output.data() + index * to,
         .outputs = extents[1],
         .depth = static_cast<std::int64_t>(offsets.size()),
         .width = border.width(),
         .out_height = extents[2],
         .out_width = extents[3]},
        padded + border.size());
  });
}

// The kernel over the tiles of one product, on the calling thread.
void run_serially(isa level, const detail::product_arguments& arguments, std::int64_t rows,
                  std::int64_t columns) {
  const auto kernel = detail::kernels_of(level).product;
  const detail::tile_grid grid(rows, columns, arguments.depth, detail::tile_order::down_columns);
  float* scratch = detail::thread_scratch(arguments.depth * detail::tile_columns);
  for (std::int64_t tile = 0; tile < grid.count(); ++tile) kernel(arguments, grid.at(tile), scratch);
}

void convolve_with_stride(const cpu_context& context, const patches& matrix,
                          tensor_view<const float, 4> input, const float* weight,
                          tensor_view<const float, 1> bias, tensor_view<float, 4> output) {
  const std::int64_t outputs = output.extent(1);
  const std::int64_t image = input.size() / input.extent(0);
  context.parallel_for(input.extent(0), [&](std::int64_t index) {
    std::vector<float> columns(static_cast<std::size_t>(matrix.size()));
    matrix.gather(input.data() + index * image, columns.data());
    float* result = output.data() + index * outputs * matrix.columns();
    for (std::int64_t channel = 0; channel < outputs; ++channel) {
      std::fill_n(result + channel * matrix.columns(), matrix.columns(), bias(channel));
    }
    run_serially(context.level(),
                 {.left = weight,
                  .left_row = matrix.rows(),
                  .left_depth = 1,
                  .right = {columns.data(), matrix.columns()},
                  .right_transposed = false,
                  .bias = nullptr,
                  .output = {result, matrix.columns()},
                  .depth = matrix.rows(),
                  .after = activation::none,
                  .accumulate = true},
                 outputs, matrix.columns());
  });
}

// transpose(weight) * output_gradient gives the patches' gradient, image by image.
void spread_gradient(const cpu_context& context, const patches& matrix, const float* weight,
                     tensor_view<const float, 4> output_gradient, tensor_view<float, 4> input_gradient) {
  const std::int64_t outputs = output_gradient.extent(1);
  const std::int64_t image = input_gradient.size() / input_gradient.extent(0);
  context.parallel_for(input_gradient.extent(0), [&](std::int64_t index) {
    std::vector<float> gathered(static_cast<std::size_t>(matrix.size()));
    run_serially(context.level(),
                 {.left = weight,
                  .left_row = 1,
                  .left_depth = matrix.rows(),
                  .right = {output_gradient.data() + index * outputs * matrix.columns(), matrix.columns()},
                  .right_transposed = false,
                  .bias = nullptr,
                  .output = {gathered.data(), matrix.columns()},
                  .depth = outputs,
                  .after = activation::none,
                  .accumulate = false},
                 matrix.rows(), matrix.columns());
    matrix.scatter(gathered.data(), input_gradient.data() + index * image);
  });
}

// At stride 1 the input's gradient is the convolution of the output's with the weight turned round.
void convolve_back(const cpu_context& context, const conv2d_options& options,
                   tensor_view<const float, 4> weight, tensor_view<const float, 4> output_gradient,
                   tensor_view<float, 4> input_gradient) {
  const auto [outputs, channels, height, width] = weight.extents();
  tensor<float, 4> turned({channels, outputs, height, width});
  for (std::int64_t o = 0; o < outputs; ++o) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
          turned(c, o, height - 1 - y, width - 1 - x) = weight(o, c, y, x);
        }
      }
    }
  }
  const bordered border(output_gradient.extents(), height - 1 - options.padding, width - 1 - options.padding);
  convolve(context, output_gradient, border, turned.data(), nullptr, turned.extents(), input_gradient);
}

// The product output_gradient * transpose(patches), a row of the tile grid after the other, image by image.
void add_products(const cpu_context& context, const patches& matrix, tensor_view<const float, 4> input,
                  tensor_view<const float, 4> output_gradient, tensor_view<float, 4> weight_gradient) {
  const std::int64_t images = input.extent(0);
  const std::int64_t outputs = output_gradient.extent(1);
  const std::int64_t columns = matrix.columns();
  const std::int64_t image = input.size() / images;
  std::fill_n(weight_gradient.data(), weight_gradient.size(), 0.0F);
  const auto kernel = detail::kernels_of(context.level()).product;
  const detail::tile_grid grid(outputs, matrix.rows(), columns, detail::tile_order::down_columns);
  std::vector<float> gathered(static_cast<std::size_t>(matrix.size()));
  for (std::int64_t index = 0; index < images; ++index) {
    matrix.gather(input.data() + index * image, gathered.data());
    const detail::product_arguments arguments{.left = output_gradient.data() + index * outputs * columns,
                                              .left_row = columns,
                                              .left_depth = 1,
                                              .right = {gathered.data(), columns},
                                              .right_transposed = true,
                                              .bias = nullptr,
                                              .output = {weight_gradient.data(), matrix.rows()},
                                              .depth = columns,
                                              .after = activation::none,
                                              .accumulate = true};
    context.parallel_for(grid.count(), [&](std::int64_t tile) {
      kernel(arguments, grid.at(tile), detail::thread_scratch(columns * detail::tile_columns));
    });
  }
}

// The same at stride 1, in parts of the batch that are summed in order.
void correlate(const cpu_context& context, const conv2d_options& options, tensor_view<const float, 4> input,
               tensor_view<const float, 4> output_gradient, tensor_view<float, 4> weight_gradient) {
  const std::int64_t images = output_gradient.extent(0);
  const std::int64_t outputs = output_gradient.extent(1);
  const std::int64_t out_height = output_gradient.extent(2);
  const std::int64_t out_width = output_gradient.extent(3);
  const bordered border(input.extents(), options.padding, options.padding);
  const std::vector<std::int64_t> offsets =
      border.offsets(weight_gradient.extent(2), weight_gradient.extent(3));
  const auto depth = static_cast<std::int64_t>(offsets.size());
  // Rows of the gradient are as far apart as those of the padded input.
  const std::int64_t columns = ((out_height - 1) * border.width() + out_width + detail::most_lanes - 1) /
                               detail::most_lanes * detail::most_lanes;
  const std::int64_t parts = std::min(images, most_parts);
  const std::int64_t at_once =
      std::min(outputs, std::max<std::int64_t>(4, sums_together / (depth * detail::most_lanes)));
  const std::int64_t blocks = (outputs + at_once - 1) / at_once;
  std::vector<float> results(static_cast<std::size_t>(parts * outputs * depth));
  const auto run = detail::kernels_of(context.level()).correlate;
  const std::int64_t image = input.size() / images;
  context.parallel_for(parts * blocks, [&](std::int64_t task) {
    const std::int64_t part = task / blocks;
    const std::int64_t first_output = task % blocks * at_once;
    const std::int64_t height = std::min(at_once, outputs - first_output);
    float* padded = detail::thread_scratch(border.size() + height * (columns + depth * detail::most_lanes));
    float* gradient = padded + border.size();
    float* sums = gradient + height * columns;
    const std::int64_t begin = images * part / parts;
    const std::int64_t end = images * (part + 1) / parts;
    for (std::int64_t index = begin; index < end; ++index) {
      border.copy(input.data() + index * image, padded);
      std::fill_n(gradient, height * columns, 0.0F);
      for (std::int64_t row = 0; row < height; ++row) {
        const float* from =
            output_gradient.data() + (index * outputs + first_output + row) * out_height * out_width;
        for (std::int64_t y = 0; y < out_height; ++y) {
          std::copy_n(from + y * out_width, out_width, gradient + row * columns + y * border.width());
        }
      }
      run({.padded = padded,
           .offsets = offsets.data(),
           .gradient = gradient,
           .result = results.data() + (part * outputs + first_output) * depth,
           .outputs = height,
           .depth = depth,
           .columns = columns},
          sums, index == begin, index + 1 == end);
    }
  });
  const std::int64_t size = outputs * depth;
  for (std::int64_t i = 0; i < size; ++i) {
    float sum = 0.0F;
    for (std::int64_t part = 0; part < parts; ++part) {
      sum += results[static_cast<std::size_t>(part * size + i)];
    }
    weight_gradient.data()[i] = sum;
  }
}

// Plane after plane of the output's gradient.
void sum_bias(const cpu_context& context, tensor_view<const float, 4> output_gradient,
              tensor_view<float, 1> bias_gradient) {
  const std::int64_t outputs = output_gradient.extent(1);
  const std::int64_t plane = output_gradient.extent(2) * output_gradient.extent(3);
  const auto run = detail::kernels_of(context.level()).reduce_row;
  context.parallel_for(outputs, [&](std::int64_t channel) {
    double sum = 0.0;
    for (std::int64_t index = 0; index < output_gradient.extent(0); ++index) {
      detail::partial partial{};
      run(detail::reduction::sum, detail::number::float32,
          output_gradient.data() + (index * outputs + channel) * plane, plane, partial);
      sum += partial.real;
    }
    bias_gradient(channel) = static_cast<float>(sum);
  });
}

void run_backward(const cpu_context& context, const conv2d_options& options,
                  tensor_view<const float, 4> input, tensor_view<const float, 4> weight,
                  tensor_view<const float, 4> output_gradient, const tensor_view<float, 4>* input_gradient,
                  tensor_view<float, 4> weight_gradient, tensor_view<float, 1> bias_gradient) {
  const shape<4> expected = convolved_shape(options, input.extents(), weight.extents());
  require_same_shape("conv2d_backward", "output_gradient", output_gradient.extents(), "the convolution",
                     expected);
  if (input_gradient != nullptr) {
    require_same_shape("conv2d_backward", "input_gradient", input_gradient->extents(), "input",
                       input.extents());
  }
  require_same_shape("conv2d_backward", "weight_gradient", weight_gradient.extents(), "weight",
                     weight.extents());
  require_same_shape("conv2d_backward", "bias_gradient", bias_gradient.extents(), "the weight's outputs",
                     shape<1>{weight.extent(0)});
  sum_bias(context, output_gradient, bias_gradient);
  if (output_gradient.empty() || weight.empty()) {
    std::fill_n(weight_gradient.data(), weight_gradient.size(), 0.0F);
    if (input_gradient != nullptr) std::fill_n(input_gradient->data(), input_gradient->size(), 0.0F);
    return;
  }
  const patches matrix(options, input.extents(), weight.extents(), expected);
  if (options.stride == 1) {
    correlate(context, options, input, output_gradient, weight_gradient);
  } else {
    add_products(context, matrix, input, output_gradient, weight_gradient);
  }
  if (input_gradient == nullptr) return;
  if (options.stride == 1 && options.padding < std::min(weight.extent(2), weight.extent(3))) {
    convolve_back(context, options, weight, output_gradient, *input_gradient);
  } else {
    spread_gradient(context, matrix, weight.data(), output_gradient, *input_gradient);
  }
}

}  // namespace

shape<4> convolved_shape(const conv2d_options& options, const shape<4>& input, const shape<4>& weight) {
  if (options.stride < 1) {
    throw invalid_argument("conv2d: stride is " + std::to_string(options.stride) + ": it must be above 0");
  }
  if (options.padding < 0) {
    throw invalid_argument("conv2d: padding is " + std::to_string(options.padding) +
                           ": it must be at least 0");
  }
  shape<4> result{input[0], weight[0], 0, 0};
  bool fits = input[1] == weight[1];
  for (const std::size_t axis : {2U, 3U}) {
    const std::int64_t room = input[axis] + 2 * options.padding - weight[axis];
    fits = fits && room >= 0 && weight[axis] > 0;
    result[axis] = room / options.stride + 1;
  }
  if (fits) return result;
  throw shape_error("conv2d: input has shape " + to_string(input) + " but weight has shape " +
                    to_string(weight) +
                    ": their channels must be equal and the weight within the padded input");
}

void conv2d::operator()(const cpu_context& context, tensor_view<const float, 4> input,
                        tensor_view<const float, 4> weight, tensor_view<const float, 1> bias,
                        tensor_view<float, 4> output) const {
  const shape<4> expected = convolved_shape(options, input.extents(), weight.extents());
  require_same_shape("conv2d", "output", output.extents(), "the convolution", expected);
  require_same_shape("conv2d", "bias", bias.extents(), "the weight's outputs", shape<1>{weight.extent(0)});
  if (output.empty()) return;
  if (options.stride == 1) {
    const bordered border(input.extents(), options.padding, options.padding);
    convolve(context, input, border, weight.data(), bias.data(), weight.extents(), output);
  } else {
    convolve_with_stride(context, patches(options, input.extents(), weight.extents(), expected), input,
                         weight.data(), bias, output);
  }
}

void conv2d_backward::operator()(const cpu_context& context, tensor_view<const float, 4> input,
                                 tensor_view<const float, 4> weight,
                                 tensor_view<const float, 4> output_gradient,
                                 tensor_view<float, 4> input_gradient, tensor_view<float, 4> weight_gradient,
                                 tensor_view<float, 1> bias_gradient) const {
  run_backward(context, options, input, weight, output_gradient, &input_gradient, weight_gradient,
               bias_gradient);
}

void conv2d_backward::operator()(const cpu_context& context, tensor_view<const float, 4> input,
                                 tensor_view<const float, 4> weight,
                                 tensor_view<const float, 4> output_gradient,
                                 tensor_view<float, 4> weight_gradient,
                                 tensor_view<float, 1> bias_gradient) const {
  run_backward(context, options, input, weight, output_gradient, nullptr, weight_gradient, bias_gradient);
}

namespace {

// The device memory of a convolution: product_workspace bytes, and the patches of some images.
struct device_patches {
  device_patches(const cuda_context& context, const conv2d_options& options, const shape<4>& input,
                 const shape<4>& weight, const shape<4>& output, std::int64_t more_floats_an_image)
      : shape{.channels = input[1],
              .moving = {.height = input[2],
                         .width = input[3],
                         .out_height = output[2],
                         .out_width = output[3],
                         .kernel_height = weight[2],
                         .kernel_width = weight[3],
                         .stride = options.stride,
                         .padding = options.padding}} {
    constexpr std::int64_t most_floats = std::int64_t{1} << 26;
    const std::int64_t an_image = shape.rows() * shape.columns() + more_floats_an_image;
    together = std::clamp<std::int64_t>(most_floats / an_image, 1, input[0]);
    const auto floats = static_cast<std::size_t>(together * an_image);
    workspace = context.scratch(detail::product_workspace + floats * sizeof(float));
    data = reinterpret_cast<float*>(static_cast<std::byte*>(workspace) + detail::product_workspace);
    more = data + together * shape.rows() * shape.columns();
  }

  detail::patch_shape shape;
  std::int64_t together;  // images at a time
  void* workspace;
  float* data;
  float* more;
};

}  // namespace

void conv2d::operator()(const cuda_context& context, tensor_view<const float, 4> input,
                        tensor_view<const float, 4> weight, tensor_view<const float, 1> bias,
                        tensor_view<float, 4> output) const {
  const shape<4> expected = convolved_shape(options, input.extents(), weight.extents());
  require_same_shape("conv2d", "output", output.extents(), "the convolution", expected);
  require_same_shape("conv2d", "bias", bias.extents(), "the weight's outputs", shape<1>{weight.extent(0)});
  if (output.empty()) return;
  const detail::cuda_kernel_table& kernels = context.kernels();
  const std::int64_t outputs = expected[1];
  const std::int64_t columns = expected[2] * expected[3];
  kernels.fill_channels(context.stream(), bias.data(), output.data(), expected[0], outputs, columns);
  if (weight.empty()) return;
  const device_patches patches(context, options, input.extents(), weight.extents(), expected, 0);
  const std::int64_t rows = patches.shape.rows();
  const std::int64_t image = input.size() / input.extent(0);
  for (std::int64_t first = 0; first < input.extent(0); first += patches.together) {
    const std::int64_t images = std::min(patches.together, input.extent(0) - first);
    kernels.gather_patches(context.stream(), patches.shape, input.data() + first * image, patches.data,
                           images);
    kernels.product(context,
                    {.type = detail::product_type::float32,
                     .left = weight.data(),
                     .left_row = rows,
                     .left_depth = 1,
                     .left_step = 0,
                     .right = patches.data,
                     .right_stride = columns,
                     .right_step = rows * columns,
                     .right_transposed = false,
                     .bias = nullptr,
                     .output = output.data() + first * outputs * columns,
                     .rows = outputs,
                     .columns = columns,
                     .depth = rows,
                     .batch = images,
                     .after = activation::none,
                     .accumulate = true},
                    patches.workspace);
  }
}

namespace {

// A null input_gradient is not wanted.
void run_backward(const cuda_context& context, const conv2d_options& options,
                  tensor_view<const float, 4> input, tensor_view<const float, 4> weight,
                  tensor_view<const float, 4> output_gradient, float* input_gradient,
                  tensor_view<float, 4> weight_gradient, tensor_view<float, 1> bias_gradient) {
  const shape<4> expected = convolved_shape(options, input.extents(), weight.extents());
  require_same_shape("conv2d_backward", "output_gradient", output_gradient.extents(), "the convolution",
                     expected);
  require_same_shape("conv2d_backward", "weight_gradient", weight_gradient.extents(), "weight",
                     weight.extents());
  require_same_shape("conv2d_backward", "bias_gradient", bias_gradient.extents(), "the weight's outputs",
                     shape<1>{weight.extent(0)});
  const detail::cuda_kernel_table& kernels = context.kernels();
  const std::int64_t outputs = expected[1];
  const std::int64_t columns = expected[2] * expected[3];
  const std::int64_t batch = expected[0];
  if (!bias_gradient.empty()) {
    kernels.sum_channels(context.stream(), output_gradient.data(), bias_gradient.data(), batch, outputs,
                         columns);
  }
  if (output_gradient.empty() || weight.empty()) {
    // Nothing reaches the input or the weight.
    if (input_gradient != nullptr && !input.empty()) {
      kernels.add_arrays(context.stream(), nullptr, 0, input_gradient, false, input.size());
    }
    if (!weight.empty()) {
      kernels.add_arrays(context.stream(), nullptr, 0, weight_gradient.data(), false, weight.size());
    }
    return;
  }
  const device_patches patches(context, options, input.extents(), weight.extents(), expected, weight.size());
  const std::int64_t rows = patches.shape.rows();
  const std::int64_t image = input.size() / batch;
  for (std::int64_t first = 0; first < batch; first += patches.together) {
    const std::int64_t images = std::min(patches.together, batch - first);
    const float* const gradient = output_gradient.data() + first * outputs * columns;
    if (input_gradient != nullptr) {
      // The input's gradient: transpose(weight) * output_gradient gives the patches', image by image.
      kernels.product(context,
                      {.type = detail::product_type::float32,
                       .left = weight.data(),
                       .left_row = 1,
                       .left_depth = rows,
                       .left_step = 0,
                       .right = gradient,
                       .right_stride = columns,
                       .right_step = outputs * columns,
                       .right_transposed = false,
                       .bias = nullptr,
                       .output = patches.data,
                       .rows = rows,
                       .columns = columns,
                       .depth = outputs,
                       .batch = images,
                       .after = activation::none,
                       .accumulate = false},
                      patches.workspace);
      kernels.scatter_patches(context.stream(), patches.shape, patches.data, input_gradient + first * image,
                              images);
    }
    // The weight's: output_gradient * transpose(patches), image by image, and then added up in order.
    kernels.gather_patches(context.stream(), patches.shape, input.data() + first * image, patches.data,
                           images);
    kernels.product(context,
                    {.type = detail::product_type::float32,
                     .left = gradient,
                     .left_row = columns,
                     .left_depth = 1,
                     .left_step = outputs * columns,
                     .right = patches.data,
                     .right_stride = columns,
                     .right_step = rows * columns,
                     .right_transposed = true,
                     .bias = nullptr,
                     .output = patches.more,
                     .rows = outputs,
                     .columns = rows,
                     .depth = columns,
                     .batch = images,
                     .after = activation::none,
                     .accumulate = false},
                    patches.workspace);
    kernels.add_arrays(context.stream(), patches.more, images, weight_gradient.data(), first > 0,
                       weight.size());
  }
}

}  // namespace

void conv2d_backward::operator()(const cuda_context& context, tensor_view<const float, 4> input,
                                 tensor_view<const float, 4> weight,
                                 tensor_view<const float, 4> output_gradient,
                                 tensor_view<float, 4> input_gradient, tensor_view<float, 4> weight_gradient,
                                 tensor_view<float, 1> bias_gradient) const {
  require_same_shape("conv2d_backward", "input_gradient", input_gradient.extents(), "input", input.extents());
  run_backward(context, options, input, weight, output_gradient, input_gradient.data(), weight_gradient,
               bias_gradient);
}

void conv2d_backward::operator()(const cuda_context& context, tensor_view<const float, 4> input,
                                 tensor_view<const float, 4> weight,
                                 tensor_view<const float, 4> output_gradient,
                                 tensor_view<float, 4> weight_gradient,
                                 tensor_view<float, 1> bias_gradient) const {
  run_backward(context, options, input, weight, output_gradient, nullptr, weight_gradient, bias_gradient);
}

}  // namespace weft
