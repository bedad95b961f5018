// Asks a server again and again, and says how fast it answered.

#include "driver.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <cstdio>     // for stderr
#include <exception>  // for std::exception
#include <string>     // for std::string

namespace {

constexpr int usage_error = 2;

struct options {
  load::plan plan;
  std::string path;
  std::string body;
  std::string token;
  int elements = 784;
  bool binary = false;
  bool json = false;
};

std::string request_of(const options& chosen) {
  std::string path = chosen.path;
  std::string body = chosen.body;
  std::string headers;
  if (!chosen.token.empty()) headers += "Authorization: Bearer " + chosen.token + "\r\n";
  if (chosen.binary) {
    const std::string json = fmt::format(
        R"({{"inputs":[{{"name":"image","shape":[1,{}],"datatype":"UINT8","parameters":{{"binary_data_size":{}}}}}],)"
        R"("parameters":{{"binary_data_output":true}}}})",
        chosen.elements, chosen.elements);
    headers += fmt::format("Inference-Header-Content-Length: {}\r\n", json.size());
    if (path.empty()) path = "/v2/models/fashion/infer";
    body = json + std::string(static_cast<std::size_t>(chosen.elements), '\x40');
  } else if (body.empty()) {
    body = "{\"input\":[";
    for (int i = 0; i < chosen.elements; ++i) body += (i == 0 ? "" : ",") + std::to_string(i % 256);
    body += "]}";
  }
  if (path.empty()) path = "/predict";
  return fmt::format("POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\n{}Content-Length: {}\r\n\r\n{}",
                     path, chosen.plan.host, chosen.binary ? "application/octet-stream" : "application/json",
                     headers, body.size(), body);
}

void print(const options& chosen, const load::outcome& result) {
  const double goodput = static_cast<double>(result.latencies.size()) / result.seconds;
  const auto ms = [&](double q) { return 1e3 * load::quantile(result.latencies, q); };
  const double refused_ms = 1e3 * load::quantile(result.refusal_latencies, 0.99);
  if (chosen.json) {
    std::string statuses;
    for (const auto& [status, count] : result.statuses) {
      statuses += fmt::format(R"({}"{}":{})", statuses.empty() ? "" : ",", status, count);
    }
    fmt::print(R"({{"answered_per_second":{:.1f},"p50_ms":{:.3f},"p90_ms":{:.3f},"p99_ms":{:.3f},)"
               R"("refused_p99_ms":{:.3f},"statuses":{{{}}},"broken":{}}})"
               "\n",
               goodput, ms(0.5), ms(0.9), ms(0.99), refused_ms, statuses, result.broken);
    return;
  }
  fmt::print("{:.0f} answers/s   p50 {:.2f} ms   p90 {:.2f} ms   p99 {:.2f} ms\n", goodput, ms(0.5), ms(0.9),
             ms(0.99));
  for (const auto& [status, count] : result.statuses) fmt::print("status {}: {}\n", status, count);
  if (!result.refusal_latencies.empty()) fmt::print("refusals: p99 {:.2f} ms\n", refused_ms);
  if (!result.own_delays.empty())
    fmt::print("sent late by this program: p99 {:.2f} ms\n", 1e3 * load::quantile(result.own_delays, 0.99));
  if (result.broken != 0) fmt::print("connections that ended: {}\n", result.broken);
}

}  // namespace

int main(int count, char** arguments) {
  options chosen;
  CLI::App program(
      "Asks a server over many connections: each again as soon as it is answered or, with --rate, at even "
      "distances\n"
      "whether or not answers come, with latencies counted from when a request was due.",
      "load");
  program.option_defaults()->always_capture_default();
  program.add_option("--host", chosen.plan.host, "The server's address");
  program.add_option("--port", chosen.plan.port, "The server's port");
  program.add_option("--connections", chosen.plan.connections, "How many at a time")
      ->check(CLI::Range(1, 20000));
  program.add_option("--rate", chosen.plan.rate, "Requests a second in all; 0: as fast as answers come")
      ->check(CLI::NonNegativeNumber);
  program.add_option("--seconds", chosen.plan.seconds, "How long")->check(CLI::Range(0.1, 86'400.0));
  program.add_option("--warm-up", chosen.plan.warm_up, "Of these, how long nothing is measured")
      ->check(CLI::NonNegativeNumber);
  program.add_option("--path", chosen.path, "Where requests go; /predict, or inference with --binary");
  program.add_option("--body", chosen.body, "What is sent; an image, unless told otherwise");
  program.add_option("--elements", chosen.elements, "How many numbers the image has")
      ->check(CLI::PositiveNumber);
  program.add_option("--token", chosen.token, "Bearer token");
  program.add_flag("--binary", chosen.binary,
                   "Send the image as a binary tensor of the Open Inference Protocol");
  program.add_flag("--json", chosen.json, "Print one line of JSON");
  program.footer(
      "Exit codes: 0 every answer was 200 and no connection ended, 1 otherwise, 2 a wrong command line.");
  try {
    program.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : usage_error;
  }
  try {
    chosen.plan.request = request_of(chosen);
    const load::outcome result = load::drive(chosen.plan);
    print(chosen, result);
    const bool only_200 = result.statuses.size() == 1 && result.statuses.begin()->first == 200;
    return only_200 && result.broken == 0 ? 0 : 1;
  } catch (const std::exception& failure) {
    fmt::print(stderr, "load: {}\n", failure.what());
    return 1;
  }
}
