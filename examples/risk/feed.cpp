#include "feed.hpp"

#include "market.hpp"

#include <weft/core/error.hpp>

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace risk {
namespace {

constexpr std::uint64_t most_failures = 6;

weft::tick_client_options server_of(std::string_view address) {
  const auto colon = address.rfind(':');
  weft::tick_client_options result{.most_failures = most_failures};
  const char* const end = address.data() + address.size();
  if (colon != std::string_view::npos) {
    const auto [last, problem] = std::from_chars(address.data() + colon + 1, end, result.port);
    if (problem != std::errc() || last != end) result.port = 0;
  }
  if (result.port == 0)
    throw weft::invalid_argument(fmt::format("--feed is 'tcp:{}', it must be tcp:HOST:PORT", address));
  result.host = address.substr(0, colon);
  return result;
}

// Where Python's packages may lie.
std::vector<std::filesystem::path> package_folders() {
  namespace fs = std::filesystem;
  std::vector<fs::path> roots{"/usr/lib/python3", "/usr/local/lib"};
  for (const char* variable : {"VIRTUAL_ENV", "HOME"}) {
    const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): before any thread
    if (value == nullptr) continue;
    roots.push_back(fs::path(value) / (std::string_view(variable) == "HOME" ? ".local/lib" : "lib"));
  }
  std::vector<fs::path> folders;
  for (const fs::path& root : roots) {
    folders.push_back(root / "dist-packages");
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(root, none)) {
      folders.push_back(entry.path() / "dist-packages");
      folders.push_back(entry.path() / "site-packages");
    }
  }
  return folders;
}

std::string in_package(const std::string& file, const char* how) {
  for (const auto& folder : package_folders()) {
    std::error_code none;
    if (std::filesystem::exists(folder / file, none)) return (folder / file).string();
  }
  throw weft::error(fmt::format("{} is not installed here: {}, or choose another --feed", file, how));
}

weft::tick_history history_of(const options& chosen) {
  std::string path = chosen.feed;
  weft::tick_columns columns;
  if (chosen.feed == "vega") {
    path = in_package("vega_datasets/_data/stocks.csv", "apt-get install python3-vega-datasets");
  } else if (chosen.feed == "bokeh") {
    path = in_package("bokeh_sampledata/_data/stocks.csv.gz", "pip install bokeh-sampledata");
    columns = {.symbol = "Ticker", .time = "Date", .price = "Adj Close"};
  }
  if (!chosen.symbol_column.empty()) columns.symbol = chosen.symbol_column;
  if (!chosen.time_column.empty()) columns.time = chosen.time_column;
  if (!chosen.price_column.empty()) columns.price = chosen.price_column;
  weft::tick_history history = weft::read_tick_csv(path, columns);
  if (history.ticks.empty()) throw weft::error(path + ": it has no prices");
  return history;
}

}  // namespace

feed::feed(const options& chosen) {
  constexpr std::string_view tcp = "tcp:";
  if (chosen.feed.starts_with(tcp)) {
    client_ =
        std::make_unique<weft::tick_client>(server_of(std::string_view(chosen.feed).substr(tcp.size())));
    return;
  }
  history_ = history_of(chosen);
  const std::chrono::duration<double> span = history_.ticks.back().time - history_.ticks.front().time;
  if (chosen.seconds > 0.0) speed_ = span.count() / chosen.seconds;
}

weft::task<> feed::run(weft::tick_inbox& inbox) {
  if (client_) return client_->run(inbox);
  return weft::replay(history_.ticks, inbox, speed_);
}

std::vector<std::string> feed::names() const {
  if (!client_) return history_.symbols;
  std::vector<std::string> names = client_->symbols();
  for (std::size_t i = 0; i < most_symbols && client_->symbols().empty(); ++i)
    names.push_back(fmt::format("symbol {}", i));
  return names;
}

std::uint64_t feed::refused() const {
  return client_ ? client_->counts().refused : static_cast<std::uint64_t>(history_.refused);
}

std::uint64_t feed::missing() const {
  return client_ ? client_->counts().missing : 0;
}

std::string feed::note() const {
  if (client_) return client_->last_failure();
  if (history_.refusals.empty()) return {};
  const auto& first = history_.refusals.front();
  return fmt::format("row {}, {}: {}", first.row, first.symbol, first.reason);
}

}  // namespace risk
