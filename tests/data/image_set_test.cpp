#include <gtest/gtest.h>
#include <weft/async/run.hpp>
#include <weft/core/error.hpp>
#include <weft/data/collate.hpp>
#include <weft/data/image_set.hpp>

#include <algorithm>  // for std::max_element, std::count

#include "test_files.hpp"

namespace weft {
namespace image_set_test {

using test::bytes;
using test::gzip;
using test::idx_header;
using test::noise;
using test::scratch_folder;
using test::operator+;

template <class Action>
void expect_malformed(const std::string& path, std::int64_t offset, const std::string& text, Action action) {
  test::expect_format_error<format_error>(path, offset, text, action);
}

class ImageSetTest : public testing::Test {
 protected:
  image_files plain(const bytes& images, const bytes& labels) const {
    return {.images = folder_.write("images", images), .labels = folder_.write("labels", labels)};
  }

  scratch_folder folder_;
  bytes pixels_ = noise(3 * 2 * 4);
  bytes images_ = idx_header(0x08, {3, 2, 4}) + pixels_;
  bytes labels_ = idx_header(0x08, {3}) + bytes{0, 9, 4};
};

TEST_F(ImageSetTest, ReadsAPairOfFiles) {
  const image_set set = load_image_set(plain(images_, labels_));
  EXPECT_EQ(set.count, 3);
  EXPECT_EQ(set.rows, 2);
  EXPECT_EQ(set.cols, 4);
  EXPECT_EQ(set.channels, 1);
  EXPECT_EQ(set.classes, 10);
  EXPECT_EQ(set.image_size(), 8);
  EXPECT_EQ(set.pixels, pixels_);
  EXPECT_EQ(set.labels, (bytes{0, 9, 4}));
  EXPECT_EQ(bytes(set.image(2).begin(), set.image(2).end()), bytes(pixels_.begin() + 16, pixels_.end()));
}

TEST_F(ImageSetTest, FourDimensionsHaveChannels) {
  const image_set set =
      load_image_set(plain(idx_header(0x08, {2, 2, 2, 3}) + noise(24), idx_header(0x08, {2}) + bytes{0, 1}));
  EXPECT_EQ(set.channels, 3);
  EXPECT_EQ(set.image_size(), 12);
}

TEST_F(ImageSetTest, ReadsOffTheEventLoop) {
  thread_pool pool(2);
  const image_files files = {.images = folder_.write("i.gz", gzip(images_)),
                             .labels = folder_.write("l.gz", gzip(labels_))};
  const image_set set = run(load_image_set(pool, files));
  EXPECT_EQ(set.pixels, pixels_);
  EXPECT_EQ(set.labels, (bytes{0, 9, 4}));
}

TEST_F(ImageSetTest, ErrorsOfThePoolReachTheCoroutine) {
  thread_pool pool(1);
  const image_files missing = {.images = folder_.path("none"), .labels = folder_.write("l", labels_)};
  test::expect_error<io_error>([&] { run(load_image_set(pool, missing)); },
                               [&](const io_error& failure) { EXPECT_EQ(failure.path(), missing.images); });
  const image_files wrong = plain(images_, idx_header(0x08, {3}) + bytes{0, 10, 4});
  expect_malformed(wrong.labels, 9, "label of image 1 is 10", [&] { run(load_image_set(pool, wrong)); });
}

TEST_F(ImageSetTest, CountsMustAgree) {
  const image_files files = plain(images_, idx_header(0x08, {2}) + bytes{0, 1});
  expect_malformed(files.labels, 4, "2 labels, but 3 images in " + files.images,
                   [&] { load_image_set(files); });
}

TEST_F(ImageSetTest, LabelsMustBeBelowTheClasses) {
  image_files files = plain(images_, labels_);
  files.classes = 9;
  expect_malformed(files.labels, 9, "only 9 classes", [&] { load_image_set(files); });
  files.classes = 10;
  EXPECT_NO_THROW(load_image_set(files));
}

TEST_F(ImageSetTest, BadLabelInAGzipFileIsNamedByItsStoredByte) {
  bytes labels = noise(20'000);
  for (std::uint8_t& label : labels) label %= 10;
  labels[15'000] = 10;
  const bytes stored = gzip(idx_header(0x08, {20'000}) + labels);
  const image_files files = {.images = folder_.write("i", idx_header(0x08, {20'000, 1, 1}) + noise(20'000)),
                             .labels = folder_.write("l.gz", stored)};
  test::expect_error<format_error>(
      [&] { load_image_set(files); },
      [&](const format_error& failure) {
        EXPECT_EQ(failure.path(), files.labels);
        EXPECT_NE(std::string(failure.what()).find("label of image 15000 is 10"), std::string::npos)
            << failure.what();
        // Three quarters through the content is about three quarters through the file.
        EXPECT_GT(failure.offset(), static_cast<std::int64_t>(stored.size()) * 70 / 100);
        EXPECT_LT(failure.offset(), static_cast<std::int64_t>(stored.size()) * 80 / 100);
      });
}

TEST_F(ImageSetTest, WrongRankOrTypeIsNamed) {
  image_files files = plain(labels_, labels_);
  expect_malformed(files.images, 3, "images have 3 dimensions", [&] { load_image_set(files); });
  files = plain(images_, images_);
  expect_malformed(files.labels, 3, "labels have 1 dimension", [&] { load_image_set(files); });
  files = plain(images_, idx_header(0x0b, {3}) + bytes(6, 0));
  expect_malformed(files.labels, 2, "labels must be uint8, not int16", [&] { load_image_set(files); });
  files = plain(idx_header(0x09, {3, 2, 4}) + pixels_, labels_);
  expect_malformed(files.images, 2, "images must be uint8, not int8", [&] { load_image_set(files); });
  files = plain(idx_header(0x08, {3, 2, 0}), labels_);
  expect_malformed(files.images, 12, "extent of 0", [&] { load_image_set(files); });
}

TEST_F(ImageSetTest, NumberOfClassesIsChecked) {
  image_files files = plain(images_, labels_);
  for (const int classes : {0, -1, 257}) {
    files.classes = classes;
    EXPECT_THROW(load_image_set(files), invalid_argument);
  }
  files.classes = 256;
  EXPECT_NO_THROW(load_image_set(files));
}

TEST_F(ImageSetTest, TruncateKeepsTheFirst) {
  image_set set = load_image_set(plain(images_, labels_));
  set.truncate(7);
  EXPECT_EQ(set.count, 3);
  set.truncate(2);
  EXPECT_EQ(set.count, 2);
  EXPECT_EQ(set.pixels, bytes(pixels_.begin(), pixels_.begin() + 16));
  EXPECT_EQ(set.labels, (bytes{0, 9}));
  EXPECT_THROW(set.truncate(-1), invalid_argument);
}

TEST(FashionMnistTest, RealFiles) {
  const std::filesystem::path folder = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(folder / "train-images-idx3-ubyte.gz")) {
    GTEST_SKIP() << "the Debian package dataset-fashion-mnist is not installed";
  }
  thread_pool pool(2);
  const auto load = [&](const std::string& part) {
    return run(load_image_set(pool, {.images = (folder / (part + "-images-idx3-ubyte.gz")).string(),
                                     .labels = (folder / (part + "-labels-idx1-ubyte.gz")).string()}));
  };
  const image_set train = load("train");
  EXPECT_EQ(train.count, 60'000);
  EXPECT_EQ(train.image_size(), 784);
  for (std::uint8_t label = 0; label < 10; ++label) {
    EXPECT_EQ(std::count(train.labels.begin(), train.labels.end(), label), 6'000);
  }
  // The published mean and deviation of the training images.
  const normalize scale = measure_normalization(train);
  EXPECT_NEAR(scale.mean, 0.2860, 5e-5);
  EXPECT_NEAR(scale.deviation, 0.3530, 5e-5);
  const image_set test = load("t10k");
  EXPECT_EQ(test.count, 10'000);
  for (std::uint8_t label = 0; label < 10; ++label) {
    EXPECT_EQ(std::count(test.labels.begin(), test.labels.end(), label), 1'000);
  }
}

}  // namespace image_set_test
}  // namespace weft
