#include <compute/isa/elementwise.hpp>
#include <compute/isa/vector.hpp>

namespace weft::detail::WEFT_ISA {

namespace {

// How many rows early a gathered row is fetched from memory.
constexpr size rows_ahead = 4;

// One Adam step of `lanes` parameters (Kingma and Ba, "Adam", 2015, algorithm 1; epsilon is added after the
// corrected root, as PyTorch does).
inline __attribute__((always_inline)) void adam_update(vec& parameter, vec& first, vec& second, vec gradient,
                                                       const adam_coefficients& c) {
  first = first * c.beta1 + gradient * c.one_minus_beta1;
  second = second * c.beta2 + gradient * gradient * c.one_minus_beta2;
  const vec denominator = root(second) * c.inverse_root_of_correction2 + c.epsilon;
  parameter = parameter * c.decay - (first * c.step_size) / denominator;
}

}  // namespace

// log softmax is shifted by the row's largest logit, so that no exponential overflows.
void cross_entropy(const cross_entropy_arguments& arguments, std::int64_t row_begin, std::int64_t row_end) {
  const size classes = arguments.classes;
  constexpr float lowest = -__FLT_MAX__;
  for (size row = row_begin; row < row_end; ++row) {
    const float* logits = arguments.logits.data + row * arguments.logits.stride;
    vec largest_lanes = broadcast(lowest);
    for (size column = 0; column < classes; column += lanes) {
      const size left = classes - column;
      largest_lanes = max(largest_lanes,
                          left >= lanes ? load(logits + column) : load_some(logits + column, left, lowest));
    }
    const float largest = lane_max(largest_lanes);
    vec sum_lanes{};
    for (size column = 0; column < classes; column += lanes) {
      const size left = classes - column;
      // Missing lanes are far below every logit: their exponential is exactly 0.
      sum_lanes +=
          exp_of_negative((left >= lanes ? load(logits + column) : load_some(logits + column, left, lowest)) -
                          broadcast(largest));
    }
    const float sum = lane_sum(sum_lanes);
    const size label = arguments.labels[row];
    arguments.losses[row] = __builtin_logf(sum) + (largest - logits[label]);
    if (arguments.gradient.data == nullptr) continue;
    float* gradient = arguments.gradient.data + row * arguments.gradient.stride;
    const float scale = arguments.scale / sum;
    for (size column = 0; column < classes; column += lanes) {
      const size left = classes - column;
      if (left >= lanes) {
        store(gradient + column, exp_of_negative(load(logits + column) - broadcast(largest)) * scale);
      } else {
        store_some(gradient + column,
                   exp_of_negative(load_some(logits + column, left, lowest) - broadcast(largest)) * scale,
                   left);
      }
    }
    gradient[label] -= arguments.scale;
  }
}

void normalize(const normalize_arguments& arguments, std::int64_t row_begin, std::int64_t row_end) {
  const vec shift = broadcast(arguments.shift);
  for (size row = row_begin; row < row_end; ++row) {
    const size source = arguments.rows == nullptr ? row : arguments.rows[row];
    const std::uint8_t* pixels = arguments.pixels.data + source * arguments.pixels.stride;
    float* output = arguments.output.data + row * arguments.output.stride;
    if (arguments.rows != nullptr && row + rows_ahead < row_end) {
      const std::uint8_t* next =
          arguments.pixels.data + arguments.rows[row + rows_ahead] * arguments.pixels.stride;
      for (size byte = 0; byte < arguments.columns; byte += 64) __builtin_prefetch(next + byte);
    }
    size column = 0;
    for (; column + lanes <= arguments.columns; column += lanes) {
      const unaligned_bytes bytes = *reinterpret_cast<const unaligned_bytes*>(pixels + column);
      const vec value = __builtin_convertvector(__builtin_convertvector(bytes, ivec), vec);
      store(output + column, value * arguments.scale + shift);
    }
    for (; column < arguments.columns; ++column) {
      // Through the vector form, so that rounding is the same in every column.
      const vec value = broadcast(static_cast<float>(pixels[column])) * arguments.scale + shift;
      output[column] = value[0];
    }
  }
}

// Sets to 0 what is not active, above 0.
void mask(const float* active, float* values, std::int64_t count) {
  size index = 0;
  for (; index + lanes <= count; index += lanes) {
    store(values + index, load(active + index) > 0.0F ? load(values + index) : vec{});
  }
  for (; index < count; ++index) values[index] = active[index] > 0.0F ? values[index] : 0.0F;
}

void adam(const adam_arguments& arguments, std::int64_t begin, std::int64_t end) {
  const flush_denormals flush;
  for (size index = begin; index < end; index += lanes) {
    const size left = end - index;
    if (left >= lanes) {
      vec parameter = load(arguments.parameter + index);
      vec first = load(arguments.first + index);
      vec second = load(arguments.second + index);
      adam_update(parameter, first, second, load(arguments.gradient + index), *arguments.coefficients);
      store(arguments.parameter + index, parameter);
      store(arguments.first + index, first);
      store(arguments.second + index, second);
    } else {
      vec parameter = load_some(arguments.parameter + index, left);
      vec first = load_some(arguments.first + index, left);
      vec second = load_some(arguments.second + index, left);
      adam_update(parameter, first, second, load_some(arguments.gradient + index, left),
                  *arguments.coefficients);
      store_some(arguments.parameter + index, parameter, left);
      store_some(arguments.first + index, first, left);
      store_some(arguments.second + index, second, left);
    }
  }
}

}  // namespace weft::detail::WEFT_ISA
