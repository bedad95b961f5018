#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <compute/winograd.hpp>
#include <weft/compute/kernels/conv2d.hpp>

#include <algorithm>  // for std::clamp, std::copy_n, std::fill_n, std::max, std::min, std::reverse_copy
#include <cstddef>    // for std::byte, std::size_t
#include <limits>     // for std::numeric_limits
#include <string>     // for std::to_string
#include <vector>     // for std::vector

namespace weft {
namespace {

// Work is cut into so many tasks where there are as many images or an image is worth several.
constexpr std::int64_t least_tasks = 16;

// For the weight's gradient without a matrix of patches, each task copies images, of which about so many
// floats lie in a cache together. It has so many products for each element it copies, or outputs, to be worth
// that.
constexpr std::int64_t padded_together = 131072;
constexpr std::int64_t products_of_a_copy = 288;
constexpr std::int64_t least_outputs = 8;

// With a matrix of patches, so many of its columns are multiplied together or more. About so many, or so many
// elements, lie in a cache. To gather one element takes as long as so many products.
constexpr std::int64_t least_positions = 128;
constexpr std::int64_t positions_together = 1024;
constexpr std::int64_t patch_elements_together = 262144;
constexpr std::int64_t products_of_a_patch_element = 32;

// Parts of an image have so many operations, columns and outputs, to be worth the rows and channels that each
// copies and to fill the kernel's registers.
constexpr std::int64_t operations_of_a_piece = 3'500'000;
constexpr std::int64_t least_columns = 256;
constexpr std::int64_t least_outputs_of_a_piece = 64;

// Some rows, or channels, of an image.
struct range {
  std::int64_t begin, end;

  std::int64_t size() const { return end - begin; }
};

// The patches of one image as a matrix: a row for each element of the weight, a column for each output.
class patches {
 public:
  patches(const conv2d_options& options, const shape<4>& input, const shape<4>& weight,
          const shape<4>& output)
      : options_(options), input_(input), weight_(weight), output_(output) {}

  std::int64_t rows() const { return weight_[1] * window(); }
  std::int64_t window() const { return weight_[2] * weight_[3]; }
  std::int64_t columns() const { return output_[2] * output_[3]; }
  std::int64_t size() const { return rows() * columns(); }

  // Writes the rows of some channels and the columns of some of the output's rows; rows lie `stride` apart.
  void gather(const float* image, const range& channels, const range& band, float* matrix,
              std::int64_t stride) const {
    walk(channels, band, image,
         [&](std::int64_t row, std::int64_t y, const float* line, std::int64_t first, std::int64_t count) {
           float* to = matrix + row * stride + (y - band.begin) * output_[3];
           to = std::fill_n(to, first, 0.0F);
           for (std::int64_t x = 0; x < count; ++x) to[x] = line[x * options_.stride];
           std::fill_n(to + count, output_[3] - first - count, 0.0F);
         });
  }

  // Adds the rows of some channels up into their planes of zeros.
  void scatter(const float* matrix, const range& channels, float* image) const {
    const std::int64_t plane = input_[2] * input_[3];
    std::fill_n(image + channels.begin * plane, channels.size() * plane, 0.0F);
    walk(channels, {0, output_[2]}, image,
         [&](std::int64_t row, std::int64_t y, float* line, std::int64_t first, std::int64_t count) {
           const float* from = matrix + row * columns() + y * output_[3] + first;
           for (std::int64_t x = 0; x < count; ++x) line[x * options_.stride] += from[x];
         });
  }

 private:
  // Calls each(row, y, first element of the image, first column, count) for every row of the matrix in every
  // row y of the output. Columns that are not counted lie in the border.
  template <class Element, class Each>
  void walk(const range& channels, const range& band, Element* image, const Each& each) const {
    std::int64_t row = 0;
    for (std::int64_t channel = channels.begin; channel < channels.end; ++channel) {
      for (std::int64_t down = 0; down < weight_[2]; ++down) {
        for (std::int64_t along = 0; along < weight_[3]; ++along, ++row) {
          const range columns = inside(along - options_.padding, input_[3], {0, output_[3]});
          const range rows = inside(down - options_.padding, input_[2], band);
          for (std::int64_t y = band.begin; y < band.end; ++y) {
            if (y < rows.begin || y >= rows.end || columns.size() == 0) {
              each(row, y, image, 0, 0);
              continue;
            }
            const std::int64_t from_row = y * options_.stride - options_.padding + down;
            const std::int64_t from_column = columns.begin * options_.stride - options_.padding + along;
            each(row, y, image + (channel * input_[2] + from_row) * input_[3] + from_column, columns.begin,
                 columns.size());
          }
        }
      }
    }
  }

  // Which of some outputs have an input at their place times the stride, moved by so much.
  range inside(std::int64_t moved, std::int64_t inputs, const range& outputs) const {
    const auto first_at = [&](std::int64_t place) {  // the first output whose input is not before that place
      const std::int64_t from = std::max<std::int64_t>(0, place - moved);
      return std::clamp((from + options_.stride - 1) / options_.stride, outputs.begin, outputs.end);
    };
    return {first_at(0), first_at(inputs)};
  }

  conv2d_options options_;
  shape<4> input_, weight_, output_;
};

// Some rows of planes that have a border of zeros, for convolutions of stride 1.
class bordered {
 public:
  // `rows` and `columns` of zeros on either side; `height` rows at a time, by default all.
  bordered(const shape<4>& images, std::int64_t rows, std::int64_t columns)
      : bordered(images, rows, columns, images[2] + 2 * rows) {}
  bordered(const shape<4>& images, std::int64_t rows, std::int64_t columns, std::int64_t height)
      : channels_(images[1]),
        image_height_(images[2]),
        image_width_(images[3]),
        rows_(rows),
        columns_(columns),
        height_(height) {}

  std::int64_t width() const { return image_width_ + 2 * columns_; }
  std::int64_t plane() const { return height_ * width(); }
  std::int64_t size() const { return channels_ * plane() + 2 * detail::most_lanes; }

  // The rows from `first` on, counted from the border's first.
  void copy(const float* image, std::int64_t first, float* to) const {
    std::fill_n(to, size(), 0.0F);
    const std::int64_t begin = std::max<std::int64_t>(0, first - rows_);
    const std::int64_t end = std::min(image_height_, first + height_ - rows_);
    for (std::int64_t channel = 0; channel < channels_; ++channel) {
      for (std::int64_t y = begin; y < end; ++y) {
        std::copy_n(image + (channel * image_height_ + y) * image_width_, image_width_,
                    to + channel * plane() + (y + rows_ - first) * width() + columns_);
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
  std::int64_t channels_, image_height_, image_width_, rows_, columns_, height_;
};

// A batch in pieces: its images, cut in parts where there are few of them.
class pieces {
 public:
  enum class cut { rows, outputs };

  // Every element of the output is the sum of so many products. Parts have about `most_columns` or fewer.
  pieces(const shape<4>& output, std::int64_t depth, cut by,
         std::int64_t most_columns = std::numeric_limits<std::int64_t>::max())
      : images_(output[0]), length_(by == cut::rows ? output[2] : output[1]), by_(by) {
    operations_ = 2 * output[1] * output[2] * output[3] * depth;
    const std::int64_t shortest =
        by == cut::rows ? (least_columns + output[3] - 1) / output[3] : least_outputs_of_a_piece;
    const std::int64_t most = std::min(length_ / shortest, operations_ / operations_of_a_piece);
    const std::int64_t wanted =
        std::max((least_tasks + images_ - 1) / images_, output[2] * output[3] / most_columns);
    const std::int64_t parts = std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(1, most));
    longest_ = (length_ + parts - 1) / parts;
    parts_ = (length_ + longest_ - 1) / longest_;
    other_ = {0, by == cut::rows ? output[1] : output[2]};
  }

  std::int64_t count() const { return images_ * parts_; }
  std::int64_t image(std::int64_t index) const { return index / parts_; }
  range rows(std::int64_t index) const { return by_ == cut::rows ? part(index) : other_; }
  range outputs(std::int64_t index) const { return by_ == cut::rows ? other_ : part(index); }
  std::int64_t most_rows() const { return by_ == cut::rows ? longest_ : other_.size(); }

  // So many are worth a thread.
  std::int64_t least() const {
    return detail::worth_a_thread(detail::operations_of_a_thread, operations_ / parts_);
  }

 private:
  range part(std::int64_t index) const {
    const std::int64_t first = index % parts_ * longest_;
    return {first, std::min(length_, first + longest_)};
  }

  std::int64_t images_, length_, operations_, longest_, parts_;
  range other_;
  cut by_;
};

// One product on the calling thread; scratch is for `depth` rows of a tile. It is one tile, since each packs
// its columns anew.
void run_serially(isa level, const detail::product_arguments& arguments, std::int64_t rows,
                  std::int64_t columns, float* scratch) {
  detail::kernels_of(level).product(arguments, {0, rows, 0, columns}, scratch);
}

// output = weight * patches + bias: an image at a time or some of its rows, or some small images together.
void convolve_patches(const cpu_context& context, const patches& matrix, tensor_view<const float, 4> input,
                      const float* weight, const float* bias, tensor_view<float, 4> output) {
  const std::int64_t images = output.extent(0);
  const std::int64_t outputs = output.extent(1);
  const std::int64_t width = output.extent(3);
  const std::int64_t image = input.size() / images;
  const std::int64_t together = (least_positions + matrix.columns() - 1) / matrix.columns();
  const std::int64_t groups = (images + together - 1) / together;
  const pieces all({groups, outputs, output.extent(2), width}, matrix.rows() * together, pieces::cut::rows,
                   positions_together);
  context.parallel_for(
      all.count(),
      [&](std::int64_t index) {
        const range own{images * all.image(index) / groups, images * (all.image(index) + 1) / groups};
        const range rows = all.rows(index);
        const std::int64_t each = rows.size() * width;
        const std::int64_t columns = own.size() * each;
        float* gathered =
            detail::thread_scratch(matrix.rows() * (columns + detail::tile_columns) + outputs * columns);
        float* sums = gathered + matrix.rows() * columns;
        for (std::int64_t n = own.begin; n < own.end; ++n) {
          matrix.gather(input.data() + n * image, {0, input.extent(1)}, rows,
                        gathered + (n - own.begin) * each, columns);
        }
        run_serially(context.level(),
                     {.left = weight,
                      .left_row = matrix.rows(),
                      .left_depth = 1,
                      .right = {gathered, columns},
                      .right_transposed = false,
                      .bias = nullptr,
                      .output = {sums, columns},
                      .depth = matrix.rows(),
                      .after = activation::none,
                      .accumulate = false},
                     outputs, columns, sums + outputs * columns);
        for (std::int64_t n = own.begin; n < own.end; ++n) {
          for (std::int64_t channel = 0; channel < outputs; ++channel) {
            const float* from = sums + channel * columns + (n - own.begin) * each;
            float* to = output.data() + (n * outputs + channel) * matrix.columns() + rows.begin * width;
            for (std::int64_t at = 0; at < each; ++at) to[at] = from[at] + bias[channel];
          }
        }
      },
      all.least());
}

// output = weight * patches + bias at stride 1, with a border of so many zeros.
void convolve(const cpu_context& context, tensor_view<const float, 4> input, const std::int64_t (&border)[2],
              const float* weight, const float* bias, const shape<4>& kernel, tensor_view<float, 4> output) {
  const shape<4>& extents = output.extents();
  const std::int64_t depth = kernel[1] * kernel[2] * kernel[3];
  const std::int64_t from = input.size() / extents[0];
  const std::int64_t to = output.size() / extents[0];
  const pieces all(extents, depth, kernel[0] * depth > from ? pieces::cut::outputs : pieces::cut::rows);
  const bordered planes(input.extents(), border[0], border[1], all.most_rows() + kernel[2] - 1);
  const std::vector<std::int64_t> offsets = planes.offsets(kernel[2], kernel[3]);
  const auto run = detail::kernels_of(context.level()).convolve;
  context.parallel_for(
      all.count(),
      [&](std::int64_t index) {
        const std::int64_t image = all.image(index);
        const range rows = all.rows(index);
        const range outputs = all.outputs(index);
        const std::int64_t sums = outputs.size() * (rows.size() * planes.width() + 2 * detail::most_lanes);
        float* padded = detail::thread_scratch(planes.size() + sums);
        planes.copy(input.data() + image * from, rows.begin, padded);
        run({.padded = padded,
             .offsets = offsets.data(),
             .weight = weight + outputs.begin * depth,
             .bias = bias == nullptr ? nullptr : bias + outputs.begin,
             .output = output.data() + image * to + (outputs.begin * extents[2] + rows.begin) * extents[3],
             .outputs = outputs.size(),
             .depth = depth,
             .width = planes.width(),
             .out_height = rows.size(),
             .out_width = extents[3],
             .out_plane = extents[2] * extents[3]},
            padded + planes.size());
      },
      all.least());
}

// transpose(weight) * output_gradient gives the patches' gradient: some channels of an image at a time.
void spread_gradient(const cpu_context& context, const patches& matrix, const float* weight,
                     tensor_view<const float, 4> output_gradient, tensor_view<float, 4> input_gradient) {
  const std::int64_t images = input_gradient.extent(0);
  const std::int64_t channels = input_gradient.extent(1);
  const std::int64_t outputs = output_gradient.extent(1);
  const std::int64_t image = input_gradient.size() / images;
  const std::int64_t operations = 2 * outputs * matrix.size();
  const std::int64_t wanted =
      std::max((least_tasks + images - 1) / images, matrix.size() / patch_elements_together);
  const std::int64_t groups =
      std::clamp<std::int64_t>(std::min(wanted, operations / operations_of_a_piece), 1, channels);
  context.parallel_for(
      images * groups,
      [&](std::int64_t index) {
        const range own{channels * (index % groups) / groups, channels * (index % groups + 1) / groups};
        const std::int64_t rows = own.size() * matrix.window();
        float* gathered = detail::thread_scratch(rows * matrix.columns() + outputs * detail::tile_columns);
        run_serially(context.level(),
                     {.left = weight + own.begin * matrix.window(),
                      .left_row = 1,
                      .left_depth = matrix.rows(),
                      .right = {output_gradient.data() + index / groups * outputs * matrix.columns(),
                                matrix.columns()},
                      .right_transposed = false,
                      .bias = nullptr,
                      .output = {gathered, matrix.columns()},
                      .depth = outputs,
                      .after = activation::none,
                      .accumulate = false},
                     rows, matrix.columns(), gathered + rows * matrix.columns());
        matrix.scatter(gathered, own, input_gradient.data() + index / groups * image);
      },
      detail::worth_a_thread(detail::operations_of_a_thread, operations / groups));
}

detail::winograd_planes planes_of(tensor_view<const float, 4> images, std::int64_t border_rows,
                                  std::int64_t border_columns) {
  return {.data = images.data(),
          .channels = images.extent(1),
          .height = images.extent(2),
          .width = images.extent(3),
          .border_rows = border_rows,
          .border_columns = border_columns};
}

// At stride 1 the input's gradient is the convolution of the output's with the weight turned round.
void convolve_back(const cpu_context& context, const conv2d_options& options,
                   tensor_view<const float, 4> weight, tensor_view<const float, 4> output_gradient,
                   tensor_view<float, 4> input_gradient) {
  const std::int64_t outputs = weight.extent(0);
  const std::int64_t channels = weight.extent(1);
  const std::int64_t height = weight.extent(2);
  const std::int64_t width = weight.extent(3);
  const std::int64_t window = height * width;
  const shape<4> kernel{channels, outputs, height, width};
  if (detail::is_worth_winograd(detail::winograd_use::output, kernel, input_gradient.extents())) {
    detail::winograd_convolve(
        context, planes_of(output_gradient, height - 1 - options.padding, width - 1 - options.padding),
        {.weight = weight.data(),
         .output_step = window,
         .channel_step = channels * window,
         .turned = true,
         .outputs = channels,
         .channels = outputs},
        nullptr, input_gradient.extents(), input_gradient.data());
    return;
  }
  tensor<float, 4> turned({channels, outputs, height, width});
  const auto turn = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = 0; o < outputs; ++o) {
      for (std::int64_t c = begin; c < end; ++c) {
        const float* from = weight.data() + (o * channels + c) * window;
        std::reverse_copy(from, from + window, turned.data() + (c * outputs + o) * window);
      }
    }
  };
  constexpr std::int64_t together = 16;  // whose windows lie on the same lines
  detail::run_parts(context, channels, together, turn,
                    detail::worth_a_thread(detail::elements_of_a_thread, together * outputs * window));
  convolve(context, output_gradient, {height - 1 - options.padding, width - 1 - options.padding},
           turned.data(), nullptr, turned.extents(), input_gradient);
}

// The weight's gradient, output_gradient * transpose(patches): some channels at a time, of some images
// together.
void multiply_patches(const cpu_context& context, const patches& matrix, tensor_view<const float, 4> input,
                      tensor_view<const float, 4> output_gradient, tensor_view<float, 4> weight_gradient) {
  const std::int64_t images = input.extent(0);
  const std::int64_t channels = input.extent(1);
  const std::int64_t outputs = output_gradient.extent(1);
  const std::int64_t columns = matrix.columns();
  const std::int64_t image = input.size() / images;
  tensor<float, 3> slopes({outputs, images, columns});
  for (std::int64_t index = 0; index < images; ++index) {
    for (std::int64_t output = 0; output < outputs; ++output) {
      std::copy_n(output_gradient.data() + (index * outputs + output) * columns, columns,
                  slopes.data() + (output * images + index) * columns);
    }
  }
  const std::int64_t together = std::clamp<std::int64_t>(positions_together / columns, 1, images);
  const std::int64_t least = (detail::tile_columns + matrix.window() - 1) / matrix.window();
  const std::int64_t tasks = std::clamp<std::int64_t>(channels / least, 1, least_tasks);
  context.parallel_for(
      tasks,
      [&](std::int64_t task) {
        const range own{channels * task / tasks, channels * (task + 1) / tasks};
        const std::int64_t rows = own.size() * matrix.window();
        float* gathered = detail::thread_scratch(together * columns * (rows + detail::tile_columns));
        for (std::int64_t first = 0; first < images; first += together) {
          const std::int64_t count = std::min(together, images - first);
          const std::int64_t depth = count * columns;
          for (std::int64_t index = 0; index < count; ++index) {
            matrix.gather(input.data() + (first + index) * image, own, {0, output_gradient.extent(2)},
                          gathered + index * columns, depth);
          }
          run_serially(context.level(),
                       {.left = slopes.data() + first * columns,
                        .left_row = images * columns,
                        .left_depth = 1,
                        .right = {gathered, depth},
                        .right_transposed = true,
                        .bias = nullptr,
                        .output = {weight_gradient.data() + own.begin * matrix.window(), matrix.rows()},
                        .depth = depth,
                        .after = activation::none,
                        .accumulate = first > 0},
                       outputs, rows, gathered + rows * depth);
        }
      },
      detail::worth_a_thread(detail::operations_of_a_thread, 2 * images * outputs * matrix.size() / tasks));
}

// The positions of an output whose rows are as far apart as those of the padded input: what the kernels for
// stride 1 work on.
std::int64_t direct_columns(const shape<4>& output, std::int64_t padded_width) {
  return ((output[2] - 1) * padded_width + output[3] + detail::most_lanes - 1) / detail::most_lanes *
         detail::most_lanes;
}

// Whether they would compute more products for nothing, between the rows of small planes, than a matrix of
// patches costs.
bool is_worth_a_matrix(const shape<4>& output, std::int64_t padded_width) {
  const std::int64_t columns = output[2] * output[3];
  return output[1] * (direct_columns(output, padded_width) - columns) > products_of_a_patch_element * columns;
}

// The same at stride 1 without a matrix: blocks of the outputs and, where these are few, parts of the batch
// that are summed in order.
void correlate(const cpu_context& context, const conv2d_options& options, tensor_view<const float, 4> input,
               tensor_view<const float, 4> output_gradient, tensor_view<float, 4> weight_gradient) {
  const std::int64_t images = output_gradient.extent(0);
  const std::int64_t outputs = output_gradient.extent(1);
  const std::int64_t out_height = output_gradient.extent(2);
  const std::int64_t out_width = output_gradient.extent(3);
  const std::int64_t window = weight_gradient.extent(2) * weight_gradient.extent(3);
  const bordered border(input.extents(), options.padding, options.padding);
  const std::int64_t columns = direct_columns(output_gradient.extents(), border.width());
  const std::vector<std::int64_t> offsets =
      border.offsets(weight_gradient.extent(2), weight_gradient.extent(3));
  const auto depth = static_cast<std::int64_t>(offsets.size());
  const std::int64_t blocks =
      std::max<std::int64_t>(1, outputs / std::max<std::int64_t>(least_outputs, products_of_a_copy / window));
  const std::int64_t parts = std::min(images, (least_tasks + blocks - 1) / blocks);
  const std::int64_t together = std::max<std::int64_t>(1, padded_together / border.size());
  tensor<float, 3> results({parts, outputs, depth});
  const auto run = detail::kernels_of(context.level()).correlate;
  const std::int64_t image = input.size() / images;
  context.parallel_for(
      parts * blocks,
      [&](std::int64_t task) {
        const std::int64_t part = task / blocks;
        const std::int64_t first_output = outputs * (task % blocks) / blocks;
        const std::int64_t height = outputs * (task % blocks + 1) / blocks - first_output;
        const std::int64_t end = images * (part + 1) / parts;
        float* gradient = detail::thread_scratch(together * (border.size() + height * columns));
        float* padded = gradient + together * height * columns;
        for (std::int64_t first = images * part / parts; first < end; first += together) {
          const std::int64_t count = std::min(together, end - first);
          std::fill_n(gradient, height * count * columns, 0.0F);
          for (std::int64_t index = 0; index < count; ++index) {
            border.copy(input.data() + (first + index) * image, 0, padded + index * border.size());
            for (std::int64_t row = 0; row < height; ++row) {
              const float* from = output_gradient.data() +
                                  ((first + index) * outputs + first_output + row) * out_height * out_width;
              float* to = gradient + (row * count + index) * columns;
              for (std::int64_t y = 0; y < out_height; ++y) {
                std::copy_n(from + y * out_width, out_width, to + y * border.width());
              }
            }
          }
          run({.padded = padded,
               .offsets = offsets.data(),
               .gradient = gradient,
               .stride = count * columns,
               .result = &results(part, first_output, 0),
               .outputs = height,
               .depth = depth,
               .images = count,
               .padded_image = border.size(),
               .columns = columns});
        }
      },
      detail::worth_a_thread(detail::operations_of_a_thread,
                             2 * images * columns * outputs * depth / (parts * blocks)));
  const std::int64_t size = outputs * depth;
  std::copy_n(results.data(), size, weight_gradient.data());
  for (std::int64_t part = 1; part < parts; ++part) {
    for (std::int64_t i = 0; i < size; ++i) weight_gradient.data()[i] += results.data()[part * size + i];
  }
}

// Plane after plane of the output's gradient.
void sum_bias(const cpu_context& context, tensor_view<const float, 4> output_gradient,
              tensor_view<float, 1> bias_gradient) {
  const std::int64_t images = output_gradient.extent(0);
  const std::int64_t outputs = output_gradient.extent(1);
  const std::int64_t plane = output_gradient.extent(2) * output_gradient.extent(3);
  const auto sum_rows = detail::kernels_of(context.level()).reduce_rows;
  context.parallel_for(
      outputs,
      [&](std::int64_t channel) {
        std::vector<double> sums(static_cast<std::size_t>(images));
        sum_rows({.operation = detail::reduction::sum,
                  .type = detail::number::float32,
                  .first = output_gradient.data() + channel * plane,
                  .rows = images,
                  .columns = plane,
                  .stride = outputs * plane,
                  .results = sums.data(),
                  .places = nullptr});
        double sum = 0.0;
        for (const double part : sums) sum += part;
        bias_gradient(channel) = static_cast<float>(sum);
      },
      detail::worth_a_thread(detail::elements_of_a_thread, images * plane));
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
  if (options.stride == 1 &&
      detail::is_worth_winograd(detail::winograd_use::weight_gradient, weight.extents(), expected)) {
    detail::winograd_correlate(context, planes_of(input, options.padding, options.padding),
                               planes_of(output_gradient, 0, 0), expected[0], weight_gradient.data());
  } else if (options.stride > 1 || is_worth_a_matrix(expected, input.extent(3) + 2 * options.padding)) {
    multiply_patches(context, matrix, input, output_gradient, weight_gradient);
  } else {
    correlate(context, options, input, output_gradient, weight_gradient);
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
  if (options.stride == 1 &&
      detail::is_worth_winograd(detail::winograd_use::output, weight.extents(), expected)) {
    detail::winograd_convolve(context, planes_of(input, options.padding, options.padding),
                              {.weight = weight.data(),
                               .output_step = weight.extent(1) * 9,
                               .channel_step = 9,
                               .turned = false,
                               .outputs = weight.extent(0),
                               .channels = weight.extent(1)},
                              bias.data(), expected, output.data());
  } else if (options.stride == 1) {
    convolve(context, input, {options.padding, options.padding}, weight.data(), bias.data(), weight.extents(),
             output);
  } else {
    convolve_patches(context, patches(options, input.extents(), weight.extents(), expected), input,
                     weight.data(), bias.data(), output);
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
