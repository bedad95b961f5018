#include <weft/compute/safetensors.hpp>

#include "every_context.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace safetensors_test {

using weft::dtype;
using weft::safetensors_entry;
using weft::safetensors_file;
using weft::tensor;

const std::string data = std::string(WEFT_TEST_DATA_DIR) + "/";

// A file with this header and that many bytes of data.
std::string file_with(const std::string& header, std::size_t bytes) {
  const std::uint64_t length = header.size();
  std::string result(sizeof length, '\0');
  std::memcpy(result.data(), &length, sizeof length);
  return result + header + std::string(bytes, '\1');
}

TEST(safetensors, reads_what_the_reference_implementation_wrote) {
  const safetensors_file file(data + "reference.safetensors");
  EXPECT_EQ(file.entries().size(), 7U);
  EXPECT_EQ(file.metadata().at("made by"), "safetensors");
  EXPECT_EQ(file.metadata().at("quote"), "\"");
  const auto matrix = file.load<float, 2>("matrix");
  EXPECT_EQ(matrix.extents(), (weft::shape<2>{2, 3}));
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(matrix.data()[i], static_cast<float>(i) / 4.0F);
  EXPECT_EQ((file.load<std::uint8_t, 1>("bytes")(2)), 255);
  EXPECT_EQ((file.load<std::int64_t, 2>("wide")(0, 0)), -1);
  EXPECT_EQ((file.load<std::int64_t, 2>("wide")(1, 0)), std::int64_t{1} << 40);
  EXPECT_EQ((file.load<double, 1>("doubles")(0)), 1e300);
  EXPECT_TRUE((file.load<bool, 1>("flags")(0)));
  EXPECT_EQ((file.load<float, 2>("nothing").extents()), (weft::shape<2>{0, 4}));
  EXPECT_EQ((file.load<std::int32_t, 1>("na\"me \\ \u00e9\n")(0)), 7);
  EXPECT_TRUE(safetensors_file(data + "empty.safetensors").entries().empty());
}

// The same bytes as the reference implementation's writer would give were checked with write_safetensors.py
// --check.
TEST(safetensors, reads_back_what_it_wrote) {
  const temporary_folder folder;
  const std::string path = folder / "new.safetensors";
  const tensor<float, 2> a({2, 3}, std::vector<float>{0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 2.5F});
  const tensor<std::int64_t, 1> b({2}, std::vector<std::int64_t>{-5, 5});
  const std::vector<safetensors_entry> entries{{"a", a.view()}, {"b\"\n", b.view()}};
  weft::write_safetensors(path, entries, {{"key", "va\"lue"}});
  EXPECT_EQ(bytes_of(path).substr(8, 160),
            R"({"__metadata__":{"key":"va\"lue"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
            R"("b\"\u000a":{"dtype":"I64","shape":[2],"data_offsets":[24,40]}})"
            "       ");
  const safetensors_file file(path);
  EXPECT_EQ(file.entries()[0].begin % 8, 0);
  EXPECT_EQ(file.metadata().at("key"), "va\"lue");
  EXPECT_EQ((file.load<float, 2>("a")(1, 2)), 2.5F);
  EXPECT_EQ((file.load<std::int64_t, 1>("b\"\n")(0)), -5);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(safetensors, writes_nothing_and_empty_tensors) {
  const temporary_folder folder;
  const std::string path = folder / "none.safetensors";
  weft::write_safetensors(path, {});
  EXPECT_TRUE(safetensors_file(path).entries().empty());
  const tensor<float, 2> none({0, 3});
  const std::vector<safetensors_entry> entries{{"first", none.view()}, {"second", none.view()}};
  weft::write_safetensors(path, entries);
  EXPECT_EQ((safetensors_file(path).load<float, 2>("second").extents()), (weft::shape<2>{0, 3}));
}

TEST(safetensors, refuses_to_write_what_no_reader_would_take) {
  const temporary_folder folder;
  const tensor<float, 1> one({1});
  const auto attempt = [&](const std::vector<safetensors_entry>& entries) {
    return message_of<weft::invalid_argument>([&] { weft::write_safetensors(folder / "x", entries); });
  };
  EXPECT_EQ(attempt({{"__metadata__", one.view()}}),
            "write_safetensors: '__metadata__' cannot be a tensor's name");
  EXPECT_EQ(attempt({{"a", one.view()}, {"a", one.view()}}),
            "write_safetensors: there are two tensors named 'a'");
  safetensors_entry wrong("w", one.view());
  wrong.extents = {3};
  EXPECT_EQ(attempt({wrong}), "write_safetensors: tensor 'w' of float32 [3] cannot have 4 bytes");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(safetensors, names_a_file_that_cannot_be_opened) {
  const temporary_folder folder;
  const std::string missing = folder / "missing.safetensors";
  EXPECT_EQ(message_of<weft::io_error>([&] { safetensors_file file(missing); }),
            missing + ": cannot open: No such file or directory");
  const std::string nowhere = folder / "none/file.safetensors";
  EXPECT_EQ(message_of<weft::io_error>([&] { weft::write_safetensors(nowhere, {}); }),
            nowhere + ": cannot write: No such file or directory");
}

TEST(safetensors, notices_every_truncation) {
  const temporary_folder folder;
  const std::string whole = bytes_of(data + "reference.safetensors");
  const std::string path = folder / "short.safetensors";
  for (std::size_t length = 0; length < whole.size(); length += 5) {
    write(path, whole.substr(0, length));
    EXPECT_THROW(safetensors_file{path}, weft::format_error) << length;
  }
  write(path, whole + "x");
  EXPECT_THROW(safetensors_file{path}, weft::format_error);
  write(path, whole);
  EXPECT_EQ(safetensors_file(path).entries().size(), 7U);
}

struct broken {
  std::string header;
  std::size_t bytes;
  std::int64_t offset;  // where the error is said to be
  std::string reason;   // part of what it says
};

TEST(safetensors, names_the_byte_that_is_wrong) {
  const std::string a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const std::vector<broken> cases{
      {"{" + a, 4, -1, "not the JSON"},
      {"", 0, -1, "not the JSON"},
      {"[]", 0, -1, "not the JSON"},
      {"{" + a + "}{}", 4, 62, "text after the header"},
      {"{" + a + "," + a + "}", 4, 62, "the name 'a' is there twice"},
      {R"({"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})", 4, 9, "dtype 'F99' is unknown"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4, 9, "'x' is not dtype"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", 4, 9, "needs a dtype, a shape and two data_offsets"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, 9, "two data_offsets"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, 9,
       "[4, 0] are not within the 4 bytes"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, 9, "not within the 4 bytes"},
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}})", 4, 9, "does not have the 4 bytes"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, -1, "not the JSON"},
      {R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4, -1, "not the JSON"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}})", 4, 9,
       "does not have"},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})", 4, 9, "is too large"},
      {R"({"__metadata__":{"k":1}})", 0, -1, "not the JSON"},
      {"{" + a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})", 6, 8 + 107 + 2,
       "tensor 'b' overlaps the one before it"},
      {"{" + a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[6,10]}})", 10, 8 + 108 + 6,
       "tensor 'b' leaves a gap before it"},
      {"{" + a + "}", 5, 8 + 54 + 4, "bytes that belong to no tensor"},
  };
  const temporary_folder folder;
  const std::string path = folder / "broken.safetensors";
  for (const broken& current : cases) {
    SCOPED_TRACE(current.header);
    write(path, file_with(current.header, current.bytes));
    try {
      const safetensors_file file(path);
      ADD_FAILURE() << "was read";
    } catch (const weft::format_error& error) {
      EXPECT_EQ(error.path(), path);
      if (current.offset >= 0) {
        EXPECT_EQ(error.offset(), current.offset) << error.what();
      }
      EXPECT_LE(error.offset(), static_cast<std::int64_t>(8 + current.header.size() + current.bytes));
      EXPECT_NE(std::string(error.what()).find(current.reason), std::string::npos) << error.what();
    }
  }
}

TEST(safetensors, points_into_the_header_where_the_json_breaks) {
  const temporary_folder folder;
  const std::string path = folder / "broken.safetensors";
  write(path, file_with(R"({"a":{"dtype":"F32","shape":[oops],"data_offsets":[0,4]}})", 4));
  try {
    const safetensors_file file(path);
    ADD_FAILURE() << "was read";
  } catch (const weft::format_error& error) {
    EXPECT_GE(error.offset(), 8 + 5);
    EXPECT_LE(error.offset(), 8 + 40) << error.what();
  }
}

TEST(safetensors, refuses_a_header_longer_than_the_file_or_the_limit) {
  const temporary_folder folder;
  const std::string path = folder / "long.safetensors";
  std::string file = file_with("{}", 0);
  file[0] = 100;
  write(path, file);
  EXPECT_EQ(message_of<weft::format_error>([&] { safetensors_file{path}; }),
            path + ": byte 10: the file ends within the header, which is 100 bytes long");
  file[7] = 127;
  write(path, file);
  EXPECT_NE(message_of<weft::format_error>([&] { safetensors_file{path}; }).find("the limit is 100 MB"),
            std::string::npos);
}

TEST(safetensors, names_a_tensor_that_is_missing_or_of_another_kind) {
  const safetensors_file file(data + "reference.safetensors");
  EXPECT_TRUE(file.contains("matrix"));
  EXPECT_FALSE(file.contains("weight"));
  EXPECT_EQ(message_of<weft::format_error>([&] { file.load<float, 1>("weight"); }),
            file.path() + ": byte 8: the header has no tensor 'weight'");
  const std::string start = file.path() + ": byte " + std::to_string(file.find("matrix").begin);
  EXPECT_EQ(message_of<weft::format_error>([&] { file.load<double, 2>("matrix"); }),
            start + ": tensor 'matrix' is float32 [2, 3]: float64 of rank 2 was asked for");
  EXPECT_EQ(message_of<weft::format_error>([&] { file.load<float, 3>("matrix"); }),
            start + ": tensor 'matrix' is float32 [2, 3]: float32 of rank 3 was asked for");
}

TEST(safetensors, survives_any_change_of_one_header_byte) {
  const temporary_folder folder;
  const std::string whole = bytes_of(data + "reference.safetensors");
  const std::string path = folder / "changed.safetensors";
  std::uint64_t length = 0;
  std::memcpy(&length, whole.data(), sizeof length);
  int refused = 0;
  for (std::size_t at = 0; at < 8 + length; at += 3) {
    for (const char letter : {'"', '9'}) {
      std::string changed = whole;
      changed[at] = letter;
      write(path, changed);
      try {
        const safetensors_file file(path);
      } catch (const weft::format_error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 200);
}

}  // namespace safetensors_test
