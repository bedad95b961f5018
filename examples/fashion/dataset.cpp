#include "dataset.hpp"

#include <filesystem>  // for std::filesystem::path
#include <tuple>       // for std::tie
#include <utility>     // for std::move
#include <weft/async/gather.hpp>
#include <weft/core/error.hpp>

namespace fashion {
namespace {

weft::image_files files(const std::string& folder, const std::string& part) {
  const std::filesystem::path place(folder);
  return {.images = (place / (part + "-images-idx3-ubyte.gz")).string(),
          .labels = (place / (part + "-labels-idx1-ubyte.gz")).string(),
          .classes = static_cast<int>(class_names.size())};
}

void check(const dataset& data, const std::string& folder) {
  if (data.train.count == 0 || data.test.count == 0) {
    throw weft::invalid_argument(folder +
                                 ": there must be at least one image to train on and one to test on");
  }
  if (data.train.rows != data.test.rows || data.train.cols != data.test.cols || data.train.channels != 1 ||
      data.test.channels != 1) {
    throw weft::invalid_argument(folder + ": the training and the test images must be grey and of one size");
  }
}

}  // namespace

weft::task<dataset> load_dataset(weft::thread_pool& pool, std::string folder, std::int64_t limit) {
  dataset data;
  auto train = weft::load_image_set(pool, files(folder, "train"));
  auto test = weft::load_image_set(pool, files(folder, "t10k"));
  std::tie(data.train, data.test) = co_await weft::gather(std::move(train), std::move(test));
  if (limit > 0) data.train.truncate(limit);
  check(data, folder);
  data.scale = co_await pool.run([&train = data.train] { return weft::measure_normalization(train); });
  co_return data;
}

}  // namespace fashion
