#include "batches.hpp"

#include <utility>  // for std::move
#include <weft/async/stream.hpp>
#include <weft/data/loader.hpp>
#include <weft/data/records.hpp>

namespace fashion {

weft::task<> produce_batches(weft::thread_pool& pool, const dataset& data, const batch_plan& plan,
                             weft::queue<weft::image_batch>& batches) {
  using loaded = weft::loaded_batch<weft::image_batch>;
  weft::loader loader(
      pool, weft::image_set_source(data.train, data.scale),
      {.batch_size = plan.batch_size, .shuffle = true, .seed = plan.seed, .epochs = plan.epochs});
  const auto samples = [](loaded batch) { return std::move(*batch); };
  co_await (weft::from(loader) | weft::map(samples) | weft::into(batches));
}

}  // namespace fashion
