#include <gtest/gtest.h>
#include <weft/data/loader.hpp>
#include <weft/data/tar.hpp>

#include <data/page_cache.hpp>
#include <data/test_files.hpp>
#include <data/test_tar.hpp>

#include <filesystem>  // for std::filesystem::remove
#include <set>         // for std::set

namespace weft {
namespace tar_test {

static_assert(batch_source<tar_shards>);

/// As many samples, each of a text and an image, with files between them that belong to none.
test::named_files content(int samples, std::size_t image_bytes = 1000) {
  test::named_files files = {{"set/", {}}, {"readme", {1}}};
  for (int i = 0; i < samples; ++i) {
    const std::string key = "./set/v1.0/" + std::to_string(i);
    const auto value = static_cast<std::uint8_t>(i);
    files.push_back({key + ".cls", {value}});
    files.push_back({key + ".Seg.PNG", test::bytes(image_bytes + static_cast<std::size_t>(i), value)});
    if (i % 3 == 0) files.push_back({"set/.hidden.cls", {99}});
  }
  return files;
}

void expect_sample(const shard_sample& sample, int number, std::size_t image_bytes = 1000) {
  EXPECT_EQ(sample.key, "set/v1.0/" + std::to_string(number));
  ASSERT_EQ(sample.files.size(), 2U);
  EXPECT_EQ(sample.files[0].extension, "cls");
  const auto value = static_cast<std::uint8_t>(number);
  EXPECT_EQ(sample.at("cls"), test::bytes{value});
  EXPECT_EQ(sample.at("seg.png"), test::bytes(image_bytes + static_cast<std::size_t>(number), value));
}

int read_all(const std::string& path, tar_options options = {}) {
  tar_reader reader(path, options);
  shard_sample sample;
  int samples = 0;
  while (reader.read(sample)) ++samples;
  EXPECT_FALSE(reader.read(sample));
  return samples;
}

TEST(TarTest, ReaderGivesTheSamplesInOrderWhateverTheCompression) {
  const test::scratch_folder folder;
  for (const auto how : {test::compression::none, test::compression::gzip, test::compression::zstd}) {
    tar_reader reader(folder.write("a.tar", test::tar(content(20), how)));
    shard_sample sample;
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(reader.read(sample));
      expect_sample(sample, i);
    }
    EXPECT_FALSE(reader.read(sample));
  }
}

TEST(TarTest, ASampleIsFetchedAhead) {
  const test::scratch_folder folder;
  const test::bytes shard = test::tar(content(8, 1 << 20));
  const std::string path = folder.write("a.tar", shard);
  const tar_shards source({path});
  test::expect_fetched(path, shard.size(), 6 << 20 | 1 << 16, 7 << 17, [&] { source.will_need(6); });
}

TEST(TarTest, ShardsGiveAnySampleAndAnEpochHasEachOnce) {
  const test::scratch_folder folder;
  const std::string first = folder.write("a.tar", test::tar(content(20)));
  const std::string second = folder.write("b.tar", test::tar(content(11, 70000)));
  const tar_shards shards({first, second});
  ASSERT_EQ(shards.size(), 31);
  for (int i = 30; i >= 20; --i) expect_sample(shards.load(i), i - 20, 70000);
  for (int i = 19; i >= 0; --i) expect_sample(shards.load(i), i);
  EXPECT_EQ(shards.name(3), first + "/set/v1.0/3");
  EXPECT_EQ(shards.name(21), second + "/set/v1.0/1");

  thread_pool pool(2);
  loader all(pool, shards, {.batch_size = 4, .shuffle = true, .seed = 1});
  std::multiset<std::size_t> sizes;
  std::multiset<std::size_t> wanted;
  for (auto& batch : all) {
    for (const shard_sample& each : *batch) sizes.insert(each.at("seg.png").size());
  }
  for (std::size_t i = 0; i < 20; ++i) wanted.insert(1000 + i);
  for (std::size_t i = 0; i < 11; ++i) wanted.insert(70000 + i);
  EXPECT_EQ(sizes, wanted);
}

// A name of more than 100 letters has a header of its own before it.
TEST(TarTest, LongNamesAndEmptyFiles) {
  const test::scratch_folder folder;
  const std::string key = "d/" + std::string(180, 'x');
  const std::string path = folder.write("a.tar", test::tar({{key + ".a", {}}, {key + ".b", {7, 8}}}));
  const tar_shards shards({path});
  ASSERT_EQ(shards.size(), 1);
  EXPECT_EQ(shards.load(0).key, key);
  EXPECT_EQ(shards.load(0).at("a"), test::bytes{});
  EXPECT_EQ(shards.load(0).at("b"), (test::bytes{7, 8}));
  EXPECT_EQ(shards.load(0).find("c"), nullptr);
  test::expect_error<invalid_argument>(
      [&] { shards.load(0).at("c"); },
      [](const invalid_argument& failure) {
        EXPECT_NE(std::string(failure.what()).find("it has .a .b"), std::string::npos) << failure.what();
      });
  EXPECT_EQ(read_all(folder.write("none.tar", test::tar({}))), 0);
  EXPECT_EQ(tar_shards({folder.path("none.tar")}).size(), 0);
}

TEST(TarTest, TruncatedAnywhereIsAnErrorOrWhatCameBefore) {
  const test::scratch_folder folder;
  for (const auto how : {test::compression::none, test::compression::gzip, test::compression::zstd}) {
    const test::bytes whole = test::tar(content(6, 3000), how);
    int refused = 0;
    for (std::size_t size = 0; size < whole.size(); size += whole.size() / 60 + 1) {
      const std::string path = folder.write(
          "cut.tar", test::bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
      try {
        EXPECT_LE(read_all(path), 6);
      } catch (const format_error& failure) {
        EXPECT_EQ(failure.path(), path);
        EXPECT_LE(failure.offset(), static_cast<std::int64_t>(size)) << failure.what();
        ++refused;
      }
      if (how == test::compression::none) {
        try {
          const tar_shards shards({path});
          for (std::int64_t i = 0; i < shards.size(); ++i)
            expect_sample(shards.load(i), static_cast<int>(i), 3000);
        } catch (const format_error& failure) {
          EXPECT_EQ(failure.path(), path);
        }
      }
    }
    EXPECT_GT(refused, 5);
  }
}

TEST(TarTest, DamageAnywhereIsAnErrorOrSamples) {
  const test::scratch_folder folder;
  for (const auto how : {test::compression::none, test::compression::gzip, test::compression::zstd}) {
    const test::bytes whole = test::tar(content(4, 700), how);
    int refused = 0;
    for (std::size_t at = 0; at < whole.size(); at += whole.size() / 80 + 1) {
      test::bytes damaged = whole;
      damaged[at] ^= 0x55;
      const std::string path = folder.write("damaged.tar", damaged);
      try {
        EXPECT_LE(read_all(path, {.limit = 100'000}), 8);
        if (how != test::compression::none) continue;
        const tar_shards shards({path}, {.limit = 100'000});
        for (std::int64_t i = 0; i < shards.size(); ++i) shards.load(i);
      } catch (const format_error& failure) {
        EXPECT_EQ(failure.path(), path);
        ++refused;
      }
    }
    EXPECT_GT(refused, 0) << "no header, block or checksum was hit";
  }
}

// Behind the archive's own end only gzip's checksum and length and zstd's end are left to be wrong.
TEST(TarTest, WhatFollowsTheLastFileIsVerifiedToo) {
  const test::scratch_folder folder;
  for (const auto how : {test::compression::gzip, test::compression::zstd}) {
    const test::bytes whole = test::tar(content(3), how);
    ASSERT_EQ(read_all(folder.write("a.tar", whole)), 3);
    test::bytes cut = whole;
    cut.resize(cut.size() - 3);
    EXPECT_THROW(read_all(folder.write("cut.tar", cut)), format_error) << static_cast<int>(how);
  }
  test::bytes wrong_checksum = test::tar(content(3), test::compression::gzip);
  wrong_checksum[wrong_checksum.size() - 8] ^= 1;
  EXPECT_THROW(read_all(folder.write("checksum.tar.gz", wrong_checksum)), format_error);
  test::bytes wrong_length = test::tar(content(3), test::compression::gzip);
  wrong_length[wrong_length.size() - 1] ^= 1;
  EXPECT_THROW(read_all(folder.write("length.tar.gz", wrong_length)), format_error);
}

TEST(TarTest, WhatIsNoArchiveIsRefused) {
  const test::scratch_folder folder;
  const auto refused = [&](const std::string& name, const test::bytes& bytes) {
    const std::string path = folder.write(name, bytes);
    EXPECT_THROW(read_all(path), format_error) << name;
    EXPECT_THROW(tar_shards({path}), format_error) << name;
  };
  refused("empty.tar", {});
  refused("noise.tar", test::noise(5000));
  refused("other.gz", test::gzip(test::noise(5000)));
  const std::string compressed = folder.write("a.tar.gz", test::tar(content(3), test::compression::gzip));
  EXPECT_THROW(tar_shards({compressed}), format_error);
  test::bytes damaged = test::tar(content(3));
  damaged[148] ^= 0x11;  // in the first header's checksum
  refused("damaged.tar", damaged);
}

TEST(TarTest, FilesThatCannotBeRead) {
  const test::scratch_folder folder;
  EXPECT_THROW(tar_reader(folder.path("nowhere.tar")), io_error);
  EXPECT_THROW(tar_shards({folder.path("nowhere.tar")}), io_error);
  EXPECT_THROW(tar_reader(folder.path(".")), io_error);
  EXPECT_THROW(tar_shards({}), invalid_argument);
  const std::string path = folder.write("a.tar", test::tar(content(5)));
  EXPECT_THROW(tar_reader(path, {.limit = -1}), invalid_argument);
  EXPECT_THROW(read_all(path, {.limit = 1002}), format_error) << "the fourth has 1003 bytes";
  EXPECT_THROW(tar_shards({path}, {.limit = 1002}), format_error);
  EXPECT_EQ(read_all(path, {.limit = 1004}), 5);

  const tar_shards shards({path});
  std::filesystem::resize_file(path, 9000);
  thread_pool pool(2);
  loader rest(pool, shards, {.batch_size = 5, .on_error = bad_sample::skip});
  const auto batch = rest.next_wait();
  ASSERT_EQ((*batch)->size(), static_cast<std::size_t>(batch->size()));
  for (std::size_t i = 0; i < (*batch)->size(); ++i)
    expect_sample((**batch)[i], static_cast<int>(batch->indices()[i]));
  EXPECT_LT(batch->size(), 5);
  EXPECT_EQ(batch->size() + rest.stats().errors, 5);
  expect_sample(shards.load(0), 0);
  EXPECT_THROW(shards.load(4), format_error) << "the shard has become shorter";
  std::filesystem::remove(path);
  expect_sample(shards.load(0), 0);
}

// Files between those of a sample that belong to none, and of any length.
TEST(TarTest, WhatIsBetweenTheFilesOfASampleIsLeftOut) {
  const test::scratch_folder folder;
  for (const std::size_t size : {0U, 100U, 7000U, 20'000U}) {
    const std::string path = folder.write(
        "a.tar",
        test::tar({{"1.a", test::noise(700)}, {"readme", test::bytes(size, 9)}, {"1.b", {7}}, {"1.c", {}}}));
    const tar_shards shards({path});
    ASSERT_EQ(shards.size(), 1);
    EXPECT_EQ(shards.load(0).at("a"), test::noise(700));
    EXPECT_EQ(shards.load(0).at("b"), test::bytes{7});
    EXPECT_EQ(shards.load(0).at("c"), test::bytes{});
  }
}

// More shards than stay open: the others may vanish.
TEST(TarTest, ManyShards) {
  const test::scratch_folder folder;
  std::vector<std::string> paths;
  for (int i = 0; i < 140; ++i) {
    paths.push_back(
        folder.write(std::to_string(i) + ".tar", test::tar({{"x.n", {static_cast<std::uint8_t>(i)}}})));
  }
  const tar_shards shards(paths);
  for (int i = 139; i >= 0; --i) EXPECT_EQ(shards.load(i).at("n"), test::bytes{static_cast<std::uint8_t>(i)});
  std::filesystem::remove(paths.back());
  EXPECT_THROW(shards.load(139), io_error);
  EXPECT_EQ(shards.load(138).at("n"), test::bytes{138});
}

}  // namespace tar_test
}  // namespace weft
