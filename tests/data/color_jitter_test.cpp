#include <gtest/gtest.h>
#include <weft/core/error.hpp>
#include <weft/data/color_jitter.hpp>
#include <weft/data/image_folder.hpp>
#include <weft/data/jpeg.hpp>
#include <weft/data/loader.hpp>
#include <weft/data/png.hpp>

#include <data/test_files.hpp>
#include <data/test_jpeg.hpp>
#include <data/test_png.hpp>

#include <algorithm>   // for std::max
#include <cmath>       // for std::abs
#include <filesystem>  // for std::filesystem::create_directory
#include <fstream>     // for std::ifstream
#include <memory>      // for std::make_shared
#include <sstream>     // for std::istringstream
#include <string>      // for std::string
#include <vector>      // for std::vector

namespace weft {
namespace color_jitter_test {

constexpr int rows = 23;
constexpr int cols = 31;

/// The image of make_pixel_references.py.
int picture(int row, int col, int channel) {
  return (row * 7 + col * 11 * (channel + 1) + (row / 5 + col / 7) % 2 * 90) % 256;
}

struct reference {
  std::string name;
  std::vector<double> numbers;
  std::vector<float> values;
};

std::vector<reference> references() {
  std::ifstream file(WEFT_TEST_DATA_DIR "/pixel_references.txt");
  std::vector<reference> all;
  for (std::string text; std::getline(file, text);) {
    std::istringstream line(text);
    reference made;
    line >> made.name;
    std::string word;
    while (line >> word && word != ":") made.numbers.push_back(std::stod(word));
    for (float value = 0.0F; line >> value;) made.values.push_back(value);
    all.push_back(made);
  }
  return all;
}

float largest_difference(const std::vector<float>& left, const std::vector<float>& right) {
  float largest = left.size() == right.size() ? 0.0F : 1e9F;
  for (std::size_t i = 0; i < left.size() && i < right.size(); ++i) {
    largest = std::max(largest, std::abs(left[i] - right[i]));
  }
  return largest;
}

using decoder = void (*)(std::span<const std::uint8_t>, const std::string&, const image_target&,
                         const choose_area&, std::span<float>);

std::vector<float> resized(decoder decode, const test::bytes& content, image_target target,
                           const image_area& part) {
  std::vector<float> out(static_cast<std::size_t>(target.rows * target.cols * 3), -1.0F);
  target.deviation = {1.0F / 255.0F, 1.0F / 255.0F, 1.0F / 255.0F};
  decode(
      content, "a", target, [&](auto, auto) { return part; }, out);
  return out;
}

TEST(ResizeTest, BicubicAndAreaAreThoseOfPillow) {
  test::bytes pixels;
  for (int i = 0; i < rows * cols * 3; ++i) {
    pixels.push_back(static_cast<std::uint8_t>(picture(i / 3 / cols, i / 3 % cols, i % 3)));
  }
  const test::bytes file = test::png(rows, cols, PNG_FORMAT_RGB, pixels);
  int compared = 0;
  for (const reference& each : references()) {
    if (each.name != "bicubic" && each.name != "area") continue;
    const image_target target = {
        .rows = static_cast<std::int64_t>(each.numbers[0]),
        .cols = static_cast<std::int64_t>(each.numbers[1]),
        .method = each.name == "area" ? resize_method::area : resize_method::bicubic};
    const image_area part = {each.numbers[2], each.numbers[3], each.numbers[4], each.numbers[5]};
    EXPECT_LT(largest_difference(resized(decode_png, file, target, part), each.values), 0.02F)
        << each.name << " " << target.rows << " x " << target.cols;
    ++compared;
  }
  EXPECT_EQ(compared, 8);
}

// The rows and columns that libjpeg decodes are those of the whole image, through the same filter.
TEST(ResizeTest, OfAPartOfAJpegAsOfItsPixels) {
  const auto smooth = [](int row, int col, int channel) { return 20 + 2 * row + col + 20 * channel; };
  const test::bytes file = test::jpeg(60, 80, smooth);
  const test::bytes pixels = test::decoded(file);
  const test::bytes same = test::png(60, 80, PNG_FORMAT_RGB, pixels);
  const image_area part = {11.0, 17.0, 40.0, 50.0};
  for (const resize_method method : {resize_method::bicubic, resize_method::area}) {
    for (const bool flip : {false, true}) {
      const image_target target = {.rows = 25, .cols = 33, .flip = flip, .method = method};
      EXPECT_LT(largest_difference(resized(decode_jpeg, file, target, part),
                                   resized(decode_png, same, target, part)),
                1e-3F);
    }
    // Decoded at a quarter of the size, which also resizes the colours' planes.
    const image_target small = {.rows = 5, .cols = 6, .method = method};
    EXPECT_LT(
        largest_difference(resized(decode_jpeg, file, small, part), resized(decode_png, same, small, part)),
        6.0F);
  }
}

TEST(ColorJitterTest, AdjustmentsAreThoseOfTorchvision) {
  std::vector<float> tile;
  for (int row = 6; row < 10; ++row) {
    for (int i = 8 * 3; i < 13 * 3; ++i)
      tile.push_back(static_cast<float>(picture(row, i / 3, i % 3)) / 255.0F);
  }
  int compared = 0;
  for (const reference& each : references()) {
    std::vector<float> pixels = tile;
    const auto factor = static_cast<float>(each.numbers[0]);
    if (each.name == "brightness") {
      adjust_brightness(pixels, factor);
    } else if (each.name == "contrast") {
      adjust_contrast(pixels, factor);
    } else if (each.name == "saturation") {
      adjust_saturation(pixels, factor);
    } else if (each.name == "hue") {
      adjust_hue(pixels, factor);
    } else {
      continue;
    }
    EXPECT_LT(largest_difference(pixels, each.values), 2e-5F) << each.name << " " << factor;
    ++compared;
  }
  EXPECT_EQ(compared, 13);
}

TEST(ColorJitterTest, DrawsFactorsInTheirRangeAndOrders) {
  const std::vector<float> grey(3, 0.5F);
  float least = 1.0F;
  float most = 0.0F;
  for (std::uint64_t i = 0; i < 500; ++i) {
    std::vector<float> pixels = grey;
    jitter_colors(pixels, {.brightness = 0.4F, .saturation = 0.5F}, philox(1, i));
    least = std::min(least, pixels[0]);
    most = std::max(most, pixels[0]);
    std::vector<float> again = grey;
    jitter_colors(again, {.brightness = 0.4F, .saturation = 0.5F}, philox(1, i));
    ASSERT_EQ(pixels, again);
  }
  EXPECT_NEAR(least, 0.3F, 0.005F);
  EXPECT_NEAR(most, 0.7F, 0.005F);
  // Brightness clips what contrast would have kept, so the order shows.
  const std::vector<float> two = {0.9F, 0.9F, 0.9F, 0.1F, 0.1F, 0.1F};
  int brightness_first = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    std::vector<float> pixels = two;
    const color_jitter jitter = {.brightness = 1.0F, .contrast = 1.0F};
    const philox random(2, i);
    jitter_colors(pixels, jitter, random);
    std::vector<float> expected = two;
    adjust_brightness(expected, 2.0F * static_cast<float>(random.uniform(3)));
    adjust_contrast(expected, 2.0F * static_cast<float>(random.uniform(4)));
    if (largest_difference(pixels, expected) < 1e-6F) ++brightness_first;
  }
  EXPECT_GT(brightness_first, 150);
  EXPECT_LT(brightness_first, 350) << "some images show no order, none of the others another one";
}

/// Two images of two classes.
class CachedImagesTest : public testing::Test {
 protected:
  CachedImagesTest() {
    std::filesystem::create_directory(folder.path("images"));
    for (const char* each : {"images/a", "images/b"}) std::filesystem::create_directory(folder.path(each));
    folder.write("images/a/1.jpg", test::jpeg(rows, cols, picture));
    folder.write("images/b/2.jpg", test::jpeg(cols, rows, picture));
  }

  /// All values of so many epochs.
  std::vector<float> load(const image_options& options, std::int64_t epochs = 3) {
    const image_folder source(folder.path("images"), options);
    // One batch at a time: two threads that ask for an image at the same time both load it.
    loader all(pool, source, {.batch_size = 2, .shuffle = true, .seed = 4, .epochs = epochs, .prefetch = 1});
    std::vector<float> values;
    for (auto& batch : all) {
      values.insert(values.end(), batch->images.elements().begin(), batch->images.elements().end());
    }
    stats = all.stats();
    return values;
  }

  test::scratch_folder folder;
  thread_pool pool{2};
  loader_stats stats;
};

TEST_F(CachedImagesTest, FilesOrPixelsComeFromTheCacheWithNewPartsAndColours) {
  image_options options = {.rows = 8,
                           .cols = 8,
                           .random_crop = true,
                           .random_flip = true,
                           .resize = resize_method::area,
                           .jitter = {0.4F, 0.4F, 0.4F, 0.1F},
                           .mean = {0.5F, 0.4F, 0.3F},
                           .deviation = {0.2F, 0.3F, 0.4F}};
  const std::vector<float> wanted = load(options);
  EXPECT_GT(stats.reading, 0.0);
  EXPECT_LT(stats.reading, stats.loading);
  for (const bool decoded : {false, true}) {
    for (const std::string& place : {std::string(), folder.path(decoded ? "pixels" : "files")}) {
      options.cache = std::make_shared<sample_cache>(cache_options{.folder = place});
      options.cache_decoded = decoded;
      // Decoded at a fraction of the size or not.
      EXPECT_LT(largest_difference(load(options), wanted), decoded ? 0.2F : 1e-6F);
      EXPECT_EQ(stats.cache.misses, 2);
      EXPECT_EQ(stats.cache.hits, 4);
      if (decoded) {
        EXPECT_EQ(stats.cache.bytes, 2 * (16 + 3 * rows * cols));
      }
    }
  }
  // Nothing is read from the folder any more.
  options.cache = std::make_shared<sample_cache>(cache_options{.folder = folder.path("pixels")});
  const image_folder source(folder.path("images"), options);
  std::filesystem::remove(folder.path("images/a/1.jpg"));
  loader all(pool, source, {.batch_size = 2});
  EXPECT_EQ(all.next_wait()->size(), 2);
}

TEST_F(CachedImagesTest, JitterThatCannotBe) {
  EXPECT_THROW(load({.jitter = {.brightness = -0.1F}}), invalid_argument);
  EXPECT_THROW(load({.jitter = {.hue = 0.6F}}), invalid_argument);
}

}  // namespace color_jitter_test
}  // namespace weft
