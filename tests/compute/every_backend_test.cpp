#include "every_backend.hpp"

#include <weft/compute/kernels/adam.hpp>
#include <weft/compute/kernels/conv2d.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/kernels/gather_rows.hpp>
#include <weft/compute/kernels/layer_norm.hpp>
#include <weft/compute/kernels/linear_backward.hpp>
#include <weft/compute/kernels/linear_forward.hpp>
#include <weft/compute/kernels/matmul.hpp>
#include <weft/compute/kernels/normalize.hpp>
#include <weft/compute/kernels/normalize_images.hpp>
#include <weft/compute/kernels/pool2d.hpp>
#include <weft/compute/kernels/random.hpp>
#include <weft/compute/kernels/reduce.hpp>
#include <weft/compute/kernels/relu_backward.hpp>
#include <weft/compute/kernels/sgd.hpp>
#include <weft/compute/kernels/softmax.hpp>
#include <weft/compute/kernels/softmax_cross_entropy.hpp>

#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

// One body for each kernel, run on every backend: the CPU's result, which other tests hold against double
// precision, is what the others must give.

namespace every_backend_test {

using weft::bfloat16;
using weft::half;
using weft::shape;
using weft::tensor;
using weft::tensor_view;

// Widths for each way that a row is spread over threads, with odd ones and their neighbours.
constexpr std::int64_t widths[] = {1, 128, 129, 515, 2051};

template <class T, int Rank>
tensor<T, Rank> rounded(const tensor<float, Rank>& values) {
  tensor<T, Rank> result(values.extents());
  for (std::int64_t i = 0; i < values.size(); ++i) result.data()[i] = T(values.data()[i]);
  return result;
}

// The elements of several tensors of a backend, one after the other.
template <class... Tensors>
tensor<float, 1> all_of(const backend& here, const Tensors&... tensors) {
  std::vector<float> elements;
  const auto append = [&](const auto& values) {
    for (const auto element : values.elements()) elements.push_back(static_cast<float>(element));
  };
  (append(here.get(tensors)), ...);
  return tensor<float, 1>({static_cast<std::int64_t>(elements.size())}, elements);
}

TEST(every_backend, computes_element_by_element) {
  for (const std::int64_t count : {0, 1, 7, 4099}) {
    auto left = random_tensor<1>({count + 1}, 1);
    const auto right = random_tensor<1>({count + 1}, 2);
    if (count > 1) left(1) = std::numeric_limits<float>::quiet_NaN();
    for (const std::int64_t first : {0, 1}) {  // aligned and not
      expect_the_same_everywhere(3e-6, [&](const backend& here) {
        const auto a = here.put(left);
        const auto b = here.put(right);
        auto output = here.put(tensor<float, 1>({8 * (count + 1)}));
        here.run([&](const auto& context) {
          const auto x = a.slice(first, first + count);
          const auto y = b.slice(first, first + count);
          const auto to = [&](std::int64_t part) {
            return output.slice(part * (count + 1) + first, part * (count + 1) + first + count);
          };
          weft::multiply{}(context, x, y, to(0));
          weft::maximum{}(context, x, y, to(1));
          weft::subtract{}(context, b.slice(0, 1), x, to(2));
          weft::divide{}(context, x, b.slice(0, 1), to(3));
          weft::gelu{}(context, x, to(4));
          weft::sigmoid{}(context, y, to(5));
          weft::relu{}(context, x, to(6));
          weft::exponential{}(context, y, to(7));
        });
        return here.get(output);
      });
    }
  }
}

TEST(every_backend, repeats_operands) {
  const auto left = random_tensor<3>({4, 5, 33}, 1);
  const auto row = random_tensor<1>({33}, 2);
  const auto column = random_tensor<3>({4, 1, 1}, 3);
  expect_the_same_everywhere(1e-6, [&](const backend& here) {
    const auto a = here.put(left);
    const auto b = here.put(row);
    const auto c = here.put(column);
    auto output = here.put(left);
    here.run([&](const auto& context) {
      weft::add{}(context, a, b, output.view());
      weft::multiply{}(context, output, c, output.view());
    });
    return here.get(output);
  });
  tensor<std::int64_t, 1> numbers({1000});
  for (std::int64_t i = 0; i < 1000; ++i) numbers(i) = (i - 500) * (std::int64_t{1} << 40);
  expect_the_same_everywhere(0.0, [&](const backend& here) {
    const auto a = here.put(numbers);
    auto output = here.put(numbers);
    here.run([&](const auto& context) { weft::add{}(context, a, a, output.view()); });
    return here.get(output);
  });
}

TEST(every_backend, reduces_any_axis) {
  struct reduced {
    shape<3> extents;
    int axis;
  };
  // Rows and columns, of one part, of some, and of more than a warp has threads.
  for (const auto& [extents, axis] : {reduced{{1, 1, 1}, 0},
                                      {{3, 5, 7}, 0},
                                      {{3, 5, 7}, 1},
                                      {{3, 5, 7}, 2},
                                      {{2, 300, 33}, 1},
                                      {{1, 5000, 3}, 1},
                                      {{1, 2, 17000}, 2}}) {
    const auto values = random_tensor<3>(extents, 1);
    shape<2> left{};
    for (int at = 0, to = 0; at < 3; ++at) {
      if (at != axis) left[static_cast<std::size_t>(to++)] = extents[static_cast<std::size_t>(at)];
    }
    expect_the_same_everywhere(1e-6, [&](const backend& here) {
      const auto input = here.put(values);
      auto output = here.put(tensor<float, 2>(left));
      here.run([&, along = axis](const auto& context) {
        weft::reduce_mean{{along}}(context, input, output.view());
      });
      return here.get(output);
    });
    expect_the_same_everywhere(0.0, [&](const backend& here) {
      const auto input = here.put(values);
      auto output = here.put(tensor<std::int64_t, 2>(left));
      here.run(
          [&, along = axis](const auto& context) { weft::argmax{{along}}(context, input, output.view()); });
      return here.get(output);
    });
    expect_the_same_everywhere(1e-6, [&](const backend& here) {
      const auto input = here.put(values);
      auto sum = here.put(tensor<float, 1>({1}));
      here.run([&](const auto& context) { weft::reduce_sum{}(context, input, sum.view()); });
      return here.get(sum);
    });
  }
  tensor<std::int32_t, 1> numbers({300'001});
  for (std::int64_t i = 0; i < numbers.size(); ++i) numbers(i) = static_cast<std::int32_t>(i);
  expect_the_same_everywhere(0.0, [&](const backend& here) {
    const auto input = here.put(numbers);
    auto output = here.put(tensor<std::int32_t, 1>({1}));
    here.run([&](const auto& context) { weft::reduce_max{}(context, input, output.view()); });
    return here.get(output);
  });
}

TEST(every_backend, computes_softmax_and_its_gradient) {
  for (const std::int64_t columns : widths) {
    const auto input = random_tensor<2>({11, columns}, 1, 3.0);
    const auto gradient = random_tensor<2>({11, columns}, 2);
    for (const bool logarithm : {false, true}) {
      expect_the_same_everywhere(2e-6, [&](const backend& here) {
        const auto x = here.put(input);
        auto output = here.put(input);
        here.run([&](const auto& context) { weft::softmax{logarithm}(context, x, output); });
        return here.get(output);
      });
    }
    expect_the_same_everywhere(2e-6, [&](const backend& here) {
      const auto x = here.put(input);
      const auto g = here.put(gradient);
      auto output = here.put(input);
      auto result = here.put(input);
      here.run([&](const auto& context) {
        weft::softmax{}(context, output, output);  // in place
        weft::softmax_backward{}(context, output, g, result);
      });
      return here.get(result);
    });
  }
}

TEST(every_backend, computes_layer_norm_and_its_gradients) {
  for (const std::int64_t columns : widths) {
    const auto input = random_tensor<2>({13, columns}, 1);
    const auto scale = random_tensor<1>({columns}, 2);
    const auto shift = random_tensor<1>({columns}, 3);
    const auto gradient = random_tensor<2>({13, columns}, 4);
    expect_the_same_everywhere(2e-5, [&](const backend& here) {
      const auto x = here.put(input);
      const auto a = here.put(scale);
      const auto b = here.put(shift);
      const auto g = here.put(gradient);
      auto output = here.put(input);
      auto x_gradient = here.put(input);
      auto a_gradient = here.put(scale);
      auto b_gradient = here.put(scale);
      auto mean = here.put(tensor<float, 1>({13}));
      auto inverse = here.put(tensor<float, 1>({13}));
      here.run([&](const auto& context) {
        weft::layer_norm{.epsilon = 0.1}(context, x, a, b, output, mean, inverse);
        weft::layer_norm_backward{}(context, x, a, mean, inverse, g, x_gradient, a_gradient, b_gradient);
      });
      return all_of(here, output, x_gradient, a_gradient, b_gradient, mean, inverse);
    });
  }
}

TEST(every_backend, computes_losses) {
  for (const std::int64_t classes : {1, 10, 130, 3000}) {
    const auto logits = random_tensor<2>({37, classes}, 1, 4.0);
    const auto labels = random_labels(37, classes, 2);
    expect_the_same_everywhere(3e-6, [&](const backend& here) {
      const auto x = here.put(logits);
      const auto y = here.put(labels);
      auto losses = here.put(tensor<float, 1>({37}));
      auto gradient = here.put(logits);
      tensor<float, 1> means({2});
      here.run([&](const auto& context) {
        means(0) = static_cast<float>(weft::softmax_cross_entropy{}(context, x, y, losses, gradient));
        means(1) = static_cast<float>(weft::softmax_cross_entropy{}(context, x, y, losses));
      });
      return all_of(here, losses, gradient, here.put(means));
    });
  }
}

TEST(every_backend, steps_many_arrays_at_once) {
  // More arrays than one launch takes, some empty, some of several blocks.
  std::vector<std::int64_t> sizes(50, 5);
  sizes[3] = 0;
  sizes[7] = 20'000;
  sizes[49] = 8192;
  std::int64_t total = 0;
  for (const std::int64_t size : sizes) total += size;
  const auto parameters = random_tensor<1>({total}, 1);
  const auto gradients = random_tensor<1>({total}, 2);
  const auto parts = [&](const auto& each) {
    std::int64_t first = 0;
    for (const std::int64_t size : sizes) {
      each(first, first + size);
      first += size;
    }
  };
  expect_the_same_everywhere(1e-6, [&](const backend& here) {
    auto p = here.put(parameters);
    auto g = here.put(gradients);
    auto first = here.put(tensor<float, 1>({total}));
    auto second = here.put(tensor<float, 1>({total}));
    std::vector<weft::adam_parameter> arrays;
    parts([&](std::int64_t begin, std::int64_t end) {
      arrays.push_back(
          {p.slice(begin, end), g.slice(begin, end), first.slice(begin, end), second.slice(begin, end)});
    });
    here.run([&](const auto& context) {
      for (std::int64_t step = 1; step <= 2; ++step) {
        weft::adam_step{.options = {.weight_decay = 0.1}, .step = step}(context, arrays);
      }
    });
    return all_of(here, p, first, second);
  });
  for (const weft::sgd_options& options :
       {weft::sgd_options{.momentum = 0.9},
        weft::sgd_options{.momentum = 0.9, .weight_decay = 0.1, .nesterov = true}}) {
    expect_the_same_everywhere(1e-6, [&](const backend& here) {
      auto p = here.put(parameters);
      auto g = here.put(gradients);
      auto velocity = here.put(parameters);
      std::vector<weft::sgd_parameter> arrays;
      std::vector<tensor_view<float, 1>> clipped;
      parts([&](std::int64_t begin, std::int64_t end) {
        arrays.push_back({p.slice(begin, end), g.slice(begin, end), velocity.slice(begin, end)});
        clipped.push_back(g.slice(begin, end));
      });
      tensor<float, 1> norms({2});
      here.run([&](const auto& context) {
        norms(0) = static_cast<float>(weft::clip_by_norm{.max_norm = 1e6}(context, clipped));
        norms(1) = static_cast<float>(weft::clip_by_norm{.max_norm = 2.0}(context, clipped));
        weft::sgd_step{options}(context, arrays);
      });
      return all_of(here, p, g, velocity, here.put(norms));
    });
  }
}

TEST(every_backend, multiplies_matrices) {
  const auto left = random_tensor<2>({17, 30}, 1);
  const auto right = random_tensor<2>({30, 21}, 2);
  const auto bias = random_tensor<1>({21}, 3);
  const auto left_batch = random_tensor<3>({3, 5, 4}, 4);
  const auto right_batch = random_tensor<3>({3, 7, 4}, 5);
  const auto batch_bias = random_tensor<1>({7}, 6);
  for (const auto after : {weft::activation::none, weft::activation::relu, weft::activation::gelu}) {
    const auto check = [&](auto type, double tolerance) {
      using T = decltype(type);
      expect_the_same_everywhere(tolerance, [&](const backend& here) {
        const auto a = here.put(rounded<T>(left));
        const auto b = here.put(rounded<T>(right));
        const auto c = here.put(rounded<T>(bias));
        const auto d = here.put(rounded<T>(left_batch));
        const auto e = here.put(rounded<T>(right_batch));
        const auto f = here.put(rounded<T>(batch_bias));
        auto plain = here.put(tensor<T, 2>({17, 21}));
        auto shifted = here.put(tensor<T, 2>({17, 21}));
        auto transposed = here.put(tensor<T, 2>({30, 30}));
        auto empty_depth = here.put(tensor<T, 2>({17, 21}));
        auto batch = here.put(tensor<T, 3>({3, 5, 7}));
        auto shifted_batch = here.put(tensor<T, 3>({3, 5, 7}));
        here.run([&](const auto& context) {
          const weft::matmul multiply{after};
          multiply(context, a, b, plain);
          multiply(context, a, b, c, shifted);
          multiply(context, a.transpose(), a, transposed);
          multiply(context, a.slice(1, 0, 0), b.view().slice(0, 0).strided(), c, empty_depth);
          multiply(context, d, e.transpose(), batch);
          multiply(context, d, e.transpose(), f, shifted_batch);
        });
        return all_of(here, plain, shifted, transposed, empty_depth, batch, shifted_batch);
      });
    };
    check(float(), 1e-5);
    check(bfloat16(), 2e-2);  // may round twice, where the bias comes after
    check(half(), 3e-3);
    expect_the_same_everywhere(1e-2, [&](const backend& here) {
      const auto a = here.put(left);
      const auto b = here.put(right);
      auto output = here.put(tensor<float, 2>({17, 21}));
      here.run([&](const auto& context) {
        weft::matmul{after, weft::float_precision::tf32}(context, a, b, output);
      });
      return all_of(here, output);
    });
  }
}

TEST(every_backend, runs_linear_layers) {
  for (const std::int64_t batch : {0, 1, 300}) {
    const auto input = random_tensor<2>({batch, 12}, 1);
    const auto weight = random_tensor<2>({12, 33}, 2);
    const auto bias = random_tensor<1>({33}, 3);
    const auto gradient = random_tensor<2>({batch, 33}, 4);
    expect_the_same_everywhere(1e-5, [&](const backend& here) {
      const auto x = here.put(input);
      const auto w = here.put(weight);
      const auto b = here.put(bias);
      const auto g = here.put(gradient);
      auto y = here.put(gradient);
      auto z = here.put(gradient);
      auto w_gradient = here.put(weight);
      auto b_gradient = here.put(bias);
      auto x_gradient = here.put(input);
      auto masked = here.put(input);
      here.run([&](const auto& context) {
        weft::linear_forward{weft::activation::relu}(context, x, w, b, y);
        weft::linear_backward_parameters{}(context, x, g, w_gradient, b_gradient);
        weft::linear_backward_input{}(context, g, w, x_gradient);
        weft::linear_backward_input{}(context, g, w, x, masked);
        weft::relu_backward{}(context, tensor_view<const float, 1>(y.view().template reshape<1>({y.size()})),
                              z.view().template reshape<1>({z.size()}));
      });
      return all_of(here, z, y, w_gradient, b_gradient, x_gradient, masked);
    });
  }
}

TEST(every_backend, pools) {
  for (const weft::pool2d_options& options :
       {weft::pool2d_options{}, weft::pool2d_options{.size = 3, .stride = 2, .padding = 1},
        weft::pool2d_options{.size = 2, .stride = 3},
        weft::pool2d_options{.size = 3, .stride = 1, .padding = 2}}) {
    auto input = random_tensor<4>({2, 3, 9, 7}, 1);
    input(1, 2, 4, 4) = std::numeric_limits<float>::quiet_NaN();
    input(0, 0, 0, 1) = input(0, 0, 0, 0);
    const shape<4> pooled = weft::pooled_shape(options, input.extents());
    const auto gradient = random_tensor<4>(pooled, 2);
    expect_the_same_everywhere(1e-6, [&](const backend& here) {
      const auto x = here.put(input);
      const auto g = here.put(gradient);
      auto largest = here.put(gradient);
      auto where = here.put(tensor<std::int32_t, 4>(pooled));
      auto mean = here.put(gradient);
      auto max_gradient = here.put(input);
      auto mean_gradient = here.put(input);
      here.run([&](const auto& context) {
        weft::max_pool2d{options}(context, x, largest, where);
        weft::max_pool2d_backward{}(context, g, where, max_gradient);
        weft::average_pool2d{options}(context, x, mean);
        weft::average_pool2d_backward{options}(context, g, mean_gradient);
      });
      return all_of(here, largest, where, mean, max_gradient, mean_gradient);
    });
  }
}

TEST(every_backend, convolves) {
  for (const weft::conv2d_options& options :
       {weft::conv2d_options{}, weft::conv2d_options{.stride = 2, .padding = 1},
        weft::conv2d_options{.stride = 3, .padding = 2}}) {
    const auto input = random_tensor<4>({5, 3, 9, 7}, 1);
    const auto weight = random_tensor<4>({4, 3, 3, 2}, 2);
    const auto bias = random_tensor<1>({4}, 3);
    const shape<4> convolved = weft::convolved_shape(options, input.extents(), weight.extents());
    const auto gradient = random_tensor<4>(convolved, 4);
    expect_the_same_everywhere(1e-5, [&](const backend& here) {
      const auto x = here.put(input);
      const auto w = here.put(weight);
      const auto b = here.put(bias);
      const auto g = here.put(gradient);
      auto output = here.put(gradient);
      auto x_gradient = here.put(input);
      auto w_gradient = here.put(weight);
      auto b_gradient = here.put(bias);
      auto w_gradient_alone = here.put(weight);
      here.run([&](const auto& context) {
        weft::conv2d{options}(context, x, w, b, output);
        weft::conv2d_backward{options}(context, x, w, g, x_gradient, w_gradient, b_gradient);
        weft::conv2d_backward{options}(context, x, w, g, w_gradient_alone, b_gradient);
      });
      return all_of(here, output, x_gradient, w_gradient, b_gradient, w_gradient_alone);
    });
  }
}

TEST(every_backend, gathers_and_normalizes) {
  const auto values = random_tensor<2>({40, 12}, 1);
  tensor<std::uint8_t, 2> pixels({40, 13});
  for (std::int64_t i = 0; i < pixels.size(); ++i) pixels.data()[i] = static_cast<std::uint8_t>(i * 37);
  tensor<std::uint8_t, 4> images({2, 5, 7, 3});
  for (std::int64_t i = 0; i < images.size(); ++i) images.data()[i] = static_cast<std::uint8_t>(i * 31);
  tensor<std::int64_t, 1> rows({300});
  for (std::int64_t i = 0; i < 300; ++i) rows(i) = i * 7 % 40;
  expect_the_same_everywhere(1e-6, [&](const backend& here) {
    const auto from = here.put(values);
    const auto bytes = here.put(pixels);
    const auto which = here.put(rows);
    const auto pictures = here.put(images);
    auto packs = here.put(tensor<float, 2>({300, 12}));
    auto odd = here.put(tensor<std::uint8_t, 2>({300, 13}));
    auto chosen = here.put(tensor<float, 2>({300, 13}));
    auto all = here.put(tensor<float, 2>({40, 13}));
    auto planes = here.put(tensor<float, 4>({2, 3, 5, 7}));
    here.run([&](const auto& context) {
      weft::gather_rows{}(context, from, which, packs.view());
      weft::gather_rows{}(context, bytes, which, odd.view());
      weft::normalize{.mean = 0.3, .deviation = 0.4}(context, bytes, which, chosen);
      weft::normalize{.mean = 0.3, .deviation = 0.4}(context, bytes, all);
      weft::normalize_images{{0.1, 0.2, 0.3}, {0.5, 0.6, 0.7}}(context, pictures, planes);
    });
    return all_of(here, packs, odd, chosen, all, planes);
  });
  rows(170) = 40;
  rows(290) = -1;
  on_every_backend([&](const backend& here) {
    const auto from = here.put(values);
    const auto bytes = here.put(pixels);
    const auto which = here.put(rows);
    auto packs = here.put(tensor<float, 2>({300, 12}));
    auto chosen = here.put(tensor<float, 2>({300, 13}));
    const auto bad = [&](const auto& run) {
      try {
        here.run(run);
      } catch (const weft::invalid_argument& problem) {
        EXPECT_NE(std::string(problem.what()).find("row 40 is outside"), std::string::npos) << problem.what();
        return true;
      }
      return false;
    };
    EXPECT_TRUE(bad([&](const auto& context) { weft::gather_rows{}(context, from, which, packs.view()); }));
    EXPECT_TRUE(bad([&](const auto& context) { weft::normalize{}(context, bytes, which, chosen); }));
  });
}

TEST(every_backend, makes_the_same_random_numbers) {
  for (const std::int64_t count : {0, 1, 2, 5, 10'001}) {
    expect_the_same_everywhere(0.0, [&](const backend& here) {
      auto output = here.put(tensor<float, 1>({count}));
      here.run([&](const auto& context) { weft::fill_uniform{.seed = 9, .stream = 3}(context, output); });
      return here.get(output);
    });
    expect_the_same_everywhere(1e-5, [&](const backend& here) {
      auto output = here.put(tensor<float, 1>({count}));
      here.run([&](const auto& context) { weft::fill_normal{.seed = 9}(context, output); });
      return here.get(output);
    });
  }
}

}  // namespace every_backend_test
