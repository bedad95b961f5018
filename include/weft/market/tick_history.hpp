#pragma once

#include <weft/async/task.hpp>
#include <weft/market/tick.hpp>
#include <weft/market/tick_inbox.hpp>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t
#include <fstream>  // for std::ifstream
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// Which columns of a CSV file have what.
struct tick_columns {
  /// The instrument.
  std::string symbol = "symbol";
  /// A day, `2004-02-29` or `Feb 29 2004`, or with a time, `2004-02-29 16:00:00`; taken as UTC.
  std::string time = "date";
  /// The price.
  std::string price = "price";
};

/// What came instead of a tick.
struct refused_tick {
  /// Of a file: the row, from 1 after the header; of a feed: the number that the server gave it.
  std::int64_t row = 0;
  /// Its symbol.
  std::string symbol;
  /// The value that cannot be used, and which one it is.
  std::string reason;
};

/// Ticks that were, in the order of their times.
struct tick_history {
  /// The names of the symbols: that of tick::symbol 0 first.
  std::vector<std::string> symbols;
  /// With times since 1970 and sequence numbers by symbol.
  std::vector<tick> ticks;
  /// How many rows were refused.
  std::int64_t refused = 0;
  /// The first 100 of them.
  std::vector<refused_tick> refusals;
};

/// Reads prices from a CSV file, gzip or plain, in any order. A row whose time or price cannot be read, or
/// whose price is not above 0, is refused, counted and named. Throws as csv_reader.
///
/// Thread safety: safe. Blocks its thread.
tick_history read_tick_csv(const std::string& path, const tick_columns& columns = {});

/// Writes ticks as a file for tick_file, in this machine's byte order. Throws io_error.
///
/// Thread safety: safe. Blocks its thread.
void write_tick_file(const std::string& path, std::span<const tick> ticks);

/// Reads what write_tick_file() wrote.
///
/// Thread safety: distinct objects safe; shared objects unsafe. Blocks its thread.
class tick_file {
 public:
  /// Throws io_error if the file cannot be read, format_error if it is not such a file or is cut off.
  explicit tick_file(std::string path);

  /// How many ticks there are.
  std::int64_t size() const noexcept { return size_; }
  /// The next ticks, as many as the span has room for and there are; returns how many. Throws io_error.
  std::size_t read(std::span<tick> ticks);

 private:
  std::string path_;
  std::ifstream file_;
  std::int64_t size_ = 0;
  std::int64_t done_ = 0;
};

/// Puts ticks into an inbox at the times that lie between theirs, divided by `speed`: 1 for as it was, 1000
/// for a thousand times as fast, 0 for as fast as they are taken. Throws invalid_argument if the speed is
/// negative, queue_closed if the inbox is closed. The ticks must outlive the await.
///
/// Cancellation: the ticks that were put in before stay there.
task<void> replay(std::span<const tick> ticks, tick_inbox& inbox, double speed);

}  // namespace weft
