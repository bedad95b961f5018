#pragma once

#include <weft/compute/operations.hpp>

#include <cstdint>  // for std::int64_t, std::int32_t, std::uint8_t, std::uint32_t

// What src/compute/isa/ is compiled to, once per instruction set. Only plain types cross this line: a
// template or inline function of the standard library that both sides instantiated could be merged by the
// linker, and an old processor would then run new instructions.

namespace weft::detail {

/// Every tile is this many columns wide, whatever the instruction set, so that the grid depends on shapes
/// only.
inline constexpr std::int64_t tile_columns = 32;

/// A row-major matrix in memory: rows are `stride` elements apart.
template <class T>
struct matrix {
  T* data;
  std::int64_t stride;
};

/// A rectangle of an output matrix.
struct tile {
  std::int64_t row_begin, row_end;
  std::int64_t column_begin, column_end;
};

/// output = input * weight + bias, then optionally max(0, .).
struct linear_forward_arguments {
  matrix<const float> input;   // [batch, inputs]
  matrix<const float> weight;  // [inputs, outputs]
  const float* bias;           // [outputs]
  matrix<float> output;        // [batch, outputs]
  std::int64_t inputs;
  bool relu;
};

/// weight_gradient = transpose(input) * output_gradient; tiles that begin at row 0 also sum the bias
/// gradient.
struct weight_gradient_arguments {
  matrix<const float> input;            // [batch, inputs]
  matrix<const float> output_gradient;  // [batch, outputs]
  std::int64_t batch;
  matrix<float> weight_gradient;  // [inputs, outputs]
  float* bias_gradient;           // [outputs]
};

/// input_gradient = output_gradient * transpose(weight), and 0 where `active` is given and not above 0.
struct input_gradient_arguments {
  matrix<const float> output_gradient;  // [batch, outputs]
  matrix<const float> weight;           // [inputs, outputs]
  matrix<const float> active;           // [batch, inputs]; null data: no mask
  matrix<float> input_gradient;         // [batch, inputs]
  std::int64_t outputs;
};

/// Softmax cross-entropy of rows of logits.
struct cross_entropy_arguments {
  matrix<const float> logits;  // [batch, classes]
  const std::int32_t* labels;  // [batch], each in [0, classes)
  float* losses;               // [batch]
  matrix<float> gradient;      // [batch, classes]; null data: not wanted
  std::int64_t classes;
  float scale;  // of the gradient: 1 / batch for the mean
};

/// output row i = scale * (pixel row rows[i]) + shift; rows null: row i.
struct normalize_arguments {
  matrix<const std::uint8_t> pixels;
  const std::int64_t* rows;
  matrix<float> output;
  std::int64_t columns;
  float scale, shift;
};

/// The numbers one Adam step needs (Kingma and Ba, 2015), bias correction included.
struct adam_coefficients {
  float decay;  // of the parameter itself: 1 - learning rate * weight decay
  float beta1, one_minus_beta1;
  float beta2, one_minus_beta2;
  float step_size;                    // learning rate / (1 - beta1^t)
  float inverse_root_of_correction2;  // 1 / sqrt(1 - beta2^t)
  float epsilon;
};

/// One Adam step over arrays.
struct adam_arguments {
  float *parameter, *first, *second;
  const float* gradient;
  const adam_coefficients* coefficients;
};

/// output = after(left * right + bias), or output + left * right; a bias that is null is 0.
struct product_arguments {
  const float* left;  // element (row, depth) at row * left_row + depth * left_depth, one of which is 1
  std::int64_t left_row, left_depth;
  matrix<const float> right;  // [depth, columns], or its transpose
  bool right_transposed;
  const float* bias;  // [columns]
  matrix<float> output;
  std::int64_t depth;
  activation after;
  bool accumulate;
};

/// A product of few rows that is not added to its output; the bias may be one number for all columns.
struct thin_product_arguments {
  product_arguments product;
  std::int64_t rows;  // at most most_thin_rows
  bool one_bias;
};

/// So many rows, and columns at a time: their sums lie in the first-level cache.
inline constexpr std::int64_t most_thin_rows = 8;
inline constexpr std::int64_t thin_columns = 512;

/// The types of 16 bits that are multiplied.
enum class number16 { bfloat16, half };

/// output = after(left * right + bias) of 16-bit numbers, added up as floats; a bias that is null is 0.
struct product16_arguments {
  number16 type;
  const std::uint16_t*
      left;  // element (row, depth) at row * left_row + depth * left_depth, one of which is 1
  std::int64_t left_row, left_depth;
  matrix<const std::uint16_t> right;  // [depth, columns], or its transpose
  bool right_transposed;
  const std::uint16_t* bias;  // [columns]
  matrix<std::uint16_t> output;
  std::int64_t depth;
  activation after;
};

/// A part of a large product's depth.
struct stretch {
  std::int64_t begin, depth;
};

/// A stretch is at most so deep, and a task has at most so many rows.
inline constexpr std::int64_t large_depth = 320;
inline constexpr std::int64_t large_rows = 64;

/// No register has more floats; arrays that are read a register at a time have so many more behind them.
inline constexpr std::int64_t most_lanes = 16;

/// A convolution of stride 1 of one image: output = weight * patches + bias.
struct convolution_arguments {
  const float* padded;          // planes with their border, and 2 * most_lanes more floats
  const std::int64_t* offsets;  // [depth], where each patch element of the first output is in `padded`
  const float* weight;          // [outputs, depth]
  const float* bias;            // [outputs]; null: 0
  float* output;                // [outputs, out_height, out_width]
  std::int64_t outputs, depth;
  std::int64_t width;  // of a padded plane
  std::int64_t out_height, out_width;
  std::int64_t out_plane;  // how far apart the planes of the output lie
};

/// Its gradient by the weight, of some images: result += gradient * transpose(patches).
struct correlation_arguments {
  const float* padded;          // [images, padded_image], see above
  const std::int64_t* offsets;  // [depth]
  const float*
      gradient;         // [outputs, images, columns], rows as far apart as the padded planes', zeros between
  std::int64_t stride;  // between outputs in `gradient`
  float* result;        // [outputs, depth]
  std::int64_t outputs, depth, images;
  std::int64_t padded_image;
  std::int64_t columns;  // a multiple of most_lanes
};

/// The weight of a convolution in Winograd's squares: transposed and turned round for the input's gradient.
struct winograd_weight_arguments {
  const float* weight;  // 3 x 3 floats at output * output_step + channel * channel_step
  std::int64_t output_step, channel_step;
  bool turned;
  std::int64_t outputs, channels;
};

/// Planes with a border of zeros thought around them.
struct winograd_planes {
  const float* data;  // [images, channels, height, width]
  std::int64_t channels, height, width;
  std::int64_t border_rows, border_columns;
};

/// Squares of 2 x 2 outputs, in rows that are counted through all images.
struct winograd_squares {
  std::int64_t across, down;  // in an image
  std::int64_t first, rows;
};

/// One of `parts` equal parts of the outputs, up to the rows of a kernel's registers.
struct share {
  std::int64_t part, parts;
};

/// 16 matrices with a row for each channel and a column for each square.
struct winograd_points {
  float* data;
  std::int64_t stride;  // between rows: most_lanes more than there are columns, or further
  std::int64_t step;    // between matrices
};

/// output = weight * input, for each of the 16 points of a square.
struct winograd_product_arguments {
  const float* weight;  // as winograd_weight wrote it
  std::int64_t weight_step;
  winograd_points input, sums;
  std::int64_t outputs, channels, columns;
};

/// The outputs of squares from their 16 sums.
struct winograd_output_arguments {
  winograd_points sums;
  const float* bias;  // [outputs]; null: 0
  float* output;      // [images, outputs, height, width]
  std::int64_t outputs, height, width;
};

/// The element types of arithmetic.
enum class number { float32, float64, int32, int64 };

/// An operand of a matrix: element (row, column) lies row * row_step + column * step elements behind data.
struct stepped_matrix {
  const void* data;
  std::int64_t row_step, step;
};

/// output = left op right, element by element, rows of the output one behind the other.
struct binary_arguments {
  binary_operation operation;
  number type;
  stepped_matrix left, right;
  void* output;
  std::int64_t rows, columns;
  bool streamed;  // the output goes to memory past the caches
};

/// output[i] = op input[i]
struct unary_arguments {
  unary_operation operation;
  const float* input;
  float* output;
  std::int64_t count;
  bool streamed;  // as above
};

/// The sums or the largest elements of a matrix's rows or columns. Sums of numbers with a fraction are
/// double, those of integers std::int64_t, which overflow as the language's unsigned integers do; the largest
/// elements are as wide.
struct reduction_arguments {
  reduction operation;
  number type;
  const void* first;
  std::int64_t rows, columns;
  std::int64_t stride;   // between rows, in elements
  void* results;         // [rows] or [columns], double or std::int64_t
  std::int64_t* places;  // of argmax: where along the row or column
};

/// How many columns are reduced together: their sums lie in the first-level cache.
inline constexpr std::int64_t most_columns = 1024;

/// Softmax of rows, or its logarithm.
struct softmax_arguments {
  matrix<const float> input;
  matrix<float> output;
  std::int64_t columns;
  bool logarithm;
};

/// Softmax's gradient: input = output * (gradient - sum(gradient * output)), a row at a time.
struct softmax_backward_arguments {
  matrix<const float> output, output_gradient;
  matrix<float> input_gradient;
  std::int64_t columns;
};

/// Layer normalisation of rows.
struct layer_norm_arguments {
  matrix<const float> input;
  const float *scale, *shift;  // [columns]
  matrix<float> output;
  float *mean, *inverse_deviation;  // [rows]
  std::int64_t columns;
  float epsilon;
};

/// Its gradient by the input.
struct layer_norm_backward_arguments {
  matrix<const float> input, output_gradient;
  const float *scale, *mean, *inverse_deviation;
  matrix<float> input_gradient;
  std::int64_t columns;
};

/// Its gradients by scale and shift.
struct layer_norm_parameters_arguments {
  matrix<const float> input, output_gradient;
  const float *mean, *inverse_deviation;
  float *scale_gradient, *shift_gradient;  // [columns]
  std::int64_t rows;
};

/// One step of gradient descent over arrays; velocity is null without momentum.
struct sgd_arguments {
  float *parameter, *velocity;
  const float* gradient;
  float learning_rate, momentum, decay;
  bool nesterov;
};

/// Images [height, width, channels] of bytes to planes of floats.
struct normalize_image_arguments {
  const std::uint8_t* pixels;
  float* output;
  std::int64_t pixel_count, channels;  // of one image
  const float *scale, *shift;          // [channels]
};

/// A window that moves over planes.
struct window {
  std::int64_t height, width;          // of a plane
  std::int64_t out_height, out_width;  // of the plane of results
  std::int64_t kernel_height, kernel_width, stride, padding;
};

/// Philox 4x32-10: element i is made of word i % 4 of block i / 4.
struct random_arguments {
  std::uint32_t seed[2], stream[2];
  float* output;
  bool normal;
  float scale, shift;
};

/// The kernels of one instruction set. `scratch` is the calling thread's own memory, of at least the number
/// of floats that the *_scratch functions below give.
struct kernel_table {
  void (*linear_forward)(const linear_forward_arguments&, const tile&, float* scratch);
  void (*weight_gradient)(const weight_gradient_arguments&, const tile&, float* scratch);
  void (*input_gradient)(const input_gradient_arguments&, const tile&, float* scratch);
  void (*cross_entropy)(const cross_entropy_arguments&, std::int64_t row_begin, std::int64_t row_end);
  void (*normalize)(const normalize_arguments&, std::int64_t row_begin, std::int64_t row_end);
  void (*mask)(const float* active, float* values, std::int64_t count);
  void (*adam)(const adam_arguments&, std::int64_t begin, std::int64_t end);
  void (*product)(const product_arguments&, const tile&, float* scratch);
  /// Some columns; scratch: rows * (thin_columns + depth) floats.
  void (*thin_product)(const thin_product_arguments&, std::int64_t column_begin, std::int64_t column_end,
                       float* scratch);
  /// Packs columns of a stretch of the right factor; `to` has room for depth floats a column, the number of
  /// which is rounded up to tile_columns.
  void (*pack_right)(const product_arguments&, const stretch&, std::int64_t column_begin,
                     std::int64_t column_end, float* to);
  /// A stretch of a product whose factors are too large for the caches, the first of which overwrites the
  /// output and the last of which adds the bias. `right` is packed from the tile's first column on. Scratch:
  /// rows * depth + most_lanes floats.
  void (*large_product)(const product_arguments&, const stretch&, const tile&, const float* right,
                        float* scratch);
  /// Scratch: outputs * (out_height * width + 2 * most_lanes) floats.
  void (*convolve)(const convolution_arguments&, float* scratch);
  void (*correlate)(const correlation_arguments&);
  /// A share of the outputs of a weight; `to` has 16 times room for a float for each output and channel,
  /// `step` apart.
  void (*winograd_weight)(const winograd_weight_arguments&, const share&, float* to, std::int64_t step);
  /// Some channels of the inputs of squares; columns that are missing to a multiple of most_lanes become 0.
  /// Scratch: 10 * (across + most_lanes) floats.
  void (*winograd_input)(const winograd_planes&, const winograd_squares&, std::int64_t channel_begin,
                         std::int64_t channel_end, const winograd_points& to, float* scratch);
  void (*winograd_product)(const winograd_product_arguments&, const share&);
  void (*winograd_output)(const winograd_output_arguments&, const winograd_squares&, const share&);
  /// The same of outputs as winograd_input does of inputs, for the gradient: planes without a border.
  void (*winograd_gradient)(const winograd_planes&, const winograd_squares&, std::int64_t channel_begin,
                            std::int64_t channel_end, const winograd_points& to, float* scratch);
  /// The gradients of `count` weights of 3 x 3 floats from those of their 16 points, `step` apart.
  void (*winograd_weight_gradient)(const float* points, std::int64_t step, std::int64_t count, float* to);
  void (*binary)(const binary_arguments&);
  void (*unary)(const unary_arguments&);
  void (*reduce_rows)(const reduction_arguments&);
  void (*reduce_columns)(const reduction_arguments&);  // at most most_columns of them
  double (*sum_of_squares)(const float* values, std::int64_t count);
  void (*softmax)(const softmax_arguments&, std::int64_t row_begin, std::int64_t row_end);
  void (*softmax_backward)(const softmax_backward_arguments&, std::int64_t row_begin, std::int64_t row_end);
  void (*layer_norm)(const layer_norm_arguments&, std::int64_t row_begin, std::int64_t row_end);
  void (*layer_norm_backward)(const layer_norm_backward_arguments&, std::int64_t row_begin,
                              std::int64_t row_end);
  /// Some columns, each summed down the rows.
  void (*layer_norm_parameters)(const layer_norm_parameters_arguments&, std::int64_t column_begin,
                                std::int64_t column_end);
  void (*sgd)(const sgd_arguments&, std::int64_t begin, std::int64_t end);
  void (*normalize_image)(const normalize_image_arguments&, std::int64_t image_begin, std::int64_t image_end);
  void (*max_pool)(const window&, const float* plane, float* output, std::int32_t* where);
  void (*average_pool)(const window&, const float* plane, float* output);
  void (*random)(const random_arguments&, std::int64_t block_begin, std::int64_t block_end,
                 std::int64_t count);
};

/// The products of 16-bit numbers, a slab at a time: some columns of the right factor, and a part of the
/// depth that begins at a multiple of 2.
struct product16_table {
  /// How many floats a column takes when a part of the depth is packed.
  std::int64_t (*packed_depth)(number16, std::int64_t depth);
  /// Packs a part of the slab's depth of some of its columns; `to` is where the first of them begins, and has
  /// room for packed_depth() floats a column, the number of which is rounded up to tile_columns.
  void (*pack_right)(const product16_arguments&, const stretch& slab, const stretch& part,
                     std::int64_t column_begin, std::int64_t column_end, float* to);
  /// Adds the slab's part of the depth to the tile's sums, whose rows are `stride` apart and have room for
  /// the tile's columns rounded up to tile_columns; a slab that begins at 0 overwrites them, and one that
  /// ends with the depth also writes the output. `right` is packed from the tile's first column on. Scratch:
  /// rows * product16_steps + most_lanes floats.
  void (*product)(const product16_arguments&, const stretch& slab, const tile&, const float* right,
                  float* sums, std::int64_t stride, float* scratch);
};

/// So many floats of each row of the left factor are packed at a time.
inline constexpr std::int64_t product16_steps = 256;

namespace v2 {
extern const kernel_table kernels;
extern const product16_table product16_kernels;
}  // namespace v2
namespace v3 {
extern const kernel_table kernels;
extern const product16_table product16_kernels;
}  // namespace v3
namespace v4 {
extern const kernel_table kernels;
extern const product16_table product16_kernels;
}  // namespace v4
namespace v4_bf16 {
extern const product16_table product16_kernels;
}

}  // namespace weft::detail
