// Worker processes: what a call costs, how fast many go, how data crosses, what a crash costs. The Python
// peers do the same with two workers; the calls do next to nothing, so that what is measured is the way there
// and back.

#include <weft/pool/process_pool.hpp>
#include <weft/pool/shared_array.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <chrono>     // for std::chrono::steady_clock
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::int64_t
#include <cstdio>     // for stderr
#include <deque>      // for std::deque
#include <exception>  // for std::exception
#include <fstream>    // for std::ifstream
#include <map>        // for std::map
#include <numeric>    // for std::accumulate, std::iota
#include <stdexcept>  // for std::runtime_error
#include <string>     // for std::string
#include <utility>    // for std::pair
#include <vector>     // for std::vector

namespace {

using clock_type = std::chrono::steady_clock;

constexpr int workers = 2;
constexpr std::size_t batch_floats = 150'000;  // 600 KB
constexpr std::size_t batches_ahead = 8;

std::int64_t add(std::int64_t a, std::int64_t b) {
  return a + b;
}
std::int64_t square(std::int64_t i) {
  return i * i;
}
std::int64_t add_or_die(std::int64_t i, bool dies) {
  if (i % 100 == 50 && dies) ::_exit(1);
  return i;
}
// First and last element: the batch has arrived when they have.
float ends_of(const weft::shared_array<float>& batch) {
  return batch[0] + batch[batch.size() - 1];
}
float ends_of_copy(const std::vector<float>& batch) {
  return batch.front() + batch.back();
}
double sum_of(const weft::shared_array<const double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double seconds_since(clock_type::time_point begin) {
  return std::chrono::duration<double>(clock_type::now() - begin).count();
}

void require(bool right) {
  if (!right) throw std::runtime_error("the result is wrong");
}

void print(const std::string& name, double value, const std::string& unit) {
  fmt::print("{{\"case\": \"{}\", \"value\": {}, \"unit\": \"{}\"}}\n", name, value, unit);
}

// Both workers have run something before anything is measured.
void warm_up(weft::process_pool& pool) {
  pool.map<&square>(std::vector<std::int64_t>(1000, 1), 1);
}

void round_trip(const std::string& name, bool quick) {
  weft::process_pool pool({.workers = workers});
  warm_up(pool);
  const int count = quick ? 1000 : 20'000;
  const auto begin = clock_type::now();
  for (int i = 0; i < count; ++i) require(pool.submit<&add>(i, 1).get() == i + 1);
  print(name, seconds_since(begin) / count * 1e6, "us");
}

void rate(const std::string& name, bool quick) {
  weft::process_pool pool({.workers = workers});
  warm_up(pool);
  const std::int64_t count = quick ? 5000 : 200'000;
  const auto begin = clock_type::now();
  std::vector<weft::future<std::int64_t>> calls;
  calls.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) calls.push_back(pool.submit<&add>(i, 1));
  std::int64_t sum = 0;
  for (auto& call : calls) sum += call.get();
  const double passed = seconds_since(begin);
  require(sum == count * (count + 1) / 2);
  print(name, static_cast<double>(count) / passed, "tasks/s");
}

void map(const std::string& name, bool quick) {
  weft::process_pool pool({.workers = workers});
  warm_up(pool);
  std::vector<std::int64_t> items(quick ? 100'000 : 1'000'000);
  std::iota(items.begin(), items.end(), 0);
  const auto begin = clock_type::now();
  const auto squares = pool.map<&square>(items);
  const double passed = seconds_since(begin);
  require(squares.size() == items.size() && squares.back() == items.back() * items.back());
  print(name, static_cast<double>(items.size()) / passed, "items/s");
}

void shared_batches(const std::string& name, bool quick) {
  weft::process_pool pool({.workers = 1});
  warm_up(pool);
  const int count = quick ? 2000 : 50'000;
  std::vector<weft::shared_array<float>> batches;
  for (std::size_t i = 0; i < batches_ahead; ++i) batches.emplace_back(batch_floats);
  std::deque<weft::future<float>> sent;
  const auto receive = [&](int i) {
    require(sent.front().get() == 2 * static_cast<float>(i % 1000));
    sent.pop_front();
  };
  const auto begin = clock_type::now();
  for (int i = 0; i < count; ++i) {
    if (sent.size() == batches_ahead) receive(i - static_cast<int>(batches_ahead));
    auto& batch = batches[static_cast<std::size_t>(i) % batches_ahead];
    batch[0] = batch[batch_floats - 1] = static_cast<float>(i % 1000);
    sent.push_back(pool.submit<&ends_of>(batch));
  }
  while (!sent.empty()) receive(count - static_cast<int>(sent.size()));
  print(name, count / seconds_since(begin), "batches/s");
}

void copied_batches(const std::string& name, bool quick) {
  weft::process_pool pool({.workers = 1});
  warm_up(pool);
  const int count = quick ? 200 : 5000;
  std::vector<float> batch(batch_floats);
  std::deque<weft::future<float>> sent;
  const auto receive = [&](int i) {
    require(sent.front().get() == 2 * static_cast<float>(i % 1000));
    sent.pop_front();
  };
  const auto begin = clock_type::now();
  for (int i = 0; i < count; ++i) {
    if (sent.size() == batches_ahead) receive(i - static_cast<int>(batches_ahead));
    batch[0] = batch[batch_floats - 1] = static_cast<float>(i % 1000);
    sent.push_back(pool.submit<&ends_of_copy>(batch));
  }
  while (!sent.empty()) receive(count - static_cast<int>(sent.size()));
  print(name, count / seconds_since(begin), "batches/s");
}

// From asking for the pool to the first result, divided among the workers; the zygote runs.
void start(const std::string& name, bool quick) {
  { const weft::process_pool first({.workers = 1}); }
  const int count = quick ? 5 : 50;
  double passed = 0;
  for (int i = 0; i < count; ++i) {
    const auto begin = clock_type::now();
    weft::process_pool pool({.workers = 1});
    require(pool.submit<&add>(1, 2).get() == 3);
    passed += seconds_since(begin);
  }
  print(name, passed / count * 1e3, "ms");
}

void crashes(const std::string& name, bool quick) {
  weft::process_pool pool({.workers = workers});
  warm_up(pool);
  const std::int64_t count = quick ? 1000 : 10'000;
  const auto run = [&](bool dying) {
    const auto begin = clock_type::now();
    std::vector<weft::future<std::int64_t>> calls;
    for (std::int64_t i = 0; i < count; ++i) calls.push_back(pool.submit<&add_or_die>(i, dying));
    std::int64_t died = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      try {
        require(calls[static_cast<std::size_t>(i)].get() == i);
      } catch (const weft::worker_died&) {
        require(i % 100 == 50);
        ++died;
      }
    }
    require(died == (dying ? count / 100 : 0));
    return seconds_since(begin);
  };
  const double without = run(false);
  const double with = run(true);
  print(name, with * 1e3, "ms");
  print(name + "/without_crashes", without * 1e3, "ms");
}

std::size_t proportional_set_size(int process) {
  std::ifstream file(fmt::format("/proc/{}/smaps_rollup", process));
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("Pss:")) return std::stoul(line.substr(4)) * 1024;
  }
  throw std::runtime_error("cannot read a process's proportional set size");
}

// What this process and four workers that have read all of an array take together, per byte of it.
void shared_memory(const std::string& name, bool quick) {
  weft::process_pool pool({.workers = 4});
  const std::size_t size = (quick ? std::size_t{64} << 20U : std::size_t{1} << 30U) / sizeof(double);
  weft::shared_array<double> values(size);
  std::iota(values.begin(), values.end(), 0.0);
  const weft::shared_array<const double> fixed = std::move(values).seal();
  const double sum = sum_of(fixed);
  // One call sent to each worker while the others are at work: a call takes far longer than to send four.
  std::vector<weft::future<double>> calls;
  for (int i = 0; i < 16; ++i) calls.push_back(pool.submit<&sum_of>(fixed));
  for (auto& call : calls) require(call.get() == sum);
  std::size_t all = proportional_set_size(::getpid());
  for (const int process : pool.process_ids()) all += proportional_set_size(process);
  print(name, static_cast<double>(all) / static_cast<double>(size * sizeof(double)), "bytes per byte");
}

const std::map<std::string, void (*)(const std::string&, bool)> cases = {
    {"processes/round_trip", &round_trip},
    {"processes/rate", &rate},
    {"processes/map", &map},
    {"processes/batch_600KB", &shared_batches},
    {"processes/start", &start},
    {"processes/batch_600KB_copied", &copied_batches},
    {"processes/crashes", &crashes},
    {"processes/shared_memory", &shared_memory},
};

}  // namespace

int main(int count, char** arguments) {
  CLI::App app("Worker processes");
  bool list = false;
  bool quick = false;
  std::string name;
  app.add_flag("--list", list, "print the cases");
  app.add_flag("--quick", quick, "smaller inputs");
  app.add_option("--case", name, "the case to measure");
  CLI11_PARSE(app, count, arguments);
  try {
    for (const auto& [known, measure] : cases) {
      if (list) fmt::print("{}\n", known);
      if (known == name) measure(name, quick);
    }
    if (!list && !cases.contains(name)) throw std::runtime_error("no such case: " + name);
  } catch (const std::exception& error) {
    fmt::print(stderr, "weft_processes: {}\n", error.what());
    return 1;
  }
  return 0;
}
