#pragma once

#include <cstdint>  // for std::int64_t, std::int32_t, std::uint8_t

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

/// The kernels of one instruction set. `scratch` is the calling thread's own memory, of at least the number
/// of floats that the *_scratch functions below give.
struct kernel_table {
  void (*linear_forward)(const linear_forward_arguments&, const tile&, float* scratch);
  void (*weight_gradient)(const weight_gradient_arguments&, const tile&, float* scratch);
  void (*input_gradient)(const input_gradient_arguments&, const tile&, float* scratch);
  void (*cross_entropy)(const cross_entropy_arguments&, std::int64_t row_begin, std::int64_t row_end);
  void (*normalize)(const normalize_arguments&, std::int64_t row_begin, std::int64_t row_end);
  void (*adam)(const adam_arguments&, std::int64_t begin, std::int64_t end);
};

namespace v2 {
extern const kernel_table kernels;
}
namespace v3 {
extern const kernel_table kernels;
}
namespace v4 {
extern const kernel_table kernels;
}

}  // namespace weft::detail
