// Batches of raw records from memory by weft's loader, beside memcpy of the same bytes.

#include <fmt/core.h>
#include <weft/compute/tensor.hpp>
#include <weft/data/image_set.hpp>
#include <weft/data/loader.hpp>
#include <weft/data/records.hpp>

#include <algorithm>   // for std::ranges::copy, std::min, std::max
#include <chrono>      // for std::chrono::steady_clock
#include <cstdio>      // for stderr
#include <cstring>     // for std::memcpy
#include <exception>   // for std::exception
#include <filesystem>  // for std::filesystem::exists
#include <string>      // for std::string
#include <string_view>
#include <vector>  // for std::vector

namespace {

using seconds = std::chrono::duration<double>;

constexpr std::int64_t batch_size = 128;
constexpr int threads = 2;
constexpr const char* folder = "/usr/share/datasets/fashion-mnist/";

weft::image_set read_images() {
  const std::string images = std::string(folder) + "train-images-idx3-ubyte.gz";
  const std::string labels = std::string(folder) + "train-labels-idx1-ubyte.gz";
  if (std::filesystem::exists(images)) return weft::load_image_set({.images = images, .labels = labels});
  weft::image_set set;
  set.count = 60'000;
  set.rows = set.cols = 28;
  set.classes = 10;
  set.pixels.resize(static_cast<std::size_t>(set.count * set.image_size()));
  for (std::size_t i = 0; i < set.pixels.size(); ++i) set.pixels[i] = static_cast<std::uint8_t>(i * 31);
  set.labels.resize(static_cast<std::size_t>(set.count));
  return set;
}

// The bytes of an epoch, batch by batch in order, into one batch's place that stays in the cache: bytes/s.
double copy_speed(const weft::image_set& set) {
  const auto batch = static_cast<std::size_t>(batch_size * set.image_size());
  std::vector<std::uint8_t> place(batch);
  std::uint64_t sum = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t at = 0; at < set.pixels.size(); at += batch) {
    std::memcpy(place.data(), set.pixels.data() + at, std::min(batch, set.pixels.size() - at));
    sum += place[at % batch];
  }
  const seconds taken = std::chrono::steady_clock::now() - begin;
  return sum == 1 ? 0.0 : static_cast<double>(set.pixels.size()) / taken.count();
}

void measure(bool quick) {
  const weft::image_set set = read_images();
  std::int64_t wanted = 0;
  for (const std::uint8_t label : set.labels) wanted += label;
  const weft::tensor_view<const std::uint8_t, 2> pixels(set.pixels.data(), {set.count, set.image_size()});
  weft::tensor<std::int32_t, 1> labels({set.count});
  std::ranges::copy(set.labels, labels.data());
  weft::thread_pool pool(threads);
  const std::int64_t epochs = quick ? 5 : 40;
  double limit = 0.0;
  for (int i = 0; i < 3; ++i) limit = std::max(limit, copy_speed(set));
  weft::loader batches(
      pool, weft::record_source<std::uint8_t>(pixels, labels.view()),
      {.batch_size = batch_size, .shuffle = true, .seed = 1, .epochs = epochs, .prefetch = 8});
  std::int64_t seen = 0;
  std::int64_t sum = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (auto& batch : batches) {
    seen += batch.size();
    for (const std::int32_t label : batch->labels.elements()) sum += label;
  }
  const seconds taken = std::chrono::steady_clock::now() - begin;
  if (seen != epochs * set.count || sum != epochs * wanted) throw weft::error("the epochs are not whole");
  constexpr const char* line = R"({{"case": "records", "value": {}, "unit": "samples/s", )"
                               R"("limit": {{"what": "memcpy, one thread", "value": {}}}}})"
                               "\n";
  fmt::print(line, static_cast<double>(seen) / taken.count(), limit / static_cast<double>(set.image_size()));
  fmt::print(stderr, "waited {:.0f} %, {:.2f} s in the source of {:.2f} s\n",
             100.0 * batches.stats().wait_share(), batches.stats().loading, batches.stats().seconds);
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--list") {
      fmt::print("records\n");
      return 0;
    }
    if (std::string_view(argv[i]) == "--quick") quick = true;
  }
  try {
    measure(quick);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "loading_weft: {}\n", failure.what());
    return 1;
  }
  return 0;
}
