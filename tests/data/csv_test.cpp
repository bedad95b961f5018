#include <gtest/gtest.h>
#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/data/csv.hpp>

#include <data/test_files.hpp>

#include <charconv>      // for std::from_chars
#include <cmath>         // for std::isnan
#include <cstdlib>       // for std::strtod
#include <filesystem>    // for std::filesystem::resize_file
#include <system_error>  // for std::errc

namespace weft {
namespace csv_test {

using integers = std::vector<std::int64_t>;
using texts = std::vector<std::string>;

class CsvTest : public testing::Test {
 protected:
  std::string write(const std::string& text) const {
    return folder.write("a.csv", {text.begin(), text.end()});
  }

  csv_table read(const std::string& text, const csv_options& options = {}) const {
    return read_csv(write(text), options);
  }

  /// Expects a format_error of the row that begins at this byte, with these words.
  void refused(const std::string& text, std::int64_t offset, const std::string& words,
               const csv_options& options = {}) const {
    const std::string path = write(text);
    test::expect_format_error<format_error>(path, offset, words, [&] { read_csv(path, options); });
  }

  test::scratch_folder folder;
};

TEST_F(CsvTest, InfersTypes) {
  const csv_table table =
      read("id,price,name,none,mixed\n1,2.5,apple,,1\n-2,1e3,pear,NA,2.5\n+3,4,\"\",,x\n");
  ASSERT_EQ(table.rows, 3);
  ASSERT_EQ(table.columns.size(), 5U);
  EXPECT_EQ(table["id"].type, csv_type::integer);
  EXPECT_EQ(table["id"].integers, (integers{1, -2, 3}));
  EXPECT_EQ(table["price"].type, csv_type::real);
  EXPECT_EQ(table["price"].reals, (std::vector<double>{2.5, 1000.0, 4.0}));
  EXPECT_EQ(table["name"].texts, (texts{"apple", "pear", ""}));
  EXPECT_EQ(table["name"].missing, 1);
  EXPECT_EQ(table["none"].type, csv_type::real);
  EXPECT_EQ(table["none"].missing, 3);
  EXPECT_TRUE(std::isnan(table["none"].reals[1]));
  EXPECT_EQ(table["mixed"].texts, (texts{"1", "2.5", "x"}))
      << "a text leaves the others as they were written";
  EXPECT_THROW(table["nothing"], invalid_argument);
}

TEST_F(CsvTest, QuotesDelimitersLineEndsAndSpaces) {
  const texts wanted = {"a, b", "say \"hi\"", "two\nlines", "plain"};
  EXPECT_EQ(read("x,y\n\"a, b\",1\n\"say \"\"hi\"\"\",2\n\"two\nlines\",3\n plain , 4 ")["x"].texts, wanted);
  EXPECT_EQ(
      read("x,y\r\n\"a, b\",1\r\n\r\n\"say \"\"hi\"\"\",2\r\n\"two\nlines\",3\r\nplain,4\r\n")["x"].texts,
      wanted);
  EXPECT_EQ(read("x;y\n'a, b';1\n'say \"hi\"';2\n'two\nlines';3\n\n\nplain;4",
                 {.delimiter = ';', .quote = '\''})["x"]
                .texts,
            wanted);
  const csv_table bare = read("7,8\n9,10\n", {.header = false});
  EXPECT_EQ(bare["0"].integers, (integers{7, 9}));
  EXPECT_EQ(bare["1"].integers, (integers{8, 10}));
}

TEST_F(CsvTest, ColumnsAndTypesAsAskedFor) {
  const csv_table table =
      read("a,b,c\n1,007,x\n2,8,y\n",
           {.columns = {"b", "a"}, .types = {{"b", csv_type::text}, {"a", csv_type::real}}});
  ASSERT_EQ(table.columns.size(), 2U);
  EXPECT_EQ(table.columns[0].name, "b");
  EXPECT_EQ(table.columns[0].texts, (texts{"007", "8"}));
  EXPECT_EQ(table.columns[1].reals, (std::vector<double>{1.0, 2.0}));
  EXPECT_THROW(read("a,b\n1,2\n", {.columns = {"c"}}), invalid_argument);
  EXPECT_THROW(read("a,b\n1,2\n", {.columns = {"a", "a"}}), invalid_argument);
  EXPECT_THROW(read("a,b\n1,2\n", {.types = {{"c", csv_type::text}}}), invalid_argument);
  EXPECT_THROW(read("a,b\n1,2\n", {.delimiter = '"'}), invalid_argument);
}

TEST_F(CsvTest, MissingValuesAsAskedFor) {
  const csv_table table = read("a,b\n1,-\n?,x\n3,NA\n", {.missing = {"-", "?"}});
  EXPECT_EQ(table["a"].type, csv_type::real);
  EXPECT_EQ(table["a"].missing, 1);
  EXPECT_TRUE(std::isnan(table["a"].reals[1]));
  EXPECT_EQ(table["b"].texts, (texts{"", "x", "NA"}));
}

TEST_F(CsvTest, WrongRowsAreNamedWithLineAndByte) {
  refused("a,b\n1,2\n3\n", 8, "line 3: the row has 1 value, but there are 2 columns");
  refused("a,b\n1,2\n\n\r\n3,4,5\n6,7\n", 11, "line 5: the row has 3 values, but there are 2 columns");
  refused("a,b\n\"x\n\ny\",2\n3", 13, "line 5: the row has 1 value");
  refused("a,b\n1,2\n3,x\n", 8, "line 3: column 'b': 'x' is not an integer, as declared",
          {.types = {{"b", csv_type::integer}}});
  refused("a,b\n1,\n", 4, "line 2: column 'b': '' is not an integer", {.types = {{"b", csv_type::integer}}});
  refused("a\n1\n\"2\n3\n", 4, "line 3: a quote is opened and not closed");
  refused("a\n1\n2\"3\n", 4, "line 3: there is a quote within");
  refused("a,b,a\n1,2,3\n", 0, "line 1: the column 'a' comes twice");
  refused("", 0, "empty");
  refused("\n\n", 0, "empty");
}

TEST_F(CsvTest, InTheMiddleOfALargeFile) {
  std::string text = "number,word\n";
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + ",word\n";
  EXPECT_EQ(read(text)["number"].integers.back(), 99'999);
  EXPECT_EQ(read(text + "0.5,x\n")["number"].reals.size(), 100'001U) << "integers become real";
  const csv_table with_gap = read(text + ",x\n7,y\n");
  EXPECT_EQ(with_gap["number"].missing, 1);
  EXPECT_EQ(with_gap["number"].reals[99'999], 99'999.0);
  EXPECT_EQ(with_gap["number"].reals.back(), 7.0);
  const auto size = static_cast<std::int64_t>(text.size());
  refused(text + "three,x\n", size,
          "line 100002: column 'number': 'three' is not an integer; it is inferred");
  refused(text + "4\n", size, "line 100002: the row has 1 value");
}

TEST_F(CsvTest, ReadsInPiecesAndGzip) {
  std::string text = "n\n";
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i) + "\n";
  const std::string path = folder.write("a.csv.gz", test::gzip({text.begin(), text.end()}));
  csv_reader reader(path);
  csv_table piece;
  std::int64_t next = 0;
  int pieces = 0;
  while (reader.read(piece, 10'000)) {
    ++pieces;
    EXPECT_EQ(piece.rows, static_cast<std::int64_t>(piece["n"].integers.size()));
    EXPECT_LT(piece.rows, 100'000) << "it is not read in pieces";
    for (const std::int64_t value : piece["n"].integers) ASSERT_EQ(value, next++);
  }
  EXPECT_EQ(next, 200'000);
  EXPECT_GE(pieces, 3);
  EXPECT_EQ(piece.rows, 0);
  EXPECT_THROW(reader.read(piece, 0), invalid_argument);

  test::bytes cut = test::gzip({text.begin(), text.end()});
  cut.resize(cut.size() - 20);
  EXPECT_THROW(read_csv(folder.write("cut.csv.gz", cut)), format_error);
}

// Rows with and without quotes take different ways: the same values must come out.
TEST_F(CsvTest, RowsAreReadAlikeWhetherThereAreQuotesOrNot) {
  constexpr std::string_view letters = "ab ,,;\t1.5\n\n-";
  philox random(11);
  std::uint64_t drawn = 0;
  for (int round = 0; round < 100; ++round) {
    std::string text;
    for (std::uint64_t i = random.below(drawn++, 200); i > 0; --i) {
      // two columns, so that most rows are good
      std::string row;
      for (std::uint64_t k = random.below(drawn++, 12); k > 0; --k)
        row += letters[random.below(drawn++, letters.size())];
      text +=
          row +
          (random.below(drawn++, 8) == 0 ? "\n" : ", \t" + row.substr(0, row.find_first_of(",\n")) + " \n");
    }
    const auto outcome = [&](const std::string& head) {
      csv_table table;
      try {
        table = read(head + text, {.types = {{"a", csv_type::text}, {"b", csv_type::text}}});
      } catch (const format_error&) {
        table.rows = -1;
      }
      return table;
    };
    const csv_table plain = outcome("a,b\n");
    const csv_table quoted = outcome("\"a\",b\n");
    ASSERT_EQ(plain.rows, quoted.rows) << text;
    for (std::size_t i = 0; i < plain.columns.size(); ++i) {
      ASSERT_EQ(plain.columns[i].texts, quoted.columns[i].texts) << text;
    }
  }
}

TEST_F(CsvTest, RealsAreTheNearestDoubles) {
  const texts values = {"0.1",
                        "-0.3",
                        "123456.789",
                        "9007199254740993",
                        "0.30000000000000004",
                        "-0",
                        "1e-300",
                        "5e-324",
                        "1.7976931348623157e308",
                        ".5",
                        "5.",
                        "1234567890.12345678",
                        "00000000000.25",
                        "8.41",
                        "-12345678901234567"};
  std::string text = "x,y\n";
  for (const std::string& each : values) text += each + ",1\n";
  const csv_table table = read(text, {.types = {{"x", csv_type::real}}});
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(table["x"].reals[i], std::strtod(values[i].c_str(), nullptr)) << values[i];
  }
  refused("x\n.\n", 2, "'.' is not a number", {.types = {{"x", csv_type::real}}});
  refused("x\n-\n", 2, "'-' is not a number", {.types = {{"x", csv_type::real}}});
  refused("x\n1.2.3\n", 2, "'1.2.3' is not a number", {.types = {{"x", csv_type::real}}});
}

// Short numbers take a way of their own: it must accept what std::from_chars accepts, as the same value.
TEST_F(CsvTest, ShortNumbersAreWhatTheyAreForTheStandardLibrary) {
  constexpr std::string_view letters = "0123456789012345678901234567890123456789..-+e/:x";
  philox random(5);
  std::uint64_t drawn = 0;
  std::string text;
  std::vector<double> reals;
  std::vector<std::int64_t> integers_too;
  for (int round = 0; round < 4000; ++round) {
    std::string each = random.below(drawn++, 3) == 0 ? "-" : "";
    for (std::uint64_t i = random.below(drawn++, 10); i > 0; --i)
      each += letters[random.below(drawn++, letters.size())];
    double real = 0.0;
    std::int64_t integer = 0;
    const char* const end = each.data() + each.size();
    const auto whole = [&](std::from_chars_result got) { return got.ptr == end && got.ec == std::errc(); };
    const bool is_real = whole(std::from_chars(each.data(), end, real));
    const bool is_integer = whole(std::from_chars(each.data(), end, integer));
    if (is_real) {
      text += each + "," + (is_integer ? each : "7") + "\n";
      reals.push_back(real);
      integers_too.push_back(is_integer ? integer : 7);
    } else if (round % 8 == 0 && !each.empty() && each[0] != '+') {
      EXPECT_THROW(read("a\n" + each + "\n", {.types = {{"a", csv_type::real}}}), format_error) << each;
    }
    if (round % 8 == 0 && !is_integer && !each.empty() && each[0] != '+') {
      EXPECT_THROW(read("a\n" + each + "\n", {.types = {{"a", csv_type::integer}}}), format_error) << each;
    }
  }
  for (const std::string head : {"a,b\n", "\"a\",b\n"}) {
    const csv_table table = read(head + text, {.types = {{"a", csv_type::real}, {"b", csv_type::integer}}});
    EXPECT_EQ(table["a"].reals, reals);
    EXPECT_EQ(table["b"].integers, integers_too);
  }
}

TEST_F(CsvTest, ColumnsOfNumbersBecomeAMatrix) {
  const csv_table table = read("a,b,t\n1,0.5,x\n2,,y\n");
  const std::vector<std::string> names = {"b", "a"};
  const tensor<float, 2> values = table.matrix(names);
  ASSERT_EQ(values.extents(), (shape<2>{2, 2}));
  EXPECT_EQ(values(0, 0), 0.5F);
  EXPECT_EQ(values(0, 1), 1.0F);
  EXPECT_TRUE(std::isnan(values(1, 0)));
  EXPECT_EQ(values(1, 1), 2.0F);
  EXPECT_THROW(table.matrix(std::vector<std::string>{"t"}), invalid_argument);
}

TEST_F(CsvTest, FilesThatCannotBeRead) {
  EXPECT_THROW(csv_reader(folder.path("nowhere.csv")), io_error);
  EXPECT_THROW(csv_reader(folder.path(".")), io_error);
  const std::string sparse = write("a,b\n1,2\n");
  std::filesystem::resize_file(sparse, std::uintmax_t{10} << 30);
  test::expect_format_error<format_error>(sparse, 8, "line 3: the row is longer than 16 MiB",
                                          [&] { read_csv(sparse); });
  const std::string open = write("a,b\n\"" + std::string(17'000'000, '\n'));
  test::expect_format_error<format_error>(open, 4, "line 2: the row is longer than 16 MiB",
                                          [&] { read_csv(open); });
  EXPECT_EQ(read("only,names\n").rows, 0);
  EXPECT_EQ(read("only,names").columns.size(), 2U);
}

}  // namespace csv_test
}  // namespace weft
