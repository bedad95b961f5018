// One epoch of the 784-256-128-10 classifier on Fashion-MNIST: shuffle, decode, forward, backward, Adam. The
// data, batch size, thread count and network are those of pytorch.py.

#include <weft/async/gather.hpp>
#include <weft/async/queue.hpp>
#include <weft/async/run.hpp>
#include <weft/async/stream.hpp>
#include <weft/compute/cpu_executor.hpp>
#include <weft/core/philox.hpp>
#include <weft/data/collate.hpp>
#include <weft/data/image_set.hpp>
#include <weft/data/sampler.hpp>
#include <weft/observe/stopwatch.hpp>
#include <weft/train/classifier.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdint>     // for std::int64_t, std::uint64_t
#include <cstdio>      // for stderr
#include <exception>   // for std::exception
#include <filesystem>  // for std::filesystem::exists
#include <optional>    // for std::optional
#include <string>      // for std::string
#include <vector>      // for std::vector

namespace {

constexpr std::int64_t batch_size = 128;
constexpr std::size_t queue_capacity = 10;
constexpr weft::normalize scale{.mean = 0.2860, .deviation = 0.3530};

struct epoch_case {
  const char* name;
  int threads;
};

// PyTorch has more ways to do the same; each is compared with the one of ours that has as many threads.
constexpr epoch_case cases[] = {{"epoch/two-threads", 2},
                                {"epoch/two-threads/compiled", 2},
                                {"epoch/two-threads/loader", 2},
                                {"epoch/one-thread", 1}};

struct measurement {
  double seconds = 0.0;
  double waited = 0.0;
  double last_losses = 0.0;  // the mean of the last steps
  std::int64_t samples = 0;
};

constexpr std::int64_t steps_checked = 20;

weft::image_set load(const std::string& folder) {
  const std::string images = folder + "/train-images-idx3-ubyte.gz";
  if (std::filesystem::exists(images)) {
    return weft::load_image_set({.images = images, .labels = folder + "/train-labels-idx1-ubyte.gz"});
  }
  weft::image_set random;
  random.count = 60000;
  random.rows = 28;
  random.cols = 28;
  random.classes = 10;
  const weft::philox numbers(1);
  random.pixels.resize(static_cast<std::size_t>(random.count * random.image_size()));
  std::uint64_t index = 0;
  for (std::uint8_t& pixel : random.pixels) pixel = static_cast<std::uint8_t>(numbers.below(index++, 256));
  for (std::int64_t i = 0; i < random.count; ++i) {
    random.labels.push_back(static_cast<std::uint8_t>(numbers.below(index++, 10)));
  }
  return random;
}

std::vector<std::vector<std::int64_t>> batches_of(const weft::sampler& order, std::uint64_t epoch) {
  const weft::batch_order batches(order.epoch(epoch), batch_size);
  std::vector<std::vector<std::int64_t>> result;
  for (std::int64_t i = 0; i < batches.size(); ++i) result.emplace_back(batches[i].begin(), batches[i].end());
  return result;
}

// As the main job does it: decoding and training overlap, a bounded queue between them.
weft::task<> train_from_queue(weft::cpu_executor& executor, weft::classifier& model,
                              weft::queue<weft::image_batch>& batches, measurement& result,
                              std::int64_t steps) {
  for (std::int64_t step = 0; step < steps; ++step) {
    const weft::stopwatch wait;
    const std::optional<weft::image_batch> batch = co_await batches.pop();
    result.waited += wait.seconds();
    const double loss =
        co_await executor.run(model.training_step(), batch->images.view(), batch->labels.view());
    result.samples += batch->size();
    if (step >= steps - steps_checked) result.last_losses += loss / static_cast<double>(steps_checked);
  }
}

measurement overlapped_epoch(weft::thread_pool& pool, weft::cpu_executor& executor,
                             const weft::image_set& images, const weft::sampler& order,
                             weft::classifier& model, std::uint64_t epoch) {
  measurement result;
  const weft::stopwatch clock;
  weft::run([&]() -> weft::task<> {
    auto indices = batches_of(order, epoch);
    const auto steps = static_cast<std::int64_t>(indices.size());
    weft::queue<weft::image_batch> batches(queue_capacity);
    const auto decode = [&](const std::vector<std::int64_t>& samples) {
      return weft::collate(images, samples, scale);
    };
    co_await weft::gather(weft::from(std::move(indices)) | weft::map(pool, decode) | weft::into(batches),
                          train_from_queue(executor, model, batches, result, steps));
  }());
  result.seconds = clock.seconds();
  return result;
}

// On one thread there is nothing to overlap.
measurement serial_epoch(const weft::image_set& images, const weft::sampler& order, weft::classifier& model,
                         std::uint64_t epoch) {
  measurement result;
  const weft::cpu_context context;
  const weft::stopwatch clock;
  const weft::batch_order batches(order.epoch(epoch), batch_size);
  weft::image_batch batch;
  for (std::int64_t step = 0; step < batches.size(); ++step) {
    weft::collate_into(images, batches[step], scale, batch);
    const double loss = model.step(context, batch.images, batch.labels);
    result.samples += batch.size();
    if (step >= batches.size() - steps_checked)
      result.last_losses += loss / static_cast<double>(steps_checked);
  }
  result.seconds = clock.seconds();
  return result;
}

void print(const epoch_case& chosen, const measurement& result) {
  fmt::print(R"({{"case": "{}", "value": {:.1f}, "unit": "samples/s"}})"
             "\n",
             chosen.name, static_cast<double>(result.samples) / result.seconds);
  if (std::string_view(chosen.name) == cases[0].name) {
    fmt::print(
        R"({{"case": "waited-for-data/two-threads", "value": {:.3f}, "unit": "%", "smaller_is_better": true}})"
        "\n",
        100.0 * result.waited / result.seconds);
  }
}

void measure(const epoch_case& chosen, const std::string& folder, bool quick, int repeat) {
  weft::image_set images = load(folder);
  const bool random = !std::filesystem::exists(folder);
  if (quick) images.truncate(100 * batch_size);
  const weft::sampler order = weft::sampler::shuffled(images.count, 1);
  weft::image_set first = images;
  first.truncate(20 * batch_size);
  const weft::sampler first_order = weft::sampler::shuffled(first.count, 1);
  weft::thread_pool pool(1);
  weft::cpu_executor executor({.threads = chosen.threads});
  weft::classifier model({.seed = 1});
  const auto run_epoch = [&](const weft::image_set& set, const weft::sampler& sampler, std::uint64_t epoch) {
    return chosen.threads == 1 ? serial_epoch(set, sampler, model, epoch)
                               : overlapped_epoch(pool, executor, set, sampler, model, epoch);
  };
  run_epoch(first, first_order, 0);
  for (int round = 0; round < repeat; ++round) {
    const measurement result = run_epoch(images, order, static_cast<std::uint64_t>(round));
    if (!(result.last_losses < (random ? 2.6 : 0.8))) {
      throw weft::error(fmt::format("the network has not learnt: its loss is {}", result.last_losses));
    }
    print(chosen, result);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program("One epoch of training in weft; one line of JSON for each measured epoch");
  std::string name;
  std::string folder = "/usr/share/datasets/fashion-mnist";
  bool list = false;
  bool quick = false;
  int repeat = 1;
  program.add_option("--case", name, "what to measure");
  program.add_flag("--list", list, "print the cases' names");
  program.add_flag("--quick", quick, "a part of an epoch");
  program.add_option("--data", folder, "where the IDX files are; random images if they are not there");
  program.add_option("--repeat", repeat, "measured epochs")->check(CLI::PositiveNumber);
  CLI11_PARSE(program, argc, argv);
  try {
    for (const epoch_case& candidate : cases) {
      if (list) fmt::print("{}\n", candidate.name);
      if (!list && candidate.name == name) {
        measure(candidate, folder, quick, repeat);
        return 0;
      }
    }
    if (list) return 0;
    fmt::print(stderr, "training_weft: there is no case '{}': --list prints them\n", name);
  } catch (const std::exception& error) {
    fmt::print(stderr, "training_weft: {}\n", error.what());
  }
  return 1;
}
