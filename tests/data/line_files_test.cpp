#include <gtest/gtest.h>
#include <weft/data/line_files.hpp>
#include <weft/data/loader.hpp>

#include <data/page_cache.hpp>
#include <data/test_files.hpp>

#include <filesystem>  // for std::filesystem::resize_file

namespace weft {
namespace line_files_test {

static_assert(batch_source<line_files>);

class LineFilesTest : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    return folder.write(name, {text.begin(), text.end()});
  }

  static std::string line(const line_files& source, std::int64_t index) {
    std::vector<std::string> batch;
    source.prepare(batch, 1);
    source.load({.index = index}, batch);
    return batch[0];
  }

  test::scratch_folder folder;
};

TEST_F(LineFilesTest, LinesOfSeveralFiles) {
  const std::string first = write("a", "one\n\nthree\r\nfour");
  const std::string empty = write("b", "");
  const std::string last = write("c", "five\n");
  const line_files source({first, empty, last, empty});
  ASSERT_EQ(source.size(), 5);
  EXPECT_EQ(line(source, 0), "one");
  EXPECT_EQ(line(source, 1), "");
  EXPECT_EQ(line(source, 2), "three");
  EXPECT_EQ(line(source, 3), "four");
  EXPECT_EQ(line(source, 4), "five");
  EXPECT_EQ(source.name(3), first + ": line 4");
  EXPECT_EQ(source.name(4), last + ": line 1");
  EXPECT_EQ(line_files({empty}).size(), 0);
}

TEST_F(LineFilesTest, AnEpochHasEveryLineOnceAlsoBeyondABlock) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "line " + std::to_string(i) + "\n";
  const std::string path = write("a", text);
  thread_pool pool(2);
  loader batches(pool, line_files({path}), {.batch_size = 512, .shuffle = true, .seed = 1});
  std::vector<bool> seen(100'000);
  for (auto& batch : batches) {
    for (std::size_t row = 0; row < batch->size(); ++row) {
      const std::int64_t index = batch.indices()[row];
      ASSERT_EQ((*batch)[row], "line " + std::to_string(index));
      ASSERT_FALSE(seen[static_cast<std::size_t>(index)]);
      seen[static_cast<std::size_t>(index)] = true;
    }
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 100'000);
}

TEST_F(LineFilesTest, WhatIsRefused) {
  EXPECT_THROW(line_files({}), invalid_argument);
  EXPECT_THROW(line_files({folder.path("nowhere")}), io_error);
  EXPECT_THROW(line_files({folder.path(".")}), io_error);
  const std::string path = write("a", "ab\nabcd\n\nabc");
  EXPECT_THROW(line_files({path}, {.limit = 0}), invalid_argument);
  test::expect_format_error<format_error>(path, 3, "longer than the limit of 3",
                                          [&] { line_files({path}, {.limit = 3}); });
  EXPECT_EQ(line_files({path}, {.limit = 4}).size(), 4);
  const std::string end = write("b", "ab\nabcd");
  test::expect_format_error<format_error>(end, 3, "longer than", [&] { line_files({end}, {.limit = 3}); });
  const std::string packed = folder.write("c", test::gzip(test::noise(100)));
  test::expect_format_error<format_error>(packed, 0, "gzip", [&] { line_files({packed}); });
  const std::string sparse = write("d", "one\n");
  std::filesystem::resize_file(sparse, std::uintmax_t{10} << 30);
  test::expect_format_error<format_error>(sparse, 4, "longer than", [&] { line_files({sparse}); });
}

TEST_F(LineFilesTest, ALineIsFetchedAhead) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += std::string(1 << 20, 'x') + "\n";
  const std::string path = write("a", text);
  const line_files source({path});
  test::expect_fetched(path, text.size(), 6 << 20, 1 << 20, [&] { source.will_need(6); });
  EXPECT_NO_THROW(source.will_need(0));
}

TEST_F(LineFilesTest, AFileThatBecomesShorterOrVanishes) {
  const std::string path = write("a", "one\ntwo\nthree\n");
  thread_pool pool(2);
  loader batches(pool, line_files({path}), {.batch_size = 3, .on_error = bad_sample::skip});
  std::filesystem::resize_file(path, 9);
  std::filesystem::remove(path);
  const auto batch = batches.next_wait();
  EXPECT_EQ(**batch, (std::vector<std::string>{"one", "two"}));
  ASSERT_EQ(batches.failures().size(), 1U);
  EXPECT_EQ(batches.failures()[0].name, path + ": line 3");
}

}  // namespace line_files_test
}  // namespace weft
