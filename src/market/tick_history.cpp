#include <market/stored_tick.hpp>
#include <weft/async/sleep.hpp>
#include <weft/core/error.hpp>
#include <weft/data/csv.hpp>
#include <weft/market/tick_history.hpp>

#include <algorithm>      // for std::min, std::stable_sort
#include <array>          // for std::array
#include <cerrno>         // for errno
#include <charconv>       // for std::from_chars
#include <chrono>         // for std::chrono::steady_clock
#include <cmath>          // for std::isfinite
#include <ctime>          // for strptime, timegm
#include <optional>       // for std::optional
#include <string>         // for std::to_string
#include <system_error>   // for std::errc, std::error_code
#include <unordered_map>  // for std::unordered_map
#include <utility>        // for std::move

namespace weft {
namespace {

std::optional<std::chrono::nanoseconds> parse_time(const std::string& text) {
  for (const char* form : {"%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%b %d %Y"}) {
    std::tm parts{};
    const char* const end = ::strptime(text.c_str(), form, &parts);
    if (end != nullptr && *end == '\0') return std::chrono::seconds(::timegm(&parts));
  }
  return std::nullopt;
}

std::optional<double> parse_price(const std::string& text) {
  double price = 0.0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), price);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(price) || price <= 0.0) return std::nullopt;
  return price;
}

// What a file of ticks begins with.
struct file_header {
  std::array<char, 8> magic{'w', 'e', 'f', 't', 't', 'i', 'c', '1'};
  std::int64_t count = 0;
};

constexpr std::size_t file_ticks_at_once = 4096;

[[noreturn]] void fail(const std::string& path, const char* action) {
  throw io_error(path, action, std::error_code(errno, std::generic_category()));
}

}  // namespace

tick_history read_tick_csv(const std::string& path, const tick_columns& columns) {
  csv_options options;
  options.columns = {columns.symbol, columns.time, columns.price};
  for (const std::string& name : options.columns) options.types[name] = csv_type::text;
  csv_reader reader(path, std::move(options));
  tick_history result;
  std::unordered_map<std::string, std::uint32_t> numbers;
  csv_table table;
  std::int64_t row = 0;
  while (reader.read(table, 65536)) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(table.rows); ++i) {
      ++row;
      const std::string& symbol = table.columns[0].texts[i];
      const std::string& time_text = table.columns[1].texts[i];
      const std::string& price_text = table.columns[2].texts[i];
      const auto time = parse_time(time_text);
      const auto price = parse_price(price_text);
      if (!time || !price) {
        ++result.refused;
        if (result.refusals.size() < detail::most_refusals) {
          result.refusals.push_back({row, symbol,
                                     !time ? columns.time + " is '" + time_text + "'"
                                           : columns.price + " is '" + price_text + "'"});
        }
        continue;
      }
      const auto [place, added] = numbers.emplace(symbol, static_cast<std::uint32_t>(result.symbols.size()));
      if (added) result.symbols.push_back(symbol);
      result.ticks.push_back({.symbol = place->second, .time = *time, .price = *price});
    }
  }
  std::stable_sort(result.ticks.begin(), result.ticks.end(),
                   [](const tick& a, const tick& b) { return a.time < b.time; });
  std::vector<std::uint64_t> sequences(result.symbols.size());
  for (tick& each : result.ticks) each.sequence = ++sequences[each.symbol];
  return result;
}

void write_tick_file(const std::string& path, std::span<const tick> ticks) {
  std::ofstream file(path, std::ios::binary);
  if (!file) fail(path, "open");
  const file_header header{.count = static_cast<std::int64_t>(ticks.size())};
  file.write(reinterpret_cast<const char*>(&header), sizeof(header));
  for (const tick& each : ticks) {
    const detail::stored_tick one = detail::stored(each);
    file.write(reinterpret_cast<const char*>(&one), sizeof(one));
  }
  file.flush();
  if (!file) fail(path, "write");
}

tick_file::tick_file(std::string path)
    : path_(std::move(path)), file_(path_, std::ios::binary | std::ios::ate) {
  if (!file_) fail(path_, "open");
  const auto bytes = static_cast<std::int64_t>(file_.tellg());
  file_.seekg(0);
  file_header header;
  const auto magic = header.magic;
  file_.read(reinterpret_cast<char*>(&header), sizeof(header));
  if (!file_ || header.magic != magic) {
    throw format_error(path_, 0, "this is not a file of ticks; write_tick_file() makes them");
  }
  const auto stored = (bytes - static_cast<std::int64_t>(sizeof(header))) /
                      static_cast<std::int64_t>(sizeof(detail::stored_tick));
  if (header.count < 0 || stored < header.count) {
    throw format_error(
        path_, bytes,
        "it ends after " + std::to_string(stored) + " of " + std::to_string(header.count) + " ticks");
  }
  size_ = header.count;
}

std::size_t tick_file::read(std::span<tick> ticks) {
  std::array<detail::stored_tick, file_ticks_at_once> buffer;
  std::size_t taken = 0;
  while (taken < ticks.size() && done_ < size_) {
    const std::size_t wanted =
        std::min({ticks.size() - taken, buffer.size(), static_cast<std::size_t>(size_ - done_)});
    file_.read(reinterpret_cast<char*>(buffer.data()),
               static_cast<std::streamsize>(wanted * sizeof(detail::stored_tick)));
    if (!file_) fail(path_, "read");
    for (std::size_t i = 0; i < wanted; ++i) ticks[taken + i] = detail::loaded(buffer[i]);
    taken += wanted;
    done_ += static_cast<std::int64_t>(wanted);
  }
  return taken;
}

task<void> replay(std::span<const tick> ticks, tick_inbox& inbox, double speed) {
  if (!(speed >= 0.0) || !std::isfinite(speed)) {
    throw invalid_argument("replay: speed is " + std::to_string(speed) + ", it must be at least 0");
  }
  const auto began = std::chrono::steady_clock::now();
  for (const tick& each : ticks) {
    if (speed > 0.0) {
      const std::chrono::duration<double, std::nano> after((each.time - ticks.front().time) / speed);
      const auto left = after - (std::chrono::steady_clock::now() - began);
      if (left.count() > 0.0) co_await sleep_for(left);
    }
    co_await inbox.push(each);
  }
}

}  // namespace weft
