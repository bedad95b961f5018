// Any bytes read as a TFRecord file and as lines: records or lines of its bytes, or a weft::error.

#include <weft/core/error.hpp>
#include <weft/data/line_files.hpp>
#include <weft/data/tfrecord_shards.hpp>

#include <fuzz/fuzzed_file.hpp>

namespace {

template <class Source>
void load_all(const Source& source, std::size_t size) {
  typename Source::batch_type batch;
  source.prepare(batch, 1);
  std::int64_t bytes = 0;
  for (std::int64_t i = 0; i < source.size(); ++i) bytes += source.load({.index = i}, batch);
  if (bytes > static_cast<std::int64_t>(size)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const weft::test::fuzzed_file file(bytes, size);
  try {
    load_all(weft::tfrecord_shards({file.path()}), size);
  } catch (const weft::error&) {  // it says what is wrong
  }
  try {
    load_all(weft::line_files({file.path()}, {.limit = 1000}), size);
  } catch (const weft::error&) {  // it says what is wrong
  }
  return 0;
}
