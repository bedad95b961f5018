#include "training.hpp"

#include <csignal>  // for std::raise
#include <numeric>  // for std::iota
#include <span>     // for std::span
#include <vector>   // for std::vector
#include <weft/compute/cpu_context.hpp>
#include <weft/data/collate.hpp>
#include <weft/observe/stopwatch.hpp>
#include <weft/pool/process_pool.hpp>
#include <weft/train/classifier.hpp>

namespace experiments {
namespace {

/// Batches from shared memory: the images of one batch are gathered, then decoded as any other set.
class batch_reader {
 public:
  batch_reader(const shared_images& images, weft::normalize scale) : images_(images), scale_(scale) {
    gathered_.rows = images.rows;
    gathered_.cols = images.cols;
    gathered_.classes = images.classes;
  }

  const weft::image_batch& read(std::span<const std::int64_t> indices) {
    const auto size = static_cast<std::size_t>(gathered_.image_size());
    gathered_.count = static_cast<std::int64_t>(indices.size());
    gathered_.pixels.clear();
    gathered_.labels.clear();
    for (const std::int64_t index : indices) {
      const auto at = static_cast<std::size_t>(index);
      const auto image = images_.pixels.elements().subspan(at * size, size);
      gathered_.pixels.insert(gathered_.pixels.end(), image.begin(), image.end());
      gathered_.labels.push_back(images_.labels[at]);
    }
    positions_.resize(indices.size());
    std::iota(positions_.begin(), positions_.end(), std::int64_t{0});
    weft::collate_into(gathered_, positions_, scale_, batch_);
    return batch_;
  }

  const weft::image_batch& read_all() {
    std::vector<std::int64_t> all(static_cast<std::size_t>(images_.count()));
    std::iota(all.begin(), all.end(), std::int64_t{0});
    return read(all);
  }

 private:
  const shared_images& images_;
  weft::normalize scale_;
  weft::image_set gathered_;
  std::vector<std::int64_t> positions_;
  weft::image_batch batch_;
};

}  // namespace

shared_images share(const weft::image_set& set) {
  return {.pixels = weft::shared_array<std::uint8_t>(set.pixels).seal(),
          .labels = weft::shared_array<std::uint8_t>(set.labels).seal(),
          .rows = set.rows,
          .cols = set.cols,
          .classes = set.classes};
}

outcome train(const experiment& plan, const material& given) {
  const weft::stopwatch clock;
  const weft::cpu_context serial;
  const weft::normalize scale{.mean = static_cast<float>(given.mean),
                              .deviation = static_cast<float>(given.deviation)};
  batch_reader reader(given.train, scale);
  weft::classifier model(
      {.network = {.sizes = {given.train.rows * given.train.cols, 256, 128, given.train.classes}},
       .seed = plan.seed,
       .optimizer = {.learning_rate = plan.learning_rate}});
  const weft::sampler sampler = weft::sampler::shuffled(given.train.count(), plan.seed);
  for (int epoch = 0; epoch < plan.epochs; ++epoch) {
    const weft::batch_order order(sampler.epoch(static_cast<std::uint64_t>(epoch)), plan.batch_size);
    double loss = 0;
    for (std::int64_t step = 0; step < order.size(); ++step) {
      if (plan.crash && step == order.size() / 2)
        std::raise(SIGKILL);  // as the kernel does when memory is out
      const weft::image_batch& batch = reader.read(order[step]);
      loss += model.step(serial, batch.images.view(), batch.labels.view());
    }
    weft::report_progress(epoch_report{plan.number, epoch + 1, loss / static_cast<double>(order.size())});
  }
  batch_reader test_reader(given.test, scale);
  const weft::image_batch& test = test_reader.read_all();
  const weft::evaluation result = model.evaluate(serial, test.images.view(), test.labels.view());
  return {plan.number, result.accuracy, result.loss, clock.seconds()};
}

}  // namespace experiments
