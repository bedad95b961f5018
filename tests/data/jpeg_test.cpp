#include <gtest/gtest.h>
#include <weft/core/error.hpp>
#include <weft/data/jpeg.hpp>

#include <data/test_files.hpp>
#include <data/test_image.hpp>
#include <data/test_jpeg.hpp>

#include <algorithm>  // for std::clamp
#include <cmath>      // for std::floor, std::nan

namespace weft {
namespace jpeg_test {

constexpr test::image_decoder decode{&decode_jpeg};

int slopes(int row, int col, int channel) {
  return channel == 0 ? 2 * row : channel == 1 ? 3 * col : 255 - row - col;
}

TEST(JpegTest, AtItsOwnSizeItIsWhatTheDecoderMakesNormalised) {
  const test::bytes content = test::jpeg(37, 53, slopes);
  const test::bytes pixels = test::decoded(content);
  const auto out =
      decode(content, {.rows = 37, .cols = 53, .mean = {0.5F, 0.25F, 0.0F}, .deviation = {0.5F, 2.0F, 1.0F}});
  for (std::size_t i = 0; i < out.size(); i += 3) {
    ASSERT_NEAR(out[i], (static_cast<float>(pixels[i]) / 255.0F - 0.5F) / 0.5F, 1e-5F);
    ASSERT_NEAR(out[i + 1], (static_cast<float>(pixels[i + 1]) / 255.0F - 0.25F) / 2.0F, 1e-5F);
    ASSERT_NEAR(out[i + 2], static_cast<float>(pixels[i + 2]) / 255.0F, 1e-5F);
  }
}

TEST(JpegTest, FlipExchangesLeftAndRight) {
  const test::bytes content = test::jpeg(16, 24, slopes);
  const auto plain = decode(content, {.rows = 16, .cols = 24});
  const auto flipped = decode(content, {.rows = 16, .cols = 24, .flip = true});
  for (std::size_t row = 0; row < 16; ++row) {
    for (std::size_t col = 0; col < 24; ++col) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        ASSERT_EQ(flipped[(row * 24 + col) * 3 + channel], plain[(row * 24 + 23 - col) * 3 + channel]);
      }
    }
  }
}

// Written out pixel by pixel, from the definition: pixel centres at half-integers, edges repeated.
TEST(JpegTest, AreaIsResizedBilinearly) {
  const test::bytes content = test::jpeg(40, 48, slopes);
  const test::bytes pixels = test::decoded(content);
  const auto pixel = [&](std::int64_t row, std::int64_t col, int channel) {
    return static_cast<double>(pixels[static_cast<std::size_t>((row * 48 + col) * 3 + channel)]);
  };
  const image_area part = {.top = 4.25, .left = 8.5, .rows = 30.5, .cols = 21.0};
  for (const auto& [rows, cols] : {std::pair{20, 19}, std::pair{64, 50}, std::pair{1, 1}}) {
    const auto out = decode(content, {.rows = rows, .cols = cols}, [&](auto, auto) { return part; });
    for (int row = 0; row < rows; ++row) {
      const double y =
          std::clamp(part.top + (row + 0.5) * part.rows / rows - 0.5, part.top, part.top + part.rows - 1.0);
      for (int col = 0; col < cols; ++col) {
        const double x = std::clamp(part.left + (col + 0.5) * part.cols / cols - 0.5, part.left,
                                    part.left + part.cols - 1.0);
        const auto top = static_cast<std::int64_t>(std::floor(y));
        const auto left = static_cast<std::int64_t>(std::floor(x));
        const double down = y - std::floor(y);
        const double right = x - std::floor(x);
        for (int channel = 0; channel < 3; ++channel) {
          const double above =
              pixel(top, left, channel) * (1 - right) + pixel(top, left + 1, channel) * right;
          const double below =
              pixel(top + 1, left, channel) * (1 - right) + pixel(top + 1, left + 1, channel) * right;
          // 1 x 1 is decoded at an eighth of the size
          ASSERT_NEAR(out[static_cast<std::size_t>((row * cols + col) * 3 + channel)],
                      (above * (1 - down) + below * down) / 255.0, rows == 1 ? 0.02 : 1e-4)
              << rows << " x " << cols << ": " << row << ", " << col;
        }
      }
    }
  }
}

int texture(int row, int col, int channel) {
  return static_cast<int>((row * 2654435761U + col * 40503U * (row % 7 + 1) + channel * 97U) >> 8 & 0xff) /
             2 +
         (row + col) / 4;
}

// Whatever lies around the part is left out in the decoder: the pixels must be those of the whole image.
TEST(JpegTest, APartIsDecodedAsTheWholeWouldBe) {
  for (const test::subsampling chroma : {test::subsampling{1, 1}, {2, 1}, {2, 2}}) {
    const test::bytes content = test::jpeg(150, 170, texture, 3, 90, chroma);
    const test::bytes pixels = test::decoded(content);
    for (int top = 0; top < 40; top += 3) {
      const int left = top * 29 % 60;
      const int rows = 30 + top;
      const int cols = 100 - top;
      const image_area part = {static_cast<double>(top), static_cast<double>(left), static_cast<double>(rows),
                               static_cast<double>(cols)};
      const auto out = decode(content, {.rows = rows, .cols = cols}, [&](auto, auto) { return part; });
      for (int row = 0; row < rows; ++row) {
        for (int i = 0; i < 3 * cols; ++i) {
          ASSERT_NEAR(out[static_cast<std::size_t>(3 * row * cols + i)] * 255.0F,
                      pixels[static_cast<std::size_t>(3 * ((top + row) * 170 + left) + i)], 1e-3)
              << chroma.across << "x" << chroma.down << ": " << rows << " x " << cols << " from " << top
              << ", " << left << ": row " << row << ", column " << i / 3;
        }
      }
    }
  }
}

TEST(JpegTest, TheAreaMustLieInTheImage) {
  const test::bytes content = test::jpeg(20, 30, slopes);
  const auto refused = [&](const image_area& part) {
    EXPECT_THROW(decode(content, {}, [&](auto, auto) { return part; }), invalid_argument)
        << part.top << ", " << part.left << ": " << part.rows << " x " << part.cols;
  };
  refused({0.0, 0.0, 21.0, 30.0});
  refused({0.0, 1.0, 20.0, 30.0});
  refused({-1.0, 0.0, 20.0, 30.0});
  refused({0.0, 0.0, 0.0, 30.0});
  refused({std::nan(""), 0.0, 20.0, 30.0});
}

// A slope is the same at any scale: what differs is where pixels lie.
TEST(JpegTest, ASmallTargetIsDecodedSmallInTheSamePlace) {
  const auto slope = [](int row, int col, int channel) {
    return channel == 0 ? row / 2 : channel == 1 ? col / 2 : 90;
  };
  const test::bytes content = test::jpeg(400, 480, slope);
  for (const int divisor : {2, 4, 8, 16}) {
    const int rows = 400 / divisor;
    const int cols = 480 / divisor;
    const auto out = decode(content, {.rows = rows, .cols = cols});
    for (int row = 0; row < rows; ++row) {
      for (int col = 0; col < cols; ++col) {
        const auto at = static_cast<std::size_t>((row * cols + col) * 3);
        ASSERT_NEAR(out[at] * 255.0F, (row + 0.5) * divisor / 2.0, 2.5);
        ASSERT_NEAR(out[at + 1] * 255.0F, (col + 0.5) * divisor / 2.0, 2.5);
        ASSERT_NEAR(out[at + 2] * 255.0F, 90.0, 2.5);
      }
    }
  }
}

TEST(JpegTest, GreyBecomesThreeEqualChannels) {
  const auto out = decode(test::jpeg(
                              8, 8, [](int row, int, int) { return 20 * row; }, 1),
                          {.rows = 8, .cols = 8});
  for (std::size_t i = 0; i < out.size(); i += 3) {
    ASSERT_EQ(out[i], out[i + 1]);
    ASSERT_EQ(out[i], out[i + 2]);
  }
}

TEST(JpegTest, CutOffAnywhereIsAnErrorThatNamesTheByte) {
  const test::bytes content = test::jpeg(24, 24, slopes);
  for (std::size_t size = 0; size + 2 < content.size(); ++size) {  // the end marker is not needed
    const test::bytes part(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(size));
    try {
      decode(part, {.rows = 24, .cols = 24});
      // The last bits of the last block may not be needed either.
      EXPECT_GT(size + 16, content.size()) << "nothing was noticed at " << size;
    } catch (const format_error& failure) {
      EXPECT_EQ(failure.path(), "a.image");
      EXPECT_LE(failure.offset(), static_cast<std::int64_t>(size));
    }
  }
}

TEST(JpegTest, DamageAnywhereIsAnErrorOrAnImage) {
  const test::bytes content = test::jpeg(24, 24, slopes);
  int refused = 0;
  for (std::size_t at = 0; at < content.size(); ++at) {
    for (const int value : {0x00, 0xff, 0x55}) {
      test::bytes damaged = content;
      damaged[at] = static_cast<std::uint8_t>(value);
      try {
        decode(damaged, {.rows = 24, .cols = 24});
      } catch (const format_error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(JpegTest, NoJpegAndNoTarget) {
  EXPECT_THROW(decode(test::noise(1000), {}), format_error);
  const test::bytes content = test::jpeg(8, 8, slopes);
  EXPECT_THROW(decode(content, {.rows = 0, .cols = 8}), invalid_argument);
  EXPECT_THROW(decode(content, {.deviation = {1.0F, 0.0F, 1.0F}}), invalid_argument);
  std::vector<float> out(5);
  EXPECT_THROW(decode_jpeg(content, "a.jpg", {.rows = 8, .cols = 8}, test::whole_image, out),
               invalid_argument);
}

}  // namespace jpeg_test
}  // namespace weft
