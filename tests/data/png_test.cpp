#include <gtest/gtest.h>
#include <weft/core/error.hpp>
#include <weft/data/image_options.hpp>
#include <weft/data/png.hpp>

#include <data/test_files.hpp>
#include <data/test_image.hpp>
#include <data/test_png.hpp>

#include <algorithm>  // for std::min

namespace weft {
namespace png_test {

constexpr test::image_decoder decode{&decode_png};

test::bytes some_pixels(int rows, int cols, int channels) {
  return test::noise(static_cast<std::size_t>(rows * cols * channels));
}

TEST(PngTest, AtItsOwnSizeItIsItsPixelsNormalised) {
  const test::bytes pixels = some_pixels(13, 17, 3);
  const auto out =
      decode(test::png(13, 17, PNG_FORMAT_RGB, pixels),
             {.rows = 13, .cols = 17, .mean = {0.5F, 0.25F, 0.0F}, .deviation = {0.5F, 2.0F, 1.0F}});
  for (std::size_t i = 0; i < out.size(); i += 3) {
    ASSERT_NEAR(out[i], (static_cast<float>(pixels[i]) / 255.0F - 0.5F) / 0.5F, 1e-5F);
    ASSERT_NEAR(out[i + 1], (static_cast<float>(pixels[i + 1]) / 255.0F - 0.25F) / 2.0F, 1e-5F);
    ASSERT_NEAR(out[i + 2], static_cast<float>(pixels[i + 2]) / 255.0F, 1e-5F);
  }
}

TEST(PngTest, GreyAndTransparentImages) {
  const test::bytes grey = some_pixels(5, 7, 1);
  const auto from_grey = decode(test::png(5, 7, PNG_FORMAT_GRAY, grey), {.rows = 5, .cols = 7});
  const test::bytes clear = some_pixels(5, 7, 4);
  const auto from_clear = decode(test::png(5, 7, PNG_FORMAT_RGBA, clear), {.rows = 5, .cols = 7});
  for (std::size_t i = 0; i < 35; ++i) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      ASSERT_NEAR(from_grey[3 * i + channel] * 255.0F, grey[i], 1e-3F);
      ASSERT_NEAR(from_clear[3 * i + channel] * 255.0F, clear[4 * i + channel], 1e-3F);
    }
  }
}

TEST(PngTest, APartAndFlip) {
  const test::bytes pixels = some_pixels(20, 30, 3);
  const image_area part = {4.0, 9.0, 11.0, 16.0};
  const auto out = decode(test::png(20, 30, PNG_FORMAT_RGB, pixels), {.rows = 11, .cols = 16, .flip = true},
                          [&](auto, auto) { return part; });
  for (std::size_t row = 0; row < 11; ++row) {
    for (std::size_t col = 0; col < 16; ++col) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        ASSERT_NEAR(out[(row * 16 + 15 - col) * 3 + channel] * 255.0F,
                    pixels[((row + 4) * 30 + col + 9) * 3 + channel], 1e-3F);
      }
    }
  }
}

TEST(PngTest, ASmallTargetAveragesSquares) {
  const int rows = 43;  // the last squares are not whole
  const int cols = 61;
  const test::bytes pixels = some_pixels(rows, cols, 3);
  const auto out =
      decode(test::png(rows, cols, PNG_FORMAT_RGB, pixels), {.rows = 11, .cols = 16}, [](auto, auto) {
        return image_area{0.0, 0.0, 43.0, 61.0};
      });
  // 43 x 61 is not four times 11 x 16: squares of 2, then bilinear; the first pixel's four squares by hand
  const auto square = [&](int row, int col, int channel) {
    double sum = 0.0;
    int count = 0;
    for (int y = 2 * row; y < std::min(rows, 2 * row + 2); ++y) {
      for (int x = 2 * col; x < std::min(cols, 2 * col + 2); ++x, ++count) {
        sum += pixels[static_cast<std::size_t>((y * cols + x) * 3 + channel)];
      }
    }
    return sum / count;
  };
  const double y = 0.5 * 22.0 / 11.0 - 0.5;
  const double x = 0.5 * 31.0 / 16.0 - 0.5;
  for (int channel = 0; channel < 3; ++channel) {
    const double above = square(0, 0, channel) * (1 - x) + square(0, 1, channel) * x;
    const double below = square(1, 0, channel) * (1 - x) + square(1, 1, channel) * x;
    EXPECT_NEAR(out[static_cast<std::size_t>(channel)] * 255.0, above * (1 - y) + below * y, 0.6);
  }
}

TEST(PngTest, CutOffOrDamagedAnywhereIsAnErrorOrAnImage) {
  const test::bytes content = test::png(12, 12, PNG_FORMAT_RGB, some_pixels(12, 12, 3));
  for (std::size_t size = 0; size < content.size(); ++size) {
    const test::bytes part(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(size));
    try {
      decode(part, {.rows = 12, .cols = 12});
      ADD_FAILURE() << "nothing was noticed at " << size;
    } catch (const format_error& failure) {
      EXPECT_EQ(failure.path(), "a.image");
      EXPECT_LE(failure.offset(), static_cast<std::int64_t>(size));
    }
  }
  int refused = 0;
  for (std::size_t at = 0; at < content.size(); ++at) {
    test::bytes damaged = content;
    damaged[at] ^= 0x55;
    try {
      decode(damaged, {.rows = 12, .cols = 12});
    } catch (const format_error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 400);
}

TEST(PngTest, WhatCannotBe) {
  EXPECT_THROW(decode(test::noise(1000), {}), format_error);
  const test::bytes content = test::png(8, 8, PNG_FORMAT_RGB, some_pixels(8, 8, 3));
  EXPECT_THROW(decode(content, {.rows = 0, .cols = 8}), invalid_argument);
  EXPECT_THROW(decode(content, {},
                      [](auto, auto) {
                        return image_area{0.0, 0.0, 9.0, 8.0};
                      }),
               invalid_argument);
  // both kinds by their first bytes
  std::vector<float> out(8 * 8 * 3);
  const image_options same = {.rows = 8, .cols = 8};
  decode_image(content, "a.jpg", same, philox(1), out);
  EXPECT_EQ(out, decode(content, {.rows = 8, .cols = 8}));
}

}  // namespace png_test
}  // namespace weft
