#include <weft/compute/npy.hpp>

#include "every_context.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace npy_test {

using weft::load_npy;
using weft::npy_file;
using weft::tensor;

const std::string data = std::string(WEFT_TEST_DATA_DIR) + "/";

// A version 1 file with this header and that many bytes of data.
std::string file_with(const std::string& header, std::size_t bytes) {
  std::string result = "\x93NUMPY";
  result += {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  return result + header + std::string(bytes, '\1');
}

TEST(npy, reads_what_numpy_wrote) {
  const auto matrix = load_npy<float, 2>(data + "matrix_f4.npy");
  EXPECT_EQ(matrix.extents(), (weft::shape<2>{2, 3}));
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(matrix.data()[i], static_cast<float>(i) / 4.0F);

  const npy_file columns(data + "columns_f8.npy");
  EXPECT_TRUE(columns.column_major());
  const auto cube = columns.load<double, 3>();
  for (std::int64_t i = 0; i < 24; ++i) EXPECT_EQ(cube.data()[i], static_cast<double>(i));

  const auto halves = load_npy<weft::half, 1>(data + "halves_f2.npy");
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> expected{0.0F,    -0.0F,    1.0F,      65504.0F,   6e-8F,
                                    6.1e-5F, infinity, -infinity, 1.0F / 3.0F};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(halves.elements()[i].bits(), weft::half(expected[i]).bits()) << i;
  }

  EXPECT_TRUE((load_npy<bool, 1>(data + "flags_b1.npy")(2)));
  EXPECT_EQ((load_npy<std::uint8_t, 2>(data + "bytes_u1.npy")(0, 1)), 255);
  EXPECT_EQ((load_npy<std::int32_t, 1>(data + "numbers_i4.npy")(0)),
            std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ((load_npy<std::int64_t, 1>(data + "numbers_i8.npy")(1)),
            std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ((load_npy<float, 2>(data + "nothing_f4.npy").extents()), (weft::shape<2>{0, 4}));
  EXPECT_TRUE(npy_file(data + "scalar_f4.npy").extents().empty());
}

TEST(npy, writes_the_bytes_that_numpy_writes) {
  const temporary_folder folder;
  const auto same_bytes = [&](const std::string& name, auto view) {
    weft::write_npy(folder / name, view);
    EXPECT_EQ(bytes_of(folder / name), bytes_of(data + name)) << name;
  };
  same_bytes("matrix_f4.npy", load_npy<float, 2>(data + "matrix_f4.npy").view());
  same_bytes("halves_f2.npy", load_npy<weft::half, 1>(data + "halves_f2.npy").view());
  same_bytes("flags_b1.npy", load_npy<bool, 1>(data + "flags_b1.npy").view());
  same_bytes("bytes_u1.npy", load_npy<std::uint8_t, 2>(data + "bytes_u1.npy").view());
  same_bytes("numbers_i8.npy", load_npy<std::int64_t, 1>(data + "numbers_i8.npy").view());
  same_bytes("nothing_f4.npy", load_npy<float, 2>(data + "nothing_f4.npy").view());
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path().extension(), ".npy");  // nothing unfinished stays
  }
}

TEST(npy, keeps_bfloat16) {
  const temporary_folder folder;
  const tensor<weft::bfloat16, 1> values({2}, std::vector{weft::bfloat16(1.5F), weft::bfloat16(-3.0F)});
  weft::write_npy(folder / "b.npy", values.view());
  EXPECT_EQ((static_cast<float>(load_npy<weft::bfloat16, 1>(folder / "b.npy")(1))), -3.0F);
}

TEST(npy, refuses_what_is_broken) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
  struct broken {
    std::string file;
    std::int64_t offset;
    std::string reason;
  };
  std::string version = file_with(good, 8);
  version[6] = 4;
  const broken cases[] = {
      {"", 0, "does not begin with"},
      {"\x93NUMPY\1", 7, "ends before the header"},
      {version, 6, "the format's version is 4"},
      {file_with(good, 8).substr(0, 30), 30, "ends within the header"},
      {file_with(good, 7), 75, "float32 [2] needs 8 bytes after the header, but there are 7"},
      {file_with(good, 9), 77, "but there are 9"},
      {file_with("{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", 8), 20,
       "no dtype for descr '<c8'"},
      {file_with("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8), 20,
       "are structures"},
      {file_with("{'descr': '<f4', 'shape': (2,), }", 8), 43, "needs descr, fortran_order and shape"},
      {file_with("{'descr': '<f4', 'fortran_order': 1, 'shape': (2,), }", 8), 44, "neither True nor False"},
      {file_with("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8), 61, "not negative"},
      {file_with("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9), }", 8), -1,
       "needs -1"},
      {file_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", 8), -1, "'x' is not"},
      {file_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2 3", 8), -1, "needs ')' here"},
      {file_with(good + "more", 8), -1, "text after the header's dictionary"}};
  const temporary_folder folder;
  const std::string path = folder / "broken.npy";
  for (const broken& current : cases) {
    SCOPED_TRACE(current.reason);
    write(path, current.file);
    try {
      const npy_file file(path);
      ADD_FAILURE() << "was read";
    } catch (const weft::format_error& error) {
      EXPECT_EQ(error.path(), path);
      if (current.offset >= 0) {
        EXPECT_EQ(error.offset(), current.offset) << error.what();
      }
      EXPECT_NE(std::string(error.what()).find(current.reason), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(npy_file(folder / "missing.npy"), weft::io_error);
  EXPECT_NE(message_of<weft::format_error>([] { npy_file(data + "swapped_f4.npy"); }).find("'>f4'"),
            std::string::npos);
  EXPECT_EQ(message_of<weft::format_error>([] { load_npy<double, 2>(data + "matrix_f4.npy"); }),
            data + "matrix_f4.npy: byte 128: the array is float32 [2, 3]: float64 of rank 2 was asked for");
}

}  // namespace npy_test
