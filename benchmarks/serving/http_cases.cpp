#include "http_cases.hpp"

#include "server_process.hpp"

#include "driver.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>   // for std::min, std::find
#include <chrono>      // for std::chrono::steady_clock
#include <cmath>       // for std::abs
#include <cstdio>      // for stderr
#include <cstdlib>     // for std::strtod, mkdtemp
#include <filesystem>  // for std::filesystem::remove_all
#include <limits>      // for std::numeric_limits
#include <numeric>     // for std::iota
#include <utility>     // for std::move
#include <weft/compute/kernels/softmax.hpp>
#include <weft/train/neural_net.hpp>

namespace http_cases {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using clock_type = std::chrono::steady_clock;

constexpr int exit_missing = 77;
constexpr int connections = 64;
constexpr int open_loop_connections = 256;
constexpr std::int64_t pixels = 784;
constexpr int load80_delay_us = 2000;

// ---- what is measured with --------------------------------------------------------------------------------

// Of images whose pixels are 0, 1, 2 and so on.
weft::tensor<float, 2> classify(const weft::neural_net& net, std::int64_t items) {
  weft::tensor<float, 2> samples(weft::shape<2>{items, pixels});
  for (std::int64_t i = 0; i < items * pixels; ++i)
    samples.view().data()[i] = static_cast<float>(i % pixels % 256) / 255;
  const weft::cpu_context serial;
  weft::neural_net::workspace space;
  const weft::tensor_view<const float, 2> logits = net.forward(serial, samples.view(), space);
  weft::tensor<float, 2> result(weft::shape<2>{items, net.classes()});
  weft::softmax{}(serial, logits, result.view());
  return result;
}

std::vector<double> probabilities_of(const weft::neural_net& net) {
  weft::tensor<float, 2> result = classify(net, 1);
  const float* first = result.view().data();
  return {first, first + net.classes()};
}

// The dense network of the main job, untrained, and its weights where every server can read them.
class network {
 public:
  network() : net_({.sizes = {pixels, 256, 128, 10}}, 1) {
    char place[] = "/tmp/weft-serving-XXXXXX";
    if (::mkdtemp(place) == nullptr) throw std::runtime_error("no folder for the weights");
    folder_ = place;
    weft::save(net_, weights());
  }
  network(const network&) = delete;
  network& operator=(const network&) = delete;
  ~network() { std::filesystem::remove_all(folder_); }

  std::string weights() const { return folder_ + "/weights.safetensors"; }

  std::vector<double> probabilities() const { return probabilities_of(net_); }

  // What a batch costs on one thread.
  double batch_seconds(std::int64_t items) const {
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 20; ++i) {
      const auto begin = clock_type::now();
      classify(net_, items);
      best = std::min(best, std::chrono::duration<double>(clock_type::now() - begin).count());
    }
    return best;
  }

 private:
  weft::neural_net net_;
  std::string folder_;
};

std::string post(std::string_view path, std::string_view body, std::string_view headers = {}) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {}\r\n{}Content-Length: {}\r\n\r\n{}", path,
      headers.empty() ? "application/json" : "application/octet-stream", headers, body.size(), body);
}

// The numbers are from `first` upwards.
std::string item_request(const std::string& model, protocol asked, std::int64_t elements,
                         std::uint8_t first) {
  std::vector<std::uint8_t> values(static_cast<std::size_t>(elements));
  std::iota(values.begin(), values.end(), first);
  const std::string array = fmt::format("[{}]", fmt::join(values, ","));
  if (asked == protocol::predict) return post("/predict", fmt::format(R"({{"input":{}}})", array));
  return post(fmt::format("/v2/models/{}/infer", model),
              fmt::format(R"({{"inputs":[{{"name":"input","shape":[1,{}],"datatype":"UINT8","data":{}}}]}})",
                          elements, array));
}

std::string images_request() {
  const std::string json =
      fmt::format(R"({{"inputs":[{{"name":"image","shape":[{},{},{},{}],"datatype":"FP32",)"
                  R"("parameters":{{"binary_data_size":{}}}}}]}})",
                  images, image_shape[0], image_shape[1], image_shape[2], image_bytes);
  const std::string headers = fmt::format("Inference-Header-Content-Length: {}\r\n", json.size());
  return post("/v2/models/images/infer", json + std::string(static_cast<std::size_t>(image_bytes), '\0'),
              headers);
}

std::string request_to(const std::string& model, protocol asked) {
  if (model == "images") return images_request();
  return model == "network" ? item_request(model, asked, pixels, 0)
                            : item_request(model, asked, echo_elements, 1);
}

tcp::socket connect(asio::io_context& loop, std::uint16_t port) {
  tcp::socket socket(loop);
  socket.connect({asio::ip::make_address("127.0.0.1"), port});
  socket.set_option(tcp::no_delay(true));
  return socket;
}

// The body of the answer to one request.
std::string ask(std::uint16_t port, std::string request) {
  asio::io_context loop;
  tcp::socket socket = connect(loop, port);
  request.insert(request.find("\r\n") + 2, "Connection: close\r\n");
  asio::write(socket, asio::buffer(request));
  std::string answer;
  boost::system::error_code end;
  asio::read(socket, asio::dynamic_buffer(answer), end);
  const std::size_t head = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 200 ") || head == std::string::npos)
    throw std::runtime_error("the server answers: " + answer);
  return answer.substr(head + 4);
}

// The numbers of an array that belongs to a key.
std::vector<double> numbers(const std::string& json, const std::string& key) {
  const std::size_t found = json.find("\"" + key + "\"");
  const std::size_t begin = found == std::string::npos ? found : json.find('[', found);
  if (begin == std::string::npos) throw std::runtime_error("the server answers: " + json);
  std::vector<double> values;
  const char* next = json.c_str() + begin;
  while (*next == '[' || *next == ',') {
    char* behind = nullptr;
    values.push_back(std::strtod(next + 1, &behind));
    next = behind;
    while (*next == ' ') ++next;
  }
  return values;
}

bool close_to(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::abs(a[i] - b[i]) < 1e-4)) return false;
  }
  return true;
}

// ---- a server and its load --------------------------------------------------------------------------------

class bench {
 public:
  bench(const std::vector<std::string>& command, bool quick, setup what, protocol asked)
      : quick_(quick),
        setup_(std::move(what)),
        request_(request_to(setup_.model, asked)),
        server_(started(command)) {
    check(asked == protocol::predict ? "output" : "data");
  }

  double seconds() const { return quick_ ? 0.5 : 3.0; }
  const network& net() const { return network_; }
  server_process& server() { return server_; }
  const std::string& request() const { return request_; }
  // As a part of what is printed.
  std::string version() const {
    return server_.version().empty() ? "" : fmt::format(R"(, "version": "{}")", server_.version());
  }

  struct figures {
    load::outcome outcome;
    double cpu_seconds;
    double answered_per_second() const {
      return static_cast<double>(outcome.latencies.size()) / outcome.seconds;
    }
    double cpu_per_request() const { return cpu_seconds / static_cast<double>(outcome.latencies.size()); }
  };

  // After a warm-up that does not count: accepting the connections alone keeps a server busy for 10 ms, and a
  // backlog lasts. A server that does not take every request fails, unless it may.
  figures drive(int clients, double rate, bool may_refuse = false) {
    const double warm_up = quick_ ? 0.2 : 0.5;
    const load::plan plan{.port = server_.port(),
                          .request = request_,
                          .connections = clients,
                          .rate = rate,
                          .seconds = warm_up + seconds(),
                          .warm_up = warm_up};
    const double before = server_.cpu_seconds();
    load::outcome outcome = load::drive(plan);
    const double used = (server_.cpu_seconds() - before) * seconds() / plan.seconds;
    if (outcome.broken != 0) throw std::runtime_error(fmt::format("{} connections broke", outcome.broken));
    if (outcome.latencies.empty()) throw std::runtime_error("the server answered nothing in time");
    if (!may_refuse && outcome.latencies.size() != answers(outcome))
      throw std::runtime_error("the server refused requests");
    return {std::move(outcome), used};
  }

 private:
  server_process started(const std::vector<std::string>& command) {
    std::vector<std::string> whole = command;
    whole.insert(whole.end(), {setup_.model, network_.weights(), std::to_string(setup_.max_batch_size),
                               std::to_string(setup_.max_delay_us), std::to_string(setup_.max_queue_size),
                               std::to_string(setup_.loops)});
    return server_process(whole);
  }

  static std::size_t answers(const load::outcome& outcome) {
    std::size_t count = 0;
    for (const auto& [status, each] : outcome.statuses) count += each;
    return count;
  }

  // `numbers_of` is the key of an item's answer.
  void check(const std::string& numbers_of) {
    const std::string answer = ask(server_.port(), request_);
    bool right = false;
    if (setup_.model == "network") {
      right = close_to(numbers(answer, numbers_of), network_.probabilities());
    } else if (setup_.model == "images") {
      right = numbers(answer, "data") == std::vector<double>(static_cast<std::size_t>(images), 0.0);
    } else {
      right = numbers(answer, numbers_of) == std::vector<double>{1, 2, 3, 4};
    }
    if (!right) throw std::runtime_error("the answer is wrong: " + answer);
  }

  const bool quick_;
  const setup setup_;
  const network network_;
  const std::string request_;
  server_process server_;
};

void print(std::string_view name, double value, std::string_view unit, const std::string& more = {}) {
  fmt::print("{{\"case\": \"{}\", \"value\": {:.6g}, \"unit\": \"{}\"{}}}\n", name, value, unit, more);
}

void print_latencies(const std::string& name, const load::outcome& outcome, const std::string& more = {}) {
  print(name + "/p50", 1e3 * load::quantile(outcome.latencies, 0.5), "ms");
  print(name + "/p99", 1e3 * load::quantile(outcome.latencies, 0.99), "ms", more);
}

// ---- the cases --------------------------------------------------------------------------------------------

struct http_case {
  std::string name;
  setup what;
  void (*run)(const std::string& name, bench& with);
};

void closed_loop(const std::string& name, bench& with) {
  const bench::figures result = with.drive(connections, 0);
  print(name, result.answered_per_second(), "requests/s", with.version());
  print_latencies(name, result.outcome);
  print(name + "/cpu", 1e6 * result.cpu_per_request(), "us");
}

// The greatest rate that it keeps up with, of those from `rate` downwards: no more than a fiftieth of a run's
// requests is left at its end. What comes one at a time costs more than what comes in bursts, which is how a
// closed loop sends, so this is less than the closed loop's.
double sustained(bench& with, double rate) {
  constexpr double enough = 0.98;
  constexpr double step = 0.95;
  while (with.drive(open_loop_connections, rate).answered_per_second() < enough * rate) rate *= step;
  return rate;
}

void at_rate(const std::string& name, bench& with, double rate) {
  constexpr double slack = 1.5;
  const bench::figures result = with.drive(open_loop_connections, rate);
  print(name, result.answered_per_second(), "requests/s", with.version());
  const double goal = slack * (1e-6 * load80_delay_us + with.net().batch_seconds(connections));
  print_latencies(
      name, result.outcome,
      fmt::format(", \"limit\": {{\"what\": \"1.5 x (max delay + a batch of 64)\", \"value\": {}}}",
                  1e3 * goal));
  print(name + "/generator_p99", 1e3 * load::quantile(result.outcome.own_delays, 0.99), "ms");
  print(name + "/cpu", 1e6 * result.cpu_per_request(), "us");
}

void at_80_percent(const std::string& name, bench& with) {
  constexpr double share = 0.8;
  const double most = sustained(with, with.drive(connections, 0).answered_per_second());
  print(name + "/maximum", most, "requests/s");
  at_rate(name, with, share * most);
}

template <int rate>
void at_fixed_rate(const std::string& name, bench& with) {
  if (with.drive(open_loop_connections, 0).answered_per_second() < rate)
    throw missing(fmt::format("does not answer {} requests/s", rate));
  at_rate(name, with, rate);
}

void at_3x(const std::string& name, bench& with) {
  constexpr double times = 3;
  const double most = with.drive(connections, 0).answered_per_second();
  const bench::figures result = with.drive(open_loop_connections, times * most, true);
  print(name, result.answered_per_second(), "requests/s", with.version());
  print(name + "/maximum", most, "requests/s");
  print(name + "/goodput", 100 * result.answered_per_second() / most, "%");
  print_latencies(name, result.outcome);
  if (!result.outcome.refusal_latencies.empty())
    print(name + "/refusal_p99", 1e3 * load::quantile(result.outcome.refusal_latencies, 0.99), "ms");
}

void binary(const std::string& name, bench& with) {
  const bench::figures result = with.drive(1, 0);
  print(name, result.answered_per_second() * image_bytes, "bytes/s", with.version());
  print(name + "/per_core", image_bytes / result.cpu_per_request(), "bytes/s");
}

void idle(const std::string& name, bench& with) {
  constexpr int few = 100;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const int most = std::min(10'000, static_cast<int>(files.rlim_cur) - few);
  asio::io_context loop;
  std::vector<tcp::socket> kept;
  double before = 0;
  std::string answer;
  while (static_cast<int>(kept.size()) < most) {
    if (static_cast<int>(kept.size()) == few) before = with.server().pss_bytes();
    kept.push_back(connect(loop, with.server().port()));
    asio::write(kept.back(), asio::buffer(with.request()));
    answer.clear();
    asio::read_until(kept.back(), asio::dynamic_buffer(answer), "]}");
  }
  print(name, (with.server().pss_bytes() - before) / (most - few), "bytes",
        ", \"smaller_is_better\": true" + with.version());
  fmt::print(stderr, "{}: {} connections\n", name, most);
}

std::vector<http_case> all_cases() {
  std::vector<http_case> cases = {
      {"network/64", {}, closed_loop},
      {"no_op/64", {.model = "nothing"}, closed_loop},
      {"network/load80", {.max_delay_us = load80_delay_us}, at_80_percent},
      {"network/at_20k", {.max_delay_us = load80_delay_us}, at_fixed_rate<20'000>},
      {"network/at_28k", {.max_delay_us = load80_delay_us}, at_fixed_rate<28'000>},
      {"network/at_28k_two_loops", {.max_delay_us = load80_delay_us, .loops = 2}, at_fixed_rate<28'000>},
      {"device/overload3x", {.model = "device", .max_batch_size = 16, .max_queue_size = connections}, at_3x},
      {"images/binary", {.model = "images"}, binary},
      {"idle_connection", {.model = "nothing"}, idle},
      {"network/unbatched", {.max_batch_size = 1}, closed_loop},
      {"device/unbatched", {.model = "device", .max_batch_size = 1}, closed_loop}};
  for (const int delay_ms : {0, 1, 2, 5, 10, 20}) {
    cases.push_back({fmt::format("device/delay_{}ms", delay_ms),
                     {.model = "device", .max_delay_us = 1000 * delay_ms},
                     closed_loop});
  }
  return cases;
}

}  // namespace

std::string network_answer(const std::string& weights) {
  return fmt::format(R"({{"output":[{}]}})",
                     fmt::join(probabilities_of(weft::load_neural_net(weights)), ","));
}

setup setup_of(int count, char** arguments) {
  constexpr int expected = 6;
  if (count < expected) throw std::invalid_argument("MODEL WEIGHTS BATCH DELAY_US QUEUE LOOPS are needed");
  char** const from = arguments + count - expected;
  return {.model = from[0],
          .weights = from[1],
          .max_batch_size = std::stoi(from[2]),
          .max_delay_us = std::stoi(from[3]),
          .max_queue_size = std::stoi(from[4]),
          .loops = std::stoi(from[5])};
}

int measure(int count, char** arguments, const std::vector<std::string>& command,
            const std::vector<std::string_view>& only, protocol asked) {
  const std::vector<std::string_view> given(arguments + 1, arguments + count);
  const bool quick = std::find(given.begin(), given.end(), "--quick") != given.end();
  const bool list = std::find(given.begin(), given.end(), "--list") != given.end();
  const auto flag = std::find(given.begin(), given.end(), "--case");
  const std::string_view chosen = flag == given.end() || flag + 1 == given.end() ? "" : flag[1];
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);  // the servers inherit it
  try {
    for (const http_case& each : all_cases()) {
      if (!only.empty() && std::find(only.begin(), only.end(), each.name) == only.end()) continue;
      if (list) fmt::print("{}\n", each.name);
      if (each.name != chosen) continue;
      bench with(command, quick, each.what, asked);
      each.run(each.name, with);
    }
  } catch (const missing& what) {
    fmt::print("{}\n", what.what());
    return exit_missing;
  } catch (const std::exception& failure) {
    fmt::print(stderr, "{}\n", failure.what());
    return 1;
  }
  return 0;
}

std::vector<std::string> this_program() {
  return {std::filesystem::read_symlink("/proc/self/exe").string(), "--serve"};
}

}  // namespace http_cases
