#include "options.hpp"

#include <CLI/CLI.hpp>

namespace garments {
namespace {

constexpr int usage_error = 2;

}  // namespace

std::variant<options, int> parse_options(int count, char** arguments) {
  options chosen;
  CLI::App program(
      "Serves a network that tells garments apart: a page at /, the Open Inference Protocol below /v2,\n"
      "POST /predict and GET /metrics.",
      "serve");
  program.option_defaults()->always_capture_default();
  program.add_option(
      "--weights", chosen.weights,
      "What the example 'fashion' wrote; if it is not there, a network is trained for one epoch");
  program.add_option(
      "--data", chosen.data,
      "Folder of Fashion-MNIST's four gzip IDX files, those of Debian's dataset-fashion-mnist");
  program.add_option("--device", chosen.device,
                     "Where the network computes: cpu, cpu:N, cuda, cuda:N or auto");
  program.add_option("--address", chosen.address,
                     "Where to listen: this machine only, unless told otherwise");
  program.add_option("--port", chosen.port, "Where to listen; 0 for a port that is free")
      ->check(CLI::Range(0, 65535));
  program.add_option("--threads", chosen.threads, "Threads that serve connections")
      ->check(CLI::Range(1, 256));
  program.add_option("--batch", chosen.batch, "The most images in a batch")->check(CLI::Range(1, 65536));
  program.add_option("--queue", chosen.queue, "How many requests may wait")->check(CLI::Range(1, 1'000'000));
  program.add_option("--instances", chosen.instances, "Batches that compute at once")
      ->check(CLI::Range(1, 64));
  program.add_option("--delay", chosen.delay_us, "How long a request may wait for others, in microseconds")
      ->check(CLI::NonNegativeNumber);
  program
      .add_option("--goal", chosen.goal_us,
                  "How long a request should take in all, in microseconds; 0: no goal")
      ->check(CLI::NonNegativeNumber);
  program.add_option("--patience", chosen.patience_s, "Seconds for what is under way when SIGTERM comes")
      ->check(CLI::NonNegativeNumber);
  program.add_option("--token", chosen.token, "Bearer token that clients must have");
  program.add_option("--certificate", chosen.certificate, "PEM file of the certificate chain: TLS");
  program.add_option("--key", chosen.key, "PEM file of its key");
  program.footer(
      "Exit codes: 0 stopped by SIGTERM or Ctrl-C with every request answered, 1 it failed or some were not, "
      "2 a wrong command line.");
  try {
    program.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : usage_error;
  }
  return chosen;
}

}  // namespace garments
