// A small convolution network that learns from folders of JPEG files: decoding, cutting, changing colours
// and training overlap, and a line shows how fast each stage is and how long the training waits for data.

#include <weft/async/run.hpp>
#include <weft/compute/any_executor.hpp>
#include <weft/core/error.hpp>
#include <weft/data/image_folder.hpp>
#include <weft/data/loader.hpp>
#include <weft/data/mapped.hpp>
#include <weft/observe/progress.hpp>
#include <weft/observe/stopwatch.hpp>
#include <weft/pool/thread_pool.hpp>
#include <weft/train/classifier.hpp>

#include <fmt/format.h>
#include <sys/wait.h>  // for WEXITSTATUS
#include <CLI/CLI.hpp>

#include <algorithm>   // for std::copy
#include <cstdio>      // for std::fflush
#include <cstdlib>     // for std::system
#include <exception>   // for std::exception
#include <filesystem>  // for std::filesystem::exists
#include <optional>    // for std::optional
#include <string>      // for std::string
#include <utility>     // for std::move
#include <vector>      // for std::vector

#include "mosaics.hpp"

namespace {

constexpr int usage_error = 2;
constexpr int no_torch = 77;  // dataloader.py's exit code
constexpr std::int64_t steps_between_texts = 4;

struct options {
  std::string data = "images";
  std::string fashion = "/usr/share/datasets/fashion-mnist";
  std::int64_t images = 2000;
  std::int64_t size = 64;
  std::int64_t batch_size = 64;
  std::int64_t epochs = 3;
  float learning_rate = 1e-3F;
  std::uint64_t seed = 1;
  int threads = 0;
  std::string python;
};

weft::image_options plain_images(std::int64_t size) {
  return {.rows = size, .cols = size, .mean = {0.5F, 0.5F, 0.5F}, .deviation = {0.25F, 0.25F, 0.25F}};
}

weft::image_options training_images(std::int64_t size) {
  weft::image_options images = plain_images(size);
  images.random_crop = images.random_flip = true;
  images.jitter = {.brightness = 0.2F, .contrast = 0.2F, .saturation = 0.2F};
  return images;
}

/// The decoder's pixels, red, green, blue, red ..., become the network's planes.
void to_planes(weft::image_batch& batch, const weft::sample_request& request) {
  static thread_local std::vector<float> planes;
  const auto image = batch.images[request.row].elements();
  const std::size_t pixels = image.size() / 3;
  planes.resize(image.size());
  for (std::size_t i = 0; i < pixels; ++i) {
    for (std::size_t channel = 0; channel < 3; ++channel)
      planes[channel * pixels + i] = image[3 * i + channel];
  }
  std::copy(planes.begin(), planes.end(), image.begin());
}

/// How fast a thread is at each stage, and how the loader works now.
std::string stages(const weft::loader_stats& stats, double loss) {
  return fmt::format("loss {:.3f}  read {:.0f}/s  decode {:.0f}/s  waited {:.1f} %  {} threads, {} batches",
                     loss, stats.stage_rate(stats.reading), stats.stage_rate(stats.loading - stats.reading),
                     100.0 * stats.wait_share(), stats.tuning.threads, stats.tuning.prefetch);
}

weft::task<double> accuracy(weft::thread_pool& pool, weft::any_executor& executor, const options& chosen,
                            const weft::classifier& model) {
  const weft::image_folder test(chosen.data + "/test", plain_images(chosen.size));
  weft::loader batches(pool, weft::mapped_samples(test, to_planes), {.batch_size = chosen.batch_size});
  std::int64_t correct = 0;
  for (;;) {
    const auto batch = co_await batches.next();
    if (!batch) break;
    const weft::image_batch& images = **batch;
    const weft::evaluation part =
        co_await weft::evaluate(executor.base(), model.network(), images.images.view(), images.labels.view());
    correct += part.correct;
  }
  co_return static_cast<double>(correct) / static_cast<double>(test.size());
}

weft::task<> train(weft::thread_pool& pool, const options& chosen) {
  weft::any_executor executor = weft::make_executor("cpu:" + std::to_string(pool.threads()));
  const weft::image_folder folder(chosen.data + "/train", training_images(chosen.size));
  const auto classes = static_cast<std::int64_t>(folder.classes().size());
  weft::classifier model({.network = {.sizes = {3 * chosen.size * chosen.size, 64, classes},
                                      .convolutions = {{.channels = 16}, {.channels = 32}},
                                      .image = {3, chosen.size, chosen.size}},
                          .seed = chosen.seed,
                          .optimizer = {.learning_rate = chosen.learning_rate}});
  weft::loader batches(pool, weft::mapped_samples(folder, to_planes),
                       {.batch_size = chosen.batch_size,
                        .shuffle = true,
                        .seed = chosen.seed,
                        .epochs = chosen.epochs,
                        .autotune = true,
                        .on_error = weft::bad_sample::skip});
  fmt::print("{} images of {} classes, {} parameters, {} threads\n", folder.size(), classes,
             model.network().parameter_count(), pool.threads());
  for (std::int64_t epoch = 1; epoch <= chosen.epochs; ++epoch) {
    const weft::stopwatch clock;
    const double waited_before = batches.stats().waited;
    double loss_sum = 0.0;
    {
      weft::progress bar(folder.size(), {.label = fmt::format("epoch {}/{}", epoch, chosen.epochs),
                                         .unit = "images",
                                         .redirected = weft::progress_mode::silent,
                                         .out = stdout,
                                         .keep = false});
      for (std::int64_t step = 0; step < batches.batches_per_epoch(); ++step) {
        const auto batch = co_await batches.next();
        if (!batch) throw weft::error("the batches ended before the epoch did");
        if (batch->size() == 0) continue;  // all of its files were bad
        const weft::image_batch& images = **batch;
        const double loss = co_await model.step(executor.base(), images.images.view(), images.labels.view());
        loss_sum += loss;
        bar.add(batch->size());
        if (step % steps_between_texts == 0) bar.suffix(stages(batches.stats(), loss));
      }
    }
    const double taken = clock.seconds();
    const double waited = batches.stats().waited - waited_before;
    const double right = co_await accuracy(pool, executor, chosen, model);
    fmt::print("epoch {}  {:.0f} images/s  waited {:.1f} %  loss {:.4f}  test accuracy {:.4f}\n", epoch,
               static_cast<double>(folder.size()) / taken, 100.0 * waited / taken,
               loss_sum / static_cast<double>(batches.batches_per_epoch()), right);
    std::fflush(stdout);
  }
  const weft::loader_stats stats = batches.stats();
  fmt::print("loader: {}\n", stages(stats, 0.0).substr(sizeof "loss 0.000 "));
  for (const weft::failed_sample& failed : batches.failures())
    fmt::print("skipped {}: {}\n", failed.name, failed.reason);
}

/// What the same job costs with PyTorch.
void compare(const options& chosen, int threads) {
  if (chosen.python.empty()) {
    fmt::print("with DataLoader: give --python a Python that has torch and torchvision to measure it\n");
    return;
  }
  std::fflush(stdout);
  const std::string command =
      fmt::format("'{}' '{}' '{}' --size {} --batch-size {} --threads {} --lr {}", chosen.python, IMAGES_PEER,
                  chosen.data, chosen.size, chosen.batch_size, threads, chosen.learning_rate);
  const int status = std::system(command.c_str());
  if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == no_torch) {
    fmt::print("with DataLoader: {} has no torch and torchvision\n", chosen.python);
    return;
  }
  throw weft::error(chosen.python + ": " IMAGES_PEER " failed");
}

void run_job(const options& chosen) {
  weft::thread_pool pool(chosen.threads);
  if (!std::filesystem::exists(chosen.data)) {
    const weft::stopwatch clock;
    images::write_mosaics(pool, chosen.fashion, chosen.data, chosen.images);
    fmt::print("{} JPEG files written to {} in {:.1f} s\n", chosen.images, chosen.data, clock.seconds());
  }
  weft::run(train(pool, chosen));
  compare(chosen, pool.threads());
}

}  // namespace

int main(int count, char** arguments) {
  options chosen;
  CLI::App program(
      "Trains a small convolution network from folders of JPEG files, and shows how fast each stage is",
      "images");
  program.option_defaults()->always_capture_default();
  program.add_option(
      "--data", chosen.data,
      "Folder with train/ and test/, one folder a class in each; if it is not there, mosaics of "
      "Fashion-MNIST are written to it");
  program.add_option(
      "--fashion", chosen.fashion,
      "Folder of Fashion-MNIST's four gzip IDX files, those of Debian's dataset-fashion-mnist");
  program.add_option("--images", chosen.images, "How many mosaics are written")
      ->check(CLI::Range(50, 10'000'000));
  program.add_option("--size", chosen.size, "Pixels a side that the network sees")
      ->check(CLI::Range(8, 1024));
  program.add_option("--batch-size", chosen.batch_size, "Images a training step")
      ->check(CLI::Range(1, 1'000'000));
  program.add_option("--epochs", chosen.epochs, "How often the images are gone through")
      ->check(CLI::Range(1, 100'000));
  program.add_option("--lr", chosen.learning_rate, "Adam's learning rate")->check(CLI::PositiveNumber);
  program.add_option("--threads", chosen.threads, "Threads that load and train, 0 for one per core")
      ->check(CLI::Range(0, 4096));
  program.add_option("--seed", chosen.seed, "Seed of first weights, order, parts, flips and colours");
  program.add_option("--python", chosen.python,
                     "A Python with torch and torchvision: the same job is then measured with DataLoader");
  program.footer("Exit codes: 0 done, 1 the job failed, 2 a wrong command line.");
  try {
    program.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : usage_error;
  }
  try {
    run_job(chosen);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "images: error: {}\n", failure.what());
    return 1;
  }
  return 0;
}
