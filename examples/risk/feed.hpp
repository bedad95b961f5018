#pragma once

#include "options.hpp"

#include <weft/async/task.hpp>
#include <weft/market/tick_client.hpp>
#include <weft/market/tick_history.hpp>
#include <weft/market/tick_inbox.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace risk {

/// Prices that were or that come.
class feed {
 public:
  /// Throws weft::error if there are none of that name.
  explicit feed(const options& chosen);

  /// Puts them into the inbox until there are no more.
  weft::task<> run(weft::tick_inbox& inbox);
  /// Of the symbols; known when the first price has come.
  std::vector<std::string> names() const;
  /// Prices that could not be read.
  std::uint64_t refused() const;
  /// Prices that the other side left out.
  std::uint64_t missing() const;
  /// What is wrong with it; empty if nothing is.
  std::string note() const;

 private:
  weft::tick_history history_;
  double speed_ = 0.0;
  std::unique_ptr<weft::tick_client> client_;
};

}  // namespace risk
