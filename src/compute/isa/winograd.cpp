#include <compute/isa/pack.hpp>
#include <compute/isa/winograd.hpp>

// Convolutions of 3 x 3 at stride 1 by Winograd's minimal filtering F(2 x 2, 3 x 3) in the matrices of Lavin
// and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016): a square of 2 x 2 outputs takes 16
// products with 4 x 4 inputs instead of 36, and each of the 16 is a matrix product over the channels.

namespace weft::detail::WEFT_ISA {
namespace {

constexpr int point_count = 16;

// Every second float of two registers, one behind the other.
inline __attribute__((always_inline)) vec even(vec a, vec b) {
  return every_second<1, 0, lanes, lanes>::template lanes<lanes>::of(a, b);
}
inline __attribute__((always_inline)) vec odd(vec a, vec b) {
  return every_second<1, 1, lanes, lanes>::template lanes<lanes>::of(a, b);
}

// The floats of two registers by turns, those from `First` on.
template <int First, int Count, int... Lanes>
struct by_turns : by_turns<First, Count - 1, First + (Count - 1) / 2 + ((Count - 1) % 2) * lanes, Lanes...> {
};
template <int First, int... Lanes>
struct by_turns<First, 0, Lanes...> {
  static inline __attribute__((always_inline)) vec of(vec a, vec b) {
    return __builtin_shufflevector(a, b, Lanes...);
  }
};

// Of a 3 x 3 weight: [1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1] on either side.
inline __attribute__((always_inline)) void spread_weight(const vec* from, size step, vec* to, size to_step) {
  const vec outer = (from[0] + from[2 * step]) * 0.5F;
  const vec inner = from[step] * 0.5F;
  to[0] = from[0];
  to[to_step] = outer + inner;
  to[2 * to_step] = outer - inner;
  to[3 * to_step] = from[2 * step];
}

// Of 4 x 4 inputs: [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1] on either side.
inline __attribute__((always_inline)) void spread_input(const vec* from, size step, vec* to, size to_step) {
  to[0] = from[0] - from[2 * step];
  to[to_step] = from[step] + from[2 * step];
  to[2 * to_step] = from[2 * step] - from[step];
  to[3 * to_step] = from[step] - from[3 * step];
}

// Back to 2 x 2 outputs: [1 1 1 0; 0 1 -1 -1] on either side.
inline __attribute__((always_inline)) void join_output(const vec* from, size step, vec* to, size to_step) {
  to[0] = from[0] + from[step] + from[2 * step];
  to[to_step] = from[step] - from[2 * step] - from[3 * step];
}

// The gradient of the sums by that of 2 x 2 outputs, which is join_output's transpose.
inline __attribute__((always_inline)) void spread_output(const vec* from, size step, vec* to, size to_step) {
  to[0] = from[0];
  to[to_step] = from[0] + from[step];
  to[2 * to_step] = from[0] - from[step];
  to[3 * to_step] = -from[step];
}

// The gradient of a 3 x 3 weight, spread_weight's transpose.
inline __attribute__((always_inline)) void join_weight(const vec* from, size step, vec* to, size to_step) {
  const vec outer = (from[step] + from[2 * step]) * 0.5F;
  to[0] = from[0] + outer;
  to[to_step] = (from[step] - from[2 * step]) * 0.5F;
  to[2 * to_step] = outer + from[3 * step];
}

// How many registers a column of a block of the weight takes.
constexpr int block_registers = (max_rows + lanes - 1) / lanes;

// Calls each(first row, height) for some of the blocks of rows that the weight is cut in.
template <class Each>
inline __attribute__((always_inline)) void for_each_block(size rows, const share& own, const Each& each) {
  const size blocks = (rows + max_rows - 1) / max_rows;
  const size end = blocks * (own.part + 1) / own.parts;
  for (size index = blocks * own.part / own.parts; index < end; ++index) {
    const size row = rows * index / blocks;
    each(row, rows * (index + 1) / blocks - row);
  }
}

// Rows of one point's product, some registers wide.
template <int Rows, int Wide>
__attribute__((noinline)) void product_at(const float* weight, const float* input, size depth, size stride,
                                          float* to) {
  vec sum[Rows][Wide];
  for (int r = 0; r < Rows; ++r) {
    for (int w = 0; w < Wide; ++w) sum[r][w] = vec{};
  }
  for (size k = 0; k < depth; ++k) {
    vec value[Wide];
    for (int w = 0; w < Wide; ++w) value[w] = load(input + k * stride + w * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const vec factor = broadcast(weight[k * Rows + r]);
      for (int w = 0; w < Wide; ++w) sum[r][w] += factor * value[w];
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int w = 0; w < Wide; ++w) store(to + r * stride + w * lanes, sum[r][w]);
  }
}

template <int Rows>
void product_of(int rows, const float* weight, const float* input, size depth, size columns, size stride,
                float* to) {
  if constexpr (Rows > 0) {
    if (rows < Rows) return product_of<Rows - 1>(rows, weight, input, depth, columns, stride, to);
    size column = 0;
    for (; column + lanes < columns; column += 2 * lanes)
      product_at<Rows, 2>(weight, input + column, depth, stride, to + column);
    if (column < columns) product_at<Rows, 1>(weight, input + column, depth, stride, to + column);
  }
}

// Writes the 16 points of every square of some channels; `Lines` lines of a plane make a row of squares.
template <int Lines>
void spread_planes(const winograd_planes& planes, const winograd_squares& squares, size channel_begin,
                   size channel_end, const winograd_points& to, float* scratch) {
  const size line_floats = 2 * (squares.across + most_lanes);
  const size count = squares.rows * squares.across;
  const size columns = (count + most_lanes - 1) / most_lanes * most_lanes;
  float* const nothing = scratch + Lines * line_floats;
  for (size at = 0; at < (Lines + 1) * line_floats; ++at) scratch[at] = 0.0F;
  for (size channel = channel_begin; channel < channel_end; ++channel) {
    for (size row = 0; row < squares.rows; ++row) {
      const size image = (squares.first + row) / squares.down;
      const size top = 2 * ((squares.first + row) % squares.down) - planes.border_rows;
      const float* line[Lines];
      for (int i = 0; i < Lines; ++i) {
        line[i] = nothing;
        if (top + i < 0 || top + i >= planes.height) continue;
        const float* from =
            planes.data + ((image * planes.channels + channel) * planes.height + top + i) * planes.width;
        float* copy = scratch + i * line_floats;
        for (size x = 0; x < planes.width; ++x) copy[planes.border_columns + x] = from[x];
        // The next channel's lines are on another page, where no hardware prefetcher expects them.
        for (size x = 0; channel + 1 < channel_end && x < planes.width; x += most_lanes)
          __builtin_prefetch(from + planes.height * planes.width + x);
        line[i] = copy;
      }
      float* const first = to.data + channel * to.stride + row * squares.across;
      for (size x = 0; x < squares.across; x += lanes) {
        vec rows[4 * Lines];
        vec spread[point_count];
        for (int i = 0; i < Lines; ++i) {
          const float* from = line[i] + 2 * x;
          const vec a = load(from);
          const vec b = load(from + lanes);
          if constexpr (Lines == 4) {
            const vec c = load(from + 2);
            const vec d = load(from + 2 + lanes);
            const vec input[4] = {even(a, b), odd(a, b), even(c, d), odd(c, d)};
            spread_input(input, 1, rows + 4 * i, 1);
          } else {
            const vec output[2] = {even(a, b), odd(a, b)};
            spread_output(output, 1, rows + 4 * i, 1);
          }
        }
        for (int j = 0; j < 4; ++j) {
          if constexpr (Lines == 4) {
            spread_input(rows + j, 4, spread + j, 4);
          } else {
            spread_output(rows + j, 4, spread + j, 4);
          }
        }
        // What is beyond the row is overwritten by the next one.
        for (int point = 0; point < point_count; ++point) store(first + point * to.step + x, spread[point]);
      }
    }
    for (int point = 0; point < point_count; ++point) {
      float* const all = to.data + point * to.step + channel * to.stride;
      for (size at = count; at < columns; ++at) all[at] = 0.0F;
    }
  }
}

// Writes the squares of one output's planes from their 16 points.
inline void join_plane(const winograd_output_arguments& arguments, const winograd_squares& squares,
                       size output) {
  const float bias = arguments.bias == nullptr ? 0.0F : arguments.bias[output];
  for (size row = 0; row < squares.rows; ++row) {
    const size image = (squares.first + row) / squares.down;
    const size top = 2 * ((squares.first + row) % squares.down);
    const float* first = arguments.sums.data + output * arguments.sums.stride + row * squares.across;
    float* const plane =
        arguments.output + (image * arguments.outputs + output) * arguments.height * arguments.width;
    for (size x = 0; x < squares.across; x += lanes) {
      vec sums[point_count];
      vec rows[8];
      vec joined[4];
      for (int point = 0; point < point_count; ++point)
        sums[point] = load(first + point * arguments.sums.step + x);
      for (int j = 0; j < 4; ++j) join_output(sums + j, 4, rows + j, 4);
      for (int i = 0; i < 2; ++i) join_output(rows + 4 * i, 1, joined + 2 * i, 1);
      const size left = arguments.width - 2 * x;
      for (int i = 0; i < 2 && top + i < arguments.height; ++i) {
        float* to = plane + (top + i) * arguments.width + 2 * x;
        const vec near = by_turns<0, lanes>::of(joined[2 * i], joined[2 * i + 1]) + bias;
        const vec far = by_turns<lanes / 2, lanes>::of(joined[2 * i], joined[2 * i + 1]) + bias;
        if (left >= lanes) {
          store(to, near);
        } else {
          store_some(to, near, left);
        }
        if (left >= 2 * lanes) {
          store(to + lanes, far);
        } else if (left > lanes) {
          store_some(to + lanes, far, left - lanes);
        }
      }
    }
  }
}

}  // namespace

void winograd_weight(const winograd_weight_arguments& arguments, const share& own, float* to, size step) {
  const flush_denormals flush;
  const size channels = arguments.channels;
  constexpr size wide = block_registers * lanes;
  constexpr size together = 8;  // channels, so that what is gathered is not loaded at once
  for_each_block(
      arguments.outputs, own, [&](size row, size height) __attribute__((always_inline)) {
        float gathered[together][9][wide] = {};
        float* const block = to + row * channels;
        for (size first = 0; first < channels; first += together) {
          const size count = channels - first < together ? channels - first : together;
          for (size r = 0; r < height; ++r) {
            const float* from =
                arguments.weight + (row + r) * arguments.output_step + first * arguments.channel_step;
            for (size c = 0; c < count; ++c, from += arguments.channel_step) {
              for (int at = 0; at < 9; ++at) gathered[c][at][r] = from[arguments.turned ? 8 - at : at];
            }
          }
          for (size c = 0; c < count; ++c) {
            float* const column = block + (first + c) * height;
            // What is beyond the column is overwritten by the next one.
            const bool within = (first + c) * height + wide <= channels * height;
            for (int index = 0; index < block_registers; ++index) {
              vec weight[9];
              vec rows[12];
              vec spread[point_count];
              for (int at = 0; at < 9; ++at) weight[at] = load(gathered[c][at] + index * lanes);
              for (int x = 0; x < 3; ++x) spread_weight(weight + x, 3, rows + x, 3);
              for (int y = 0; y < 4; ++y) spread_weight(rows + 3 * y, 1, spread + 4 * y, 1);
              const size left = height - index * lanes;
              for (int point = 0; point < point_count; ++point) {
                float* place = column + point * step + index * lanes;
                if (within || left >= lanes) {
                  store(place, spread[point]);
                } else if (left > 0) {
                  store_some(place, spread[point], left);
                }
              }
            }
          }
        }
      });
}

void winograd_input(const winograd_planes& planes, const winograd_squares& squares, size channel_begin,
                    size channel_end, const winograd_points& to, float* scratch) {
  const flush_denormals flush;
  spread_planes<4>(planes, squares, channel_begin, channel_end, to, scratch);
}

void winograd_product(const winograd_product_arguments& arguments, const share& own) {
  const flush_denormals flush;
  for (size point = 0; point < point_count; ++point) {
    const float* weight = arguments.weight + point * arguments.weight_step;
    const float* input = arguments.input.data + point * arguments.input.step;
    float* sums = arguments.sums.data + point * arguments.sums.step;
    for_each_block(
        arguments.outputs, own, [&](size row, size height) __attribute__((always_inline)) {
          product_of<max_rows>(static_cast<int>(height), weight + row * arguments.channels, input,
                               arguments.channels, arguments.columns, arguments.input.stride,
                               sums + row * arguments.sums.stride);
        });
  }
}

void winograd_output(const winograd_output_arguments& arguments, const winograd_squares& squares,
                     const share& own) {
  const flush_denormals flush;
  for_each_block(arguments.outputs, own, [&](size begin, size height) {
    for (size output = begin; output < begin + height; ++output) join_plane(arguments, squares, output);
  });
}

void winograd_gradient(const winograd_planes& planes, const winograd_squares& squares, size channel_begin,
                       size channel_end, const winograd_points& to, float* scratch) {
  const flush_denormals flush;
  spread_planes<2>(planes, squares, channel_begin, channel_end, to, scratch);
}

void winograd_weight_gradient(const float* points, size step, size count, float* to) {
  const flush_denormals flush;
  for (size first = 0; first < count; first += lanes) {
    const size left = count - first < lanes ? count - first : lanes;
    vec sums[point_count];
    vec rows[12];
    vec joined[9];
    float weights[9][lanes];
    for (int point = 0; point < point_count; ++point) {
      const float* from = points + point * step + first;
      sums[point] = left == lanes ? load(from) : load_some(from, left);
    }
    for (int j = 0; j < 4; ++j) join_weight(sums + j, 4, rows + j, 4);
    for (int i = 0; i < 3; ++i) join_weight(rows + 4 * i, 1, joined + 3 * i, 1);
    for (int at = 0; at < 9; ++at) store(weights[at], joined[at]);
    for (size lane = 0; lane < left; ++lane) {
      for (int at = 0; at < 9; ++at) to[(first + lane) * 9 + at] = weights[at][lane];
    }
  }
}

}  // namespace weft::detail::WEFT_ISA
