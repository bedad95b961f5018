#include <gtest/gtest.h>
#include <sys/fsuid.h>  // for setfsuid
#include <sys/stat.h>   // for mkfifo
#include <weft/core/error.hpp>
#include <weft/data/gzip.hpp>

#include <numeric>  // for std::accumulate
#include <system_error>
#include <thread>  // for std::jthread

#include "page_cache.hpp"
#include "test_files.hpp"

namespace weft {
namespace gzip_test {

using test::bytes;
using test::gzip;
using test::noise;
using test::scratch_folder;
using test::operator+;

template <class Action>
void expect_malformed(const std::string& path, std::int64_t offset, const std::string& text, Action action) {
  test::expect_format_error<format_error>(path, offset, text, action);
}

std::int64_t size_of(const bytes& content) {
  return static_cast<std::int64_t>(content.size());
}

TEST(GzipTest, InflatesAWholeFileLargerThanItsBlocks) {
  const scratch_folder folder;
  const bytes content = noise(1'500'000);
  EXPECT_EQ(read_gzip_file(folder.write("noise.gz", gzip(content))), content);
}

TEST(GzipTest, PlainFileComesOutAsItIs) {
  const scratch_folder folder;
  const bytes content = noise(700'001);
  const std::string path = folder.write("plain", content);
  EXPECT_EQ(read_gzip_file(path), content);
  EXPECT_FALSE(gzip_reader(path).compressed());
}

TEST(GzipTest, EmptyAndTinyFiles) {
  const scratch_folder folder;
  EXPECT_EQ(read_gzip_file(folder.write("empty", {})), bytes{});
  EXPECT_EQ(read_gzip_file(folder.write("one", {0x1f})), bytes{0x1f});
  EXPECT_EQ(read_gzip_file(folder.write("nothing.gz", gzip({}))), bytes{});
}

TEST(GzipTest, MembersInOneFileAreOneContent) {
  const scratch_folder folder;
  const bytes first = noise(300'000);
  const bytes second = {1, 2, 3};
  const std::string path = folder.write("two.gz", gzip(first) + gzip({}) + gzip(second));
  EXPECT_EQ(read_gzip_file(path), first + second);
}

TEST(GzipTest, MemberThatBeginsOnABlockBoundary) {
  const scratch_folder folder;
  // Stored deflate blocks: the member's size is known, so the next one can be put across the reader's block.
  const bytes content = noise(100);
  const bytes member = gzip(content);
  bytes stored;
  bytes expected;
  while (stored.size() < 600'000) {
    stored.insert(stored.end(), member.begin(), member.end());
    expected.insert(expected.end(), content.begin(), content.end());
  }
  EXPECT_EQ(read_gzip_file(folder.write("many.gz", stored)), expected);
}

TEST(GzipTest, TruncationAtEveryByteIsReportedAtTheEndOfTheFile) {
  const scratch_folder folder;
  const bytes whole = gzip(noise(200));
  for (std::size_t length = 2; length < whole.size(); ++length) {
    const std::string path =
        folder.write("cut.gz", bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    expect_malformed(path, static_cast<std::int64_t>(length), "truncated", [&] { read_gzip_file(path); });
  }
}

TEST(GzipTest, TruncationOfALargeFileIsReportedAtItsEnd) {
  const scratch_folder folder;
  bytes stored = gzip(noise(1'000'000));
  stored.resize(700'000);
  const std::string path = folder.write("cut.gz", stored);
  expect_malformed(path, 700'000, "truncated", [&] { read_gzip_file(path); });
}

TEST(GzipTest, WrongChecksumIsReportedAfterTheDataThatItCovers) {
  const scratch_folder folder;
  bytes stored = gzip(noise(500));
  stored[stored.size() - 8] ^= 1;
  const std::string path = folder.write("sum.gz", stored);
  expect_malformed(path, size_of(stored) - 4, "incorrect data check", [&] { read_gzip_file(path); });
}

TEST(GzipTest, WrongLengthIsReported) {
  const scratch_folder folder;
  bytes stored = gzip(noise(500));
  stored[stored.size() - 4] ^= 1;
  const std::string path = folder.write("length.gz", stored);
  expect_malformed(path, size_of(stored), "incorrect length check", [&] { read_gzip_file(path); });
}

TEST(GzipTest, UnknownMethodIsReported) {
  const scratch_folder folder;
  bytes stored = gzip({1, 2, 3});
  stored[2] = 7;
  const std::string path = folder.write("method.gz", stored);
  expect_malformed(path, 4, "unknown compression method", [&] { read_gzip_file(path); });
}

TEST(GzipTest, CorruptDeflateDataIsReportedBehindTheDamage) {
  const scratch_folder folder;
  bytes stored = gzip(bytes(1000, 7));
  constexpr std::size_t first_block = 10;  // behind the member's header
  stored[first_block] |= 0x06;             // the reserved block type
  const std::string path = folder.write("corrupt.gz", stored);
  expect_malformed(path, 11, "invalid block type", [&] { read_gzip_file(path); });
}

TEST(GzipTest, NoSingleByteOfDamageGoesUnnoticed) {
  const scratch_folder folder;
  const bytes content = noise(64);
  const bytes whole = gzip(content);
  constexpr std::size_t header = 10;  // its flags and time may differ without harm
  for (std::size_t i = header; i < whole.size(); ++i) {
    bytes damaged = whole;
    damaged[i] ^= 0x55;
    const std::string path = folder.write("damaged.gz", damaged);
    EXPECT_THROW(read_gzip_file(path), format_error) << "byte " << i;
  }
}

TEST(GzipTest, BytesAfterTheLastMemberAreReportedWhereTheyBegin) {
  const scratch_folder folder;
  const bytes member = gzip(noise(300));
  std::string path = folder.write("garbage.gz", member + bytes{'x', 'y'});
  expect_malformed(path, size_of(member), "bytes after it", [&] { read_gzip_file(path); });
  path = folder.write("zeros.gz", member + bytes{0, 0, 0});
  expect_malformed(path, size_of(member), "bytes after it", [&] { read_gzip_file(path); });
  path = folder.write("half.gz", member + bytes{0x1f, 0x00, 0x00});
  expect_malformed(path, size_of(member) + 2, "incorrect header check", [&] { read_gzip_file(path); });
}

TEST(GzipTest, LimitIsOnTheContentNotOnTheFile) {
  const scratch_folder folder;
  const bytes content(1'000'000, 0);  // about a thousand bytes on disk
  const std::string path = folder.write("bomb.gz", gzip(content));
  EXPECT_EQ(read_gzip_file(path, {.limit = 1'000'000}), content);
  test::expect_error<format_error>(
      [&] { read_gzip_file(path, {.limit = 999'999}); },
      [&](const format_error& failure) {
        EXPECT_NE(std::string(failure.what()).find("limit of 999999"), std::string::npos) << failure.what();
      });
  EXPECT_THROW(read_gzip_file(path, {.limit = 0}), format_error);
  EXPECT_THROW(read_gzip_file(path, {.limit = -1}), invalid_argument);
  EXPECT_EQ(read_gzip_file(folder.write("empty", {}), {.limit = 0}), bytes{});
}

TEST(GzipTest, MissingFileAndFolderAreIoErrors) {
  const scratch_folder folder;
  const std::string missing = folder.path("none.gz");
  test::expect_error<io_error>([&] { read_gzip_file(missing); },
                               [&](const io_error& failure) {
                                 EXPECT_EQ(failure.path(), missing);
                                 EXPECT_EQ(failure.code(), std::errc::no_such_file_or_directory);
                               });
  const std::string directory = folder.path(".");
  test::expect_error<io_error>([&] { read_gzip_file(directory); },
                               [&](const io_error& failure) {
                                 EXPECT_EQ(failure.path(), directory);
                                 EXPECT_EQ(failure.code(), std::errc::is_a_directory);
                               });
}

TEST(GzipTest, UnreadableFileIsAnIoError) {
  const scratch_folder folder;
  const std::string path = folder.write("secret.gz", gzip({1}));
  std::filesystem::permissions(path, std::filesystem::perms::none);
  // Root may read every file; for the file system this thread is someone else for a moment.
  constexpr uid_t nobody = 65534;
  const auto user = static_cast<uid_t>(::setfsuid(nobody));
  EXPECT_THROW(
      {
        try {
          read_gzip_file(path);
        } catch (const io_error& failure) {
          EXPECT_EQ(failure.code(), std::errc::permission_denied);
          throw;
        }
      },
      io_error);
  ::setfsuid(user);
}

TEST(GzipTest, PipeThatHandsOutItsBytesOneByOne) {
  const scratch_folder folder;
  const std::string path = folder.path("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const bytes content = noise(50);
  std::jthread writer([&] {
    std::ofstream out(path, std::ios::binary);
    for (const std::uint8_t value : gzip(content)) {
      out.put(static_cast<char>(value));
      out.flush();
    }
  });
  EXPECT_EQ(read_gzip_file(path), content);
}

TEST(GzipReaderTest, KeepsBothPositions) {
  const scratch_folder folder;
  const bytes content = noise(400'000);
  const bytes stored = gzip(content);
  gzip_reader reader(folder.write("noise.gz", stored));
  EXPECT_TRUE(reader.compressed());
  EXPECT_EQ(reader.content_offset(), 0);
  EXPECT_EQ(reader.skip(150'000), 150'000);
  bytes part(3);
  EXPECT_EQ(reader.read(part), 3U);
  EXPECT_EQ(part, bytes(content.begin() + 150'000, content.begin() + 150'003));
  EXPECT_EQ(reader.content_offset(), 150'003);
  EXPECT_GT(reader.stored_offset(), 100'000);
  EXPECT_LT(reader.stored_offset(), 200'000);
  EXPECT_EQ(reader.skip(1'000'000), 249'997);
  EXPECT_EQ(reader.stored_offset(), size_of(stored));
  EXPECT_EQ(reader.read(part), 0U);
}

TEST(GzipReaderTest, BoundIsNeverBelowWhatTheFileHolds) {
  const scratch_folder folder;
  const bytes zeros(3'000'000, 0);  // the highest ratio that deflate has
  gzip_reader reader(folder.write("zeros.gz", gzip(zeros)));
  bytes part(100'000);
  for (std::size_t left = zeros.size(); left > 0; left -= part.size()) {
    EXPECT_GE(reader.content_bound(), static_cast<std::int64_t>(left));
    ASSERT_EQ(reader.read(part), part.size());
  }
  gzip_reader plain(folder.write("plain", noise(1000)));
  EXPECT_EQ(plain.content_bound(), 1000);
  plain.skip(400);
  EXPECT_EQ(plain.content_bound(), 600);
}

TEST(GzipReaderTest, StoredOffsetOfAPlaceInTheContent) {
  const scratch_folder folder;
  const std::string plain = folder.write("plain", noise(1000));
  EXPECT_EQ(stored_offset_of(plain, 321), 321);
  const bytes first = gzip(noise(5000));
  const std::string path = folder.write("two.gz", first + gzip(noise(5000)));
  EXPECT_LE(stored_offset_of(path, 4999), size_of(first));
  EXPECT_GT(stored_offset_of(path, 5001), size_of(first));
}

TEST(GzipTest, WhatComesIsFetchedAhead) {
  const test::scratch_folder folder;
  const test::bytes content = test::noise(std::size_t{12} << 20);
  const std::string path = folder.write("a", content);
  test::expect_fetched(path, content.size(), 2 << 20, 2 << 20, [&] {
    gzip_reader reader(path);
    test::bytes out(1000);
    EXPECT_EQ(reader.read(out), out.size());
  });
  test::expect_fetched(path, content.size(), 8 << 20, 2 << 20, [&] {
    gzip_reader reader(path);
    EXPECT_EQ(reader.skip(7 << 20), 7 << 20);
  });
}

}  // namespace gzip_test
}  // namespace weft
