#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace risk {

/// What the command line says.
struct options {
  std::string feed = "vega";
  std::string symbol_column;
  std::string time_column;
  std::string price_column;
  double seconds = 20.0;
  double rate = 0.03;
  std::int64_t paths = 8192;
  std::int64_t scenarios = 10'000;
  double level = 0.99;
  std::uint64_t seed = 1;
  std::string live = "auto";
  std::string page = "risk.html";
};

/// Nothing if the program is to end, with the exit code in `code`.
std::optional<options> parse(int count, char** arguments, int& code);

}  // namespace risk
