#pragma once

#include <weft/compute/tensor.hpp>

#include <cstdint>      // for std::int64_t, std::uint8_t
#include <map>          // for std::map
#include <memory>       // for std::unique_ptr
#include <span>         // for std::span
#include <string>       // for std::string
#include <string_view>  // for std::string_view
#include <vector>       // for std::vector

namespace weft {

/// What the values of a column are.
enum class csv_type : std::uint8_t {
  /// 64-bit integers.
  integer,
  /// Doubles; a missing value is not a number.
  real,
  /// Texts; a missing value is empty.
  text,
};

/// How a CSV file is read.
struct csv_options {
  /// What separates two values.
  char delimiter = ',';
  /// What a value may be enclosed in; within, it is written twice.
  char quote = '"';
  /// Whether the first row has the columns' names; otherwise they are "0", "1", ...
  bool header = true;
  /// The names of the columns that are wanted, in the order of the table; none means all.
  std::vector<std::string> columns = {};
  /// The types of columns that are not to be inferred, by name.
  std::map<std::string, csv_type> types = {};
  /// What is written for a missing value.
  std::vector<std::string> missing = {"", "NA", "N/A", "NaN", "nan", "null"};
};

/// A column of a table: one of the three arrays has its values.
struct csv_column {
  /// Its name.
  std::string name;
  /// What its values are.
  csv_type type = csv_type::integer;
  /// The values, if they are integers.
  std::vector<std::int64_t> integers;
  /// The values, if they are real.
  std::vector<double> reals;
  /// The values, if they are texts.
  std::vector<std::string> texts;
  /// How many are missing.
  std::int64_t missing = 0;
};

/// Rows of a CSV file, by columns.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
struct csv_table {
  /// The number of rows.
  std::int64_t rows = 0;
  /// The columns.
  std::vector<csv_column> columns;

  /// The column of this name. @throws invalid_argument naming those there are, if there is none
  const csv_column& operator[](std::string_view name) const;

  /// Columns of numbers side by side, [rows, names], as the features of a record_source.
  ///
  /// @param names which ones, in their order
  /// @throws invalid_argument if there is no such column or if it holds texts
  tensor<float, 2> matrix(std::span<const std::string> names) const;
};

/// Reads a CSV file (RFC 4180; gzip or plain) front to back, so that a file larger than memory works. Spaces
/// around a value that is not quoted are dropped, and so are empty lines; a value may hold line ends if it is
/// quoted.
///
/// A column's type is inferred from its first 1000 values, unless options.types has it: integer if all of
/// them are, otherwise real if all are numbers, otherwise text; a missing value does not decide. A column of
/// integers becomes real where a real or a missing value comes later; a later text is an error, which says to
/// declare the column.
///
/// Thread safety: distinct objects safe; shared objects unsafe. Blocks its thread: call it on a pool's
/// thread.
class csv_reader {
 public:
  /// Opens the file and reads the columns' names. @param path the file; @param options see there
  /// @throws io_error if it cannot be read; format_error if it is empty or if a name comes twice;
  ///         invalid_argument naming the option that cannot work, or a column that is not there
  explicit csv_reader(std::string path, csv_options options = {});
  /// Takes the open file over; the other may only be destroyed or assigned to.
  csv_reader(csv_reader&&) noexcept;
  /// Closes this file and takes the other's over.
  csv_reader& operator=(csv_reader&&) noexcept;
  ~csv_reader();

  /// Reads on until there are so many rows, or a few more; false if there was none left.
  ///
  /// @param table what is overwritten; @param rows how many rows are wanted, at least 1
  /// @throws io_error if the file cannot be read; format_error, with line, column and byte, for a row that
  /// has
  ///         more or fewer values than there are columns or is longer than 16 MiB, a value that is not of its
  ///         column's type, and a quote that is not closed or is followed by more than a delimiter; what
  ///         gzip_reader::read() throws
  bool read(csv_table& table, std::int64_t rows);

 private:
  class state;
  std::unique_ptr<state> state_;
};

/// A whole CSV file. @param path the file; @param options see there
/// @throws what csv_reader throws
/// Thread safety: safe. Blocks its thread: call it on a pool's thread.
csv_table read_csv(const std::string& path, csv_options options = {});

}  // namespace weft
