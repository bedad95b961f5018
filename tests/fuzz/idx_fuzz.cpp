// Any bytes read as an IDX file, gzip or plain: an array of its header's size, or a weft::error.

#include <weft/core/error.hpp>
#include <weft/data/idx.hpp>

#include <fuzz/fuzzed_file.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const weft::test::fuzzed_file file(bytes, size);
  try {
    const weft::idx_array array = weft::read_idx(file.path(), {.limit = 1 << 20});
    std::int64_t count = 1;
    for (const std::int64_t extent : array.extents) count *= extent;
    if (array.count() != count || array.bytes.size() > (1 << 20)) std::abort();
  } catch (const weft::error&) {  // it says what is wrong
  }
  return 0;
}
