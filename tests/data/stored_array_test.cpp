#include <gtest/gtest.h>
#include <weft/compute/npy.hpp>
#include <weft/compute/safetensors.hpp>
#include <weft/data/array_rows.hpp>
#include <weft/data/loader.hpp>
#include <weft/data/stored_array.hpp>

#include <data/test_files.hpp>

#include <algorithm>   // for std::search
#include <filesystem>  // for std::filesystem::resize_file
#include <fstream>     // for std::ifstream
#include <iterator>    // for std::istreambuf_iterator
#include <numeric>     // for std::iota

namespace weft {
namespace stored_array_test {

static_assert(batch_source<array_rows<float>>);

const std::string data = std::string(WEFT_TEST_DATA_DIR) + "/";

test::bytes content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

tensor<float, 2> numbers(std::int64_t rows, std::int64_t cols) {
  tensor<float, 2> made({rows, cols});
  std::iota(made.view().begin(), made.view().end(), 0.0F);
  return made;
}

/// Expects rows of numbers(n, cols), in this order.
void expect_rows(const stored_array& array, const std::vector<std::int64_t>& indices) {
  const auto cols = array.row_size();
  tensor<float, 2> read({static_cast<std::int64_t>(indices.size()), cols});
  array.read_rows(indices, std::as_writable_bytes(read.elements()));
  for (std::size_t i = 0; i < indices.size(); ++i) {
    for (std::int64_t k = 0; k < cols; ++k) {
      EXPECT_EQ(read(static_cast<std::int64_t>(i), k), static_cast<float>(indices[i] * cols + k));
    }
  }
}

TEST(StoredArrayTest, RowsOfANpyFile) {
  const test::scratch_folder folder;
  const std::string path = folder.path("a.npy");
  write_npy(path, numbers(100, 7).view());
  const stored_array array = stored_array::npy(path);
  EXPECT_EQ(array.type(), dtype::float32);
  EXPECT_EQ(array.rows(), 100);
  EXPECT_EQ(array.row_size(), 7);
  expect_rows(array, {99, 3, 4, 5, 0, 0, 50});
  EXPECT_EQ((array.load<float, 2>()(99, 6)), 699.0F);
  EXPECT_THROW((array.load<float, 1>()), format_error);
  EXPECT_THROW((array.load<double, 2>()), format_error);
  EXPECT_THROW(array_rows<double>{array}, format_error);
  EXPECT_THROW((array_rows<float>{array, {1, 2}}), shape_error);
  std::vector<std::byte> small(5);
  EXPECT_THROW(array.read_rows(std::vector<std::int64_t>{1}, small), shape_error);

  std::filesystem::resize_file(path, 128 + 50 * 28);
  expect_rows(array, {49});
  test::expect_format_error<format_error>(path, 128 + 50 * 28, "the file ends here", [&] {
    expect_rows(array, {2, 60});
  });
  std::filesystem::remove(path);
  expect_rows(array, {0, 49});
}

TEST(StoredArrayTest, ArraysThatNumPyPutInANpzFile) {
  for (const char* const name : {"stored.npz", "deflated.npz"}) {
    EXPECT_EQ(npz_names(data + name), (std::vector<std::string>{"x", "y", "columns", "scalar"}));
    const stored_array x = stored_array::npz(data + name, "x");
    ASSERT_EQ(x.extents().size(), 3U);
    EXPECT_EQ(x.row_size(), 6);
    const auto values = x.load<float, 3>();
    EXPECT_EQ(values(9, 1, 2), 59.0F / 4);
    const stored_array y = stored_array::npz(data + name, "y");
    EXPECT_EQ(y.labels(), (std::vector<std::int32_t>{0, 3, 6, 9, 12, 15, 18, 21, 24, 27}));

    thread_pool pool(2);
    loader batches(pool, array_rows<float>(x, y.labels()), {.batch_size = 4, .shuffle = true, .seed = 3});
    std::int64_t seen = 0;
    for (auto& batch : batches) {
      for (std::int64_t row = 0; row < batch.size(); ++row, ++seen) {
        const std::int64_t index = batch.indices()[static_cast<std::size_t>(row)];
        EXPECT_EQ(batch->labels(row), 3 * index);
        for (std::int64_t k = 0; k < 6; ++k)
          EXPECT_EQ(batch->values(row, k), static_cast<float>(6 * index + k) / 4);
      }
    }
    EXPECT_EQ(seen, 10);

    EXPECT_THROW(stored_array::npz(data + name, "columns"), format_error);
    EXPECT_THROW(stored_array::npz(data + name, "scalar"), format_error);
    test::expect_error<invalid_argument>(
        [&] { stored_array::npz(data + name, "z"); },
        [](const invalid_argument& failure) {
          EXPECT_NE(std::string(failure.what()).find("it has: x, y, columns, scalar"), std::string::npos);
        });
  }
  EXPECT_THROW(stored_array::npz(data + "deflated.npz", "x", {.limit = 100}), format_error);
  EXPECT_THROW(stored_array::npz(data + "deflated.npz", "x", {.limit = -1}), invalid_argument);
  EXPECT_NO_THROW(stored_array::npz(data + "stored.npz", "x", {.limit = 0})) << "it is not taken into memory";
}

TEST(StoredArrayTest, NpzCutOffOrDamagedAnywhereIsAnErrorOrTheArray) {
  const test::scratch_folder folder;
  for (const char* const name : {"stored.npz", "deflated.npz"}) {
    const test::bytes whole = content_of(data + name);
    for (std::size_t at = 0; at < whole.size(); at += 7) {
      test::bytes damaged = whole;
      damaged[at] ^= 0x41;
      const test::bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at));
      for (const test::bytes& each : {damaged, cut}) {
        const std::string path = folder.write("a.npz", each);
        try {
          static_cast<void>(stored_array::npz(path, "x").load<float, 3>());
        } catch (const error&) {
          continue;
        }
        EXPECT_EQ(each.size(), whole.size()) << "cut off at " << at;
      }
    }
  }
  // A byte of the compressed array itself: its checksum is wrong at the latest.
  test::bytes damaged = content_of(data + "deflated.npz");
  damaged[120] ^= 1;
  EXPECT_THROW(stored_array::npz(folder.write("b.npz", damaged), "x"), format_error);
}

TEST(StoredArrayTest, TheChecksumOfAStoredNpzIsCompared) {
  const test::scratch_folder folder;
  test::bytes content = content_of(data + "stored.npz");
  const float element = 7.25F;  // of x, and so a byte of nothing else
  const auto* const wanted = reinterpret_cast<const std::uint8_t*>(&element);
  const auto found = std::search(content.begin(), content.end(), wanted, wanted + sizeof element);
  ASSERT_NE(found, content.end());
  *found ^= 1;
  const std::string path = folder.write("a.npz", content);
  test::expect_error<format_error>([&] { stored_array::npz(path, "x"); },
                                   [](const format_error& failure) {
                                     EXPECT_NE(std::string(failure.what()).find("CRC"), std::string::npos)
                                         << failure.what();
                                   });
  EXPECT_NO_THROW(stored_array::npz(path, "y")) << "another array is whole";
  EXPECT_NO_THROW(stored_array::npz(path, "x", {.verify = false}));
}

TEST(StoredArrayTest, TensorsOfASafetensorsFile) {
  const test::scratch_folder folder;
  const std::string path = folder.path("a.safetensors");
  const tensor<float, 2> x = numbers(20, 3);
  tensor<std::uint8_t, 1> y({20});
  std::iota(y.view().begin(), y.view().end(), std::uint8_t{100});
  const std::vector<safetensors_entry> entries = {{"y", y.view()}, {"x", x.view()}};
  write_safetensors(path, entries);
  const stored_array array = stored_array::safetensors(path, "x");
  expect_rows(array, {19, 0, 1, 2, 7});
  EXPECT_EQ(stored_array::safetensors(path, "y").labels()[19], 119);
  EXPECT_THROW(array.labels(), format_error);
  EXPECT_THROW(stored_array::safetensors(path, "z"), format_error);
}

TEST(StoredArrayTest, RecordsWithoutAHeader) {
  const test::scratch_folder folder;
  const std::string path = folder.write("a.bin", test::bytes{9, 1, 10, 11, 2, 20, 21});
  const std::vector<std::int64_t> record = {3};
  const stored_array array = stored_array::raw(path, dtype::uint8, record, 1);
  EXPECT_EQ(array.rows(), 2);
  const auto values = array.load<std::uint8_t, 2>();
  EXPECT_EQ(values(1, 0), 2);
  EXPECT_EQ(values(1, 2), 21);
  EXPECT_EQ(stored_array::raw(path, dtype::uint8, {}, 7).rows(), 0);
  EXPECT_THROW(stored_array::raw(path, dtype::uint8, record), format_error);
  EXPECT_THROW(stored_array::raw(path, dtype::uint8, record, 8), format_error);
  EXPECT_THROW(stored_array::raw(path, dtype::uint8, record, -1), invalid_argument);
  EXPECT_THROW(stored_array::raw(path, dtype::uint8, std::vector<std::int64_t>{0}), invalid_argument);
  EXPECT_THROW(stored_array::raw(path, dtype::float64, std::vector<std::int64_t>{1LL << 40, 1LL << 40}),
               invalid_argument);
}

// 10 GB of which nothing is on the disk: what is read is what is asked for.
TEST(StoredArrayTest, FilesLargerThanMemory) {
  const test::scratch_folder folder;
  const std::string path = folder.write("a.bin", {});
  std::filesystem::resize_file(path, std::uintmax_t{10'000'000} * 1000);
  thread_pool pool(2);
  const std::vector<std::int64_t> record = {1000};
  loader batches(pool, array_rows<std::uint8_t>(stored_array::raw(path, dtype::uint8, record)),
                 {.batch_size = 64, .shuffle = true, .seed = 1});
  for (int i = 0; i < 20; ++i) {
    const auto batch = batches.next_wait();
    ASSERT_EQ(batch->size(), 64);
    EXPECT_EQ((**batch).labels(63), -1);
    EXPECT_EQ((**batch).values(63, 999), 0);
  }
  EXPECT_EQ(batches.batches_per_epoch(), 10'000'000 / 64);

  // The same behind a header: only the header is read.
  const std::string npy = folder.path("b.npy");
  write_npy(npy, tensor<float, 2>({10, 50}).view());
  test::bytes header = content_of(npy);
  const std::string shape = "(50000000, 50), }";
  const std::string all(header.begin(), header.end());
  std::copy(shape.begin(), shape.end(), header.begin() + static_cast<std::ptrdiff_t>(all.find("(10, 50)")));
  header.resize(128);
  folder.write("b.npy", header);
  std::filesystem::resize_file(npy, 128 + std::uintmax_t{50'000'000} * 200);
  const stored_array array = stored_array::npy(npy);
  EXPECT_EQ(array.rows(), 50'000'000);
  std::vector<std::byte> row(200, std::byte{1});
  array.read_rows(std::vector<std::int64_t>{49'999'999}, row);
  EXPECT_EQ(row, std::vector<std::byte>(200));
}

TEST(StoredArrayTest, LabelsMustFitTheirType) {
  const test::scratch_folder folder;
  const std::string path = folder.path("y.npy");
  tensor<std::uint32_t, 1> values({2});
  values(0) = values(1) = 7;
  write_npy(path, values.view());
  EXPECT_EQ(stored_array::npy(path).labels(), (std::vector<std::int32_t>{7, 7}));
  values(1) = 0xffffffffU;
  write_npy(path, values.view());
  test::expect_error<format_error>(
      [&] { stored_array::npy(path).labels(); },
      [](const format_error& failure) {
        EXPECT_NE(std::string(failure.what()).find("4294967295 of row 1"), std::string::npos)
            << failure.what();
      });
}

TEST(StoredArrayTest, FilesThatCannotBeRead) {
  const test::scratch_folder folder;
  const std::string nowhere = folder.path("nowhere");
  const std::string itself = folder.path(".");
  const std::string empty = folder.write("empty", {});
  for (const std::string& path : {nowhere, itself}) {
    EXPECT_THROW(stored_array::npy(path), io_error);
    EXPECT_THROW(stored_array::npz(path, "x"), io_error);
    EXPECT_THROW(stored_array::safetensors(path, "x"), io_error);
  }
  EXPECT_THROW(stored_array::raw(nowhere, dtype::uint8, {}), io_error);
  EXPECT_THROW(stored_array::npy(empty), format_error);
  EXPECT_THROW(stored_array::npz(empty, "x"), error);
  EXPECT_THROW(stored_array::safetensors(empty, "x"), format_error);
  EXPECT_EQ(stored_array::raw(empty, dtype::uint8, {}).rows(), 0);
}

}  // namespace stored_array_test
}  // namespace weft
