#include <data/test_files.hpp>
#include <weft/async/gather.hpp>
#include <weft/async/run.hpp>
#include <weft/core/error.hpp>
#include <weft/market/tick_history.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>

#include <vector>

namespace tick_history_test {

using namespace std::chrono_literals;
using weft::task;
using weft::tick;

std::string text_file(const weft::test::scratch_folder& folder, const std::string& text) {
  return folder.write("ticks.csv", weft::test::bytes(text.begin(), text.end()));
}

TEST(tick_history, reads_prices_in_the_order_of_their_times) {
  const weft::test::scratch_folder folder;
  const auto history = weft::read_tick_csv(text_file(folder,
                                                     "symbol,date,price\n"
                                                     "MSFT,Jan 1 2000,39.81\n"
                                                     "MSFT,Feb 1 2000,36.35\n"
                                                     "IBM,2000-01-01,100.52\n"
                                                     "IBM,2000-01-15 16:30:00,90.5\n"));
  EXPECT_EQ(history.symbols, (std::vector<std::string>{"MSFT", "IBM"}));
  ASSERT_EQ(history.ticks.size(), 4U);
  EXPECT_EQ(history.refused, 0);
  std::vector<double> prices;
  std::vector<std::uint64_t> sequences;
  for (const tick& each : history.ticks) {
    prices.push_back(each.price);
    sequences.push_back(each.sequence);
  }
  EXPECT_EQ(prices, (std::vector{39.81, 100.52, 90.5, 36.35}));
  EXPECT_EQ(sequences, (std::vector<std::uint64_t>{1, 1, 2, 2}));
  EXPECT_EQ(history.ticks[0].time, std::chrono::seconds(946684800));
  EXPECT_EQ(history.ticks[2].time - history.ticks[0].time, 14 * 24h + 16h + 30min);
}

TEST(tick_history, refuses_counts_and_names_what_is_no_price) {
  const weft::test::scratch_folder folder;
  std::string text =
      "day,name,last\n2000-01-01,A,1.5\n2000-01-02,A,twelve\n2000-13-02,B,3\n2000-01-03,B,-3\n2000-01-03,B,"
      "\n";
  for (int i = 0; i < 200; ++i) text += "2000-01-03,B,1.5x\n";
  const auto history =
      weft::read_tick_csv(text_file(folder, text), {.symbol = "name", .time = "day", .price = "last"});
  EXPECT_EQ(history.ticks.size(), 1U);
  EXPECT_EQ(history.refused, 204);
  ASSERT_EQ(history.refusals.size(), 100U);
  EXPECT_EQ(history.refusals[0].row, 2);
  EXPECT_EQ(history.refusals[0].symbol, "A");
  EXPECT_EQ(history.refusals[0].reason, "last is 'twelve'");
  EXPECT_EQ(history.refusals[1].reason, "day is '2000-13-02'");
  EXPECT_EQ(history.refusals[2].reason, "last is '-3'");
  EXPECT_THROW(weft::read_tick_csv(folder.path("nothing.csv")), weft::io_error);
}

std::vector<tick> numbered(std::int64_t count) {
  std::vector<tick> ticks;
  for (std::int64_t i = 0; i < count; ++i) {
    ticks.push_back({static_cast<std::uint32_t>(i % 7), static_cast<std::uint64_t>(i),
                     std::chrono::microseconds(i), 0.5 + static_cast<double>(i)});
  }
  return ticks;
}

TEST(tick_file, gives_back_what_was_written) {
  const weft::test::scratch_folder folder;
  for (const std::int64_t count : {0, 1, 10000}) {
    const auto ticks = numbered(count);
    const std::string path = folder.path("ticks");
    weft::write_tick_file(path, ticks);
    weft::tick_file file(path);
    EXPECT_EQ(file.size(), count);
    std::vector<tick> read(6000);
    std::int64_t at = 0;
    while (const std::size_t some = file.read(read)) {
      for (std::size_t i = 0; i < some; ++i, ++at) {
        ASSERT_EQ(read[i].sequence, ticks[static_cast<std::size_t>(at)].sequence);
        ASSERT_EQ(read[i].time, ticks[static_cast<std::size_t>(at)].time);
        ASSERT_EQ(read[i].price, ticks[static_cast<std::size_t>(at)].price);
        ASSERT_EQ(read[i].symbol, ticks[static_cast<std::size_t>(at)].symbol);
      }
    }
    EXPECT_EQ(at, count);
  }
}

TEST(tick_file, says_what_is_wrong_with_a_file) {
  const weft::test::scratch_folder folder;
  const auto refusal = [](const std::string& path) {
    try {
      weft::tick_file{path};
    } catch (const weft::error& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  const std::string path = folder.path("ticks");
  weft::write_tick_file(path, numbered(10));
  std::filesystem::resize_file(path, 16 + 9 * 32 + 31);
  EXPECT_NE(refusal(path).find("it ends after 9 of 10 ticks"), std::string::npos);
  EXPECT_NE(refusal(folder.write("short", {'w', 'e'})).find("this is not a file of ticks"),
            std::string::npos);
  EXPECT_NE(refusal(folder.path("nothing")).find("cannot open"), std::string::npos);
  EXPECT_THROW(weft::write_tick_file("/nonexistent/ticks", {}), weft::io_error);
}

task<> replay_and_close(const std::vector<tick>& ticks, weft::tick_inbox& inbox, double speed) {
  co_await weft::replay(ticks, inbox, speed);
  inbox.close();
}

task<> take_all(weft::tick_inbox& inbox, std::vector<weft::received_tick>& taken) {
  for (;;) {
    const auto some = co_await inbox.pop_some(100);
    if (some.empty()) co_return;
    taken.insert(taken.end(), some.begin(), some.end());
  }
}

TEST(replay, keeps_the_distances_of_the_times) {
  for (const double speed : {0.0, 2.0}) {
    auto ticks = numbered(3);
    ticks[1].time = ticks[0].time + 4ms;
    ticks[2].time = ticks[0].time + 10ms;
    weft::tick_inbox inbox({.capacity = 2, .policy = weft::overrun_policy::block});
    std::vector<weft::received_tick> taken;
    const auto begin = std::chrono::steady_clock::now();
    weft::run([](const std::vector<tick>& all, weft::tick_inbox& to, std::vector<weft::received_tick>& came,
                 double fast) -> task<> {
      co_await weft::gather(replay_and_close(all, to, fast), take_all(to, came));
    }(ticks, inbox, taken, speed));
    ASSERT_EQ(taken.size(), 3U);
    EXPECT_GE(taken[1].received - begin, speed > 0.0 ? 2ms : 0ms);  // no sooner
    EXPECT_GE(taken[2].received - begin, speed > 0.0 ? 5ms : 0ms);
    EXPECT_EQ(taken[2].value.price, 2.5);
  }
  weft::tick_inbox inbox;
  EXPECT_THROW(weft::run(weft::replay({}, inbox, -1.0)), weft::invalid_argument);
  EXPECT_THROW(weft::run(weft::replay({}, inbox, std::nan(""))), weft::invalid_argument);
}

}  // namespace tick_history_test
