#include <gtest/gtest.h>
#include <weft/data/loader.hpp>
#include <weft/data/tfrecord_shards.hpp>

#include <data/page_cache.hpp>
#include <data/test_files.hpp>

#include <filesystem>  // for std::filesystem::resize_file

namespace weft {
namespace tfrecord_shards_test {

using test::operator+;

static_assert(batch_source<tfrecord_shards>);

/// CRC-32C bit by bit, masked.
std::uint32_t checksum(const test::bytes& bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78U : 0);
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8U;
}

test::bytes little_endian(std::uint64_t value, int bytes) {
  test::bytes out;
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  return out;
}

test::bytes record(const test::bytes& content) {
  const test::bytes length = little_endian(content.size(), 8);
  return length + little_endian(checksum(length), 4) + content + little_endian(checksum(content), 4);
}

test::bytes read(const tfrecord_shards& source, std::int64_t index) {
  std::vector<test::bytes> batch;
  source.prepare(batch, 1);
  const std::int64_t size = source.load({.index = index}, batch);
  EXPECT_EQ(size, static_cast<std::int64_t>(batch[0].size()));
  return batch[0];
}

TEST(TfrecordShardsTest, ChecksumsAreCrc32c) {
  ASSERT_EQ(checksum({'1', '2', '3', '4', '5', '6', '7', '8', '9'}),
            (0xe3069283U >> 15 | 0xe3069283U << 17) + 0xa282ead8U)
      << "the test's own is not what the catalogue of CRCs says";
  const test::scratch_folder folder;
  const tfrecord_shards source({folder.write("a", record({'w', 'e', 'f', 't'}))});
  ASSERT_EQ(source.size(), 1);
  EXPECT_EQ(read(source, 0), (test::bytes{'w', 'e', 'f', 't'}));
}

TEST(TfrecordShardsTest, RecordsOfAnyLengthInSeveralFiles) {
  const test::scratch_folder folder;
  test::bytes all;
  for (std::size_t i = 0; i < 2000; ++i) all = std::move(all) + record(test::noise(i % 100));
  const std::string first = folder.write("a", all);
  const std::string second = folder.write("b", record({}) + record(test::noise(300'000)) + record({1}));
  const tfrecord_shards source({first, second});
  ASSERT_EQ(source.size(), 2003);
  EXPECT_EQ(source.name(2001), second + ": record 1");
  EXPECT_EQ(read(source, 2001), test::noise(300'000));
  EXPECT_EQ(read(source, 2002), test::bytes{1});
  thread_pool pool(2);
  loader batches(pool, source, {.batch_size = 100, .shuffle = true, .seed = 1});
  std::int64_t seen = 0;
  for (auto& batch : batches) {
    for (std::size_t row = 0; row < batch->size(); ++row, ++seen) {
      const auto index = static_cast<std::size_t>(batch.indices()[row]);
      if (index < 2000) {
        ASSERT_EQ((*batch)[row], test::noise(index % 100));
      }
    }
  }
  EXPECT_EQ(seen, 2003);
}

TEST(TfrecordShardsTest, TruncationIsNoticedAndSoIsDamage) {
  const test::scratch_folder folder;
  const test::bytes whole = record(test::noise(20)) + record(test::noise(9));
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::string path =
        folder.write("a", test::bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    if (size == 0 || size == 36 || size == whole.size()) {
      EXPECT_EQ(tfrecord_shards({path}).size(), size == 0 ? 0 : size == 36 ? 1 : 2);
    } else {
      test::expect_format_error<format_error>(path, static_cast<std::int64_t>(size), "truncated",
                                              [&] { tfrecord_shards({path}); });
    }
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    test::bytes damaged = whole;
    damaged[at] ^= 0x10;
    const std::string path = folder.write("a", damaged);
    EXPECT_THROW(
        {
          const tfrecord_shards source({path});
          read(source, 0);
          read(source, 1);
        },
        format_error)
        << at;
  }
  test::bytes damaged = whole;
  damaged[15] ^= 1;
  EXPECT_NO_THROW(read(tfrecord_shards({folder.write("a", damaged)}, {.verify = false}), 0));
}

TEST(TfrecordShardsTest, WhatIsRefused) {
  const test::scratch_folder folder;
  EXPECT_THROW(tfrecord_shards({}), invalid_argument);
  EXPECT_THROW(tfrecord_shards({folder.path("nowhere")}), io_error);
  EXPECT_THROW(tfrecord_shards({folder.path(".")}), io_error);
  const std::string path = folder.write("a", record(test::noise(20)) + record(test::noise(21)));
  EXPECT_THROW(tfrecord_shards({path}, {.limit = -1}), invalid_argument);
  test::expect_format_error<format_error>(path, 36, "more than the limit of 20",
                                          [&] { tfrecord_shards({path}, {.limit = 20}); });
  const std::string sparse = folder.write("b", record({7}));
  std::filesystem::resize_file(sparse, std::uintmax_t{10} << 30);
  test::expect_format_error<format_error>(sparse, 17, "checksum", [&] { tfrecord_shards({sparse}); });
  const std::string packed = folder.write("c", test::gzip(record(test::noise(100))));
  test::expect_format_error<format_error>(packed, 0, "the file is gzip", [&] { tfrecord_shards({packed}); });
}

TEST(TfrecordShardsTest, ARecordIsFetchedAhead) {
  const test::scratch_folder folder;
  test::bytes content;
  for (int i = 0; i < 8; ++i) content = content + record(test::noise(1 << 20));
  const std::string path = folder.write("a", content);
  const tfrecord_shards source({path});
  test::expect_fetched(path, content.size(), 6 << 20, 1 << 20, [&] { source.will_need(6); });
}

}  // namespace tfrecord_shards_test
}  // namespace weft
