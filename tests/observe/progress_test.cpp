#include <gtest/gtest.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>  // for std::max
#include <array>      // for std::array
#include <atomic>     // for std::atomic
#include <cctype>     // for std::isdigit
#include <chrono>     // for std::chrono::milliseconds
#include <cstdio>     // for std::FILE
#include <cstdlib>    // for ::setenv
#include <memory>     // for std::unique_ptr
#include <mutex>      // for std::mutex
#include <ostream>    // for std::ostream
#include <sstream>    // for std::ostringstream
#include <stdexcept>  // for std::runtime_error
#include <streambuf>  // for std::streambuf
#include <string>     // for std::string
#include <thread>     // for std::thread
#include <vector>     // for std::vector
#include <weft/core/error.hpp>
#include <weft/observe/progress.hpp>

namespace progress_test {

using namespace std::chrono_literals;
using weft::progress;
using weft::progress_mode;
using weft::detail::progress_line;
using weft::detail::progress_view;

// What a test does not want to see drawn by the clock.
constexpr auto never = std::chrono::milliseconds(std::chrono::hours(24));

progress_view view(std::int64_t count, std::int64_t total) {
  return {.label = "epoch 1/10",
          .unit = "images",
          .suffix = "loss 0.31",
          .count = count,
          .total = total,
          .elapsed = 12.9,
          .rate = 100,
          .finished = false};
}

TEST(progress_line, says_share_count_rate_time_left_and_suffix) {
  EXPECT_EQ(progress_line(view(1300, 5000), 0, true),
            "epoch 1/10   26 %  1300/5000 images  100 images/s  0:12, 0:37 left  loss 0.31");
}

TEST(progress_line, of_an_unknown_total_has_no_share_and_no_time_left) {
  EXPECT_EQ(progress_line(view(1300, 0), 0, true), "epoch 1/10  1300 images  100 images/s  0:12  loss 0.31");
}

TEST(progress_line, of_finished_work_says_how_long_it_took) {
  auto finished = view(5000, 5000);
  finished.finished = true;
  finished.elapsed = 3725;
  EXPECT_EQ(progress_line(finished, 0, true),
            "epoch 1/10  100 %  5000/5000 images  100 images/s  in 1:02:05  loss 0.31");
}

TEST(progress_line, is_not_complete_before_it_is) {
  EXPECT_NE(progress_line(view(99'999, 100'000), 0, true).find(" 99 %"), std::string::npos);
  EXPECT_NE(progress_line(view(150, 100), 0, true).find("100 %  150/100"), std::string::npos);
}

TEST(progress_line, scales_rates_and_turns_slow_ones_over) {
  auto line = view(1, 0);
  line.rate = 51'234.5;
  EXPECT_NE(progress_line(line, 0, true).find("  51.2k images/s"), std::string::npos);
  line.rate = 2.5e6;
  EXPECT_NE(progress_line(line, 0, true).find("  2.5M images/s"), std::string::npos);
  line.rate = 0.25;
  EXPECT_NE(progress_line(line, 0, true).find("  4 s/images"), std::string::npos);
  line.rate = 0;
  EXPECT_EQ(progress_line(line, 0, true), "epoch 1/10  1 images  0:12  loss 0.31");
}

TEST(progress_line, the_bar_fills_the_width_in_proportion) {
  const std::string half = progress_line(view(2500, 5000), 100, false);
  EXPECT_EQ(half.size(), 100U);
  const auto bar = half.substr(half.find('='), half.rfind('-') + 1 - half.find('='));
  EXPECT_EQ(bar, std::string(bar.size() / 2, '=') + std::string(bar.size() - bar.size() / 2, '-'));
  EXPECT_EQ(progress_line(view(5000, 5000), 100, false).find('-'), std::string::npos);
  EXPECT_EQ(progress_line(view(0, 5000), 100, false).find('='), std::string::npos);
  EXPECT_NE(progress_line(view(2500, 5000), 100, true).find("━─"), std::string::npos);
}

TEST(progress_line, is_cut_where_it_does_not_fit) {
  const std::string whole = progress_line(view(2500, 5000), 0, true);
  for (int columns = 1; columns < 80; ++columns) {
    const std::string line = progress_line(view(2500, 5000), columns, false);
    EXPECT_LE(line.size(), static_cast<std::size_t>(columns));
    if (line.find('-') == std::string::npos) {
      EXPECT_EQ(line, whole.substr(0, line.size()));
    }
  }
}

TEST(progress_line, counts_wide_characters_twice_and_never_cuts_one) {
  progress_view wide{.label = "訓練", .unit = "it", .suffix = {}};
  EXPECT_EQ(progress_line(wide, 3, true), "訓");
  EXPECT_EQ(progress_line(wide, 4, true), "訓練");
}

TEST(progress_line, stays_on_its_line_whatever_the_texts_say) {
  auto evil = view(1, 2);
  evil.label = "a\nb\x1b[2J";
  evil.suffix = "c\rd";
  const std::string line = progress_line(evil, 0, true);
  EXPECT_EQ(line.find_first_of("\n\r\x1b"), std::string::npos);
}

// A pseudo-terminal whose other end keeps what a terminal would have been sent.
class terminal {
 public:
  explicit terminal(unsigned short columns = 80, unsigned short rows = 24) : terminal(columns, rows, true) {}

  // One that is read only when it is closed: no thread, for a test that forks, and not for more than a few
  // lines.
  static terminal without_thread() { return terminal(80, 24, false); }

  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;
  ~terminal() {
    if (file_ != nullptr) static_cast<void>(close());
    ::close(master_);
  }

  std::FILE* file() const { return file_; }

  // Everything that was sent. All of it is read before the end that is written to is closed: a reader that
  // finds nothing just before the last text is written and that end closed is told by Linux that there is no
  // more.
  std::string close() {
    std::fputc(last, file_);
    std::fflush(file_);
    if (reader_.joinable()) {
      reader_.join();
    } else {
      read_all();
    }
    std::fclose(file_);
    file_ = nullptr;
    return sent_;
  }

  std::string sent() {
    const std::lock_guard lock(mutex_);
    return sent_;
  }

 private:
  terminal(unsigned short columns, unsigned short rows, bool with_thread) {
    ::winsize size{};
    size.ws_col = columns;
    size.ws_row = rows;
    int slave = -1;
    if (::openpty(&master_, &slave, nullptr, nullptr, &size) != 0) throw std::runtime_error("openpty");
    ::termios mode{};
    ::tcgetattr(slave, &mode);
    ::cfmakeraw(&mode);
    ::tcsetattr(slave, TCSANOW, &mode);
    file_ = ::fdopen(slave, "w");
    if (with_thread) reader_ = std::thread([this] { read_all(); });
  }

  void read_all() {
    std::array<char, 4096> chunk{};
    for (;;) {
      const auto n = ::read(master_, chunk.data(), chunk.size());
      if (n <= 0) throw std::runtime_error("the terminal's other end is closed");
      const std::lock_guard lock(mutex_);
      sent_.append(chunk.data(), static_cast<std::size_t>(n));
      if (sent_.back() == last) {
        sent_.pop_back();
        return;
      }
    }
  }

  static constexpr char last = '\x04';  // follows all that is sent

  int master_ = -1;
  std::FILE* file_ = nullptr;
  std::thread reader_;
  std::mutex mutex_;
  std::string sent_;
};

// What a terminal shows after it has been sent a text: enough of VT100 for what progress uses, and nothing
// else.
std::vector<std::string> screen(const std::string& sent) {
  std::vector<std::string> lines(1);
  std::size_t row = 0;
  std::size_t column = 0;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const char c = sent[i];
    if (c == '\n') {
      // As the terminal's driver does it: a line feed also returns the carriage.
      if (++row == lines.size()) lines.emplace_back();
      column = 0;
    } else if (c == '\r') {
      column = 0;
    } else if (c == '\x1b') {
      std::size_t end = i + 2;
      while (end < sent.size() && std::isdigit(static_cast<unsigned char>(sent[end])) != 0) ++end;
      const std::string count = sent.substr(i + 2, end - i - 2);
      if (sent[i + 1] != '[' || end >= sent.size()) throw std::runtime_error("unknown sequence");
      if (sent[end] == 'A') {
        const std::size_t up = std::stoul(count);
        if (up > row) throw std::runtime_error("above the screen");
        row -= up;
      } else if (sent[end] == 'K' && count.empty()) {
        lines[row].resize(std::min(column, lines[row].size()));
      } else if (sent[end] == 'J' && count.empty()) {
        lines[row].resize(std::min(column, lines[row].size()));
        lines.resize(row + 1);
      } else {
        throw std::runtime_error("unknown sequence");
      }
      i = end;
    } else {
      lines[row].resize(std::max(lines[row].size(), column + 1), ' ');
      lines[row][column++] = c;
    }
  }
  return lines;
}

TEST(progress, draws_a_bar_on_a_terminal_and_leaves_it_on_a_line_of_its_own) {
  terminal tty;
  {
    progress bar(200, {.label = "copy", .unit = "files", .out = tty.file(), .frame = never});
    bar.add(50);
    bar.suffix("now a.txt");
    bar.show();
    bar.add(150);
    bar.suffix("done");
  }
  const std::string sent = tty.close();
  const auto lines = screen(sent);
  ASSERT_EQ(lines.size(), 2U) << sent;
  EXPECT_EQ(lines[0].find("copy  100 %"), 0U) << lines[0];
  EXPECT_NE(lines[0].find("200/200 files"), std::string::npos) << lines[0];
  EXPECT_EQ(lines[0].find("now a.txt"), std::string::npos) << lines[0];
  EXPECT_NE(lines[0].find("done"), std::string::npos) << lines[0];
  EXPECT_EQ(lines[1], "");
  EXPECT_NE(sent.find("now a.txt"), std::string::npos);
}

// Only cursor movements and erasures are sent, which leave nothing to restore; screen() refuses all others.
TEST(progress, keeps_to_the_width_of_the_terminal) {
  terminal tty(40);
  {
    progress bar(200, {.label = "a label of some length", .out = tty.file(), .frame = never});
    bar.suffix("and a suffix that goes on and on");
    bar.show();
  }
  for (const std::string& line : screen(tty.close())) EXPECT_LE(line.size(), 39U);
}

TEST(progress, draws_by_itself) {
  terminal tty;
  progress bar(200, {.label = "copy", .out = tty.file(), .frame = 1ms});
  bar.add(100);
  while (tty.sent().find(" 50 %") == std::string::npos) std::this_thread::yield();
}

TEST(progress, nested_bars_stand_below_and_go_when_they_are_done) {
  terminal tty;
  std::vector<std::string> during;
  {
    progress outer(2, {.label = "epochs", .out = tty.file(), .frame = never});
    {
      progress inner(10, {.label = "batches", .out = tty.file(), .frame = never});
      inner.add(5);
      inner.show();
      inner.print("a line from the work");
      while (tty.sent().find("a line from the work") == std::string::npos) std::this_thread::yield();
    }
    outer.add(2);
    progress kept(10, {.label = "kept", .out = tty.file(), .frame = never, .keep = true});
  }
  const auto lines = screen(tty.close());
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0], "a line from the work");
  EXPECT_EQ(lines[1].find("kept    0 %"), 0U) << lines[1];
  EXPECT_EQ(lines[2].find("epochs  100 %"), 0U) << lines[2];
  EXPECT_EQ(lines[3], "");
}

TEST(progress, shows_no_more_bars_than_the_terminal_has_rows) {
  terminal tty(80, 4);
  {
    std::vector<std::unique_ptr<progress>> bars;
    for (int i = 0; i < 10; ++i) {
      bars.push_back(std::make_unique<progress>(
          10, weft::progress_options{.label = "bar", .out = tty.file(), .frame = never, .keep = false}));
    }
    bars.front()->show();
    // Bars that leave show what they had hidden; none is ever drawn beyond the screen.
    while (!bars.empty()) bars.pop_back();
  }
  const std::string sent = tty.close();
  EXPECT_EQ(screen(sent), std::vector<std::string>{""});
  EXPECT_EQ(sent.find("\x1b[3A"), std::string::npos);
}

TEST(progress, writes_plain_lines_into_a_pipe) {
  std::FILE* file = std::tmpfile();
  {
    progress bar(200, {.label = "copy", .unit = "files", .out = file, .line = never});
    bar.add(50);
    bar.show();
    bar.print("a line from the work");
    bar.add(150);
  }
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\r'), std::string::npos);
  std::istringstream lines(text);
  std::string first;
  std::string second;
  std::string third;
  std::string rest;
  std::getline(lines, first);
  std::getline(lines, second);
  std::getline(lines, third);
  EXPECT_EQ(first.find("copy   25 %  50/200 files"), 0U) << text;
  EXPECT_EQ(second, "a line from the work");
  EXPECT_EQ(third.find("copy  100 %  200/200 files"), 0U) << text;
  EXPECT_FALSE(std::getline(lines, rest)) << text;
}

TEST(progress, is_silent_when_redirected_if_asked_to_be) {
  std::ostringstream out;
  {
    progress bar(2, {.redirected = progress_mode::silent, .stream = &out});
    bar.add(2);
    bar.show();
    EXPECT_EQ(bar.count(), 2);
    EXPECT_EQ(out.str(), "");
    bar.print("but it prints what its user wants printed");
  }
  EXPECT_EQ(out.str(), "but it prints what its user wants printed\n");
}

TEST(progress, lines_come_now_and_then) {
  std::FILE* file = std::tmpfile();
  {
    progress bar(0, {.label = "x", .mode = progress_mode::lines, .out = file, .line = 1ms});
    struct ::stat status {};
    while (status.st_size < 100) {
      bar.add(1);
      ASSERT_EQ(::fstat(::fileno(file), &status), 0);
    }
  }
  std::fclose(file);
}

TEST(progress, a_dumb_terminal_gets_lines) {
  ::setenv("TERM", "dumb", 1);
  terminal tty;
  { progress bar(2, {.label = "x", .out = tty.file(), .line = never}); }
  ::unsetenv("TERM");
  EXPECT_EQ(tty.close().find_first_of("\r\x1b"), std::string::npos);
}

TEST(progress, work_that_is_resumed_counts_from_where_it_was) {
  std::ostringstream out;
  {
    progress bar(100, {.initial = 40, .mode = progress_mode::lines, .stream = &out, .line = never});
    bar.add(10);
    EXPECT_EQ(bar.count(), 50);
    bar.total(50);
    EXPECT_EQ(bar.total(), 50);
  }
  EXPECT_NE(out.str().find("100 %  50/50"), std::string::npos) << out.str();
}

TEST(progress, shows_nothing_after_its_end) {
  std::ostringstream out;
  progress bar(2, {.mode = progress_mode::lines, .stream = &out, .line = never});
  bar.finish();
  const std::string before = out.str();
  bar.add(2);
  bar.suffix("late");
  bar.show();
  bar.finish();
  EXPECT_EQ(out.str(), before);
  EXPECT_EQ(bar.count(), 2);
}

TEST(progress, refuses_options_that_cannot_work) {
  EXPECT_THROW(progress(-1), weft::invalid_argument);
  EXPECT_THROW(progress(1, {.initial = -1}), weft::invalid_argument);
  EXPECT_THROW(progress(1, {.redirected = progress_mode::bar}), weft::invalid_argument);
  EXPECT_THROW(progress(1, {.frame = 0ms}), weft::invalid_argument);
  EXPECT_THROW(progress(1, {.line = -1ms}), weft::invalid_argument);
  EXPECT_THROW(progress(1, {.columns = -80}), weft::invalid_argument);
  progress bar(1, {.mode = progress_mode::silent});
  EXPECT_THROW(bar.total(-1), weft::invalid_argument);
  try {
    progress(-1, {.label = "copy"});
  } catch (const weft::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "progress 'copy': total is -1, but must not be negative");
  }
}

TEST(progress, a_stream_that_throws_does_not_stop_the_work) {
  class full_disk final : public std::streambuf {
   public:
    std::atomic<int> attempts{0};

   private:
    int_type overflow(int_type) override {
      ++attempts;
      return traits_type::eof();
    }
  };
  full_disk disk;
  std::ostream out(&disk);
  out.exceptions(std::ios::badbit | std::ios::failbit);
  progress bar(2, {.mode = progress_mode::lines, .stream = &out, .line = 1ms});
  EXPECT_NO_THROW(bar.print("before"));
  EXPECT_NO_THROW(bar.add(2));
  EXPECT_NO_THROW(bar.finish());
  EXPECT_EQ(bar.count(), 2);
  EXPECT_GT(disk.attempts, 0);
}

TEST(progress, threads_count_name_and_print_at_once) {
  terminal tty;
  constexpr int threads = 4;
  constexpr int each = 2000;
  {
    progress outer(threads, {.label = "threads", .out = tty.file(), .frame = 1ms});
    progress bar(threads * each, {.label = "items", .out = tty.file(), .frame = 1ms});
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] {
        progress own(each, {.label = "own", .out = tty.file(), .frame = 1ms});
        for (int i = 0; i < each; ++i) {
          bar.add();
          own.add();
          if (i % 100 == 0) bar.suffix("thread " + std::to_string(t));
          if (i % 500 == 0) own.print("thread " + std::to_string(t) + " at " + std::to_string(i));
        }
        outer.add();
      });
    }
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(bar.count(), threads * each);
  }
  const auto lines = screen(tty.close());
  int printed = 0;
  for (const std::string& line : lines) printed += line.find(" at ") != std::string::npos ? 1 : 0;
  EXPECT_EQ(printed, threads * each / 500);
  EXPECT_EQ(lines.size(), static_cast<std::size_t>(printed) + 2);
  EXPECT_EQ(lines[lines.size() - 2].find("threads  100 %"), 0U);
}

TEST(progress, may_be_made_and_finished_over_and_over) {
  terminal tty;
  for (int i = 0; i < 200; ++i) progress(1, {.out = tty.file(), .frame = 1ms, .keep = false}).add();
  EXPECT_EQ(screen(tty.close()), std::vector<std::string>{""});
}

// exit() while a bar is shown: the shell's prompt must not follow it on its line, and nothing may hang.
TEST(progress, leaves_the_line_when_the_program_exits) {
  terminal tty = terminal::without_thread();
  EXPECT_EXIT(
      {
        auto* bar = new progress(2, {.label = "x", .out = tty.file(), .frame = never});
        bar->show();
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
  const std::string sent = tty.close();
  EXPECT_EQ(sent.back(), '\n') << sent;
}

TEST(progress, does_nothing_in_a_forked_child) {
  std::FILE* file = std::tmpfile();
  progress bar(2, {.mode = progress_mode::lines, .out = file, .line = never});
  const ::pid_t child = ::fork();
  if (child == 0) {
    bar.show();
    bar.print("x");
    bar.finish();
    bar.~progress();
    std::fflush(file);
    std::_Exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(std::ftell(file), 0);
  bar.finish();
  EXPECT_GT(std::ftell(file), 0);
  std::fclose(file);
}

}  // namespace progress_test
