// A grid of trainings on Fashion-MNIST, each in a worker process: the images are in memory once, curves
// arrive while the trainings run, and one that crashes is reported while the others go on.

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>  // for std::stable_sort
#include <cstdio>     // for stderr
#include <exception>  // for std::exception
#include <string>     // for std::string
#include <vector>     // for std::vector
#include <weft/data/collate.hpp>
#include <weft/pool/process_pool.hpp>

#include "training.hpp"

namespace {

using namespace experiments;

struct options {
  int workers = 0;
  int experiments = 12;
  int epochs = 2;
  int crash = 0;
  std::int64_t limit = 0;
  std::string data = "/usr/share/datasets/fashion-mnist";
};

std::vector<experiment> make_grid(const options& settings) {
  constexpr double rates[] = {1e-3, 5e-4};
  constexpr std::int64_t sizes[] = {32, 64, 128};
  std::vector<experiment> grid;
  for (int i = 0; i < settings.experiments; ++i) {
    grid.push_back({.number = i + 1,
                    .learning_rate = rates[i % 2],
                    .batch_size = sizes[i / 2 % 3],
                    .seed = static_cast<std::uint64_t>(i / 6 + 1),
                    .epochs = settings.epochs,
                    .crash = i + 1 == settings.crash});
  }
  return grid;
}

material load(const options& settings) {
  const std::string folder = settings.data + "/";
  weft::image_set train = weft::load_image_set(
      {.images = folder + "train-images-idx3-ubyte.gz", .labels = folder + "train-labels-idx1-ubyte.gz"});
  const weft::image_set test = weft::load_image_set(
      {.images = folder + "t10k-images-idx3-ubyte.gz", .labels = folder + "t10k-labels-idx1-ubyte.gz"});
  if (settings.limit > 0) train.truncate(settings.limit);
  const weft::normalize scale = weft::measure_normalization(train);
  return {.train = share(train), .test = share(test), .mean = scale.mean, .deviation = scale.deviation};
}

int run(const options& settings) {
  const std::vector<experiment> grid = make_grid(settings);
  const material given = load(settings);
  weft::process_pool pool({.workers = settings.workers, .threads_per_worker = 1});
  fmt::print("{} experiments in {} processes\n", grid.size(), pool.workers());

  auto watched = pool.with({.on_progress = [](weft::progress_message& message) {
    const auto told = message.as<epoch_report>();
    fmt::print("experiment {:>2}  epoch {}  loss {:.4f}\n", told.number, told.epoch, told.loss);
    std::fflush(stdout);
  }});
  std::vector<weft::future<outcome>> calls;
  for (const experiment& each : grid) calls.push_back(watched.submit<&train>(each, given));

  std::vector<outcome> finished;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    try {
      finished.push_back(calls[i].get());
    } catch (const std::exception& failure) {
      fmt::print("experiment {} failed: {}\n", grid[i].number, failure.what());
    }
    std::fflush(stdout);
  }

  std::stable_sort(finished.begin(), finished.end(),
                   [](const outcome& a, const outcome& b) { return a.accuracy > b.accuracy; });
  fmt::print(
      "\n{} of {} experiments finished\nrank  experiment  learning rate  batch  accuracy    loss     time\n",
      finished.size(), grid.size());
  int rank = 0;
  for (const outcome& each : finished) {
    const experiment& plan = grid[static_cast<std::size_t>(each.number - 1)];
    fmt::print("{:>4}  {:>10}  {:>13}  {:>5}  {:>8.4f}  {:>6.4f}  {:>5.2f} s\n", ++rank, each.number,
               plan.learning_rate, plan.batch_size, each.accuracy, each.loss, each.seconds);
  }
  return finished.size() == grid.size() ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  options settings;
  CLI::App app("Trains a grid of classifiers on Fashion-MNIST, each in a process of its own", "experiments");
  app.add_option("--workers", settings.workers, "processes; 0 for one per core")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--experiments", settings.experiments, "how many points of the grid")
      ->check(CLI::PositiveNumber);
  app.add_option("--epochs", settings.epochs, "of each training")->check(CLI::PositiveNumber);
  app.add_option("--crash", settings.crash, "the number of an experiment that is to crash half-way");
  app.add_option("--limit", settings.limit, "training images; 0 for all")->check(CLI::NonNegativeNumber);
  app.add_option("--data", settings.data,
                 "folder of Fashion-MNIST's four gzip IDX files, those of Debian's dataset-fashion-mnist")
      ->capture_default_str();
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "experiments: {}\n", error.what());
    return 1;
  }
}
