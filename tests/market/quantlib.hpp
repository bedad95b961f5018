#pragma once

#include <weft/market/closed_form.hpp>
#include <weft/market/option.hpp>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

/// A price that QuantLib computed; write_quantlib.py says how.
struct quantlib_price {
  std::string kind;
  weft::market_terms terms;
  weft::option_type type;
  double strike;
  std::int64_t steps;
  double barrier;
  double price, error;

  bool is_barrier() const { return kind.starts_with("up") || kind.starts_with("down"); }
  weft::barrier_option as_barrier() const {
    const auto which = kind == "up_and_in"     ? weft::barrier_kind::up_and_in
                       : kind == "up_and_out"  ? weft::barrier_kind::up_and_out
                       : kind == "down_and_in" ? weft::barrier_kind::down_and_in
                                               : weft::barrier_kind::down_and_out;
    return {.type = type, .strike = strike, .barrier = barrier, .kind = which};
  }
};

inline std::vector<quantlib_price> quantlib_prices() {
  std::ifstream file(std::string(WEFT_TEST_DATA_DIR) + "/quantlib.csv");
  std::vector<quantlib_price> rows;
  std::string line;
  std::getline(file, line);
  std::getline(file, line);
  while (std::getline(file, line)) {
    for (char& letter : line) {
      if (letter == ',') letter = ' ';
    }
    std::istringstream fields(line);
    quantlib_price row;
    int sign = 0;
    fields >> row.kind >> sign >> row.terms.spot >> row.strike >> row.terms.rate >>
        row.terms.dividend_yield >> row.terms.volatility >> row.terms.maturity >> row.steps >> row.barrier >>
        row.price >> row.error;
    row.type = sign > 0 ? weft::option_type::call : weft::option_type::put;
    rows.push_back(row);
  }
  return rows;
}
