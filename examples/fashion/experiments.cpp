#include "experiments.hpp"

#include <fmt/core.h>

#include <algorithm>  // for std::stable_sort
#include <array>      // for std::array
#include <cmath>      // for std::isnan
#include <cstdio>     // for stdout, std::fflush
#include <numeric>    // for std::iota
#include <weft/async/task_group.hpp>
#include <weft/data/sampler.hpp>
#include <weft/observe/progress.hpp>
#include <weft/observe/span.hpp>
#include <weft/observe/stopwatch.hpp>
#include <weft/train/classifier.hpp>

#include "batches.hpp"

namespace fashion {
namespace {

/// One training on the calling thread, without queue or event loop.
void train_alone(const experiment_job& job, experiment_record& experiment, weft::progress& bar) {
  const batch_plan plan = {
      .batch_size = experiment.batch_size, .epochs = experiment.epochs, .seed = experiment.seed};
  const weft::cpu_context serial;
  weft::classifier model({.network = job.network,
                          .seed = experiment.seed,
                          .optimizer = {.learning_rate = experiment.learning_rate}});
  const weft::sampler sampler = weft::sampler::shuffled(job.data.train.count, plan.seed);
  weft::image_batch batch;
  for (int epoch = 0; epoch < plan.epochs; ++epoch) {
    const weft::batch_order order(sampler.epoch(static_cast<std::uint64_t>(epoch)), plan.batch_size);
    double loss_sum = 0.0;
    for (std::int64_t step = 0; step < order.size(); ++step) {
      if (job.stop.stop_requested()) {
        experiment.state = "stopped";
        return;
      }
      weft::collate_into(job.data.train, order[step], job.data.scale, batch);
      loss_sum += model.step(serial, batch.images.view(), batch.labels.view());
      experiment.samples += batch.size();
      bar.add(batch.size());
    }
    experiment.train_loss = loss_sum / static_cast<double>(order.size());
  }
  const weft::evaluation result = model.evaluate(serial, job.test.images.view(), job.test.labels.view());
  experiment.test_accuracy = result.accuracy;
  experiment.test_loss = result.loss;
  experiment.state = "finished";
}

void run_experiment(const experiment_job& job, experiment_record& experiment, const weft::stopwatch& clock,
                    weft::progress& bar) {
  if (job.stop.stop_requested()) return;
  const weft::span span("experiment", "number", experiment.number);
  experiment.thread = weft::thread_pool::this_thread_index();
  experiment.start = clock.seconds();
  try {
    train_alone(job, experiment, bar);
  } catch (const std::exception& failure) {
    experiment.state = std::string("failed: ") + failure.what();
  }
  experiment.end = clock.seconds();
}

std::string line(const experiment_record& experiment) {
  const std::string what = fmt::format("experiment {:>2}  lr {:<6}  batch {:>3}  seed {}", experiment.number,
                                       experiment.learning_rate, experiment.batch_size, experiment.seed);
  if (std::isnan(experiment.test_accuracy)) return what + "  " + experiment.state;
  return fmt::format("{}  test accuracy {:.4f}  {:.2f} s on thread {}", what, experiment.test_accuracy,
                     experiment.end - experiment.start, experiment.thread);
}

/// One experiment on the pool; prints it when it has completed.
weft::task<> await_experiment(const experiment_job& job, experiment_record& experiment,
                              const weft::stopwatch& clock, weft::progress& bar) {
  const auto call = [&] { run_experiment(job, experiment, clock, bar); };
  co_await job.pool.run(call);
  bar.print(line(experiment));
}

void print_ranking(const std::vector<experiment_record>& experiments) {
  fmt::print("\nrank  learning rate  batch  seed  test accuracy  test loss     time\n");
  int rank = 0;
  for (const std::size_t index : ranking(experiments)) {
    const experiment_record& each = experiments[index];
    if (std::isnan(each.test_accuracy)) {
      fmt::print("   -  {:>13}  {:>5}  {:>4}  {}\n", each.learning_rate, each.batch_size, each.seed,
                 each.state);
      continue;
    }
    fmt::print("{:>4}  {:>13}  {:>5}  {:>4}  {:>13.4f}  {:>9.4f}  {:>5.2f} s\n", ++rank, each.learning_rate,
               each.batch_size, each.seed, each.test_accuracy, each.test_loss, each.end - each.start);
  }
  std::fflush(stdout);
}

}  // namespace

std::vector<experiment_record> plan_experiments(const options& settings) {
  struct choice {
    std::int64_t batch_size;
    double learning_rate;
  };
  constexpr std::array<choice, 6> grid = {
      {{32, 1e-3}, {32, 5e-4}, {64, 1e-3}, {64, 5e-4}, {128, 1e-3}, {128, 5e-4}}};
  std::vector<experiment_record> planned;
  for (int number = 0; number < settings.experiments; ++number) {
    const auto position = static_cast<std::size_t>(number);
    experiment_record next;
    next.batch_size = grid[position % grid.size()].batch_size;
    next.learning_rate = grid[position % grid.size()].learning_rate;
    next.seed = settings.seed + position / grid.size();
    next.epochs = settings.experiment_epochs;
    planned.push_back(next);
  }
  std::stable_sort(planned.begin(), planned.end(),
                   [](const auto& left, const auto& right) { return left.batch_size < right.batch_size; });
  int number = 0;
  for (experiment_record& each : planned) each.number = ++number;
  return planned;
}

std::vector<std::size_t> ranking(const std::vector<experiment_record>& experiments) {
  std::vector<std::size_t> order(experiments.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t index) {
    const double accuracy = experiments[index].test_accuracy;
    return std::isnan(accuracy) ? -1.0 : accuracy;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t left, std::size_t right) { return key(left) > key(right); });
  return order;
}

weft::task<> run_experiments(const experiment_job& job, std::vector<experiment_record>& experiments) {
  fmt::print("\n{} experiments of {} {} on {} {}\n", experiments.size(), experiments.front().epochs,
             experiments.front().epochs == 1 ? "epoch" : "epochs", job.pool.threads(),
             job.pool.threads() == 1 ? "thread" : "threads");
  std::fflush(stdout);
  std::int64_t images = 0;
  for (const experiment_record& each : experiments) images += each.epochs * job.data.train.count;
  {
    weft::progress bar(images, {.label = "experiments",
                                .unit = "images",
                                .redirected = weft::progress_mode::silent,
                                .out = stdout,
                                .keep = false});
    const weft::stopwatch clock;
    co_await weft::with_task_group([&](weft::task_group& group) -> weft::task<> {
      for (experiment_record& each : experiments) group.spawn(await_experiment(job, each, clock, bar));
      co_return;
    });
  }
  print_ranking(experiments);
}

}  // namespace fashion
