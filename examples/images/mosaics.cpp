#include "mosaics.hpp"

#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/data/image_set.hpp>

#include <fmt/format.h>

#include <algorithm>   // for std::clamp, std::min
#include <array>       // for std::array
#include <cstdio>      // for std::fopen, and std::FILE, which jpeglib.h needs
#include <filesystem>  // for std::filesystem::create_directories
#include <numeric>     // for std::iota
#include <span>        // for std::span
#include <vector>      // for std::vector

#include <jpeglib.h>  // for jpeg_compress_struct

namespace images {
namespace {

constexpr std::array<const char*, 10> classes = {"0_shirt",  "1_trousers", "2_pullover", "3_dress", "4_coat",
                                                 "5_sandal", "6_blouse",   "7_sneaker",  "8_bag",   "9_boot"};
constexpr std::int64_t tile = 28;
constexpr int quality = 90;

/// Random numbers, one after the other.
class dice {
 public:
  explicit dice(std::int64_t number) : random_(1, static_cast<std::uint64_t>(number)) {}
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_.below(next_++, static_cast<std::uint64_t>(bound)));
  }
  float uniform() { return static_cast<float>(random_.uniform(next_++)); }

 private:
  weft::philox random_;
  std::uint64_t next_ = 0;
};

/// A colour in each corner, and what lies between.
struct slope {
  slope(dice& random, float darkest) {
    for (float& value : corners) value = darkest + 110.0F * random.uniform();
  }
  float at(float down, float right, std::size_t channel) const {
    const float above = corners[channel] * (1 - right) + corners[3 + channel] * right;
    const float below = corners[6 + channel] * (1 - right) + corners[9 + channel] * right;
    return above * (1 - down) + below * down;
  }
  std::array<float, 12> corners{};
};

/// What covers the slope at a place within a picture, from 0 to 1: bilinear.
float cover(std::span<const std::uint8_t> picture, float down, float right) {
  const float row = std::clamp(down * tile - 0.5F, 0.0F, tile - 1.001F);
  const float col = std::clamp(right * tile - 0.5F, 0.0F, tile - 1.001F);
  const auto first = static_cast<std::size_t>(row) * tile + static_cast<std::size_t>(col);
  const float lower = row - static_cast<float>(static_cast<int>(row));
  const float later = col - static_cast<float>(static_cast<int>(col));
  const auto at = [&](std::size_t index) { return static_cast<float>(picture[index]) / 255.0F; };
  return (at(first) * (1 - later) + at(first + 1) * later) * (1 - lower) +
         (at(first + tile) * (1 - later) + at(first + tile + 1) * later) * lower;
}

struct picture {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<std::uint8_t> pixels;
};

picture draw(const weft::image_set& set, const std::vector<std::int64_t>& of_class, std::int64_t number) {
  dice random(number);
  picture made;
  made.rows = 256 + random.below(245);
  made.cols = 256 + random.below(245);
  const std::int64_t side = 90 + random.below(120);
  const slope ground(random, 0.0F);
  const slope light(random, 145.0F);
  const std::int64_t across = made.cols / side + 1;
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < across * (made.rows / side + 1); ++i) {
    chosen.push_back(
        of_class[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(of_class.size())))]);
  }
  std::uint32_t grain = static_cast<std::uint32_t>(number) * 2654435761U + 1U;
  made.pixels.reserve(static_cast<std::size_t>(3 * made.rows * made.cols));
  for (std::int64_t row = 0; row < made.rows; ++row) {
    const float down = static_cast<float>(row) / static_cast<float>(made.rows);
    for (std::int64_t col = 0; col < made.cols; ++col) {
      const float right = static_cast<float>(col) / static_cast<float>(made.cols);
      const std::int64_t which = chosen[static_cast<std::size_t>(row / side * across + col / side)];
      const float share = cover(set.image(which), static_cast<float>(row % side) / static_cast<float>(side),
                                static_cast<float>(col % side) / static_cast<float>(side));
      grain = grain * 1664525U + 1013904223U;
      const float noise = static_cast<float>(grain >> 24) / 16.0F - 8.0F;
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const float value =
            ground.at(down, right, channel) * (1 - share) + light.at(down, right, channel) * share;
        made.pixels.push_back(static_cast<std::uint8_t>(std::clamp(value + noise, 0.0F, 255.0F)));
      }
    }
  }
  return made;
}

void write_jpeg(picture& image, const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) throw weft::error(path + ": cannot be written");
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_stdio_dest(&jpeg, file);
  jpeg.image_height = static_cast<JDIMENSION>(image.rows);
  jpeg.image_width = static_cast<JDIMENSION>(image.cols);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW rows[] = {image.pixels.data() + std::size_t{3} * jpeg.next_scanline * jpeg.image_width};
    jpeg_write_scanlines(&jpeg, rows, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  if (std::fclose(file) != 0) throw weft::error(path + ": cannot be written");
}

}  // namespace

void write_mosaics(weft::thread_pool& pool, const std::string& fashion, const std::string& folder,
                   std::int64_t count) {
  const weft::image_set set = weft::load_image_set(
      {.images = fashion + "/train-images-idx3-ubyte.gz", .labels = fashion + "/train-labels-idx1-ubyte.gz"});
  std::array<std::vector<std::int64_t>, classes.size()> by_class;
  for (std::int64_t i = 0; i < set.count; ++i)
    by_class.at(set.labels[static_cast<std::size_t>(i)]).push_back(i);
  for (const char* part : {"train", "test"}) {
    for (const char* each : classes) std::filesystem::create_directories(folder + "/" + part + "/" + each);
  }
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  const auto write = [&](std::int64_t number) {
    const auto label = static_cast<std::size_t>(number) % classes.size();
    const char* const part = number / 10 % 5 == 4 ? "test" : "train";
    picture image = draw(set, by_class[label], number);
    write_jpeg(image, fmt::format("{}/{}/{}/{:05}.jpg", folder, part, classes[label], number));
    return true;
  };
  pool.map(write, numbers);
}

}  // namespace images
