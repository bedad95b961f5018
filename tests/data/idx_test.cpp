#include <gtest/gtest.h>
#include <weft/core/error.hpp>
#include <weft/data/idx.hpp>

#include <limits>  // for std::numeric_limits

#include "test_files.hpp"

namespace weft {
namespace idx_test {

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

TEST(IdxTest, ReadsGzipAndPlain) {
  const scratch_folder folder;
  const bytes payload = noise(5 * 28 * 28);
  const bytes file = idx_header(0x08, {5, 28, 28}) + payload;
  for (const std::string& path : {folder.write("plain", file), folder.write("packed.gz", gzip(file))}) {
    const idx_array array = read_idx(path);
    EXPECT_EQ(array.type, idx_type::uint8);
    EXPECT_EQ(array.extents, (std::vector<std::int64_t>{5, 28, 28}));
    EXPECT_EQ(array.bytes, payload);
    EXPECT_EQ(array.payload_offset, 16);
    EXPECT_EQ(array.count(), 5 * 28 * 28);
    EXPECT_EQ(array.values<std::uint8_t>(), payload);
  }
}

TEST(IdxTest, WiderTypesComeInThisMachinesByteOrder) {
  const scratch_folder folder;
  EXPECT_EQ(read_idx(folder.write("i8", idx_header(0x09, {2}) + bytes{0xff, 0x02})).values<std::int8_t>(),
            (std::vector<std::int8_t>{-1, 2}));
  EXPECT_EQ(read_idx(folder.write("i16", idx_header(0x0b, {2}) + bytes{0x01, 0x02, 0xff, 0xfe}))
                .values<std::int16_t>(),
            (std::vector<std::int16_t>{258, -2}));
  EXPECT_EQ(read_idx(folder.write("i32", idx_header(0x0c, {1}) + bytes{0x01, 0x02, 0x03, 0x04}))
                .values<std::int32_t>(),
            (std::vector<std::int32_t>{0x01020304}));
  EXPECT_EQ(read_idx(folder.write("f32", idx_header(0x0d, {1}) + bytes{0x3f, 0xc0, 0, 0})).values<float>(),
            (std::vector<float>{1.5F}));
  EXPECT_EQ(read_idx(folder.write("f64", idx_header(0x0e, {1}) + bytes{0xc0, 0x04, 0, 0, 0, 0, 0, 0}))
                .values<double>(),
            (std::vector<double>{-2.5}));
}

TEST(IdxTest, ValuesOfAnotherTypeAreRefused) {
  const scratch_folder folder;
  const idx_array array = read_idx(folder.write("u8", idx_header(0x08, {1}) + bytes{1}));
  test::expect_error<invalid_argument>(
      [&] { array.values<float>(); },
      [](const invalid_argument& failure) {
        EXPECT_NE(std::string(failure.what()).find("uint8"), std::string::npos);
        EXPECT_NE(std::string(failure.what()).find("float32"), std::string::npos);
      });
}

TEST(IdxTest, EmptyArray) {
  const scratch_folder folder;
  const idx_array array = read_idx(folder.write("none", idx_header(0x08, {0, 28, 28})));
  EXPECT_EQ(array.count(), 0);
  EXPECT_EQ(array.extents, (std::vector<std::int64_t>{0, 28, 28}));
}

TEST(IdxTest, WrongMagicIsReportedAtItsByte) {
  const scratch_folder folder;
  const std::string path = folder.write("magic", {0, 5, 8, 1, 0, 0, 0, 0});
  expect_malformed(path, 1, "not an IDX file", [&] { read_idx(path); });
  const std::string text = folder.write("text", {'P', 'K', 3, 4});
  expect_malformed(text, 0, "0x50 0x4b", [&] { read_idx(text); });
}

TEST(IdxTest, UnknownTypeAndMissingDimensionsAreReported) {
  const scratch_folder folder;
  const std::string type = folder.write("type", idx_header(0x0a, {1}) + bytes{0});
  expect_malformed(type, 2, "0x0a", [&] { read_idx(type); });
  const std::string rank = folder.write("rank", {0, 0, 8, 0});
  expect_malformed(rank, 3, "no dimensions", [&] { read_idx(rank); });
}

TEST(IdxTest, FileThatEndsInsideItsHeader) {
  const scratch_folder folder;
  const bytes header = idx_header(0x08, {3, 4});
  for (std::size_t length = 0; length < header.size(); ++length) {
    const std::string path =
        folder.write("short", bytes(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(length)));
    expect_malformed(path, static_cast<std::int64_t>(length), "IDX header", [&] { read_idx(path); });
  }
  const bytes packed = gzip({0, 0, 8});
  const std::string path = folder.write("short.gz", packed);
  expect_malformed(path, static_cast<std::int64_t>(packed.size()), "magic number", [&] { read_idx(path); });
}

TEST(IdxTest, TooFewAndTooManyBytes) {
  const scratch_folder folder;
  const std::string few = folder.write("few", idx_header(0x08, {10}) + bytes(9, 1));
  expect_malformed(few, 8, "10 uint8 values", [&] { read_idx(few); });
  const std::string many = folder.write("many", idx_header(0x08, {10}) + bytes(11, 1));
  expect_malformed(many, 18, "goes on after the 10 bytes", [&] { read_idx(many); });
  const bytes packed = gzip(idx_header(0x08, {10}) + bytes(9, 1));
  const std::string few_packed = folder.write("few.gz", packed);
  expect_malformed(few_packed, static_cast<std::int64_t>(packed.size()), "ends after 9",
                   [&] { read_idx(few_packed); });
  const std::string many_packed = folder.write("many.gz", gzip(idx_header(0x08, {10}) + bytes(11, 1)));
  EXPECT_THROW(read_idx(many_packed), format_error);
}

TEST(IdxTest, PromisesAreCheckedBeforeMemoryIsTaken) {
  const scratch_folder folder;
  constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
  // 2^96 bytes overflow 64 bits.
  const std::string overflow = folder.write("overflow", idx_header(0x08, {most, most, most}));
  expect_malformed(overflow, 16, "64 bits", [&] { read_idx(overflow, {.limit = no_limit}); });
  // An empty axis does not hide the overflow of a row.
  const std::string hidden = folder.write("hidden", idx_header(0x08, {0, most, most, most}));
  expect_malformed(hidden, 20, "64 bits", [&] { read_idx(hidden); });
  // 2^62 bytes are beyond the default limit, and beyond any memory.
  const std::string huge = folder.write("huge.gz", gzip(idx_header(0x08, {1U << 31, 1U << 31})));
  EXPECT_THROW(read_idx(huge), format_error);
  // Within the limit, but a file of a few bytes cannot hold it.
  EXPECT_THROW(read_idx(huge, {.limit = no_limit}), format_error);
  const std::string liar = folder.write("liar", idx_header(0x0e, {1U << 28}));
  expect_malformed(liar, 8, "cannot hold more than 0", [&] { read_idx(liar); });
}

TEST(IdxTest, LimitCountsThePayload) {
  const scratch_folder folder;
  const std::string path = folder.write("ten", idx_header(0x0b, {5}) + bytes(10, 0));
  EXPECT_EQ(read_idx(path, {.limit = 10}).count(), 5);
  expect_malformed(path, 8, "limit of 9", [&] { read_idx(path, {.limit = 9}); });
  EXPECT_THROW(read_idx(path, {.limit = -1}), invalid_argument);
}

TEST(IdxTest, DamagedChecksumBehindACompletePayload) {
  const scratch_folder folder;
  bytes stored = gzip(idx_header(0x08, {100}) + noise(100));
  stored[stored.size() - 8] ^= 1;
  const std::string path = folder.write("sum.gz", stored);
  expect_malformed(path, static_cast<std::int64_t>(stored.size()) - 4, "incorrect data check",
                   [&] { read_idx(path); });
}

TEST(IdxTest, RandomBytesNeverDoMoreThanThrow) {
  const scratch_folder folder;
  bytes header = idx_header(0x08, {2, 3}) + bytes(6, 9);
  const bytes dice = noise(4000);
  for (std::size_t round = 0; round + 2 < dice.size(); round += 2) {
    bytes damaged = header;
    damaged[dice[round] % damaged.size()] = dice[round + 1];
    const std::string path = folder.write("fuzz", damaged);
    try {
      const idx_array array = read_idx(path);
      EXPECT_EQ(array.count() * element_size(array.type), static_cast<std::int64_t>(array.bytes.size()));
    } catch (const format_error&) {
    }
  }
}

}  // namespace idx_test
}  // namespace weft
