// Any bytes read as a safetensors file: tensors that fill the file, the same from its header alone, or a
// weft::error.

#include <weft/compute/safetensors.hpp>
#include <weft/core/error.hpp>

#include <fuzz/fuzzed_file.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const weft::test::fuzzed_file file(bytes, size);
  try {
    const weft::safetensors_file whole(file.path());
    const weft::safetensors_header header = weft::read_safetensors_header(file.path());
    if (header.entries.size() != whole.entries().size() || header.metadata != whole.metadata()) std::abort();
    for (const auto& each : whole.entries()) {
      if (each.begin < 8 || each.end < each.begin || each.end > static_cast<std::int64_t>(size)) std::abort();
      if (each.type != weft::dtype::float32 || each.extents.size() != 1) continue;
      if (whole.load<float, 1>(each.name).size() != each.extents[0]) std::abort();
    }
  } catch (const weft::error&) {  // it says what is wrong
  }
  return 0;
}
