#pragma once

#include <chrono>       // for std::chrono::milliseconds
#include <cstdint>      // for std::int64_t
#include <cstdio>       // for std::FILE
#include <iosfwd>       // for std::ostream
#include <memory>       // for std::unique_ptr
#include <optional>     // for std::optional
#include <string>       // for std::string
#include <string_view>  // for std::string_view

namespace weft {

namespace detail {
class progress_state;
}  // namespace detail

/// How progress is shown.
enum class progress_mode {
  automatic,  ///< a bar on a terminal, and where there is none what progress_options::redirected says
  bar,        ///< a line that is redrawn in place, with cursor movements
  lines,      ///< a whole line now and then, and one at the end: for log files
  silent,     ///< nothing
};

/// How a progress looks and where it goes.
struct progress_options {
  /// What is being done, such as "epoch 3/10"; comes first in the line.
  std::string label{};
  /// What is being counted, such as "images".
  std::string unit = "items";
  /// Where the count starts, for work that is resumed; the rate leaves it out.
  std::int64_t initial = 0;
  /// How it is shown.
  progress_mode mode = progress_mode::automatic;
  /// What automatic means where the output is not a terminal: lines or silent.
  progress_mode redirected = progress_mode::lines;
  /// Where it goes; nullptr means stderr.
  std::FILE* out = nullptr;
  /// Where it goes instead of `out`, if not nullptr. A stream is never taken for a terminal, and nothing else
  /// may use it while the progress lives.
  std::ostream* stream = nullptr;
  /// The time between two drawings of a bar; positive.
  std::chrono::milliseconds frame{100};
  /// The time between two lines where lines are written; positive.
  std::chrono::milliseconds line{10'000};
  /// The width of a bar's line; 0 means that of the terminal, or $COLUMNS, or 80.
  int columns = 0;
  /// Whether a finished bar stays on the screen, or writes its last line where lines are written. If not set,
  /// an outermost one stays and one that was made while another was shown on the same output goes.
  std::optional<bool> keep{};
};

/// Shows on a terminal or in a log how far some work has come: share done, count, rate, time left, and a text
/// of the user's own.
///
///     weft::progress bar(60'000, {.label = "epoch 1/10", .unit = "images"});
///     bar.add(128);  bar.suffix("loss 0.31");
///
/// Counting is all that add() does, at the price of a counter: a thread of the progress's own, one for each
/// output, draws. A slow terminal therefore never slows the work. Progresses on one output may nest and are
/// drawn below each other. No mode of the terminal is changed, so there is none to restore whatever happens
/// to the program; the cursor is put at the start of a new line by the destructor, and at exit.
///
/// Thread safety: distinct objects safe; shared objects safe. In a forked child a progress of the parent does
/// nothing.
class progress {
 public:
  /// @param total how many items there are; 0 means that nobody knows, and neither share nor time left are
  /// shown
  /// @param options how it looks and where it goes
  ///
  /// Throws invalid_argument for a negative total and for options that cannot work, std::system_error if the
  /// thread that draws cannot be made.
  explicit progress(std::int64_t total, progress_options options = {});
  /// Finishes. May wait for a drawing that is going on.
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  /// Counts n more items as done; costs about a nanosecond and never draws.
  void add(std::int64_t n = 1) noexcept;

  /// The items done, with progress_options::initial.
  std::int64_t count() const;
  /// The items there are; 0 if nobody knows.
  std::int64_t total() const;
  /// Sets how many items there are. Throws invalid_argument if negative.
  void total(std::int64_t items);

  /// Sets the text at the end of the line, such as "loss 0.31  wait 0.4 %". Cheap enough for every step: it
  /// takes a mutex that a drawing holds only while it copies the text.
  void suffix(std::string text);
  /// Sets the text at the start of the line.
  void label(std::string text);

  /// Writes a line of the user's own, above the bars; whatever the mode.
  void print(std::string_view line);

  /// Shows the present state now: draws the bars, or writes a line. Rarely needed.
  void show();

  /// Shows the final state and leaves the screen; called by the destructor. Later calls, and later counts,
  /// show nothing.
  void finish();

 private:
  std::unique_ptr<detail::progress_state> state_;
};

namespace detail {

// What a line of progress is made of.
struct progress_view {
  std::string label;
  std::string unit;
  std::string suffix;
  std::int64_t count = 0;
  std::int64_t total = 0;  // 0: unknown
  double elapsed = 0;      // seconds
  double rate = 0;         // items per second; 0: not known yet
  bool finished = false;
};

// The line, without a bar when columns is 0; otherwise with a bar that fills what is left of the columns, and
// cut where even the text does not fit.
std::string progress_line(const progress_view& view, int columns, bool utf8);

}  // namespace detail

}  // namespace weft
