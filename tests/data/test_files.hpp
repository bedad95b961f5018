#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>  // for mkdtemp
#include <zlib.h>    // for deflate

#include <cstdint>     // for std::uint8_t
#include <cstdlib>     // for std::abort
#include <filesystem>  // for std::filesystem::path
#include <fstream>     // for std::ofstream
#include <initializer_list>
#include <string>  // for std::string
#include <vector>  // for std::vector

namespace weft::test {

using bytes = std::vector<std::uint8_t>;

/// A folder of its own for one test, removed with everything in it.
class scratch_folder {
 public:
  scratch_folder() : scratch_folder(std::filesystem::temp_directory_path()) {}
  explicit scratch_folder(const std::filesystem::path& parent) {
    std::string name = (parent / "weft-data-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() { std::filesystem::remove_all(path_); }

  std::string write(const std::string& name, const bytes& content) const {
    const std::filesystem::path file = path_ / name;
    std::ofstream out(file, std::ios::binary);
    out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
    return file.string();
  }

  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// One gzip member.
inline bytes gzip(const bytes& content) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    std::abort();
  bytes out(deflateBound(&stream, static_cast<uLong>(content.size())) + 64);
  bytes input = content;
  stream.next_in = input.data();
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// Bytes that hardly compress, always the same.
inline bytes noise(std::size_t count) {
  bytes out(count);
  std::uint32_t state = 12345;
  for (std::uint8_t& value : out) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  return out;
}

inline bytes operator+(bytes left, const bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

/// The header of an IDX file.
inline bytes idx_header(std::uint8_t type, std::initializer_list<std::uint32_t> extents) {
  bytes out = {0, 0, type, static_cast<std::uint8_t>(extents.size())};
  for (const std::uint32_t extent : extents) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(extent >> shift));
  }
  return out;
}

/// Runs the statement and hands the exception of type E to the checks; any other outcome fails the test.
template <class E, class Action, class Checks>
void expect_error(Action action, Checks checks) {
  try {
    action();
  } catch (const E& failure) {
    checks(failure);
    return;
  } catch (const std::exception& other) {
    FAIL() << "another exception: " << other.what();
  }
  FAIL() << "no exception";
}

/// Expects a format_error of this file at this stored byte whose message contains the text.
template <class Error, class Action>
void expect_format_error(const std::string& path, std::int64_t offset, const std::string& text,
                         Action action) {
  expect_error<Error>(action, [&](const Error& failure) {
    EXPECT_EQ(failure.path(), path);
    EXPECT_EQ(failure.offset(), offset) << failure.what();
    EXPECT_NE(std::string(failure.what()).find(text), std::string::npos) << failure.what();
    EXPECT_NE(std::string(failure.what()).find(path), std::string::npos) << failure.what();
  });
}

}  // namespace weft::test
