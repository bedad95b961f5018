// Any bytes read as a .npz file: its names, and an array that can be read to its end, or a weft::error.

#include <weft/core/error.hpp>
#include <weft/data/stored_array.hpp>

#include <fuzz/fuzzed_file.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const weft::test::fuzzed_file file(bytes, size);
  try {
    for (const std::string& name : weft::npz_names(file.path())) {
      const weft::stored_array array = weft::stored_array::npz(file.path(), name, {.limit = 1 << 20});
      if (array.rows() == 0 || array.row_size() == 0) continue;
      std::vector<std::byte> row(static_cast<std::size_t>(array.row_size() * weft::size_of(array.type())));
      array.read_rows(std::vector<std::int64_t>{array.rows() - 1}, row);
    }
  } catch (const weft::error&) {  // it says what is wrong
  }
  return 0;
}
