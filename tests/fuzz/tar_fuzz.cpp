// Any bytes read as a tar shard, front to back and by its places: samples, or a weft::error.

#include <weft/core/error.hpp>
#include <weft/data/tar.hpp>

#include <fuzz/fuzzed_file.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const weft::test::fuzzed_file file(bytes, size);
  constexpr weft::tar_options options = {.limit = 1 << 20};
  try {
    weft::tar_reader reader(file.path(), options);
    weft::shard_sample sample;
    while (reader.read(sample)) {
      if (sample.key.empty() || sample.files.empty()) std::abort();
    }
  } catch (const weft::error&) {  // it says what is wrong
  }
  try {
    const weft::tar_shards shards({file.path()}, options);
    for (std::int64_t i = 0; i < shards.size(); ++i) static_cast<void>(shards.load(i));
  } catch (const weft::error&) {  // it says what is wrong
  }
  return 0;
}
