// Batches by weft's loader: raw records from memory beside memcpy of the same bytes, JPEG files beside
// libjpeg-turbo that decodes the same bytes and does nothing else, tar shards beside reading them, and a
// table.

#include <fmt/core.h>
#include <weft/async/queue.hpp>
#include <weft/async/run.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/data/csv.hpp>
#include <weft/data/image_folder.hpp>
#include <weft/data/image_set.hpp>
#include <weft/data/loader.hpp>
#include <weft/data/records.hpp>
#include <weft/data/tar.hpp>

#include <fcntl.h>   // for ::open, ::posix_fadvise
#include <sched.h>   // for ::sched_setaffinity
#include <unistd.h>  // for ::fsync, ::close

#include <algorithm>    // for std::ranges::copy, std::min, std::max
#include <atomic>       // for std::atomic
#include <chrono>       // for std::chrono::steady_clock
#include <cstdio>       // for stderr, std::FILE, which jpeglib.h needs
#include <cstdlib>      // for std::getenv
#include <cstring>      // for std::memcpy
#include <exception>    // for std::exception
#include <filesystem>   // for std::filesystem::exists
#include <fstream>      // for std::ifstream
#include <iterator>     // for std::istreambuf_iterator
#include <optional>     // for std::optional
#include <string>       // for std::string
#include <string_view>  // for std::string_view
#include <thread>       // for std::jthread
#include <utility>      // for std::move
#include <vector>       // for std::vector

#include <jpeglib.h>  // for jpeg_decompress_struct

namespace {

using clock_type = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

constexpr int threads = 2;
constexpr const char* fashion = "/usr/share/datasets/fashion-mnist/";
constexpr const char* data_variable = "WEFT_BENCH_DATA";

struct missing : weft::error {
  using weft::error::error;
};

double since(clock_type::time_point begin) {
  return seconds(clock_type::now() - begin).count();
}

void report(const char* name, double value, const char* limit_name, double limit,
            const weft::loader_stats& stats) {
  constexpr const char* line = R"({{"case": "{}", "value": {}, "unit": "samples/s", )"
                               R"("limit": {{"what": "{}", "value": {}}}}})"
                               "\n";
  fmt::print(line, name, value, limit_name, limit);
  fmt::print(stderr, "{}: {:.2f} of the limit; waited {:.0f} %, {:.2f} s in the source of {:.2f} s\n", name,
             value / limit, 100.0 * stats.wait_share(), stats.loading, stats.seconds);
}

// ---- records ----------------------------------------------------------------------------------------------

constexpr std::int64_t record_batch_size = 128;

weft::image_set read_images() {
  const std::string images = std::string(fashion) + "train-images-idx3-ubyte.gz";
  const std::string labels = std::string(fashion) + "train-labels-idx1-ubyte.gz";
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
  const auto batch = static_cast<std::size_t>(record_batch_size * set.image_size());
  std::vector<std::uint8_t> place(batch);
  std::uint64_t sum = 0;
  const auto begin = clock_type::now();
  for (std::size_t at = 0; at < set.pixels.size(); at += batch) {
    std::memcpy(place.data(), set.pixels.data() + at, std::min(batch, set.pixels.size() - at));
    sum += place[at % batch];
  }
  return sum == 1 ? 0.0 : static_cast<double>(set.pixels.size()) / since(begin);
}

void measure_records(bool quick) {
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
      {.batch_size = record_batch_size, .shuffle = true, .seed = 1, .epochs = epochs, .prefetch = 8});
  std::int64_t seen = 0;
  std::int64_t sum = 0;
  const auto begin = clock_type::now();
  for (auto& batch : batches) {
    seen += batch.size();
    for (const std::int32_t label : batch->labels.elements()) sum += label;
  }
  const double taken = since(begin);
  if (seen != epochs * set.count || sum != epochs * wanted) throw weft::error("the epochs are not whole");
  report("records", static_cast<double>(seen) / taken, "memcpy, one thread",
         limit / static_cast<double>(set.image_size()), batches.stats());
}

// ---- JPEG -------------------------------------------------------------------------------------------------

using bytes = std::vector<std::uint8_t>;

std::string made(const char* name) {
  const char* folder = std::getenv(data_variable);
  const std::string path = folder == nullptr ? "" : std::string(folder) + "/" + name;
  if (std::filesystem::exists(path)) return path;
  throw missing(fmt::format("set {} to a folder made by benchmarks/loading/_make_data.py", data_variable));
}

const weft::image_options training_images = {.random_crop = true,
                                             .random_flip = true,
                                             .mean = {0.485F, 0.456F, 0.406F},
                                             .deviation = {0.229F, 0.224F, 0.225F}};

// The whole image into one row's place, as libjpeg does it by default: how many pixels.
std::int64_t decode(const bytes& content, bytes& row) {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, content.data(), static_cast<unsigned long>(content.size()));
  jpeg_read_header(&jpeg, TRUE);
  jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&jpeg);
  row.resize(std::size_t{3} * jpeg.output_width);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW rows[] = {row.data()};
    jpeg_read_scanlines(&jpeg, rows, 1);
  }
  const std::int64_t pixels = std::int64_t{jpeg.output_width} * jpeg.output_height;
  jpeg_destroy_decompress(&jpeg);
  return pixels;
}

// Images/s of all cores.
double decode_speed(const std::vector<bytes>& files) {
  std::atomic<std::size_t> next = 0;
  std::atomic<std::int64_t> pixels = 0;
  const auto begin = clock_type::now();
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < threads; ++i) {
      workers.emplace_back([&] {
        bytes row;
        for (std::size_t mine = next++; mine < files.size(); mine = next++)
          pixels += decode(files[mine], row);
      });
    }
  }
  return pixels == 0 ? 0.0 : static_cast<double>(files.size()) / since(begin);
}

/// Has the system forget what it has read of a file.
void drop_from_cache(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw weft::error(path + ": cannot be opened");
  ::fsync(file);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::close(file);
}

void measure_jpeg(bool quick) {
  const weft::image_folder source(made("images"), training_images);
  const std::int64_t images = quick ? std::min<std::int64_t>(source.size(), 640) : source.size();
  std::vector<bytes> files;
  for (std::int64_t i = 0; i < images; ++i) {
    std::ifstream file(source.name(i * source.size() / images), std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  const double limit = decode_speed(files);
  files.clear();
  weft::thread_pool pool(threads);
  const std::int64_t wanted = images / 64;
  weft::loader batches(pool, source, {.batch_size = 64, .shuffle = true, .seed = 1, .drop_last = true});
  std::int64_t seen = 0;
  std::int64_t made = 0;
  double sum = 0.0;
  const auto begin = clock_type::now();
  for (auto& batch : batches) {
    seen += batch.size();
    sum += static_cast<double>(batch->images(0, 0)) + static_cast<double>(batch->labels(0));
    if (++made == wanted) break;
  }
  const double taken = since(begin);
  if (seen != wanted * 64 || sum == 0.0) throw weft::error("the epoch is not whole");
  report("jpeg", static_cast<double>(seen) / taken, "libjpeg-turbo decoding alone, both cores", limit,
         batches.stats());
}

void measure_jpeg_cold(bool quick) {
  const weft::image_folder source(made("images"), training_images);
  for (std::int64_t i = 0; i < source.size(); ++i) drop_from_cache(source.name(i));
  weft::thread_pool pool(threads);
  const std::int64_t wanted = (quick ? 640 : source.size()) / 64;
  weft::loader batches(pool, source,
                       {.batch_size = 64, .shuffle = true, .seed = 1, .read_ahead = 256, .drop_last = true});
  std::int64_t made = 0;
  double sum = 0.0;
  const auto begin = clock_type::now();
  for (auto& batch : batches) {
    sum += static_cast<double>(batch->images(0, 0));
    if (++made == wanted) break;
  }
  const double taken = since(begin);
  if (made != wanted || sum == 0.0) throw weft::error("the epoch is not whole");
  fmt::print("{{\"case\": \"jpeg_cold\", \"value\": {}, \"unit\": \"samples/s\"}}\n",
             static_cast<double>(made * 64) / taken);
}

void report_smaller(const char* name, double value, const char* unit) {
  fmt::print("{{\"case\": \"{}\", \"value\": {}, \"unit\": \"{}\", \"smaller_is_better\": true}}\n", name,
             value, unit);
}

void measure_first_batch(bool) {
  const weft::image_folder source(made("images"), training_images);
  const auto begin = clock_type::now();
  weft::thread_pool pool(threads);
  weft::loader batches(pool, source, {.batch_size = 64, .shuffle = true, .seed = 1});
  if (!batches.next_wait()) throw weft::error("there is no batch");
  report_smaller("first_batch", since(begin), "s");
}

double resident_bytes() {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string word; file >> word;) {
    double kilobytes = 0.0;
    if (word == "Pss:" && file >> kilobytes) return 1024.0 * kilobytes;
  }
  return 0.0;
}

void measure_memory(bool quick) {
  const weft::image_folder source(made("images"), training_images);
  weft::thread_pool pool(threads);
  weft::loader batches(pool, source, {.batch_size = 64, .shuffle = true, .seed = 1, .epochs = quick ? 1 : 3});
  double most = 0.0;
  for (auto& batch : batches) {
    if (batch.number() % 4 == 0) most = std::max(most, resident_bytes());
  }
  report_smaller("memory", most, "bytes");
}

// ---- a queue ----------------------------------------------------------------------------------------------

// Stands for a training step of a given time: goes over the batch again and again.
double step(const weft::image_batch& batch, seconds time) {
  const auto begin = clock_type::now();
  double sum = 0.0;
  do {
    for (const float value : batch.images.elements().first(65'536)) sum += static_cast<double>(value);
  } while (clock_type::now() - begin < time);
  return sum;
}

// A trainer on one thread, loading on another, and ten batches of 64 x 224 x 224 x 3 floats between them.
void measure_queue(bool quick) {
  using batch = weft::loaded_batch<weft::image_batch>;
  constexpr seconds step_time(0.08);  // decoding takes less
  const std::int64_t wanted = quick ? 15 : 100;
  const weft::image_folder source(made("images"), training_images);
  weft::thread_pool pool(1);
  weft::loader batches(
      pool, source,
      {.batch_size = 64, .shuffle = true, .seed = 1, .epochs = 0, .prefetch = 2, .drop_last = true});
  weft::queue<batch> ready(10);
  const auto produce = [&]() -> weft::task<> {
    for (std::int64_t i = 0; i < wanted; ++i) {
      std::optional<batch> next = co_await batches.next();
      co_await ready.push(std::move(*next));
    }
    ready.close();
  };
  std::jthread producer([&] { weft::run(produce()); });
  std::int64_t seen = 0;
  double sum = 0.0;
  double waited = 0.0;
  auto begin = clock_type::now();
  for (;;) {
    const auto asked = clock_type::now();
    const std::optional<batch> next = ready.pop_wait();
    if (!next) break;
    if (seen == 0) {
      begin = clock_type::now();  // a trainer has to wait for its first batch
    } else {
      waited += since(asked);
    }
    sum += step(**next, step_time);
    ++seen;
  }
  const double taken = since(begin);
  if (seen != wanted || sum == 0.0) throw weft::error("batches are missing");
  fmt::print(
      "{{\"case\": \"queue\", \"value\": {}, \"unit\": \"batches/s\", \"limit\": {{\"what\": \"a trainer "
      "that "
      "never waits\", \"value\": {}}}}}\n",
      static_cast<double>(seen) / taken, 1.0 / step_time.count());
  fmt::print(stderr, "queue: the trainer waited {:.2f} % of the time\n", 100.0 * waited / taken);
}

// ---- tar and CSV ------------------------------------------------------------------------------------------

void report_bytes(const char* name, double value) {
  fmt::print("{{\"case\": \"{}\", \"value\": {}, \"unit\": \"bytes/s\"}}\n", name, value);
}

double tar_speed(const std::string& path, std::int64_t epochs, int read_ahead) {
  const weft::tar_shards shards({path});
  weft::thread_pool pool(threads);
  weft::loader batches(
      pool, shards,
      {.batch_size = 64, .shuffle = true, .seed = 1, .epochs = epochs, .read_ahead = read_ahead});
  std::int64_t loaded = 0;
  const auto begin = clock_type::now();
  for (auto& batch : batches) {
    for (const weft::shard_sample& sample : *batch)
      loaded += static_cast<std::int64_t>(sample.at("jpg").size());
  }
  return static_cast<double>(loaded) / since(begin);
}

void measure_tar(bool quick) {
  const std::string path = made("images.tar");
  report_bytes("tar", tar_speed(path, quick ? 2 : 10, 0));
}

void measure_tar_cold(bool) {
  const std::string path = made("images.tar");
  drop_from_cache(path);
  report_bytes("tar_cold", tar_speed(path, 1, 256));
}

/// One core, as for pandas: a table is read by one thread.
void stay_on_one_core() {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) throw weft::error("the cores are not known");
  cpu_set_t first;
  CPU_ZERO(&first);
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed)) continue;
    CPU_SET(core, &first);
    break;
  }
  if (::sched_setaffinity(0, sizeof first, &first) != 0) throw weft::error("no core can be chosen");
}

double csv_speed(const std::string& path, const weft::csv_options& options) {
  const auto begin = clock_type::now();
  const weft::csv_table table = weft::read_csv(path, options);
  const double value = static_cast<double>(std::filesystem::file_size(path)) / since(begin);
  if (table.columns.size() != 9 || table["fruit"].texts.size() != static_cast<std::size_t>(table.rows)) {
    throw weft::error("the table is not whole");
  }
  return value;
}

// The best of three, so that the memory that the system has to find for the first is left out.
double best_csv_speed(bool quick, const weft::csv_options& options) {
  const std::string path = made("table.csv");
  stay_on_one_core();
  double best = 0.0;
  for (int i = quick ? 2 : 0; i < 3; ++i) best = std::max(best, csv_speed(path, options));
  return best;
}

void measure_csv(bool quick) {
  report_bytes("csv", best_csv_speed(quick, {}));
}

void measure_csv_declared(bool quick) {
  weft::csv_options options;
  for (const char* const name : {"id", "count"}) options.types[name] = weft::csv_type::integer;
  for (const char* const name : {"open", "high", "low", "close", "volume", "weight"}) {
    options.types[name] = weft::csv_type::real;
  }
  options.types["fruit"] = weft::csv_type::text;
  report_bytes("csv_declared", best_csv_speed(quick, options));
}

void measure_csv_cold(bool) {
  const std::string path = made("table.csv");
  stay_on_one_core();
  drop_from_cache(path);
  report_bytes("csv_cold", csv_speed(path, {}));
}

struct benchmark {
  std::string_view name;
  void (*measure)(bool quick);
};

constexpr benchmark benchmarks[] = {
    {"records", measure_records},
    {"jpeg", measure_jpeg},
    {"jpeg_cold", measure_jpeg_cold},
    {"first_batch", measure_first_batch},
    {"memory", measure_memory},
    {"queue", measure_queue},
    {"tar", measure_tar},
    {"tar_cold", measure_tar_cold},
    {"csv", measure_csv},
    {"csv_declared", measure_csv_declared},
    {"csv_cold", measure_csv_cold},
};

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  std::string_view chosen = "records";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--list") {
      for (const benchmark& each : benchmarks) fmt::print("{}\n", each.name);
      return 0;
    }
    if (argument == "--quick") quick = true;
    if (argument == "--case" && i + 1 < argc) chosen = argv[++i];
  }
  try {
    for (const benchmark& each : benchmarks) {
      if (each.name == chosen) each.measure(quick);
    }
  } catch (const missing& what) {
    fmt::print(stderr, "loading_weft: {}\n", what.what());
    return 77;
  } catch (const std::exception& failure) {
    fmt::print(stderr, "loading_weft: {}\n", failure.what());
    return 1;
  }
  return 0;
}
