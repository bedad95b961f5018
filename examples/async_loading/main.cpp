// Loading and training that overlap: while a batch is trained on, the next ones are made. The time for both
// is close to the slower side's, not to the sum.

#include <weft/async.hpp>
#include <weft/core/error.hpp>
#include <weft/data/image_set.hpp>
#include <weft/observe/progress.hpp>
#include <weft/observe/stopwatch.hpp>
#include <weft/pool/thread_pool.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t side = 224;
constexpr std::int64_t channels = 3;

struct options {
  std::filesystem::path data = "/usr/share/datasets/fashion-mnist";
  int batches = 40;
  int batch_size = 64;
  int capacity = 10;
  int passes = 3;
};

/// batch_size x 224 x 224 x 3 floats.
using batch = std::vector<float>;

/// The batch of the given number: small pictures, stretched to 224 x 224 (bilinear) and normalised, three
/// channels.
batch load(const weft::image_set& images, int number, int batch_size) {
  batch pixels(static_cast<std::size_t>(batch_size * side * side * channels));
  const double scale_y = static_cast<double>(images.rows - 1) / (side - 1);
  const double scale_x = static_cast<double>(images.cols - 1) / (side - 1);
  auto* to = pixels.data();
  for (int i = 0; i < batch_size; ++i) {
    const auto from = images.image((static_cast<std::int64_t>(number) * batch_size + i) % images.count);
    for (std::int64_t y = 0; y < side; ++y) {
      const auto row = std::min(static_cast<std::int64_t>(static_cast<double>(y) * scale_y), images.rows - 2);
      const auto down = static_cast<float>(static_cast<double>(y) * scale_y - static_cast<double>(row));
      for (std::int64_t x = 0; x < side; ++x) {
        const auto column =
            std::min(static_cast<std::int64_t>(static_cast<double>(x) * scale_x), images.cols - 2);
        const auto right = static_cast<float>(static_cast<double>(x) * scale_x - static_cast<double>(column));
        const auto at = [&](std::int64_t r, std::int64_t c) {
          return static_cast<float>(from[static_cast<std::size_t>(r * images.cols + c)]);
        };
        const float upper = at(row, column) * (1 - right) + at(row, column + 1) * right;
        const float lower = at(row + 1, column) * (1 - right) + at(row + 1, column + 1) * right;
        const float value = (upper * (1 - down) + lower * down) / 255.0F - 0.5F;
        for (std::int64_t channel = 0; channel < channels; ++channel) *to++ = value;
      }
    }
  }
  return pixels;
}

/// Stands for a training step: goes over the whole batch several times, and returns a number that depends on
/// all of it.
double train(const batch& pixels, int passes) {
  double total = 0.0;
  for (int pass = 0; pass < passes; ++pass) {
    float lanes[16] = {};
    for (std::size_t i = 0; i + 16 <= pixels.size(); i += 16) {
      for (std::size_t k = 0; k < 16; ++k) {
        const float x = pixels[i + k];
        lanes[k] += x * x / (1.0F + std::fabs(x)) + static_cast<float>(pass) * x;
      }
    }
    for (const float lane : lanes) total += static_cast<double>(lane);
  }
  return total;
}

struct outcome {
  double seconds = 0.0;
  double loading = 0.0;
  double training = 0.0;
  double sum = 0.0;
};

/// One batch after the other: what a loop without a queue does.
outcome in_turns(const weft::image_set& images, const options& chosen) {
  outcome result;
  const weft::stopwatch whole;
  weft::progress bar(chosen.batches, {.label = "in turns", .unit = "batches"});
  for (int i = 0; i < chosen.batches; ++i) {
    weft::stopwatch clock;
    const batch pixels = load(images, i, chosen.batch_size);
    result.loading += clock.seconds();
    clock.restart();
    result.sum += train(pixels, chosen.passes);
    result.training += clock.seconds();
    bar.add(1);
  }
  result.seconds = whole.seconds();
  return result;
}

weft::task<> produce(weft::thread_pool& loaders, const weft::image_set& images, const options& chosen,
                     weft::queue<batch>& out) {
  for (int i = 0; i < chosen.batches; ++i) {
    auto pixels = co_await loaders.run([&images, i, &chosen] { return load(images, i, chosen.batch_size); });
    co_await out.push(std::move(pixels));
  }
  out.close();
}

weft::task<> consume(weft::thread_pool& trainer, const options& chosen, weft::queue<batch>& in,
                     outcome& result) {
  weft::progress bar(chosen.batches, {.label = "overlapped", .unit = "batches"});
  while (true) {
    const auto pixels = co_await in.pop();
    if (!pixels) break;
    result.sum += co_await trainer.run([&pixels, &chosen] { return train(*pixels, chosen.passes); });
    bar.add(1);
  }
}

/// Both at once, on a thread each, with a bounded queue between them.
outcome overlapped(const weft::image_set& images, const options& chosen) {
  weft::thread_pool loader(1);
  weft::thread_pool trainer(1);
  weft::queue<batch> batches(static_cast<std::size_t>(chosen.capacity));
  outcome result;
  const weft::stopwatch whole;
  weft::run(
      weft::gather(produce(loader, images, chosen, batches), consume(trainer, chosen, batches, result)));
  result.seconds = whole.seconds();
  return result;
}

int run(const options& chosen) {
  const weft::image_set images = weft::load_image_set({.images = chosen.data / "train-images-idx3-ubyte.gz",
                                                       .labels = chosen.data / "train-labels-idx1-ubyte.gz"});
  const double megabytes = static_cast<double>(chosen.batch_size * side * side * channels) * 4 / 1e6;
  fmt::print("{} batches of {} x {} x {} x {} floats, {:.1f} MB each, through a queue of {}\n",
             chosen.batches, chosen.batch_size, side, side, channels, megabytes, chosen.capacity);
  const outcome turns = in_turns(images, chosen);
  const outcome both = overlapped(images, chosen);
  if (turns.sum != both.sum) {
    fmt::print(stderr, "async_loading: in turns the sum is {}, overlapped it is {}\n", turns.sum, both.sum);
    return 1;
  }
  const double slower = std::max(turns.loading, turns.training);
  fmt::print("loading alone     {:7.3f} s\n", turns.loading);
  fmt::print("training alone    {:7.3f} s\n", turns.training);
  fmt::print("one by one        {:7.3f} s\n", turns.seconds);
  fmt::print("overlapped        {:7.3f} s, {:.2f} x the slower side alone; the same {} batches both times\n",
             both.seconds, both.seconds / slower, chosen.batches);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  options chosen;
  CLI::App program("Loads batches of 224 x 224 pictures while training on those before.", "async_loading");
  program.option_defaults()->always_capture_default();
  program.add_option(
      "--data", chosen.data,
      "Folder of Fashion-MNIST's four gzip IDX files, those of Debian's dataset-fashion-mnist");
  program.add_option("--batches", chosen.batches, "Batches to go through")->check(CLI::Range(1, 1'000'000));
  program.add_option("--batch-size", chosen.batch_size, "Pictures in a batch")->check(CLI::Range(1, 10'000));
  program.add_option("--capacity", chosen.capacity, "Batches that the queue holds")
      ->check(CLI::Range(1, 10'000));
  program.add_option("--passes", chosen.passes, "How often training goes over a batch")
      ->check(CLI::Range(1, 1000));
  program.footer("Exit codes: 0 done, 1 it failed, 2 a wrong command line.");
  try {
    program.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(chosen);
  } catch (const std::exception& error) {
    fmt::print(stderr, "async_loading: {}\n", error.what());
    return 1;
  }
}
