// A producer that could fill the memory in a second, a consumer that takes its time, and a bounded queue
// between them: memory stays where it is.

#include "plot.hpp"

#include <weft/async.hpp>
#include <weft/core/error.hpp>
#include <weft/observe/progress.hpp>
#include <weft/observe/stopwatch.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct options {
  std::size_t capacity = 8;
  int blocks = 300;
  int megabytes = 4;
  int milliseconds = 20;
  std::string out = "backpressure.svg";
};

/// A block of memory that counts how many of its kind are alive.
class block {
 public:
  explicit block(std::size_t bytes) : bytes_(bytes, std::uint8_t{1}), counted_(true) { add(1); }
  block(block&& other) noexcept
      : bytes_(std::move(other.bytes_)), counted_(std::exchange(other.counted_, false)) {}
  block(const block&) = delete;
  block& operator=(const block&) = delete;
  ~block() {
    if (counted_) add(-1);
  }
  std::size_t size() const { return bytes_.size(); }
  static int most_alive() { return most_; }

 private:
  static void add(int change) {
    alive_ += change;
    most_ = std::max(most_, alive_);
  }
  static inline int alive_ = 0;  // one event loop, one thread
  static inline int most_ = 0;
  std::vector<std::uint8_t> bytes_;
  bool counted_;
};

double resident_megabytes() {
  std::ifstream statm("/proc/self/statm");
  long pages = 0;
  long resident = 0;
  statm >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

weft::task<> produce(weft::queue<block>& out, const options& chosen) {
  for (int i = 0; i < chosen.blocks; ++i) {
    co_await out.push(block(static_cast<std::size_t>(chosen.megabytes) << 20U));
  }
  out.close();
}

weft::task<> consume(weft::queue<block>& in, const options& chosen,
                     std::vector<backpressure::sample>& samples) {
  weft::stopwatch clock;
  weft::progress bar(chosen.blocks, {.label = "consuming", .unit = "blocks"});
  while (true) {
    const auto next = co_await in.pop();
    if (!next) break;
    co_await weft::sleep_for(std::chrono::milliseconds(chosen.milliseconds));
    samples.push_back({clock.seconds(), resident_megabytes(), static_cast<double>(in.size())});
    bar.add(1);
    bar.suffix(fmt::format("{:.0f} MB", samples.back().megabytes));
  }
}

int run(const options& chosen) {
  weft::queue<block> blocks(chosen.capacity);
  std::vector<backpressure::sample> samples;
  weft::run(weft::gather(produce(blocks, chosen), consume(blocks, chosen, samples)));

  std::vector<double> memory;
  std::vector<double> queued;
  for (const auto& each : samples) {
    memory.push_back(each.megabytes);
    queued.push_back(each.queued);
  }
  fmt::print("memory, up to {:4.0f} MB  {}\n", *std::max_element(memory.begin(), memory.end()),
             backpressure::sparkline(memory, 60));
  fmt::print("queue, up to {:5.0f}     {}\n", *std::max_element(queued.begin(), queued.end()),
             backpressure::sparkline(queued, 60));
  fmt::print("{} blocks of {} MB went through a queue of {}; at most {} blocks were alive at once\n",
             chosen.blocks, chosen.megabytes, chosen.capacity, block::most_alive());
  backpressure::write_svg(chosen.out, samples, chosen.capacity);
  fmt::print("plot: {}\n", chosen.out);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  options chosen;
  CLI::App program("A fast producer, a slow consumer, and a bounded queue that keeps memory constant.",
                   "backpressure");
  program.option_defaults()->always_capture_default();
  program.add_option("--capacity", chosen.capacity, "Blocks that the queue holds")
      ->check(CLI::Range(1, 100'000));
  program.add_option("--blocks", chosen.blocks, "Blocks to send")->check(CLI::Range(1, 1'000'000));
  program.add_option("--megabytes", chosen.megabytes, "Size of a block")->check(CLI::Range(1, 1024));
  program.add_option("--milliseconds", chosen.milliseconds, "Time that the consumer takes for a block")
      ->check(CLI::Range(0, 10'000));
  program.add_option("--out", chosen.out, "SVG file that the plot is written to");
  program.footer("Exit codes: 0 done, 1 it failed, 2 a wrong command line.");
  try {
    program.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(chosen);
  } catch (const std::exception& error) {
    fmt::print(stderr, "backpressure: {}\n", error.what());
    return 1;
  }
}
