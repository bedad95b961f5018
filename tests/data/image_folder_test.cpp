#include <gtest/gtest.h>
#include <weft/core/error.hpp>
#include <weft/data/image_folder.hpp>
#include <weft/data/loader.hpp>

#include <data/test_files.hpp>
#include <data/test_jpeg.hpp>

#include <filesystem>  // for std::filesystem::create_directories
#include <map>         // for std::map
#include <set>         // for std::set

namespace weft {
namespace image_folder_test {

namespace fs = std::filesystem;

/// A grey-green image of one colour.
test::bytes plain(int value, int rows = 20, int cols = 30) {
  return test::jpeg(rows, cols, [=](int, int, int channel) { return channel == 1 ? value : 128; });
}

/// Three classes; the green of an image is 10 times its index.
class ImageFolderTest : public testing::Test {
 protected:
  ImageFolderTest() {
    for (const char* each : {"b/x", "a", "c"}) fs::create_directories(folder.path(each));
    folder.write("a/2.JPEG", plain(10));
    folder.write("a/1.jpg", plain(0));
    folder.write("a/notes.txt", {1});
    folder.write("b/x/4.jpg", plain(30));
    folder.write("b/3.jpg", plain(20));
    folder.write("c/5.jpg", plain(40));
    folder.write("readme.jpg", {1});
  }

  std::string root() const { return folder.path("."); }

  /// Which images come, by their colour, and the reports by the file's name.
  std::multiset<int> load(const image_folder& source, bad_sample policy) {
    std::multiset<int> seen;
    loader all(pool, source, {.batch_size = 3, .on_error = policy});
    for (auto& batch : all) {
      EXPECT_EQ(batch->images.extent(0), batch.size());
      EXPECT_EQ(batch->labels.extent(0), batch.size());
      for (std::int64_t row = 0; row < batch.size(); ++row) {
        EXPECT_EQ(batch->labels(row), source.label(batch.indices()[static_cast<std::size_t>(row)]));
        seen.insert(static_cast<int>(batch->images(row, 1) * 25.5F + 0.5F));
      }
    }
    reasons.clear();
    for (const failed_sample& failed : all.failures()) {
      reasons[fs::path(failed.name).filename().string()] = failed.reason;
    }
    return seen;
  }

  test::scratch_folder folder;
  thread_pool pool{2};
  std::map<std::string, std::string> reasons;
};

TEST_F(ImageFolderTest, ClassesAndFilesAreSorted) {
  const image_folder source(root());
  EXPECT_EQ(source.classes(), (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_EQ(source.size(), 5);
  std::string names;
  for (std::int64_t i = 0; i < 5; ++i) {
    names += fs::path(source.name(i)).filename().string() + ":" + std::to_string(source.label(i)) + " ";
  }
  EXPECT_EQ(names, "1.jpg:0 2.JPEG:0 3.jpg:1 4.jpg:1 5.jpg:2 ");
  EXPECT_EQ(load(image_folder(root(), {.rows = 8, .cols = 8}), bad_sample::stop),
            (std::multiset<int>{0, 1, 2, 3, 4}));
}

TEST_F(ImageFolderTest, BadFilesAreSkippedWithTheirReasons) {
  folder.write("a/corrupt.jpg", test::noise(500));
  folder.write("b/empty.jpg", {});
  test::bytes cut = plain(50);
  cut.resize(cut.size() / 2);
  folder.write("c/cut.jpg", cut);
  folder.write("c/gone.jpg", plain(60));
  folder.write("b/sparse.jpg", {});
  fs::resize_file(folder.path("b/sparse.jpg"), std::uintmax_t{10} << 30);
  const image_folder source(root(), {.rows = 8, .cols = 8});
  fs::remove(folder.path("c/gone.jpg"));
  EXPECT_EQ(load(source, bad_sample::skip), (std::multiset<int>{0, 1, 2, 3, 4}));
  ASSERT_EQ(reasons.size(), 5U);
  EXPECT_NE(reasons["sparse.jpg"].find("too many for a sample"), std::string::npos) << reasons["sparse.jpg"];
  EXPECT_NE(reasons["corrupt.jpg"].find("not a whole JPEG"), std::string::npos) << reasons["corrupt.jpg"];
  EXPECT_NE(reasons["empty.jpg"].find("empty"), std::string::npos) << reasons["empty.jpg"];
  EXPECT_NE(reasons["cut.jpg"].find("not a whole JPEG"), std::string::npos) << reasons["cut.jpg"];
  EXPECT_NE(reasons["gone.jpg"].find("cannot open"), std::string::npos) << reasons["gone.jpg"];
  EXPECT_EQ(load(source, bad_sample::replace).size(), 10U);
  EXPECT_THROW(load(source, bad_sample::stop), load_error);
}

TEST_F(ImageFolderTest, FoldersWithoutImages) {
  EXPECT_THROW(image_folder(folder.path("nowhere")), io_error);
  EXPECT_THROW(image_folder(folder.path("readme.jpg")), io_error);
  EXPECT_THROW(image_folder(folder.path("c")), invalid_argument) << "it has no folders";
  fs::create_directory(folder.path("d"));
  test::expect_error<invalid_argument>([&] { image_folder source(root()); },
                                       [](const invalid_argument& failure) {
                                         EXPECT_NE(std::string(failure.what()).find("/d:"), std::string::npos)
                                             << failure.what();
                                       });
  EXPECT_THROW(image_folder(root(), {.rows = 0}), invalid_argument);
}

TEST_F(ImageFolderTest, RandomPartsDependOnSeedEpochAndSampleOnly) {
  const auto slopes = [](int row, int col, int) { return 2 * row + col; };
  for (const char* name : {"a/1.jpg", "a/2.JPEG", "b/3.jpg", "b/x/4.jpg", "c/5.jpg"}) {
    folder.write(name, test::jpeg(60, 90, slopes));
  }
  const image_folder source(root(), {.rows = 8, .cols = 8, .random_crop = true, .random_flip = true});
  const auto images = [&](int threads, std::uint64_t seed) {
    thread_pool own(threads);
    std::map<std::pair<std::int64_t, std::int64_t>, std::vector<float>> seen;
    loader all(own, source, {.batch_size = 2, .shuffle = true, .seed = seed, .epochs = 4});
    for (auto& batch : all) {
      for (std::int64_t row = 0; row < batch.size(); ++row) {
        const auto pixels = batch->images[row];
        seen[{batch.epoch(), batch.indices()[static_cast<std::size_t>(row)]}] = {pixels.begin(),
                                                                                 pixels.end()};
      }
    }
    return seen;
  };
  const auto first = images(1, 7);
  EXPECT_EQ(images(3, 7), first);
  EXPECT_NE(images(1, 8), first);
  std::set<std::vector<float>> different;
  int flipped = 0;
  for (const auto& [place, pixels] : first) {
    different.insert(pixels);
    if (pixels[0] > pixels[21]) ++flipped;  // the image grows to the right
  }
  EXPECT_EQ(different.size(), 20U) << "an image was cut the same way twice";
  EXPECT_GT(flipped, 3);
  EXPECT_LT(flipped, 17);
}

}  // namespace image_folder_test
}  // namespace weft
