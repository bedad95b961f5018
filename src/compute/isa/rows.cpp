#include <compute/isa/math.hpp>
#include <compute/isa/rows.hpp>

#include <utility>  // for std::integer_sequence

namespace weft::detail::WEFT_ISA {
namespace {

// Calls each(value, column, width) for the registers of a row, the missing lanes of the last one `fill`.
template <class Each>
__attribute__((always_inline)) inline void for_each_register(const float* row, size columns, float fill,
                                                             const Each& each) {
  size column = 0;
  for (; column + lanes <= columns; column += lanes) each(load(row + column), column, size{lanes});
  if (column < columns) each(load_some(row + column, columns - column, fill), column, columns - column);
}

__attribute__((always_inline)) inline vec load_width(const float* from, size width) {
  return width == lanes ? load(from) : load_some(from, width);
}
__attribute__((always_inline)) inline void store_width(float* to, vec value, size width) {
  if (width == lanes) {
    store(to, value);
  } else {
    store_some(to, value, width);
  }
}

constexpr float lowest = -__FLT_MAX__;

}  // namespace

// Rows are shifted by their largest element, so that no exponential overflows.
void softmax(const softmax_arguments& arguments, std::int64_t row_begin, std::int64_t row_end) {
  for (size row = row_begin; row < row_end; ++row) {
    const float* input = arguments.input.data + row * arguments.input.stride;
    float* output = arguments.output.data + row * arguments.output.stride;
    vec largest_lanes = broadcast(lowest);
    for_each_register(input, arguments.columns, lowest,
                      [&](vec value, size, size) { largest_lanes = max(largest_lanes, value); });
    const vec largest = broadcast(lane_max(largest_lanes));
    vec sum_lanes{};
    for_each_register(input, arguments.columns, lowest, [&](vec value, size column, size width) {
      const vec power = exp_of_negative(value - largest);
      sum_lanes += power;
      if (!arguments.logarithm) store_width(output + column, power, width);
    });
    const float sum = lane_sum(sum_lanes);
    if (arguments.logarithm) {
      const vec shift = largest + __builtin_logf(sum);
      for_each_register(input, arguments.columns, 0.0F, [&](vec value, size column, size width) {
        store_width(output + column, value - shift, width);
      });
    } else {
      const float scale = 1.0F / sum;
      for_each_register(output, arguments.columns, 0.0F, [&](vec value, size column, size width) {
        store_width(output + column, value * scale, width);
      });
    }
  }
}

void softmax_backward(const softmax_backward_arguments& arguments, std::int64_t row_begin,
                      std::int64_t row_end) {
  for (size row = row_begin; row < row_end; ++row) {
    const float* output = arguments.output.data + row * arguments.output.stride;
    const float* gradient = arguments.output_gradient.data + row * arguments.output_gradient.stride;
    float* result = arguments.input_gradient.data + row * arguments.input_gradient.stride;
    vec dot_lanes{};
    for_each_register(output, arguments.columns, 0.0F, [&](vec value, size column, size width) {
      dot_lanes += value * load_width(gradient + column, width);
    });
    const vec dot = broadcast(lane_sum(dot_lanes));
    for_each_register(output, arguments.columns, 0.0F, [&](vec value, size column, size width) {
      store_width(result + column, value * (load_width(gradient + column, width) - dot), width);
    });
  }
}

void layer_norm(const layer_norm_arguments& arguments, std::int64_t row_begin, std::int64_t row_end) {
  const float columns = static_cast<float>(arguments.columns);
  for (size row = row_begin; row < row_end; ++row) {
    const float* input = arguments.input.data + row * arguments.input.stride;
    float* output = arguments.output.data + row * arguments.output.stride;
    vec sum{};
    for_each_register(input, arguments.columns, 0.0F, [&](vec value, size, size) { sum += value; });
    const float mean = lane_sum(sum) / columns;
    vec squares{};
    for_each_register(input, arguments.columns, mean, [&](vec value, size, size) {
      const vec distance = value - broadcast(mean);
      squares += distance * distance;
    });
    const float inverse = 1.0F / __builtin_sqrtf(lane_sum(squares) / columns + arguments.epsilon);
    arguments.mean[row] = mean;
    arguments.inverse_deviation[row] = inverse;
    for_each_register(input, arguments.columns, 0.0F, [&](vec value, size column, size width) {
      const vec normal = (value - broadcast(mean)) * inverse;
      store_width(
          output + column,
          normal * load_width(arguments.scale + column, width) + load_width(arguments.shift + column, width),
          width);
    });
  }
}

// dx = (g - mean(g) - n mean(g n)) / deviation, with g the gradient times the scale and n the normalised row.
void layer_norm_backward(const layer_norm_backward_arguments& arguments, std::int64_t row_begin,
                         std::int64_t row_end) {
  const float columns = static_cast<float>(arguments.columns);
  for (size row = row_begin; row < row_end; ++row) {
    const float* input = arguments.input.data + row * arguments.input.stride;
    const float* gradient = arguments.output_gradient.data + row * arguments.output_gradient.stride;
    float* result = arguments.input_gradient.data + row * arguments.input_gradient.stride;
    const float mean = arguments.mean[row];
    const float inverse = arguments.inverse_deviation[row];
    vec sum{};
    vec dot{};
    for_each_register(input, arguments.columns, mean, [&](vec value, size column, size width) {
      const vec scaled = load_width(gradient + column, width) * load_width(arguments.scale + column, width);
      sum += scaled;
      dot += scaled * ((value - broadcast(mean)) * inverse);
    });
    const float sum_mean = lane_sum(sum) / columns;
    const float dot_mean = lane_sum(dot) / columns;
    for_each_register(input, arguments.columns, 0.0F, [&](vec value, size column, size width) {
      const vec scaled = load_width(gradient + column, width) * load_width(arguments.scale + column, width);
      const vec normal = (value - broadcast(mean)) * inverse;
      store_width(result + column, (scaled - broadcast(sum_mean) - normal * dot_mean) * inverse, width);
    });
  }
}

namespace {

// Adds some rows to the sums of columns, or begins them.
template <int Rows>
void add_rows(const layer_norm_parameters_arguments& arguments, size row, size begin, size end) {
  const float* gradient = arguments.output_gradient.data + row * arguments.output_gradient.stride + begin;
  const float* input = arguments.input.data + row * arguments.input.stride + begin;
  float* const scales = arguments.scale_gradient + begin;
  float* const shifts = arguments.shift_gradient + begin;
  for_each_register(gradient, end - begin, 0.0F, [&](vec, size column, size width) {
    vec scale = row == 0 ? vec{} : load_width(scales + column, width);
    vec shift = row == 0 ? vec{} : load_width(shifts + column, width);
    for (int r = 0; r < Rows; ++r) {
      const vec slope = load_width(gradient + r * arguments.output_gradient.stride + column, width);
      const vec value = load_width(input + r * arguments.input.stride + column, width);
      scale += slope * ((value - arguments.mean[row + r]) * arguments.inverse_deviation[row + r]);
      shift += slope;
    }
    store_width(scales + column, scale, width);
    store_width(shifts + column, shift, width);
  });
}

}  // namespace

void layer_norm_parameters(const layer_norm_parameters_arguments& arguments, size column_begin,
                           size column_end) {
  size row = 0;
  for (; row + 4 <= arguments.rows; row += 4) add_rows<4>(arguments, row, column_begin, column_end);
  for (; row < arguments.rows; ++row) add_rows<1>(arguments, row, column_begin, column_end);
}

// As PyTorch's torch.optim.SGD: g = gradient + decay * p; v = momentum * v + g; p -= rate * step.
void sgd(const sgd_arguments& arguments, std::int64_t begin, std::int64_t end) {
  const flush_denormals flush;
  for_each_register(
      arguments.parameter + begin, end - begin, 0.0F, [&](vec parameter, size column, size width) {
        const size index = begin + column;
        const vec gradient = load_width(arguments.gradient + index, width) + parameter * arguments.decay;
        vec step = gradient;
        if (arguments.velocity != nullptr) {
          const vec velocity = load_width(arguments.velocity + index, width) * arguments.momentum + gradient;
          store_width(arguments.velocity + index, velocity, width);
          step = arguments.nesterov ? gradient + velocity * arguments.momentum : velocity;
        }
        store_width(arguments.parameter + index, parameter - step * arguments.learning_rate, width);
      });
}

void normalize_image(const normalize_image_arguments& arguments, std::int64_t image_begin,
                     std::int64_t image_end) {
  const size channels = arguments.channels;
  const size pixels = arguments.pixel_count;
  for (size image = image_begin; image < image_end; ++image) {
    for (size channel = 0; channel < channels; ++channel) {
      const std::uint8_t* from = arguments.pixels + image * pixels * channels + channel;
      float* to = arguments.output + (image * channels + channel) * pixels;
      const float scale = arguments.scale[channel];
      const float shift = arguments.shift[channel];
      if (channels == 1) {
        for (size i = 0; i < pixels; ++i) to[i] = static_cast<float>(from[i]) * scale + shift;
      } else if (channels == 3) {
        for (size i = 0; i < pixels; ++i) to[i] = static_cast<float>(from[3 * i]) * scale + shift;
      } else {
        for (size i = 0; i < pixels; ++i) to[i] = static_cast<float>(from[channels * i]) * scale + shift;
      }
    }
  }
}

namespace {

// The larger one and where it is; not a number is larger than every number.
inline __attribute__((always_inline)) void take_larger(vec value, ivec at, vec& best, ivec& best_at) {
  const ivec larger = ~(value <= best) & (best <= __builtin_inff());
  best = larger ? value : best;
  best_at = larger ? at : best_at;
}

// `count` pairs of neighbours: the first ones, and the second ones.
class pairs {
 public:
  __attribute__((always_inline)) pairs(const float* from, size count) {
    const size left = 2 * count;
    const vec low = left >= lanes ? load(from) : load_some(from, left);
    const vec high = left >= 2 * lanes ? load(from + lanes)
                     : left > lanes    ? load_some(from + lanes, left - lanes)
                                       : vec{};
    part(low, high, std::make_integer_sequence<int, lanes>());
  }

  vec first, second;

 private:
  template <int... Lane>
  __attribute__((always_inline)) void part(vec low, vec high, std::integer_sequence<int, Lane...>) {
    first = __builtin_shufflevector(low, high, (2 * Lane)...);
    second = __builtin_shufflevector(low, high, (2 * Lane + 1)...);
  }
};

// Windows of 2 x 2, one beside the other.
void max_pool_by_two(const window& moving, const float* plane, float* output, std::int32_t* where) {
  ivec twice;
  for (int lane = 0; lane < lanes; ++lane) twice[lane] = 2 * lane;
  const auto width = static_cast<std::int32_t>(moving.width);
  for (size y = 0; y < moving.out_height; ++y) {
    for (size x = 0; x < moving.out_width; x += lanes) {
      const size begin = 2 * y * moving.width + 2 * x;
      const size left = moving.out_width - x;
      const size count = left < lanes ? left : lanes;
      const pairs above(plane + begin, count);
      const pairs below(plane + begin + moving.width, count);
      const ivec at = twice + static_cast<std::int32_t>(begin);
      vec best = above.first;
      ivec best_at = at;
      take_larger(above.second, at + 1, best, best_at);
      take_larger(below.first, at + width, best, best_at);
      take_larger(below.second, at + width + 1, best, best_at);
      float* const values = output + y * moving.out_width + x;
      float* const places = reinterpret_cast<float*>(where + y * moving.out_width + x);
      if (count == lanes) {
        store(values, best);
        store(places, reinterpret_cast<vec>(best_at));
      } else {
        store_some(values, best, count);
        store_some(places, reinterpret_cast<vec>(best_at), count);
      }
    }
  }
}

}  // namespace

void max_pool(const window& moving, const float* plane, float* output, std::int32_t* where) {
  if (moving.kernel_height == 2 && moving.kernel_width == 2 && moving.stride == 2 && moving.padding == 0) {
    return max_pool_by_two(moving, plane, output, where);
  }
  for (size y = 0; y < moving.out_height; ++y) {
    for (size x = 0; x < moving.out_width; ++x) {
      const size top = y * moving.stride - moving.padding;
      const size left = x * moving.stride - moving.padding;
      const size row_begin = top < 0 ? 0 : top;
      const size column_begin = left < 0 ? 0 : left;
      std::int64_t best_at = row_begin * moving.width + column_begin;
      float best = plane[best_at];
      for (size row = row_begin; row < top + moving.kernel_height && row < moving.height; ++row) {
        for (size column = column_begin; column < left + moving.kernel_width && column < moving.width;
             ++column) {
          const std::int64_t at = row * moving.width + column;
          const float value = plane[at];
          const bool larger = !(value <= best) && !not_a_number(best);
          best = larger ? value : best;
          best_at = larger ? at : best_at;
        }
      }
      output[y * moving.out_width + x] = best;
      where[y * moving.out_width + x] = static_cast<std::int32_t>(best_at);
    }
  }
}

void average_pool(const window& moving, const float* plane, float* output) {
  const float scale = 1.0F / static_cast<float>(moving.kernel_height * moving.kernel_width);
  for (size y = 0; y < moving.out_height; ++y) {
    for (size x = 0; x < moving.out_width; ++x) {
      const size top = y * moving.stride - moving.padding;
      const size left = x * moving.stride - moving.padding;
      float sum = 0.0F;
      for (size row = top < 0 ? 0 : top; row < top + moving.kernel_height && row < moving.height; ++row) {
        for (size column = left < 0 ? 0 : left; column < left + moving.kernel_width && column < moving.width;
             ++column) {
          sum += plane[row * moving.width + column];
        }
      }
      output[y * moving.out_width + x] = sum * scale;
    }
  }
}

namespace {

// `lanes` blocks at a time, of Random123's philox4x32 with 10 rounds (Salmon et al., 2011).
struct random_words {
  std::uint32_t word[4][lanes];
};

void philox_blocks(const random_arguments& arguments, size first_block, random_words& out) {
  for (size lane = 0; lane < lanes; ++lane) {
    const std::uint64_t block = static_cast<std::uint64_t>(first_block + lane);
    out.word[0][lane] = static_cast<std::uint32_t>(block);
    out.word[1][lane] = static_cast<std::uint32_t>(block >> 32);
    out.word[2][lane] = arguments.stream[0];
    out.word[3][lane] = arguments.stream[1];
  }
  std::uint32_t key0 = arguments.seed[0];
  std::uint32_t key1 = arguments.seed[1];
  for (int round = 0; round < 10; ++round) {
    for (size lane = 0; lane < lanes; ++lane) {
      const std::uint64_t first = std::uint64_t{0xD2511F53U} * out.word[0][lane];
      const std::uint64_t second = std::uint64_t{0xCD9E8D57U} * out.word[2][lane];
      out.word[0][lane] = static_cast<std::uint32_t>(second >> 32) ^ out.word[1][lane] ^ key0;
      out.word[1][lane] = static_cast<std::uint32_t>(second);
      out.word[2][lane] = static_cast<std::uint32_t>(first >> 32) ^ out.word[3][lane] ^ key1;
      out.word[3][lane] = static_cast<std::uint32_t>(first);
    }
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
}

// The upper 24 bits as a number in [0, 1).
inline __attribute__((always_inline)) vec uniform(const std::uint32_t* words) {
  vec result{};
  for (size lane = 0; lane < lanes; ++lane) {
    result[lane] = static_cast<float>(static_cast<std::int32_t>(words[lane] >> 8));
  }
  return result * 0x1p-24F;
}

}  // namespace

// Normal numbers by Box and Muller (1958): words 0 and 1 give elements 0 and 1, words 2 and 3 the others.
void random(const random_arguments& arguments, std::int64_t block_begin, std::int64_t block_end,
            std::int64_t count) {
  for (size block = block_begin; block < block_end; block += lanes) {
    random_words words;
    philox_blocks(arguments, block, words);
    vec value[4] = {};
    for (int word = 0; word < 4; ++word) value[word] = uniform(words.word[word]);
    if (arguments.normal) {
      for (int pair = 0; pair < 4; pair += 2) {
        // 1 - u is in (0, 1]: its logarithm is finite.
        const vec spread = -2.0F * logarithm(1.0F - value[pair]);
        vec radius{};
        for (size lane = 0; lane < lanes; ++lane) radius[lane] = __builtin_sqrtf(spread[lane]);
        vec sine{};
        vec cosine{};
        sine_and_cosine(value[pair + 1], sine, cosine);
        value[pair] = radius * cosine;
        value[pair + 1] = radius * sine;
      }
    }
    for (size lane = 0; lane < lanes && block + lane < block_end; ++lane) {
      for (size word = 0; word < 4; ++word) {
        const size index = 4 * (block + lane) + word;
        if (index < count) arguments.output[index] = value[word][lane] * arguments.scale + arguments.shift;
      }
    }
  }
}

}  // namespace weft::detail::WEFT_ISA
