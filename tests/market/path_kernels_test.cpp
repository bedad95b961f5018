#include <weft/compute/cuda_device.hpp>
#include <weft/compute/isa.hpp>
#include <weft/core/philox.hpp>
#include <weft/market/detail/functor_program.hpp>
#include <weft/market/detail/path_loop.hpp>
#include <weft/market/path_math.hpp>

#include "emulated_gpu.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

namespace path_kernels_test {

using weft::detail::path_arguments;
using weft::detail::path_payoff;

std::vector<float> normals(weft::isa level, std::uint64_t seed, std::int64_t factor, std::int64_t block,
                           std::int64_t begin, std::int64_t count) {
  const std::int64_t stride = (count + 15) / 16 * 16;
  std::vector<float> output(static_cast<std::size_t>(4 * stride));
  weft::detail::fill_path_normals(level, seed, factor, block, {begin, begin + count}, stride, output.data());
  std::vector<float> result;
  for (std::int64_t step = 0; step < 4; ++step) {
    result.insert(result.end(), output.begin() + step * stride, output.begin() + step * stride + count);
  }
  return result;
}

/// A GPU's functions with errors that are nowhere larger.
struct worst_math {
  static float log2(float x) {
    const float exact = std::log2(x);
    return exact + 0x1p-22F * (x > 0.5F && x < 2.0F ? 1.0F : exact);
  }
  static float root(float x) { return std::sqrt(x) * (1.0F - 0x1p-23F); }
  static float sine(float x) { return std::sin(x) + 3.6e-7F; }
  static float cosine(float x) { return std::cos(x) - 4.4e-7F; }
};

/// As normals(), by what a GPU's threads run.
template <class Math>
std::vector<float> gpu_normals(std::uint64_t seed, std::int64_t factor, std::int64_t block,
                               std::int64_t begin, std::int64_t count) {
  const weft::detail::path_keys keys(seed);
  std::vector<float> result(static_cast<std::size_t>(4 * count));
  for (std::int64_t i = 0; i < count; ++i) {
    float drawn[4];
    weft::detail::draw_normals<Math>(keys, begin + i, static_cast<std::uint32_t>(block),
                                     static_cast<int>(factor), drawn);
    for (std::int64_t step = 0; step < 4; ++step)
      result[static_cast<std::size_t>(step * count + i)] = drawn[step];
  }
  return result;
}

TEST(path_kernels, draw_the_blocks_of_philox) {
  constexpr std::uint64_t seed = 0x123456789abcdef0;
  constexpr std::int64_t begin = (std::int64_t{1} << 32) - 5;  // both words of the path
  std::vector<std::vector<float>> everywhere{gpu_normals<weft::detail::gpu_math>(seed, 3, 7, begin, 21)};
  for (const weft::isa level : weft::supported_isas()) {
    everywhere.push_back(normals(level, seed, 3, 7, begin, 21));
  }
  for (const auto& drawn : everywhere) {
    for (std::int64_t i = 0; i < 21; ++i) {
      // The counter is (path, block, factor), as philox has (index, stream).
      const auto words =
          weft::philox(seed, (std::uint64_t{3} << 32) | 7).block(static_cast<std::uint64_t>(begin + i));
      for (std::size_t pair = 0; pair < 4; pair += 2) {
        const double uniform = ((words[pair] >> 1) + 0.5) * 0x1p-31;
        const double radius = std::sqrt(-2.0 * std::log(uniform));
        const double angle = 2.0 * std::numbers::pi * (words[pair + 1] >> 8) * 0x1p-24;
        const auto at = static_cast<std::size_t>(i) + pair * 21;
        ASSERT_NEAR(drawn[at], radius * std::cos(angle), 2e-6);
        ASSERT_NEAR(drawn[at + 21], radius * std::sin(angle), 2e-6);
      }
    }
  }
}

template <class Draw>
void expect_normal_numbers(const Draw& draw) {
  constexpr std::int64_t paths = 50000;
  constexpr double count = 4.0 * paths;
  std::vector<double> all;
  const std::vector<float> drawn = draw(11, 0, 0, 0, paths);
  all.assign(drawn.begin(), drawn.end());
  double moment[7] = {};
  for (const double x : all) {
    for (int k = 1; k <= 6; ++k) moment[k] += std::pow(x, k) / count;
  }
  // Of the normal distribution: 0, 1, 0, 3, 0, 15; the variance of x^k is E x^2k - (E x^k)^2.
  const double expected[] = {1, 0, 1, 0, 3, 0, 15};
  const double variance[] = {0, 1, 2, 15, 96, 945, 10170};
  for (int k = 1; k <= 6; ++k) EXPECT_NEAR(moment[k], expected[k], 4.0 * std::sqrt(variance[k] / count)) << k;

  // Kolmogorov and Smirnov: 1.95 is exceeded once in 1,000 times.
  std::sort(all.begin(), all.end());
  double distance = 0.0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double below = 0.5 * std::erfc(-all[i] / std::numbers::sqrt2);
    distance = std::max(
        {distance, below - static_cast<double>(i) / count, (static_cast<double>(i) + 1) / count - below});
  }
  EXPECT_LT(distance * std::sqrt(count), 1.95);

  // A chi-square of 200 equally likely cells: mean 199, variance 398.
  std::vector<double> cells(200);
  for (const double x : all) {
    cells[std::min<std::size_t>(
        199, static_cast<std::size_t>(100.0 * std::erfc(-x / std::numbers::sqrt2)))] += 1.0;
  }
  double square = 0.0;
  for (const double cell : cells) square += (cell - count / 200) * (cell - count / 200) / (count / 200);
  EXPECT_NEAR(square, 199.0, 4.0 * std::sqrt(398.0));

  // Steps, paths, factors and seeds have nothing to do with each other.
  const auto correlation = [&](const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum / std::sqrt(static_cast<double>(a.size()));
  };
  const auto steps = [&](std::size_t step) {
    return std::vector<float>(drawn.begin() + static_cast<std::ptrdiff_t>(step * paths),
                              drawn.begin() + static_cast<std::ptrdiff_t>((step + 1) * paths));
  };
  for (std::size_t one = 0; one < 4; ++one) {
    for (std::size_t other = 0; other < one; ++other)
      EXPECT_LT(std::abs(correlation(steps(one), steps(other))), 4.0);
  }
  EXPECT_LT(std::abs(correlation(drawn, draw(11, 0, 0, 1, paths))), 4.0);
  EXPECT_LT(std::abs(correlation(drawn, draw(11, 0, 1, 0, paths))), 4.0);
  EXPECT_LT(std::abs(correlation(drawn, draw(11, 1, 0, 0, paths))), 4.0);
  EXPECT_LT(std::abs(correlation(drawn, draw(12, 0, 0, 0, paths))), 4.0);
}

TEST(path_kernels, draw_normal_numbers) {
  expect_normal_numbers([](auto... what) { return normals(weft::selected_isa(), what...); });
}

TEST(path_kernels, draw_normal_numbers_by_what_a_gpu_rounds_worst) {
  expect_normal_numbers([](auto... what) { return gpu_normals<worst_math>(what...); });
  // The ends: the largest radius, and none.
  float drawn[2];
  weft::detail::normals_of<worst_math>(0, 0, drawn);
  EXPECT_NEAR(drawn[0], std::sqrt(64.0 * std::numbers::ln2), 1e-4);
  EXPECT_NEAR(drawn[1], 0.0, 1e-4);
  weft::detail::normals_of<worst_math>(0xffffffffU, 0x80000000U, drawn);
  EXPECT_NEAR(drawn[0], 0.0, 1e-3);
}

// Arguments with the arrays that they point to.
struct simulated {
  std::vector<float> drift, loading, weight;
  path_arguments arguments;

  simulated(int assets, path_payoff payoff, bool above, bool antithetic) {
    for (int i = 0; i < assets; ++i) {
      drift.push_back(0.001F * static_cast<float>(i));
      weight.push_back(100.0F / static_cast<float>(assets));
      for (int k = 0; k < assets; ++k)
        loading.push_back(k > i ? 0.0F : 0.02F / static_cast<float>(1 + i - k));
    }
    arguments = {.seed = {7, 8},
                 .steps = 11,
                 .assets = assets,
                 .drift = drift.data(),
                 .loading = loading.data(),
                 .weight = weight.data(),
                 .payoff = payoff,
                 .sign = above ? 1.0F : -1.0F,
                 .strike = 100.0F,
                 .barrier = above ? 103.0F : 97.0F,
                 .barrier_above = above,
                 .antithetic = antithetic};
  }
};

TEST(path_kernels, pay_the_same_on_every_backend) {
  constexpr std::int64_t begin = 4096;
  constexpr std::int64_t count = 1301;
  for (const auto payoff : {path_payoff::european, path_payoff::arithmetic_mean, path_payoff::geometric_mean,
                            path_payoff::knock_in, path_payoff::knock_out}) {
    for (const int assets : {1, 3}) {
      for (const bool above : {false, true}) {
        for (const bool antithetic : {false, true}) {
          const simulated all(assets, payoff, above, antithetic);
          std::vector<float> values(count);
          std::vector<float> controls(count);
          emulated_paths(all.arguments, begin, begin + count, values.data(), controls.data());
          for (const weft::isa level : weft::supported_isas()) {
            std::vector<float> here(count);
            std::vector<float> controls_here(count);
            const auto& kernels = level == weft::isa::v2   ? weft::detail::v2::path_kernels
                                  : level == weft::isa::v3 ? weft::detail::v3::path_kernels
                                                           : weft::detail::v4::path_kernels;
            kernels.paths(all.arguments, begin, begin + count, here.data(), controls_here.data());
            std::vector<float> alone(count);
            kernels.paths(all.arguments, begin, begin + count, alone.data(), nullptr);
            // A path that touches the barrier by a rounding error may pay on one side alone.
            const bool barred = payoff == path_payoff::knock_in || payoff == path_payoff::knock_out;
            int jumped = 0;
            for (std::size_t i = 0; i < values.size(); ++i) {
              if (std::abs(values[i] - here[i]) > 2e-4F) ++jumped;
              if (std::abs(values[i] - alone[i]) > 2e-4F) ++jumped;
              EXPECT_NEAR(controls[i], controls_here[i], 2e-4);
            }
            EXPECT_LE(jumped, barred ? 2 : 0)
                << static_cast<int>(payoff) << " of " << assets << " on " << to_string(level);
          }
        }
      }
    }
  }
}

template <class Motion>
void expect_the_same_of_ones_own(const Motion& motion) {
  const own_mean payoff{100.0F, 10.0F};
  const weft::detail::path_range range{4096, 4096 + 1301};
  const auto count = static_cast<std::size_t>(range.end - range.begin);
  for (const std::int64_t steps : {1, 2, 3, 4, 11}) {
    for (const bool antithetic : {false, true}) {
      const weft::detail::functor_settings settings{.seed = std::uint64_t{5} << 30,
                                                    .steps = steps,
                                                    .time = 1.0F / static_cast<float>(steps),
                                                    .antithetic = antithetic,
                                                    .control = true};
      const weft::detail::functor_program<Motion, own_mean> program(motion, payoff, settings);
      std::vector<float> here(count);
      std::vector<float> controls_here(count);
      program.fill(weft::selected_isa(), range, here.data(), controls_here.data());
      std::vector<float> values(count);
      std::vector<float> controls(count);
      weft::detail::functor_on_gpu<Motion, own_mean>(nullptr, motion, payoff, settings, range, values.data(),
                                                     controls.data());
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_NEAR(values[i], here[i], 2e-4F) << i << " of " << steps << " steps";
        ASSERT_NEAR(controls[i], controls_here[i], 2e-4F) << i << " of " << steps << " steps";
      }
      if (weft::built_with_cuda()) {
        EXPECT_EQ(values_on_emulated_gpu(program, range).values, values);
      } else {
        EXPECT_THROW(values_on_emulated_gpu(program, range), weft::error);
      }
    }
  }
}

TEST(path_kernels, take_models_and_payoffs_of_ones_own_to_a_gpu) {
  expect_the_same_of_ones_own(emulated_motion{{100.0F, 0.01F, 0.2F}});
  expect_the_same_of_ones_own(emulated_pair_of_motions{{100.0F, 0.01F, 0.1F}});
}

TEST(path_kernels, say_what_a_gpu_needs) {
  struct unknown_motion : own_motion {};
  const weft::detail::functor_program<unknown_motion, own_mean> program(
      unknown_motion{{100.0F, 0.01F, 0.2F}}, own_mean{100.0F, 1.0F}, weft::monte_carlo_options{.steps = 1});
  try {
    values_on_emulated_gpu(program, {0, 10});
    FAIL();
  } catch (const weft::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("weft::cuda_paths"), std::string::npos);
  }
}

TEST(path_kernels, have_the_same_moments_on_a_gpu) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer does not follow the emulated GPU's fibers";
#endif
  constexpr std::int64_t count = 7 * weft::detail::paths_in_part + 300;
  std::vector<float> values;
  std::vector<float> controls;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(1000.0F + static_cast<float>(i % 17));
    controls.push_back(static_cast<float>(i % 5));
  }
  for (const bool control : {false, true}) {
    std::vector<weft::detail::path_moments> parts(8);
    emulated_moments(values.data(), control ? controls.data() : nullptr, count, parts.data());
    for (std::size_t part = 0; part < 8; ++part) {
      const auto begin = part * static_cast<std::size_t>(weft::detail::paths_in_part);
      const auto size = std::min<std::size_t>(weft::detail::paths_in_part, values.size() - begin);
      const auto here = weft::detail::moments_of({values.data() + begin, size},
                                                 {controls.data() + begin, control ? size : 0});
      const auto& there = parts[part];
      EXPECT_EQ(there.count, here.count);
      EXPECT_NEAR(there.mean_x, here.mean_x, 1e-9);
      EXPECT_NEAR(there.mean_y, here.mean_y, 1e-9);
      EXPECT_NEAR(there.xx, here.xx, 1e-6);
      EXPECT_NEAR(there.yy, here.yy, 1e-6);
      EXPECT_NEAR(there.xy, here.xy, 1e-6);
    }
  }
}

TEST(path_math, is_exact_to_two_units_in_the_last_place) {
  for (float x = -90.0F; x < 90.0F; x += 0.0137F) {
    const double truth = x < -87.3F ? 0.0 : x > 88.72F ? INFINITY : std::exp(static_cast<double>(x));
    const double found = weft::path_math::exp(x);
    if (std::isinf(truth)) {
      EXPECT_GT(found, 3e38);
    } else {
      EXPECT_NEAR(found, truth, 2.5e-7 * truth) << x;
    }
  }
  for (float x = 1e-30F; x < 1e30F; x *= 1.37F) {
    const double truth = std::log(static_cast<double>(x));
    EXPECT_NEAR(weft::path_math::log(x), truth, 2.5e-7 * std::abs(truth) + 1e-12) << x;
  }
  for (float x = 1e-30F; x < 1e30F; x *= 1.37F) {
    const double truth = std::sqrt(static_cast<double>(x));
    EXPECT_NEAR(weft::path_math::sqrt(x), truth, 2.5e-7 * truth) << x;
  }
  EXPECT_EQ(weft::path_math::sqrt(0.0F), 0.0F);
  EXPECT_EQ(weft::path_math::log(1.0F), 0.0F);
  EXPECT_EQ(weft::path_math::max(1.0F, 2.0F), 2.0F);
  EXPECT_EQ(weft::path_math::min(1.0F, 2.0F), 1.0F);
}

}  // namespace path_kernels_test
