#include <weft/compute/kernels/normalize.hpp>

#include "every_context.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace normalize_test {

using weft::normalize;
using weft::tensor;

tensor<std::uint8_t, 2> every_byte(std::int64_t rows, std::int64_t columns) {
  tensor<std::uint8_t, 2> pixels({rows, columns});
  std::uint8_t next = 0;
  for (std::uint8_t& pixel : pixels.elements()) pixel = next++;
  return pixels;
}

TEST(normalize, agrees_with_double_precision) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t columns : {0, 1, 15, 16, 17, 63, 784}) {
      const auto pixels = every_byte(30, columns);
      tensor<float, 2> output({30, columns});
      normalize{.mean = 0.286, .deviation = 0.353}(context, pixels, output);
      for (std::int64_t i = 0; i < pixels.size(); ++i) {
        ASSERT_NEAR(static_cast<double>(output.data()[i]), (pixels.data()[i] / 255.0 - 0.286) / 0.353, 5e-7);
      }
    }
  });
}

TEST(normalize, gathers_rows) {
  on_every_context([](const weft::cpu_context& context) {
    const auto pixels = every_byte(50, 21);
    tensor<float, 2> all({50, 21});
    normalize{.mean = 0.5, .deviation = 0.25}(context, pixels, all);
    tensor<std::int64_t, 1> rows({120});
    for (std::int64_t i = 0; i < 120; ++i) rows(i) = (i * 37) % 50;
    tensor<float, 2> some({120, 21});
    normalize{.mean = 0.5, .deviation = 0.25}(context, pixels, rows, some);
    for (std::int64_t row = 0; row < 120; ++row) {
      for (std::int64_t column = 0; column < 21; ++column)
        ASSERT_EQ(some(row, column), all(rows(row), column));
    }
  });
}

TEST(normalize, gives_one_value_a_byte_in_every_column) {
  on_every_context([](const weft::cpu_context& context) {
    tensor<std::uint8_t, 2> pixels({3, 37});
    for (std::uint8_t& pixel : pixels.elements()) pixel = 201;
    tensor<float, 2> output({3, 37});
    normalize{.mean = 0.1307, .deviation = 0.3081}(context, pixels, output);
    for (const float value : output.elements()) ASSERT_EQ(value, output(0, 0));
  });
}

TEST(normalize, names_what_cannot_be) {
  const weft::cpu_context context;
  const auto pixels = every_byte(4, 3);
  tensor<float, 2> output({2, 3});
  EXPECT_EQ(message_of<weft::shape_error>([&] { normalize{}(context, pixels, output); }),
            "normalize: pixels has shape [4, 3] but output has shape [2, 3]");
  const tensor<std::int64_t, 1> rows({2}, std::vector<std::int64_t>{0, 4});
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { normalize{}(context, pixels, rows, output); }),
            "normalize: row 4 is outside pixels of shape [4, 3]");
  const tensor<std::int64_t, 1> fine({2});
  EXPECT_THROW(normalize{.deviation = 0.0}(context, pixels, fine, output), weft::invalid_argument);
  const tensor<std::int64_t, 1> three({3});
  EXPECT_THROW(normalize{}(context, pixels, three, output), weft::shape_error);
}

}  // namespace normalize_test
