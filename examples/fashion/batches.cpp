#include "batches.hpp"

#include <optional>  // for std::optional
#include <vector>    // for std::vector
#include <weft/async/stream.hpp>
#include <weft/data/sampler.hpp>

namespace fashion {
namespace {

using indices = std::vector<std::int64_t>;

/// The indices of each batch, epoch after epoch.
class shuffled_batches {
 public:
  shuffled_batches(std::int64_t samples, const batch_plan& plan)
      : plan_(plan), sampler_(weft::sampler::shuffled(samples, plan.seed)) {}

  weft::task<std::optional<indices>> next() {
    if (step_ == order_.size()) {
      if (epoch_ == plan_.epochs) co_return std::nullopt;
      order_ = weft::batch_order(sampler_.epoch(static_cast<std::uint64_t>(epoch_++)), plan_.batch_size);
      step_ = 0;
    }
    const auto batch = order_[step_++];
    co_return indices(batch.begin(), batch.end());
  }

 private:
  batch_plan plan_;
  weft::sampler sampler_;
  weft::batch_order order_{{}, 1};
  std::int64_t step_ = 0;
  int epoch_ = 0;
};

}  // namespace

weft::task<> produce_batches(weft::thread_pool& pool, const dataset& data, const batch_plan& plan,
                             weft::queue<weft::image_batch>& batches) {
  const auto decode = [&](const indices& samples) { return weft::collate(data.train, samples, data.scale); };
  co_await (weft::from(shuffled_batches(data.train.count, plan)) | weft::map(pool, decode) |
            weft::into(batches));
}

}  // namespace fashion
