#include <async/coroutines.hpp>
#include <serve/http_client.hpp>
#include <serve/served_models.hpp>
#include <weft/serve/server.hpp>

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace soak_test {

using namespace std::chrono_literals;
using weft_test::http_client;
using weft_test::infer_path;
using weft_test::one_item;
using weft_test::request_text;
using weft_test::wait_until;

constexpr int clients = 4;
constexpr int requests_per_round = 200;  // of each client
constexpr int fewest_rounds = 8;

// One of all the things that clients do; whether an answer, if it came, was the right one.
bool ask_something(std::uint16_t port, std::mt19937& random) {
  http_client client(port);
  const std::string good = request_text("POST", infer_path, one_item);
  switch (random() % 8) {
    case 0:  // goes away in the middle
      client.send(good.substr(0, random() % good.size()));
      return true;
    case 1:
      client.send(good);
      client.reset();
      return true;
    case 2:
      return client.post(infer_path, "{\"inputs\":" + std::string(random() % 5000, '[')).status == 400;
    case 3:
      return client.get("/metrics", "Accept-Encoding: gzip\r\n").status == 200;
    case 4:
      return client.post("/predict", R"({"input":[-1,0]})").status == 500;
    default:
      for (int i = 0; i < 4; ++i) {
        if (client.post(infer_path, one_item).body.find("[2,5]") == std::string::npos) return false;
      }
      return true;
  }
}

int from_environment(const char* name) {
  const char* const given = std::getenv(name);
  return given != nullptr ? std::atoi(given) : 0;
}

// Of this process.
long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
  }
  return 0;
}

// For $WEFT_SOAK_SECONDS, or the shortest time that proves something; with $WEFT_SOAK_RATE requests a second,
// or as many as there can be. In a long run it says each minute what is in use.
TEST(SoakTest, MemoryStaysWhatItWas) {
  using clock = std::chrono::steady_clock;
  const auto begin = clock::now();
  const auto end = begin + std::chrono::seconds(from_environment("WEFT_SOAK_SECONDS"));
  const int rate = from_environment("WEFT_SOAK_RATE");
  const auto pause = rate > 0 ? clients * 1'000'000us / rate : 0us;
  auto next_report = begin + 1min;
  weft::inference_server server({.port = 0, .threads = 2});
  weft::served_model model = weft_test::doubler();
  model.compute = [compute = model.compute](const weft_test::tensors& inputs) {
    const auto values = inputs[0].values<float>();
    if (std::count(values.begin(), values.end(), -1) != 0) throw std::runtime_error("no");
    return compute(inputs);
  };
  model.batching.isolate_failures = true;  // who asked for nothing wrong gets an answer
  server.load(model);
  std::atomic<int> wrong{0};
  std::vector<std::size_t> used;  // after each round, with nobody connected
  for (int round = 0; round < fewest_rounds || clock::now() < end; ++round) {
    {
      std::vector<std::jthread> asking;
      for (int i = 0; i < clients; ++i) {
        asking.emplace_back([&, i] {
          std::mt19937 random(static_cast<unsigned>(clients * round + i));
          for (int asked = 0; asked < requests_per_round; ++asked) {
            wrong += !ask_something(server.port(), random);
            if (rate > 0) std::this_thread::sleep_for(pause);
          }
        });
      }
      server.load(model);  // in the place of the one that answers
    }
    wait_until([&] { return server.connections() == 0; });
    wait_until([&] { return weft_test::metric(server, "weft_http_requests_in_flight") == 0; });
    used.push_back(mallinfo2().uordblks);
    if (clock::now() < next_report) continue;
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(clock::now() - begin).count();
    std::cout << "minute " << minutes << ": " << used.size() << " rounds, " << used.back() / 1024
              << " KiB allocated, " << resident_kib() << " KiB resident" << std::endl;
    next_report = begin + (minutes + 1) * 1min;
  }
  EXPECT_EQ(wrong, 0);
  const auto middle = used.begin() + static_cast<std::ptrdiff_t>(used.size() / 2);
  const std::size_t before = *std::max_element(used.begin(), middle);
  const std::size_t after = *std::max_element(middle, used.end());
  EXPECT_LE(after, before + (256U << 10U)) << used.size() << " rounds";
  RecordProperty("rounds", static_cast<int>(used.size()));
  RecordProperty("bytes", static_cast<int>(after));
}

}  // namespace soak_test
