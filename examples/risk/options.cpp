#include "options.hpp"

#include "market.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

namespace risk {

std::optional<options> parse(int count, char** arguments, int& code) {
  options chosen;
  CLI::App program("Prices a book of options on prices that come in, again and again, and what it may lose.",
                   "risk");
  program.option_defaults()->always_capture_default();
  program.add_option("--feed", chosen.feed,
                     "vega: five stocks by the month, of Debian's python3-vega-datasets; bokeh: five by the "
                     "day, of PyPI's bokeh-sampledata; a CSV file, gzip or plain; or tcp:HOST:PORT, a "
                     "weft::tick_server");
  program.add_option("--symbol-column", chosen.symbol_column, "The CSV file's column of symbols [symbol]");
  program.add_option("--date-column", chosen.time_column, "The CSV file's column of days or times [date]");
  program.add_option("--price-column", chosen.price_column, "The CSV file's column of prices [price]");
  program.add_option("--seconds", chosen.seconds, "How long a replay takes; 0: as short as can be")
      ->check(CLI::Range(0.0, 1e6));
  program.add_option("--rate", chosen.rate, "Riskless rate, continuous")->check(CLI::Range(-1.0, 1.0));
  program.add_option("--paths", chosen.paths, "Paths to price an option")
      ->check(CLI::Range(std::int64_t{2}, std::int64_t{1} << 30));
  program.add_option("--scenarios", chosen.scenarios, "Scenarios of the book's losses")
      ->check(CLI::Range(std::int64_t{100}, std::int64_t{10'000'000}));
  program.add_option("--level", chosen.level, "Of the value at risk and the expected shortfall")
      ->check(CLI::Range(0.5, 0.9999));
  program.add_option("--seed", chosen.seed, "Seed of the random numbers");
  program
      .add_option("--live", chosen.live,
                  "Whether the table is drawn while prices come: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  program.add_option("--page", chosen.page, "Where the report goes; empty for none");
  program.footer(
      fmt::format("Of a feed with more than {} symbols the first {} are looked at.\n"
                  "Ctrl-C ends a feed, and the report is written.\n"
                  "Exit codes: 0 done, 1 it failed, 2 a wrong command line.",
                  most_symbols, most_symbols));
  try {
    program.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    code = program.exit(error) == 0 ? 0 : 2;
    return std::nullopt;
  }
  return chosen;
}

}  // namespace risk
