// Hogwild (Niu, Recht, Re, Wright, 2011): worker processes go down the gradient of one linear classifier in
// one shared vector of parameters, each on its part of Fashion-MNIST, without locks. An update may be lost
// when two write the same weight at the same time; that is noise like any other.

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>  // for std::max_element
#include <array>      // for std::array
#include <atomic>     // for std::atomic_ref
#include <cmath>      // for std::exp
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::uint8_t
#include <cstdio>     // for stderr
#include <exception>  // for std::exception
#include <string>     // for std::string
#include <vector>     // for std::vector
#include <weft/data/image_set.hpp>
#include <weft/observe/stopwatch.hpp>
#include <weft/pool/process_pool.hpp>
#include <weft/pool/shared_array.hpp>

namespace {

constexpr std::size_t classes = 10;

struct images {
  weft::shared_array<const std::uint8_t> pixels;
  weft::shared_array<const std::uint8_t> labels;

  std::size_t features() const noexcept { return pixels.size() / labels.size(); }
};

struct part {
  std::size_t first = 0;
  std::size_t step = 1;
  float rate = 0.01F;
};

float read(float& parameter) {
  return std::atomic_ref(parameter).load(std::memory_order_relaxed);
}

void add(float& parameter, float change) {
  const std::atomic_ref shared(parameter);
  shared.store(shared.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
}

// Row c of the parameters holds the weights of class c and, last, its bias.
std::array<float, classes> probabilities(const weft::shared_array<float>& parameters, const images& data,
                                         std::size_t index) {
  const std::size_t features = data.features();
  const std::uint8_t* image = data.pixels.data() + index * features;
  std::array<float, classes> out{};
  for (std::size_t c = 0; c < classes; ++c) {
    float* row = parameters.data() + c * (features + 1);
    float sum = read(row[features]);
    for (std::size_t i = 0; i < features; ++i) sum += read(row[i]) * (static_cast<float>(image[i]) / 255.0F);
    out[c] = sum;
  }
  const float largest = *std::max_element(out.begin(), out.end());
  float total = 0;
  for (float& each : out) total += each = std::exp(each - largest);
  for (float& each : out) each /= total;
  return out;
}

// One pass over every step-th image; the cross-entropy's gradient is probability minus target.
void descend(weft::shared_array<float> parameters, const images& data, const part& mine) {
  const std::size_t features = data.features();
  for (std::size_t index = mine.first; index < data.labels.size(); index += mine.step) {
    const auto probability = probabilities(parameters, data, index);
    const std::uint8_t* image = data.pixels.data() + index * features;
    for (std::size_t c = 0; c < classes; ++c) {
      const float error = probability[c] - (data.labels[index] == c ? 1.0F : 0.0F);
      float* row = parameters.data() + c * (features + 1);
      for (std::size_t i = 0; i < features; ++i) {
        if (image[i] != 0) add(row[i], -mine.rate * error * (static_cast<float>(image[i]) / 255.0F));
      }
      add(row[features], -mine.rate * error);
    }
  }
}

double accuracy(const weft::shared_array<float>& parameters, const images& data) {
  std::size_t right = 0;
  for (std::size_t index = 0; index < data.labels.size(); ++index) {
    const auto probability = probabilities(parameters, data, index);
    const auto best = std::max_element(probability.begin(), probability.end()) - probability.begin();
    right += static_cast<std::size_t>(best) == data.labels[index] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(data.labels.size());
}

images load(const std::string& prefix, std::int64_t limit) {
  weft::image_set set = weft::load_image_set(
      {.images = prefix + "-images-idx3-ubyte.gz", .labels = prefix + "-labels-idx1-ubyte.gz"});
  if (limit > 0) set.truncate(limit);
  return {.pixels = weft::shared_array<std::uint8_t>(set.pixels).seal(),
          .labels = weft::shared_array<std::uint8_t>(set.labels).seal()};
}

}  // namespace

int main(int count, char** arguments) {
  int workers = 0;
  int epochs = 1;
  std::int64_t limit = 0;
  std::string folder = "/usr/share/datasets/fashion-mnist";
  CLI::App app("Trains one linear classifier in several processes at once, without locks", "hogwild");
  app.add_option("--workers", workers, "processes; 0 for one per core")->check(CLI::NonNegativeNumber);
  app.add_option("--epochs", epochs, "passes over the images")->check(CLI::PositiveNumber);
  app.add_option("--limit", limit, "training images; 0 for all")->check(CLI::NonNegativeNumber);
  app.add_option("--data", folder,
                 "folder of Fashion-MNIST's four gzip IDX files, those of Debian's dataset-fashion-mnist")
      ->capture_default_str();
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    const images train = load(folder + "/train", limit);
    const images test = load(folder + "/t10k", 0);
    weft::process_pool pool({.workers = workers});
    const weft::shared_array<float> parameters(classes * (train.features() + 1));
    const auto width = static_cast<std::size_t>(pool.workers());
    for (int epoch = 0; epoch < epochs; ++epoch) {
      const weft::stopwatch clock;
      std::vector<weft::future<void>> calls;
      for (std::size_t i = 0; i < width; ++i) {
        calls.push_back(pool.submit<&descend>(parameters, train, part{.first = i, .step = width}));
      }
      for (auto& call : calls) call.get();
      fmt::print("epoch {}  {} processes  {:.2f} s  test accuracy {:.4f}\n", epoch + 1, width,
                 clock.seconds(), accuracy(parameters, test));
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "hogwild: {}\n", error.what());
    return 1;
  }
  return 0;
}
