#include "options.hpp"

#include <CLI/CLI.hpp>

namespace fashion {
namespace {

constexpr int usage_error = 2;

}  // namespace

std::variant<options, int> parse_options(int count, char** arguments) {
  options chosen;
  CLI::App program(
      "Trains a small network on Fashion-MNIST, then compares learning rates and batch sizes in "
      "parallel "
      "experiments.\nWrites results.csv, losses.csv, weights.safetensors and report.html.",
      "fashion");
  program.option_defaults()->always_capture_default();
  program.add_option("--epochs", chosen.epochs, "How often the training images are gone through")
      ->check(CLI::Range(1, 100'000));
  program.add_option("--batch-size", chosen.batch_size, "Images a training step")
      ->check(CLI::Range(1, 1'000'000));
  program.add_option("--lr", chosen.learning_rate, "Adam's learning rate")->check(CLI::PositiveNumber);
  program.add_option("--threads", chosen.threads, "Threads that compute, 0 for one per core")
      ->check(CLI::Range(0, 4096));
  program
      .add_option("--device", chosen.device,
                  "Where the training computes: auto is the first GPU, or else the CPU")
      ->check(CLI::IsMember({"cpu", "cuda", "auto"}));
  program.add_option("--network", chosen.network, "784-256-128-10, or two convolutions before 128-10")
      ->check(CLI::IsMember({"linear", "convolution"}));
  program.add_option(
      "--data", chosen.data,
      "Folder of Fashion-MNIST's four gzip IDX files, those of Debian's dataset-fashion-mnist");
  program.add_option("--seed", chosen.seed, "Seed of the first weights and of the order of the images");
  program
      .add_option("--experiments", chosen.experiments, "How many experiments follow the training, 0 for none")
      ->check(CLI::Range(0, 10'000));
  program.add_option("--experiment-epochs", chosen.experiment_epochs, "Epochs of each experiment")
      ->check(CLI::Range(1, 100'000));
  program.add_option("--limit", chosen.limit, "Train on the first N images only, 0 for all")
      ->check(CLI::NonNegativeNumber);
  program.add_option("--out", chosen.out, "Folder that the results are written to; it is created");
  program.footer(
      "Exit codes: 0 done, 1 the job failed, 2 a wrong command line, 130 stopped by Ctrl-C and 143 by "
      "SIGTERM\n"
      "(what there is by then is written).");
  try {
    program.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : usage_error;
  }
  return chosen;
}

}  // namespace fashion
