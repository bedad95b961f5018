// Paths of a geometric Brownian motion and the arithmetic mean that an Asian option pays on, a simulation by
// events, and ticks on their way to a risk engine. The numbers are those of _market.py, with which the peers
// do the same.

#include <weft/async/gather.hpp>
#include <weft/async/run.hpp>
#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cpu_executor.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/market/monte_carlo.hpp>
#include <weft/market/risk_engine.hpp>
#include <weft/market/tick_client.hpp>
#include <weft/market/tick_history.hpp>
#include <weft/market/tick_server.hpp>
#include <weft/market/virtual_clock.hpp>
#include <weft/observe/stopwatch.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

const weft::geometric_brownian model{.rate = 0.03, .assets = {{.spot = 100, .volatility = 0.2}}};
const weft::asian_option option{weft::option_type::call, 100};
constexpr std::int64_t steps = 252;
constexpr double price_of_mean = 5.300;  // with 252 steps, within 0.001
constexpr int events_processes = 1000;

struct measured {
  double value = 0.0;
  const char* unit = "path-steps/s";
  double limit = 0.0;
};

/// Normal numbers and exponentials alone, in pieces that stay in the first cache.
double limit_of_one_thread() {
  const weft::cpu_context context;
  constexpr std::int64_t stride = 1024;
  constexpr std::int64_t rounds = 3000;
  weft::tensor<float, 1> normals({4 * stride});
  weft::tensor<float, 1> powers({4 * stride});
  double seconds = 0.0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const weft::stopwatch clock;
    for (std::int64_t round = 0; round < rounds; ++round) {
      weft::detail::fill_path_normals(context.level(), 1, 0, round, {0, stride}, stride, normals.data());
      weft::exponential{}(context, normals.view(), powers.view());
    }
    seconds = clock.seconds();
  }
  return static_cast<double>(4 * stride * rounds) / seconds;
}

measured price(std::int64_t paths, std::int64_t each_steps, const weft::simulation_place& place, int repeat,
               bool with_limit) {
  const weft::monte_carlo_options options{.steps = each_steps, .paths = paths, .seed = 1, .place = place};
  monte_carlo(model, option, options);
  const weft::stopwatch clock;
  weft::estimate found;
  for (int i = 0; i < repeat; ++i) found = monte_carlo(model, option, options);
  const double seconds = clock.seconds() / repeat;
  if (each_steps == steps && std::abs(found.value - price_of_mean) > 4 * found.standard_error + 1e-3) {
    throw weft::error(fmt::format("the price is {} and should be {}", found.value, price_of_mean));
  }
  return {.value = static_cast<double>(paths * each_steps) / seconds,
          .limit = with_limit ? limit_of_one_thread() : 0.0};
}

weft::process wander(weft::virtual_clock& clock, std::uint64_t who, int count) {
  const weft::philox random(1, who);
  for (int i = 0; i < count; i += 2) {
    const std::uint64_t word = random.word(static_cast<std::uint64_t>(i));
    co_await clock.after(std::chrono::nanoseconds(1 + word % 1000));
    co_await clock.after(std::chrono::nanoseconds(1 + (word >> 32) % 1000));
  }
}

measured simulate_events(bool quick) {
  const int each = quick ? 400 : 4000;
  weft::virtual_clock clock;
  for (std::uint64_t who = 0; who < events_processes; ++who) clock.spawn(wander(clock, who, each));
  const weft::stopwatch watch;
  const std::uint64_t events = clock.run();
  const double seconds = watch.seconds();
  if (events != static_cast<std::uint64_t>(events_processes) * static_cast<std::uint64_t>(each + 1)) {
    throw weft::error("events were lost");
  }
  return {.value = static_cast<double>(events) / seconds, .unit = "events/s"};
}

/// Ticks of 100 symbols.
std::vector<weft::tick> made_ticks(std::int64_t count) {
  std::vector<weft::tick> ticks;
  for (std::int64_t i = 0; i < count; ++i) {
    ticks.push_back({.symbol = static_cast<std::uint32_t>(i % 100),
                     .sequence = static_cast<std::uint64_t>(i / 100 + 1),
                     .time = std::chrono::nanoseconds(i),
                     .price = 100.0 + static_cast<double>(i % 1000) / 100.0});
  }
  return ticks;
}

/// A file of them, which goes with this.
class tick_data {
 public:
  explicit tick_data(std::int64_t count)
      : path_((std::filesystem::temp_directory_path() / fmt::format("weft-ticks-{}", ::getpid())).string()) {
    weft::write_tick_file(path_, made_ticks(count));
  }
  tick_data(const tick_data&) = delete;
  tick_data& operator=(const tick_data&) = delete;
  ~tick_data() { std::filesystem::remove(path_); }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

weft::task<> feed(std::string path, weft::tick_inbox& inbox) {
  weft::tick_file file(std::move(path));
  std::vector<weft::tick> ticks(4096);
  for (;;) {
    const std::size_t some = file.read(ticks);
    if (some == 0) break;
    const std::span<const weft::tick> now(ticks.data(), some);
    co_await weft::replay(now, inbox, 0.0);
  }
  inbox.close();
}

struct risk_run {
  std::size_t ticks = 0;
  std::vector<double> ages;  // in microseconds
};

weft::task<> follow(weft::risk_engine<double>& engine, risk_run& result) {
  for (;;) {
    const auto update = co_await engine.next();
    if (!update) co_return;
    result.ticks += update->ticks;
    result.ages.push_back(static_cast<double>(update->age.count()) / 1e3);
  }
}

weft::task<double> sum_of_prices(weft::market_prices now) {
  double sum = 0.0;
  for (const auto& [symbol, price] : now.of) sum += price;
  co_return sum;
}

/// Ticks from a file through the inbox to the engine, which sums up the prices.
measured replay_file(bool quick) {
  const std::int64_t count = quick ? 200'000 : 4'000'000;
  const tick_data data(count);
  weft::tick_inbox inbox({.capacity = 4096, .policy = weft::overrun_policy::block});
  weft::risk_engine<double> engine(inbox, sum_of_prices);
  risk_run result;
  const weft::stopwatch clock;
  weft::run([](const std::string& path, weft::tick_inbox& to, weft::risk_engine<double>& risks,
               risk_run& all) -> weft::task<> {
    co_await weft::gather(feed(path, to), follow(risks, all));
  }(data.path(), inbox, engine, result));
  const double seconds = clock.seconds();
  if (result.ticks != static_cast<std::size_t>(count)) throw weft::error("ticks were lost");
  return {.value = static_cast<double>(count) / seconds, .unit = "ticks/s"};
}

weft::task<> receive(weft::tick_client& client, weft::tick_inbox& inbox) {
  co_await client.run(inbox);
  inbox.close();
}

weft::task<> publish(weft::tick_server& server, const std::vector<weft::tick>& ticks, std::size_t at_once) {
  co_await server.wait_for_clients();
  for (std::size_t i = 0; i < ticks.size(); i += at_once) {
    const std::span<const weft::tick> some(ticks.data() + i, std::min(at_once, ticks.size() - i));
    co_await server.publish(some);
  }
  server.close();
}

/// Ticks from a server on a thread of its own, which gets so many at once, over loopback TCP, through the
/// inbox to the engine.
measured receive_ticks(std::size_t at_once, bool quick) {
  const std::vector<weft::tick> ticks = made_ticks(quick ? 200'000 : 2'000'000);
  weft::tick_server server;
  weft::tick_client client({.port = server.port()});
  weft::tick_inbox inbox({.capacity = 4096, .policy = weft::overrun_policy::block});
  weft::risk_engine<double> engine(inbox, sum_of_prices);
  risk_run result;
  const weft::stopwatch clock;
  std::jthread feeder([&] {
    weft::run(
        [](weft::tick_server& from, const std::vector<weft::tick>& all, std::size_t some) -> weft::task<> {
          co_await weft::gather(from.run(), publish(from, all, some));
        }(server, ticks, at_once));
  });
  weft::run([](weft::tick_client& from, weft::tick_inbox& to, weft::risk_engine<double>& risks,
               risk_run& all) -> weft::task<> {
    co_await weft::gather(receive(from, to), follow(risks, all));
  }(client, inbox, engine, result));
  const double seconds = clock.seconds();
  if (result.ticks != ticks.size() || client.counts().missing != 0) throw weft::error("ticks were lost");
  return {.value = static_cast<double>(ticks.size()) / seconds, .unit = "ticks/s"};
}

/// How old the newest price is when a simulation of 1,000 paths ends, while ticks come as fast as they can.
measured age_under_load(bool quick) {
  const tick_data data(quick ? 200'000 : 4'000'000);
  weft::thread_pool pool(1);
  weft::tick_inbox inbox({.capacity = 4096});
  weft::risk_engine<double> engine(inbox, [&pool](weft::market_prices now) {
    return pool.run(
        [](const weft::market_prices& prices) {
          auto moved = model;
          moved.assets[0].spot = prices.of.begin()->second;
          return monte_carlo(moved, option, {.steps = 10, .paths = 1000}).value;
        },
        std::move(now));
  });
  risk_run result;
  std::jthread feeder([&] { weft::run(feed(data.path(), inbox)); });
  weft::run(follow(engine, result));
  std::sort(result.ages.begin(), result.ages.end());
  return {.value = result.ages[result.ages.size() * 99 / 100], .unit = "us"};
}

measured measure(const std::string& name, bool quick) {
  const std::int64_t paths = quick ? 100'000 : 1'000'000;
  weft::thread_pool pool(2);
  if (name == "program/1000x100") return price(1000, 100, pool, 1000, false);
  if (name == "paths/two-threads") return price(paths, steps, pool, 1, false);
  if (name == "paths/one-thread") return price(paths, steps, {}, 1, true);
  if (name == "ticks/file") return replay_file(quick);
  if (name == "ticks/tcp/1000") return receive_ticks(1000, quick);
  if (name == "ticks/tcp/1") return receive_ticks(1, quick);
  if (name == "ticks/age-p99") return age_under_load(quick);
  if (name == "events") return simulate_events(quick);
  throw weft::error("there is no case '" + name + "': --list prints them");
}

}  // namespace

int main(int count, char** arguments) {
  CLI::App program("Simulated paths and events in weft; one line of JSON");
  std::string name;
  bool list = false;
  bool quick = false;
  program.add_option("--case", name, "what to measure");
  program.add_flag("--list", list, "print the cases' names");
  program.add_flag("--quick", quick, "fewer paths");
  CLI11_PARSE(program, count, arguments);
  if (list) {
    fmt::print(
        "program/1000x100\npaths/two-threads\npaths/one-thread\nevents\nticks/file\nticks/tcp/1000\nticks/"
        "tcp/1\nticks/"
        "age-p99\n");
    return 0;
  }
  try {
    const measured result = measure(name, quick);
    std::string limit;
    if (result.limit > 0.0) {
      limit = fmt::format(R"(, "limit": {{"what": "Philox, normals and exp alone", "value": {:.4g}}})",
                          result.limit);
    }
    fmt::print("{{\"case\": \"{}\", \"value\": {:.4g}, \"unit\": \"{}\"{}}}\n", name, result.value,
               result.unit, limit);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "market_weft: {}\n", error.what());
    return 1;
  }
}
