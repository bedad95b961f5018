#include <gtest/gtest.h>
#include <weft/data/image_folder.hpp>
#include <weft/data/image_shards.hpp>
#include <weft/data/loader.hpp>

#include <data/test_files.hpp>
#include <data/test_jpeg.hpp>
#include <data/test_tar.hpp>

#include <algorithm>   // for std::ranges::equal
#include <filesystem>  // for std::filesystem::create_directory

namespace weft {
namespace image_shards_test {

test::bytes text(const std::string& letters) {
  return {letters.begin(), letters.end()};
}

test::bytes picture(int number) {
  return test::jpeg(30, 40, [=](int row, int col, int channel) { return 5 * number + row + col * channel; });
}

const image_options small = {.rows = 9, .cols = 9, .random_crop = true, .random_flip = true};

// The same files in a folder and in shards make the same batches.
TEST(ImageShardsTest, MakesTheBatchesOfAFolder) {
  const test::scratch_folder folder;
  std::vector<std::string> shards;
  for (int label = 0; label < 2; ++label) {
    const std::string part = std::to_string(label);
    std::filesystem::create_directory(folder.path(part));
    test::named_files files;
    for (int i = 0; i < 7; ++i) {
      const std::string number = std::to_string(i);
      folder.write(part + "/" + number + ".jpg", picture(7 * label + i));
      files.push_back({number + ".cls", text(part + "\n")});
      files.push_back({number + (i % 2 == 0 ? ".jpg" : ".JPEG"), picture(7 * label + i)});
    }
    shards.push_back(folder.write(part + ".tar", test::tar(files)));
  }
  thread_pool pool(2);
  const loader_options options = {.batch_size = 4, .shuffle = true, .seed = 5, .epochs = 2};
  loader expected(pool, image_folder(folder.path("."), small), options);
  loader all(pool, image_shards(tar_shards(shards), small), options);
  for (auto& batch : all) {
    const auto wanted = expected.next_wait();
    ASSERT_TRUE(wanted);
    ASSERT_EQ(batch->labels.view().size(), (*wanted)->labels.view().size());
    EXPECT_TRUE(std::ranges::equal(batch->labels.elements(), (*wanted)->labels.elements()));
    EXPECT_TRUE(std::ranges::equal(batch->images.elements(), (*wanted)->images.elements()));
  }
  EXPECT_EQ(all.stats().samples, 28);
}

TEST(ImageShardsTest, BadSamplesAreSkippedWithTheirReasons) {
  const test::scratch_folder folder;
  const std::string path = folder.write("a.tar", test::tar({{"0.cls", text("1")},
                                                            {"0.jpg", picture(0)},
                                                            {"1.jpg", picture(1)},
                                                            {"2.cls", text("cat")},
                                                            {"2.jpg", picture(2)},
                                                            {"3.cls", text("3")},
                                                            {"3.jpg", test::noise(100)},
                                                            {"4.cls", text("4")}}));
  thread_pool pool(2);
  loader all(pool, image_shards(tar_shards({path}), small), {.batch_size = 8, .on_error = bad_sample::skip});
  const auto batch = all.next_wait();
  ASSERT_EQ((*batch)->labels.size(), 1);
  EXPECT_EQ((*batch)->labels(0), 1);
  std::string reasons;
  for (const failed_sample& each : all.failures()) reasons += each.name + ": " + each.reason + "\n";
  for (const char* wanted : {"/1: shard sample 1: there is no .cls file", "'cat' is not a label",
                             "not a whole JPEG", "there is no .jpeg file, it has .cls"}) {
    EXPECT_NE(reasons.find(wanted), std::string::npos) << wanted << " is not in\n" << reasons;
  }
  EXPECT_THROW(image_shards(tar_shards({path}), {.rows = 0}), invalid_argument);
}

}  // namespace image_shards_test
}  // namespace weft
