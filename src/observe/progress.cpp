#include <weft/observe/progress.hpp>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>           // for std::max
#include <atomic>              // for std::atomic
#include <charconv>            // for std::from_chars
#include <cmath>               // for std::exp
#include <condition_variable>  // for std::condition_variable
#include <cstdlib>             // for std::getenv
#include <cstring>             // for std::strcmp
#include <map>                 // for std::map
#include <mutex>               // for std::mutex
#include <ostream>             // for std::ostream
#include <thread>              // for std::thread
#include <utility>             // for std::exchange
#include <vector>              // for std::vector

#include <weft/core/error.hpp>
#include <weft/observe/counter.hpp>
#include "observe/utf8.hpp"

namespace weft {
namespace {

using clock = std::chrono::steady_clock;

// Replaces what would move the cursor: a label or suffix must stay on its line.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return text;
}

int columns_of_text(std::string_view text) {
  int columns = 0;
  while (!text.empty()) {
    const detail::utf8_character c = detail::next_utf8(text);
    columns += detail::columns_of(c.code);
    text.remove_prefix(c.length);
  }
  return columns;
}

// The longest beginning of a text that fits.
std::string_view cut(std::string_view text, int columns) {
  std::size_t length = 0;
  while (length < text.size()) {
    const detail::utf8_character c = detail::next_utf8(text.substr(length));
    columns -= detail::columns_of(c.code);
    if (columns < 0) break;
    length += c.length;
  }
  return text.substr(0, length);
}

std::string duration_text(double seconds) {
  if (!(seconds < 3.6e8)) return "?";  // ten thousand hours: an estimate of nothing
  const auto whole = static_cast<std::int64_t>(seconds);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string rate_text(double rate, const std::string& unit) {
  if (rate < 1) return fmt::format("{:.3g} s/{}", 1 / rate, unit);
  if (rate < 1e4) return fmt::format("{:.4g} {}/s", rate, unit);
  if (rate < 1e6) return fmt::format("{:.1f}k {}/s", rate / 1e3, unit);
  if (rate < 1e9) return fmt::format("{:.1f}M {}/s", rate / 1e6, unit);
  return fmt::format("{:.1f}G {}/s", rate / 1e9, unit);
}

bool is_utf8_locale() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view text(value);
    return text.find("UTF-8") != text.npos || text.find("utf8") != text.npos ||
           text.find("UTF8") != text.npos;
  }
  return false;
}

bool is_terminal(std::FILE* file) {
  const char* type = std::getenv("TERM");
  return ::isatty(::fileno(file)) != 0 && (type == nullptr || std::strcmp(type, "dumb") != 0);
}

}  // namespace

namespace detail {

std::string progress_line(const progress_view& view, int columns, bool utf8) {
  const bool known = view.total > 0;
  std::string head = printable(view.label);
  if (known) {
    const double share = static_cast<double>(view.count) / static_cast<double>(view.total);
    // Rounded down, so that 100 % means done.
    const int percent = static_cast<int>(std::floor(100 * std::clamp(share, 0.0, 1.0)));
    head += fmt::format("{}{:3} %", head.empty() ? "" : "  ", percent);
  }
  std::string tail = known ? fmt::format("{}/{} {}", view.count, view.total, printable(view.unit))
                           : fmt::format("{} {}", view.count, printable(view.unit));
  if (view.rate > 0) tail += "  " + rate_text(view.rate, printable(view.unit));
  if (view.finished) {
    tail += "  in " + duration_text(view.elapsed);
  } else {
    tail += "  " + duration_text(view.elapsed);
    if (known && view.rate > 0 && view.count < view.total) {
      tail += ", " + duration_text(static_cast<double>(view.total - view.count) / view.rate) + " left";
    }
  }
  if (!view.suffix.empty()) tail += "  " + printable(view.suffix);

  const std::string_view gap = head.empty() ? "" : "  ";
  if (columns == 0) return head.append(gap) + tail;

  constexpr int narrowest = 8;
  constexpr int widest = 40;
  const int text_columns = columns_of_text(head) + columns_of_text(tail) + 4;
  const int bar_columns = std::min(columns - text_columns, widest);
  if (!known || bar_columns < narrowest) {
    head.append(gap) += tail;
    return std::string(cut(head, columns));
  }
  const auto filled = static_cast<int>(
      std::clamp(std::floor(static_cast<double>(view.count) / static_cast<double>(view.total) * bar_columns),
                 0.0, static_cast<double>(bar_columns)));
  head.append(gap);
  for (int i = 0; i < bar_columns; ++i) {
    if (utf8) {
      head += i < filled ? "━" : "─";
    } else {
      head += i < filled ? '=' : '-';
    }
  }
  return head + "  " + tail;
}

class progress_board;

// What is shown of one progress.
class progress_state {
 public:
  progress_state(std::int64_t items, progress_options chosen)
      : options(std::move(chosen)), total(items), label(options.label) {}

  bool visible() const { return mode != progress_mode::silent; }
  bool in_place() const { return mode == progress_mode::bar; }
  bool foreign() const { return process != ::getpid(); }

  // The mutex of the board is held.
  progress_view view(clock::time_point now, bool final_state) {
    const auto counted = static_cast<std::int64_t>(done.value());
    progress_view result;
    {
      const std::lock_guard lock(text_mutex);
      result.label = label;
      result.suffix = suffix;
    }
    result.unit = options.unit;
    result.count = options.initial + counted;
    result.total = total.load(std::memory_order_relaxed);
    result.elapsed = std::chrono::duration<double>(now - start).count();
    const double average = result.elapsed > 0 ? static_cast<double>(counted) / result.elapsed : 0;
    result.rate = final_state ? average : recent_rate(counted, now, average);
    result.finished = final_state;
    return result;
  }

  const progress_options options;
  progress_mode mode = progress_mode::silent;
  std::atomic<std::int64_t> total;
  counter done;
  const clock::time_point start = clock::now();
  const ::pid_t process = ::getpid();
  std::shared_ptr<progress_board> board;

  // Not the board's mutex, which is held while a terminal takes its time.
  std::mutex text_mutex;
  std::string label;
  std::string suffix;

  // Guarded by the mutex of the board.
  bool keep = true;
  bool finished = false;
  clock::time_point next_show = start;

 private:
  // An exponentially weighted mean over the latest seconds, so that the time left follows a change of pace.
  // The weight that the beginning lacks goes to the average.
  double recent_rate(std::int64_t counted, clock::time_point now, double average) {
    constexpr double memory_seconds = 5;
    const double passed = std::chrono::duration<double>(now - last_time_).count();
    if (passed > 0.01) {
      const double kept = std::exp(-passed / memory_seconds);
      recent_ = kept * recent_ + (1 - kept) * static_cast<double>(counted - last_counted_) / passed;
      missing_ *= kept;
      last_time_ = now;
      last_counted_ = counted;
    }
    return recent_ + missing_ * average;
  }

  clock::time_point last_time_ = start;
  std::int64_t last_counted_ = 0;
  double recent_ = 0;
  double missing_ = 1;
};

// All that is shown on one output, and the thread that draws it.
class progress_board {
 public:
  progress_board(std::FILE* file, std::ostream* stream)
      : file_(file), stream_(stream), utf8_(is_utf8_locale()) {}

  ~progress_board() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  progress_board(const progress_board&) = delete;
  progress_board& operator=(const progress_board&) = delete;

  // The board of an output, shared by all who show something on it.
  static std::shared_ptr<progress_board> of(std::FILE* file, std::ostream* stream);

  void add(progress_state& bar) {
    const std::lock_guard lock(mutex_);
    if (stop_) return;
    bar.keep = bar.options.keep.value_or(bars_.empty());
    bar.next_show = bar.in_place() ? bar.start : bar.start + bar.options.line;
    bars_.reserve(bars_.size() + 1);
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    bars_.push_back(&bar);
    wake_.notify_all();
  }

  void finish(progress_state& bar) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(bar.finished, true) || !bar.visible() || stop_) return;
    std::erase(bars_, &bar);
    draw(bar.keep ? line_of(bar, clock::now(), true) + "\n" : std::string(), bar.in_place());
  }

  void show(progress_state& bar) {
    const std::lock_guard lock(mutex_);
    if (bar.finished || !bar.visible() || stop_) return;
    draw(bar.in_place() ? std::string() : line_of(bar, clock::now(), false) + "\n", bar.in_place());
  }

  void print(std::string_view line) {
    const std::lock_guard lock(mutex_);
    draw(std::string(line) + "\n", false);
  }

  // Leaves the screen for good: the process is about to end, and bars may never be destroyed.
  void close() {
    std::thread drawing;
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      if (std::exchange(drawn_, 0) > 0) write("\n");
      bars_.clear();
      drawing = std::move(thread_);
    }
    wake_.notify_all();
    if (drawing.joinable()) drawing.join();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      if (bars_.empty()) {
        wake_.wait(lock);
        continue;
      }
      const auto by_time = [](const auto* a, const auto* b) { return a->next_show < b->next_show; };
      const clock::time_point due = (*std::min_element(bars_.begin(), bars_.end(), by_time))->next_show;
      if (clock::now() < due) {
        wake_.wait_until(lock, due);
        continue;
      }
      const clock::time_point now = clock::now();
      std::string lines;
      bool redraw = false;
      for (progress_state* bar : bars_) {
        if (bar->next_show > now) continue;
        bar->next_show = now + (bar->in_place() ? bar->options.frame : bar->options.line);
        redraw = redraw || bar->in_place();
        if (!bar->in_place()) lines += line_of(*bar, now, false) + "\n";
      }
      draw(std::move(lines), redraw);
    }
  }

  std::string line_of(progress_state& bar, clock::time_point now, bool final_state) {
    return progress_line(bar.view(now, final_state), bar.in_place() ? columns_for(bar) : 0, utf8_);
  }

  // Writes lines that stay, above the bars, and draws the bars again: one write, so that nothing flickers.
  void draw(std::string lines, bool redraw) {
    std::vector<progress_state*> shown;
    std::copy_if(bars_.begin(), bars_.end(), std::back_inserter(shown),
                 [](auto* bar) { return bar->in_place(); });
    if (drawn_ == 0 && (shown.empty() || !redraw)) {
      if (redraw && !lines.empty()) lines.insert(0, 1, '\r');
      if (!lines.empty()) write(lines);
      return;
    }
    const std::size_t rows = height();
    if (shown.size() > rows) shown.resize(rows);

    std::string frame = "\r";
    if (drawn_ > 1) frame += fmt::format("\x1b[{}A", drawn_ - 1);
    for (std::size_t at = 0; at < lines.size();) {
      const std::size_t end = lines.find('\n', at);
      frame.append(lines, at, end - at) += "\x1b[K\n";
      at = end + 1;
    }
    const clock::time_point now = clock::now();
    for (std::size_t i = 0; i < shown.size(); ++i) {
      if (i > 0) frame += "\x1b[K\n";
      frame += line_of(*shown[i], now, false);
    }
    frame += "\x1b[J";
    drawn_ = shown.size();
    write(frame);
  }

  int columns_for(const progress_state& bar) const {
    if (bar.options.columns > 0) return bar.options.columns;
    // One column stays free: a cursor past the last one is wrapped by some terminals and not by others.
    if (const ::winsize size = window(); size.ws_col > 1) return size.ws_col - 1;
    if (const char* text = std::getenv("COLUMNS"); text != nullptr) {
      int columns = 0;
      const std::string_view digits(text);
      const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), columns);
      if (code == std::errc() && columns > 1) return columns - 1;
    }
    return 79;
  }

  std::size_t height() const {
    const ::winsize size = window();
    return size.ws_row > 1 ? size.ws_row - 1U : 24U;
  }

  ::winsize window() const {
    ::winsize size{};
    if (stream_ == nullptr) static_cast<void>(::ioctl(::fileno(file_), TIOCGWINSZ, &size));
    return size;
  }

  // An output that fails does not fail the work that it is about.
  void write(std::string_view text) {
    if (stream_ == nullptr) {
      static_cast<void>(std::fwrite(text.data(), 1, text.size(), file_));
      static_cast<void>(std::fflush(file_));
      return;
    }
    try {
      stream_->write(text.data(), static_cast<std::streamsize>(text.size())).flush();
    } catch (const std::ios_base::failure&) {
    }
  }

  std::FILE* const file_;
  std::ostream* const stream_;
  const bool utf8_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<progress_state*> bars_;  // visible and not finished, outermost first
  std::size_t drawn_ = 0;              // lines of bars on the screen; the cursor is at the end of the last
  bool stop_ = false;
  std::thread thread_;
};

namespace {

struct board_table {
  std::mutex mutex;
  std::map<const void*, std::weak_ptr<progress_board>> boards;
};

// Never destroyed: the handler at exit uses it.
board_table& boards() {
  static board_table& instance = *new board_table;
  return instance;
}

void close_boards() {
  board_table& all = boards();
  const std::lock_guard lock(all.mutex);
  for (const auto& [output, weak] : all.boards) {
    if (const auto board = weak.lock()) board->close();
  }
}

}  // namespace

std::shared_ptr<progress_board> progress_board::of(std::FILE* file, std::ostream* stream) {
  board_table& all = boards();
  const std::lock_guard lock(all.mutex);
  static const int registered = std::atexit(close_boards);
  static_cast<void>(registered);
  std::erase_if(all.boards, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<progress_board>& weak =
      all.boards[stream != nullptr ? static_cast<const void*>(stream) : static_cast<const void*>(file)];
  std::shared_ptr<progress_board> board = weak.lock();
  if (board == nullptr) {
    board = std::make_shared<progress_board>(file, stream);
    weak = board;
  }
  return board;
}

}  // namespace detail

progress::progress(std::int64_t total, progress_options options) {
  const auto refuse = [&options](std::string_view what) {
    throw invalid_argument(fmt::format("progress '{}': {}", options.label, what));
  };
  if (total < 0) refuse(fmt::format("total is {}, but must not be negative", total));
  if (options.initial < 0) refuse(fmt::format("initial is {}, but must not be negative", options.initial));
  if (options.frame.count() <= 0)
    refuse(fmt::format("frame is {} ms, but must be positive", options.frame.count()));
  if (options.line.count() <= 0)
    refuse(fmt::format("line is {} ms, but must be positive", options.line.count()));
  if (options.columns < 0) refuse(fmt::format("columns is {}, but must not be negative", options.columns));
  if (options.redirected != progress_mode::lines && options.redirected != progress_mode::silent) {
    refuse("redirected must be lines or silent");
  }
  if (options.out == nullptr) options.out = stderr;
  state_ = std::make_unique<detail::progress_state>(total, std::move(options));
  const progress_options& chosen = state_->options;
  state_->mode = chosen.mode;
  if (chosen.mode == progress_mode::automatic) {
    const bool terminal = chosen.stream == nullptr && is_terminal(chosen.out);
    state_->mode = terminal ? progress_mode::bar : chosen.redirected;
  }
  state_->board = detail::progress_board::of(chosen.out, chosen.stream);
  if (state_->visible()) state_->board->add(*state_);
}

progress::~progress() {
  if (state_->foreign()) {
    // The thread that draws did not survive the fork, and a lock may have been held: leave it all alone.
    static_cast<void>(state_.release());
    return;
  }
  finish();
}

void progress::add(std::int64_t n) noexcept {
  state_->done.add(static_cast<std::uint64_t>(n));
}

std::int64_t progress::count() const {
  return state_->options.initial + static_cast<std::int64_t>(state_->done.value());
}

std::int64_t progress::total() const {
  return state_->total.load(std::memory_order_relaxed);
}

void progress::total(std::int64_t items) {
  if (items < 0) {
    throw invalid_argument(
        fmt::format("progress '{}': total is {}, but must not be negative", state_->options.label, items));
  }
  state_->total.store(items, std::memory_order_relaxed);
}

void progress::suffix(std::string text) {
  const std::lock_guard lock(state_->text_mutex);
  state_->suffix = std::move(text);
}

void progress::label(std::string text) {
  const std::lock_guard lock(state_->text_mutex);
  state_->label = std::move(text);
}

void progress::print(std::string_view line) {
  if (!state_->foreign()) state_->board->print(line);
}

void progress::show() {
  if (!state_->foreign()) state_->board->show(*state_);
}

void progress::finish() {
  if (!state_->foreign()) state_->board->finish(*state_);
}

}  // namespace weft
