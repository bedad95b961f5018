#include "training.hpp"

#include <fmt/core.h>

#include <algorithm>  // for std::min
#include <cstdio>     // for stdout
#include <optional>   // for std::optional
#include <weft/async/gather.hpp>
#include <weft/async/queue.hpp>
#include <weft/core/error.hpp>
#include <weft/data/sampler.hpp>
#include <weft/observe/progress.hpp>
#include <weft/observe/stopwatch.hpp>
#include <weft/train/evaluation.hpp>

namespace fashion {
namespace {

constexpr std::size_t queue_capacity = 10;
constexpr std::int64_t most_images_for_train_accuracy = 10'000;
constexpr std::int64_t steps_between_texts = 8;

weft::task<weft::evaluation> evaluate_on(const training_job& job, const weft::classifier& model,
                                         const weft::image_batch& images) {
  return weft::evaluate(job.executor.base(), model.network(), images.images.view(), images.labels.view());
}

/// What a trainer has done within one epoch.
struct epoch_progress {
  double loss_sum = 0.0;
  double waited = 0.0;
  std::int64_t steps = 0;
  std::int64_t samples = 0;
};

double share(double part, double whole) {
  return whole > 0.0 ? part / whole : 0.0;
}

/// The steps of one epoch; fewer if it is asked to stop.
weft::task<epoch_progress> train_epoch(const training_job& job, weft::classifier& model,
                                       weft::queue<weft::image_batch>& batches, weft::progress& bar,
                                       job_record& record) {
  epoch_progress epoch;
  const weft::stopwatch clock;
  while (epoch.steps < record.steps_per_epoch && !job.stop.stop_requested()) {
    const weft::stopwatch wait;
    const std::optional<weft::image_batch> batch = co_await batches.pop();
    epoch.waited += wait.seconds();
    if (!batch) throw weft::error("the batches ended before the epoch did");
    const double loss = co_await model.step(job.executor.base(), batch->images.view(), batch->labels.view());
    record.losses.push_back(loss);
    record.samples += batch->size();
    epoch.loss_sum += loss;
    epoch.samples += batch->size();
    bar.add(batch->size());
    if (epoch.steps++ % steps_between_texts == 0) {
      bar.suffix(
          fmt::format("loss {:.4f}  waited {:.1f} %", loss, 100.0 * share(epoch.waited, clock.seconds())));
    }
  }
  record.times.train += clock.seconds();
  record.times.wait += epoch.waited;
  co_return epoch;
}

weft::task<> consume(const training_job& job, weft::classifier& model, const weft::image_batch& part,
                     weft::queue<weft::image_batch>& batches, job_record& record) {
  for (int number = 1; number <= job.plan.epochs; ++number) {
    epoch_progress done;
    const double before = record.times.train;
    {
      weft::progress bar(job.data.train.count, {.label = fmt::format("epoch {}/{}", number, job.plan.epochs),
                                                .unit = "images",
                                                .redirected = weft::progress_mode::silent,
                                                .out = stdout,
                                                .keep = false});
      done = co_await train_epoch(job, model, batches, bar, record);
    }
    if (done.steps < record.steps_per_epoch) break;
    epoch_record epoch;
    epoch.epoch = number;
    epoch.seconds = record.times.train - before;
    epoch.train_loss = share(done.loss_sum, static_cast<double>(done.steps));
    epoch.samples_per_second = share(static_cast<double>(done.samples), epoch.seconds);
    epoch.wait_share = share(done.waited, epoch.seconds);

    const weft::stopwatch clock;
    const weft::evaluation on_test = co_await evaluate_on(job, model, job.test);
    const weft::evaluation on_train = co_await evaluate_on(job, model, part);
    record.times.evaluate += clock.seconds();
    epoch.test_loss = on_test.loss;
    epoch.test_accuracy = on_test.accuracy;
    epoch.train_accuracy = on_train.accuracy;
    record.epochs.push_back(epoch);
    fmt::print(
        "epoch {:>2}/{}  loss {:.4f}  test loss {:.4f}  test accuracy {:.4f}  {:>7.0f} images/s  waited "
        "{:.1f} %  {:.2f} s\n",
        number, job.plan.epochs, epoch.train_loss, epoch.test_loss, epoch.test_accuracy,
        epoch.samples_per_second, 100.0 * epoch.wait_share, epoch.seconds);
    std::fflush(stdout);
  }
  batches.close_and_discard();
}

}  // namespace

weft::neural_net_options network_for(const options& settings, const dataset& data) {
  const std::int64_t inputs = data.train.image_size();
  if (settings.network == "linear") return {.sizes = {inputs, 256, 128, data.train.classes}};
  return {.sizes = {inputs, 128, data.train.classes},
          .convolutions = {{.channels = 16}, {.channels = 32}},
          .image = {1, data.train.rows, data.train.cols}};
}

weft::task<> train(const training_job& job, weft::classifier& model, job_record& record) {
  record.steps_per_epoch = job.plan.steps_per_epoch(job.data.train.count);
  const auto part_size = std::min(job.data.train.count, most_images_for_train_accuracy);
  record.train_accuracy_count = part_size;
  const weft::image_batch part = co_await job.pool.run([&] {
    return weft::collate(job.data.train, weft::sampler::sequential(part_size).epoch(0), job.data.scale);
  });
  weft::queue<weft::image_batch> batches(queue_capacity);
  co_await weft::gather(produce_batches(job.pool, job.data, job.plan, batches),
                        consume(job, model, part, batches, record));
}

}  // namespace fashion
