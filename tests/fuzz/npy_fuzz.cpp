// Any bytes read as a .npy file, in memory and row by row: the same array either way, or a weft::error.

#include <weft/compute/npy.hpp>
#include <weft/core/error.hpp>
#include <weft/data/stored_array.hpp>

#include <fuzz/fuzzed_file.hpp>

#include <cstring>  // for std::memcmp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const weft::test::fuzzed_file file(bytes, size);
  try {
    const weft::npy_file whole(file.path());
    const weft::stored_array array = weft::stored_array::npy(file.path());
    if (array.type() != whole.type() || array.rows() != whole.extents()[0]) std::abort();
    if (whole.type() != weft::dtype::uint8 || whole.extents().size() != 2 || whole.column_major()) return 0;
    const auto values = whole.load<std::uint8_t, 2>();
    if (values.empty()) return 0;
    const std::vector<std::int64_t> last = {array.rows() - 1};
    std::vector<std::byte> row(static_cast<std::size_t>(array.row_size()));
    array.read_rows(last, row);
    if (std::memcmp(row.data(), values.data() + values.size() - array.row_size(), row.size()) != 0)
      std::abort();
  } catch (const weft::error&) {  // it says what is wrong
  }
  return 0;
}
