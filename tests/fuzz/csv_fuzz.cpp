// Any bytes read as a table, whole and in pieces: the same rows either way, all columns of one length, or a
// weft::error. The first byte chooses the options.

#include <weft/core/error.hpp>
#include <weft/data/csv.hpp>

#include <fuzz/fuzzed_file.hpp>

namespace {

std::size_t values(const weft::csv_column& column) {
  return column.integers.size() + column.reals.size() + column.texts.size();
}

std::int64_t checked_rows(const weft::csv_table& table) {
  for (const weft::csv_column& each : table.columns) {
    if (values(each) != static_cast<std::size_t>(table.rows)) std::abort();
  }
  return table.rows;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const weft::test::fuzzed_file file(bytes + 1, size - 1);
  weft::csv_options options;
  options.header = (bytes[0] & 1) != 0;
  if ((bytes[0] & 2) != 0) options.delimiter = ';';
  try {
    const std::int64_t rows = checked_rows(weft::read_csv(file.path(), options));
    weft::csv_reader reader(file.path(), options);
    weft::csv_table piece;
    std::int64_t in_pieces = 0;
    while (reader.read(piece, 3)) in_pieces += checked_rows(piece);
    if (in_pieces != rows) std::abort();
  } catch (const weft::error&) {  // it says what is wrong
  }
  return 0;
}
