#pragma once

#include <cstdint>  // for std::int64_t, std::uint64_t
#include <string>   // for std::string
#include <variant>  // for std::variant

namespace fashion {

/// What the command line asks for.
struct options {
  int epochs = 10;
  std::int64_t batch_size = 128;
  double learning_rate = 1e-3;
  int threads = 0;
  std::string device = "cpu";
  std::string network = "linear";
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::uint64_t seed = 1;
  int experiments = 12;
  int experiment_epochs = 2;
  std::int64_t limit = 0;
  std::string out = "out/fashion";
};

/// The options, or the exit code of a program that has nothing more to do: 0 after --help, 2 after an error
/// in the command line, whose message has been written.
std::variant<options, int> parse_options(int count, char** arguments);

}  // namespace fashion
