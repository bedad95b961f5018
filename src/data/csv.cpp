#include <weft/core/error.hpp>
#include <weft/data/csv.hpp>
#include <weft/data/gzip.hpp>

#include <csv.h>       // for csv_parser
#include <sys/mman.h>  // for ::madvise
#ifdef __SSE2__
#include <emmintrin.h>  // for _mm_movemask_epi8
#endif

#include <algorithm>     // for std::find, std::max, std::min
#include <array>         // for std::array
#include <bit>           // for std::countr_zero
#include <charconv>      // for std::from_chars
#include <cstddef>       // for std::size_t
#include <cstdint>       // for std::uintptr_t
#include <cstring>       // for std::memchr, std::memmove, ::memrchr
#include <exception>     // for std::exception_ptr
#include <limits>        // for std::numeric_limits
#include <optional>      // for std::optional
#include <system_error>  // for std::errc
#include <utility>       // for std::move, std::exchange

namespace weft {
namespace {

constexpr std::size_t csv_block_bytes = std::size_t{512} * 1024;
constexpr std::size_t readable_behind = 8;  // see column_builder::add()
constexpr std::int64_t most_inferred = 1000;
constexpr std::size_t most_row_bytes = std::size_t{16} << 20;

constexpr std::array<double, 19> powers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                           1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};

template <class T>
bool parse(std::string_view text, T& value) noexcept {
  if (text.size() > 1 && text.front() == '+') text.remove_prefix(1);
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && end == text.data() + text.size();
}

bool is_short(std::string_view text) noexcept {
  return std::endian::native == std::endian::little && text.size() - 1 < 8;
}

/// The digits of a text of one to eight bytes, of which one may be a point, and where that is; false if there
/// is anything else. Reads eight bytes, whatever the text's length.
[[gnu::always_inline]] inline bool read_short(std::string_view text, std::uint64_t& digits,
                                              std::size_t& point) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101U;
  constexpr std::uint64_t zeros = '0' * ones;
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, text.data(), sizeof bytes);
  bytes &= ~std::uint64_t{0} >> (64 - 8 * text.size());
  const std::uint64_t points = bytes ^ ('.' * ones);
  const std::uint64_t found = (points - ones) & ~points & (0x80 * ones);
  std::size_t count = text.size();
  point = count;
  if (found != 0) {  // what follows the point closes up; a second one is no digit
    const auto before = static_cast<unsigned>(std::countr_zero(found)) & ~7U;
    const std::uint64_t head = (std::uint64_t{1} << before) - 1;
    bytes = (bytes & head) | (bytes >> 8 & ~head);
    point = before / 8;
    if (--count == 0) return false;
  }
  const std::size_t padding = 8 * (8 - count);
  bytes = bytes << padding | (((std::uint64_t{1} << padding) - 1) & zeros);
  constexpr std::uint64_t upper = 0xf0 * ones;
  if (((bytes & upper) | ((bytes + 6 * ones) & upper) >> 4) != 0x33 * ones) return false;
  // Pairs of digits, then pairs of pairs, then both halves (Lemire, 2018).
  bytes -= zeros;
  bytes = bytes * 10 + (bytes >> 8);
  constexpr std::uint64_t even = 0x000000ff000000ffU;
  digits = ((bytes & even) * 0x000f424000000064U + (bytes >> 16 & even) * 0x0000271000000001U) >> 32;
  return true;
}

bool parse_integer(std::string_view text, std::int64_t& value) noexcept {
  const bool negative = text.starts_with('-');
  const std::string_view number = text.substr(negative ? 1 : 0);
  std::uint64_t digits = 0;
  std::size_t point = 0;
  if (!is_short(number) || !read_short(number, digits, point) || point != number.size()) {
    return parse(text, value);
  }
  value = static_cast<std::int64_t>(digits);
  if (negative) value = -value;
  return true;
}

/// parse_real() of more than eight letters; the number is the text without its sign.
bool parse_long_real(std::string_view text, std::string_view number, bool negative, double& value) noexcept {
  constexpr std::uint64_t exact = std::uint64_t{1} << 53;
  if (number.size() > 18) return parse(text, value);
  std::uint64_t digits = 0;
  const char* at = number.data();
  const char* const end = at + number.size();
  const char* point = nullptr;
  for (; at != end; ++at) {
    const auto digit = static_cast<unsigned>(static_cast<unsigned char>(*at) - '0');
    if (digit < 10) {
      digits = 10 * digits + digit;
    } else if (*at == '.' && point == nullptr) {
      point = at;
    } else {
      return parse(text, value);
    }
  }
  if (number.empty() || digits >= exact) return parse(text, value);
  const double power = powers[point == nullptr ? 0 : static_cast<std::size_t>(end - point - 1)];
  value = static_cast<double>(digits) / power;
  if (negative) value = -value;
  return true;
}

/// A decimal of up to 18 digits whose digits and power of ten are both exact doubles, as most are: one
/// division then rounds it right (Clinger, 1990). Anything else is std::from_chars'.
bool parse_real(std::string_view text, double& value) noexcept {
  const bool negative = text.starts_with('-');
  const std::string_view number = text.substr(negative ? 1 : 0);
  std::uint64_t digits = 0;
  if (is_short(number)) {
    std::size_t at = 0;
    if (!read_short(number, digits, at)) return parse(text, value);
    const double power = powers[at == number.size() ? 0 : number.size() - 1 - at];
    value = static_cast<double>(static_cast<std::int64_t>(digits)) / power;
    if (negative) value = -value;
    return true;
  }
  return parse_long_real(text, number, negative, value);
}

constexpr bool is_blank(char letter) noexcept {
  return letter == ' ' || letter == '\t';
}

std::string_view trimmed(const char* begin, const char* end) noexcept {
  while (begin != end && is_blank(*begin)) ++begin;
  while (begin != end && is_blank(end[-1])) --end;
  return {begin, static_cast<std::size_t>(end - begin)};
}

/// Which of 16 bytes are one of the two, as bits.
unsigned marks(const char* bytes, char first, char second) noexcept {
#ifdef __SSE2__
  __m128i letters;
  std::memcpy(&letters, bytes, sizeof letters);
  const __m128i found = _mm_or_si128(_mm_cmpeq_epi8(letters, _mm_set1_epi8(first)),
                                     _mm_cmpeq_epi8(letters, _mm_set1_epi8(second)));
  return static_cast<unsigned>(_mm_movemask_epi8(found));
#else
  unsigned bits = 0;
  for (int i = 0; i < 16; ++i) bits |= (bytes[i] == first || bytes[i] == second ? 1U : 0U) << i;
  return bits;
#endif
}

const char* to_string(csv_type type) noexcept {
  switch (type) {
    case csv_type::integer:
      return "an integer";
    case csv_type::real:
      return "a number";
    case csv_type::text:
      return "a text";
  }
  return "";
}

/// libcsv, which calls a sink's field() and row() back.
template <class Sink>
class parser {
 public:
  parser(const csv_options& options, Sink& sink) : sink_(&sink) {
    if (csv_init(&csv_, CSV_STRICT | CSV_STRICT_FINI) != 0)
      throw error("csv_reader: there is no memory for libcsv");
    csv_set_delim(&csv_, static_cast<unsigned char>(options.delimiter));
    csv_set_quote(&csv_, static_cast<unsigned char>(options.quote));
    csv_set_blk_size(&csv_, 65536);
  }
  parser(const parser&) = delete;
  parser& operator=(const parser&) = delete;
  ~parser() { csv_free(&csv_); }

  /// False if there is a quote where none can be.
  bool feed(std::span<const std::uint8_t> bytes) {
    const std::size_t done = csv_parse(&csv_, bytes.data(), bytes.size(), on_field, on_row, this);
    return finish_call(done == bytes.size());
  }

  /// What is behind the last line end is a row. False if a quote is open.
  bool end() { return finish_call(csv_fini(&csv_, on_field, on_row, this) == 0); }

 private:
  // Exceptions do not pass through C: the first one waits here, and nothing more is given to the sink.
  bool finish_call(bool good) {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    if (!good && csv_error(&csv_) == CSV_ENOMEM) throw std::bad_alloc();
    return good;
  }

  template <class Call>
  void guarded(const Call& call) noexcept {
    if (failure_) return;
    try {
      call();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  static void on_field(void* text, std::size_t size, void* self) {
    auto& here = *static_cast<parser*>(self);
    here.guarded([&] { here.sink_->field({static_cast<const char*>(text), size}); });
  }

  static void on_row(int, void* self) {
    auto& here = *static_cast<parser*>(self);
    here.guarded([&] { here.sink_->row(); });
  }

  Sink* sink_;
  csv_parser csv_{};
  std::exception_ptr failure_;
};

/// Finds the place of a row by reading the file again.
struct row_finder {
  std::int64_t rows = 0;

  void field(std::string_view) noexcept {}
  void row() noexcept { ++rows; }
};

struct row_place {
  std::int64_t line = 1;
  std::int64_t offset = 0;
};

row_place find_row(const std::string& path, const csv_options& options, std::int64_t wanted) {
  row_finder finder;
  parser<row_finder> again(options, finder);
  gzip_reader file(path);
  std::vector<std::uint8_t> block(csv_block_bytes);
  row_place place;
  std::int64_t content = 0;
  for (std::size_t filled = file.read(block); filled > 0; filled = file.read(block)) {
    for (std::size_t i = 0; i < filled; ++i, ++content) {
      const bool line_end = block[i] == '\n' || block[i] == '\r';
      if (finder.rows == wanted && !line_end) {
        return {place.line, file.compressed() ? stored_offset_of(path, content) : content};
      }
      if (block[i] == '\n') ++place.line;
      again.feed({&block[i], 1});
    }
  }
  return {place.line, file.stored_offset()};
}

/// What is written for a missing value; most values are told from all of those by their first letter.
class missing_values {
 public:
  explicit missing_values(std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (const std::string& each : texts_) {
      if (each.empty()) {
        empty_ = true;
      } else {
        begins_[static_cast<unsigned char>(each.front())] = true;
      }
    }
  }

  bool contain(std::string_view text) const noexcept {
    if (text.empty()) return empty_;
    if (!begins_[static_cast<unsigned char>(text.front())]) return false;
    return std::find(texts_.begin(), texts_.end(), text) != texts_.end();
  }

 private:
  std::vector<std::string> texts_;
  std::array<bool, 256> begins_{};
  bool empty_ = false;
};

/// Asks for memory that has not been used to come in large pages, of which it takes a 512th of the faults.
void ask_for_large_pages(void* memory, std::size_t bytes) noexcept {
  constexpr std::uintptr_t page = std::uintptr_t{2} << 20;
  const std::uintptr_t from = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t begin = (from + page - 1) / page * page;
  const std::uintptr_t end = (from + bytes) / page * page;
  // Without them it is only slower.
  if (begin < end) static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE));
}

/// Where a column's values go.
class column_builder {
 public:
  column_builder(std::string name, std::optional<csv_type> declared, const missing_values& missing)
      : missing_(&missing), inferring_(!declared) {
    column_.name = std::move(name);
    column_.type = declared.value_or(csv_type::integer);
    declared_ = declared.has_value();
  }

  const std::string& name() const noexcept { return column_.name; }

  /// False if the text does not fit; expected() says what would. The eight bytes that begin with the text's
  /// can be read, as in a block, in libcsv's buffer, which is as large as that, and in a short std::string.
  bool add(std::string_view text) {
    if (inferring_) {
      first_.emplace_back(text);
      return first_.size() < static_cast<std::size_t>(most_inferred) || infer();
    }
    return store(text);
  }

  std::string expected() const {
    return std::string(to_string(column_.type)) +
           (declared_ ? ", as declared" : "; it is inferred to be one: declare another type for the column");
  }

  /// Makes place for so many values, if their type is known.
  void reserve(std::size_t values) {
    if (inferring_) return;
    const auto make_place = [&](auto& column) {
      column.reserve(values);
      ask_for_large_pages(column.data(), column.capacity() * sizeof(column[0]));
    };
    switch (column_.type) {
      case csv_type::integer:
        make_place(column_.integers);
        break;
      case csv_type::real:
        make_place(column_.reals);
        break;
      case csv_type::text:
        make_place(column_.texts);
        break;
    }
  }

  /// The values so far.
  csv_column take() {
    if (inferring_) infer();
    csv_column taken = std::move(column_);
    column_ = {.name = taken.name, .type = taken.type, .integers = {}, .reals = {}, .texts = {}};
    return taken;
  }

 private:
  bool infer() {
    inferring_ = false;
    bool decided = false;
    column_.type = csv_type::integer;
    for (const std::string& each : first_) {
      std::int64_t integer = 0;
      double real = 0.0;
      if (missing_->contain(each)) continue;
      decided = true;
      if (column_.type == csv_type::integer && parse_integer(each, integer)) continue;
      column_.type = csv_type::real;
      if (parse_real(each, real)) continue;
      column_.type = csv_type::text;
      break;
    }
    if (!decided && !first_.empty()) column_.type = csv_type::real;
    for (const std::string& each : first_) store(each);
    first_ = {};
    return true;
  }

  bool store(std::string_view text) {
    switch (column_.type) {
      case csv_type::integer: {
        std::int64_t value = 0;
        if (parse_integer(text, value)) {
          column_.integers.push_back(value);
          return true;
        }
        double real = 0.0;
        if (declared_ || !(missing_->contain(text) || parse_real(text, real))) return false;
        column_.reals.assign(column_.integers.begin(), column_.integers.end());
        column_.integers = {};
        column_.type = csv_type::real;
        return store(text);
      }
      case csv_type::real: {
        double value = 0.0;
        // Missing first where it reads like a number: "nan".
        if (!parse_real(text, value) || value != value) {
          if (!missing_->contain(text)) {
            if (value == value) return false;
          } else {
            ++column_.missing;
          }
          value = std::numeric_limits<double>::quiet_NaN();
        }
        column_.reals.push_back(value);
        return true;
      }
      case csv_type::text:
        if (missing_->contain(text)) {
          ++column_.missing;
          text = {};
        }
        column_.texts.emplace_back(text);
        return true;
    }
    return false;
  }

  csv_column column_;
  const missing_values* missing_;
  std::vector<std::string> first_;
  bool inferring_;
  bool declared_ = false;
};

}  // namespace

const csv_column& csv_table::operator[](std::string_view name) const {
  std::string known;
  for (const csv_column& each : columns) {
    if (each.name == name) return each;
    known += (known.empty() ? "" : ", ") + each.name;
  }
  throw invalid_argument("csv_table: there is no column '" + std::string(name) + "'; there are: " + known);
}

tensor<float, 2> csv_table::matrix(std::span<const std::string> names) const {
  const auto width = static_cast<std::int64_t>(names.size());
  tensor<float, 2> values({rows, width});
  for (std::int64_t place = 0; place < width; ++place) {
    const csv_column& from = (*this)[names[static_cast<std::size_t>(place)]];
    float* to = values.data() + place;
    const auto copy = [&](const auto& numbers) {
      for (const auto number : numbers) {
        *to = static_cast<float>(number);
        to += width;
      }
    };
    switch (from.type) {
      case csv_type::integer:
        copy(from.integers);
        break;
      case csv_type::real:
        copy(from.reals);
        break;
      case csv_type::text:
        throw invalid_argument("csv_table: the column '" + from.name + "' holds texts, not numbers");
    }
  }
  return values;
}

class csv_reader::state {
 public:
  state(std::string path, csv_options options)
      : path_(std::move(path)),
        options_(std::move(options)),
        missing_(options_.missing),
        file_(path_),
        parser_(options_, *this),
        block_(csv_block_bytes + readable_behind) {
    while (columns_.empty() && !ended_) feed();
    if (columns_.empty()) throw format_error(path_, 0, "the file is empty, it should have at least one row");
  }
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  bool read(csv_table& table, std::int64_t rows) {
    bool reserved = false;
    while (rows_ < rows && !ended_) {
      if (!reserved && all_rows_ > most_inferred) {
        reserve(rows);
        reserved = true;
      }
      feed();
    }
    table.rows = std::exchange(rows_, 0);
    table.columns.clear();
    for (column_builder& each : columns_) table.columns.push_back(each.take());
    return table.rows > 0;
  }

  void field(std::string_view text) {
    if (at_ < targets_.size()) [[likely]] {
      column_builder* const target = targets_[at_];
      if (target != nullptr && !target->add(text)) refuse_value(*target, text);
    } else if (columns_.empty()) {
      first_row_.emplace_back(text);
      return;
    }
    ++at_;
  }

  void row() {
    if (at_ == targets_.size() && at_ > 0) [[likely]] {
      ++rows_;
      at_ = 0;
    } else if (columns_.empty()) {
      open_columns();
    } else {
      refuse_row();
    }
    ++all_rows_;
  }

 private:
  [[noreturn, gnu::cold, gnu::noinline]] void refuse_value(const column_builder& column,
                                                           std::string_view text) const {
    refuse("column '" + column.name() + "': '" + std::string(text.substr(0, 60)) + "' is not " +
           column.expected());
  }

  [[noreturn, gnu::cold, gnu::noinline]] void refuse_row() const {
    std::string reason = "the row has " + std::to_string(at_);
    reason += at_ == 1 ? " value" : " values";
    refuse(reason + ", but there are " + std::to_string(targets_.size()) + " columns");
  }

  [[noreturn]] void refuse(const std::string& reason) const {
    const row_place place = find_row(path_, options_, all_rows_);
    throw format_error(path_, place.offset, "line " + std::to_string(place.line) + ": " + reason);
  }

  // As many rows as are wanted and as the rest of a plain file has if it goes on as it began.
  void reserve(std::int64_t wanted) {
    if (file_.compressed() || file_.content_bound() == std::numeric_limits<std::int64_t>::max()) return;
    const std::int64_t row_bytes = std::max<std::int64_t>(file_.content_offset() / (all_rows_ + 1), 1);
    const std::int64_t expected = std::min(wanted, rows_ + file_.content_bound() / row_bytes + rows_ / 8);
    for (column_builder& each : columns_) each.reserve(static_cast<std::size_t>(expected));
  }

  // Rows in which nothing is quoted are split here; libcsv gets the others, and what is behind the last line
  // end.
  void feed() {
    const std::size_t room = block_.size() - readable_behind;
    if (filled_ == room) block_.resize(2 * room + readable_behind);
    const std::size_t wanted = block_.size() - readable_behind - filled_;
    const std::size_t got = file_.read(std::span(block_).subspan(filled_, wanted));
    filled_ += got;
    ended_ = got < wanted;
    const char* const begin = reinterpret_cast<const char*>(block_.data());
    const void* const last = filled_ == 0 ? nullptr : ::memrchr(begin, '\n', filled_);
    const std::size_t whole =
        last == nullptr ? 0 : static_cast<std::size_t>(static_cast<const char*>(last) + 1 - begin);
    if (between_rows_ && whole > 0 && std::memchr(begin, options_.quote, whole) == nullptr &&
        std::memchr(begin, '\r', whole) == nullptr) {
      split({begin, whole});
    } else if (whole > 0) {
      parse_all(std::span(block_).first(whole - 1));
      const std::int64_t before = all_rows_;
      parse_all(std::span(block_).subspan(whole - 1, 1));
      between_rows_ = all_rows_ != before;
    }
    std::memmove(block_.data(), block_.data() + whole, filled_ - whole);
    filled_ -= whole;
    unfinished_ = between_rows_ ? 0 : unfinished_ + whole;
    if (unfinished_ + filled_ > most_row_bytes) {
      refuse("the row is longer than 16 MiB; is a quote not closed, or is this another kind of file?");
    }
    if (!ended_) return;
    parse_all(std::span(block_).first(filled_));
    if (!parser_.end()) refuse("a quote is opened and not closed");
  }

  void parse_all(std::span<const std::uint8_t> bytes) {
    if (!parser_.feed(bytes)) {
      refuse(
          "there is a quote within a value that is not quoted, or more behind a closing quote; a quote "
          "within a "
          "value is written twice");
    }
  }

  // Whole rows without quotes, as libcsv would.
  void split(std::string_view bytes) {
    const char* from = bytes.data();
    bool first = true;
    const auto value = [&](const char* mark) {
      const std::string_view text = trimmed(from, mark);
      const bool last = *mark == '\n';
      from = mark + 1;
      if (!(first && last && text.empty())) {
        field(text);
        if (last) row();
      }
      first = last;
    };
    std::size_t at = 0;
    for (; at + 16 <= bytes.size(); at += 16) {
      for (unsigned bits = marks(bytes.data() + at, options_.delimiter, '\n'); bits != 0; bits &= bits - 1) {
        value(bytes.data() + at + std::countr_zero(bits));
      }
    }
    for (; at < bytes.size(); ++at) {
      if (bytes[at] == options_.delimiter || bytes[at] == '\n') value(bytes.data() + at);
    }
  }

  void open_columns() {
    std::vector<std::string> names = std::exchange(first_row_, {});
    std::vector<std::string> values;
    if (!options_.header) {
      values = std::move(names);
      names.clear();
      for (std::size_t i = 0; i < values.size(); ++i) names.push_back(std::to_string(i));
    }
    for (auto each = names.begin(); each != names.end(); ++each) {
      if (std::find(names.begin(), each, *each) != each) refuse("the column '" + *each + "' comes twice");
    }
    for (const auto& [name, type] : options_.types) place_of(name, names);
    const std::vector<std::string>& wanted = options_.columns.empty() ? names : options_.columns;
    columns_.reserve(wanted.size());
    targets_.assign(names.size(), nullptr);
    for (const std::string& name : wanted) {
      column_builder*& target = targets_[place_of(name, names)];
      if (target != nullptr) throw invalid_argument("csv_options.columns has '" + name + "' twice");
      const auto declared = options_.types.find(name);
      target = &columns_.emplace_back(
          name, declared == options_.types.end() ? std::nullopt : std::optional(declared->second), missing_);
    }
    if (!values.empty()) {
      for (const std::string& each : values) field(each);
      ++rows_;
      at_ = 0;
    }
  }

  std::size_t place_of(const std::string& name, const std::vector<std::string>& names) const {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    std::string known;
    for (const std::string& each : names) known += (known.empty() ? "" : ", ") + each;
    throw invalid_argument("csv_options: " + path_ + " has no column '" + name + "'; it has: " + known);
  }

  std::string path_;
  csv_options options_;
  missing_values missing_;
  gzip_reader file_;
  parser<state> parser_;
  std::vector<std::uint8_t> block_;
  std::size_t filled_ = 0;      // bytes of block_
  std::size_t unfinished_ = 0;  // bytes of a row that libcsv has taken
  bool between_rows_ = true;    // or libcsv is in the middle of one
  std::vector<std::string> first_row_;
  std::vector<column_builder> columns_;
  std::vector<column_builder*> targets_;  // of each of the file's columns: one of columns_, or null
  std::size_t at_ = 0;                    // of the next value, which of the file's columns
  std::int64_t rows_ = 0;                 // that have not been taken
  std::int64_t all_rows_ = 0;             // with the names
  bool ended_ = false;
};

csv_reader::csv_reader(std::string path, csv_options options) {
  if (options.delimiter == options.quote || options.delimiter == '\n' || options.quote == '\n') {
    throw invalid_argument(
        "csv_options: delimiter and quote must be two different characters, and no line ends");
  }
  state_ = std::make_unique<state>(std::move(path), std::move(options));
}
csv_reader::csv_reader(csv_reader&&) noexcept = default;
csv_reader& csv_reader::operator=(csv_reader&&) noexcept = default;
csv_reader::~csv_reader() = default;

bool csv_reader::read(csv_table& table, std::int64_t rows) {
  if (rows < 1) {
    throw invalid_argument("csv_reader: rows is " + std::to_string(rows) + "; it must be at least 1");
  }
  return state_->read(table, rows);
}

csv_table read_csv(const std::string& path, csv_options options) {
  csv_reader reader(path, std::move(options));
  csv_table table;
  reader.read(table, std::numeric_limits<std::int64_t>::max());
  return table;
}

}  // namespace weft
