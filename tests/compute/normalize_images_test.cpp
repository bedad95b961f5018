#include <weft/compute/kernels/normalize_images.hpp>

#include "every_context.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace normalize_images_test {

using weft::normalize_images;
using weft::tensor;

TEST(normalize_images, agrees_with_double_precision) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t channels : {1, 3, 4}) {
      for (const std::int64_t width : {0, 1, 33}) {
        tensor<std::uint8_t, 4> pixels({5, 7, width, channels});
        std::uint8_t next = 0;
        for (std::uint8_t& pixel : pixels.elements()) pixel = next = static_cast<std::uint8_t>(next + 37);
        const std::vector<double> mean{0.485, 0.456, 0.406, 0.5};
        const std::vector<double> deviation{0.229, 0.224, 0.225, 0.25};
        const normalize_images kernel{{mean.begin(), mean.begin() + channels},
                                      {deviation.begin(), deviation.begin() + channels}};
        tensor<float, 4> output({5, channels, 7, width});
        kernel(context, pixels, output);
        for (std::int64_t image = 0; image < 5; ++image) {
          for (std::int64_t channel = 0; channel < channels; ++channel) {
            for (std::int64_t y = 0; y < 7; ++y) {
              for (std::int64_t x = 0; x < width; ++x) {
                const auto at = static_cast<std::size_t>(channel);
                ASSERT_NEAR(static_cast<double>(output(image, channel, y, x)),
                            (pixels(image, y, x, channel) / 255.0 - mean[at]) / deviation[at], 1e-6);
              }
            }
          }
        }
      }
    }
  });
}

TEST(normalize_images, names_what_cannot_be) {
  const weft::cpu_context context;
  const tensor<std::uint8_t, 4> pixels({1, 2, 2, 3});
  tensor<float, 4> output({1, 3, 2, 2});
  EXPECT_EQ(message_of<weft::invalid_argument>([&] {
              normalize_images{{0.5}, {0.5}}(context, pixels, output);
            }),
            "normalize_images: there are 1 means and 1 deviations for pixels of shape [1, 2, 2, 3]: one a "
            "channel is "
            "needed");
  EXPECT_THROW((normalize_images{{0, 0, 0}, {1, 0, 1}}(context, pixels, output)), weft::invalid_argument);
  tensor<float, 4> wrong({1, 2, 2, 3});
  EXPECT_THROW((normalize_images{{0, 0, 0}, {1, 1, 1}}(context, pixels, wrong)), weft::shape_error);
}

}  // namespace normalize_images_test
