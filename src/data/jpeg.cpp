#include <weft/core/error.hpp>
#include <weft/data/jpeg.hpp>

#include <cstdio>  // for std::FILE, which jpeglib.h needs

#include <jpeglib.h>  // for jpeg_decompress_struct

#include <jerror.h>  // for JWRN_EXTRANEOUS_DATA

#include <algorithm>  // for std::clamp, std::min, std::max, std::swap
#include <cmath>      // for std::floor
#include <csetjmp>    // for setjmp, std::longjmp
#include <cstddef>    // for std::size_t
#include <cstring>    // for std::memcpy
#include <vector>     // for std::vector

namespace weft {
namespace {

constexpr std::int64_t most_pixels = std::int64_t{1} << 28;

/// libjpeg over a span. Its errors jump back into run(); the frames between hold nothing to destroy.
class jpeg_reader {
 public:
  jpeg_reader(std::span<const std::uint8_t> content, const std::string& name)
      : content_(content), name_(name) {
    jpeg_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr jpeg) { self(jpeg).jump(); };
    errors_.emit_message = [](j_common_ptr jpeg, int level) {
      // -1 is a warning: data that had to be guessed. Bytes between two markers are harmless.
      if (level < 0 && jpeg->err->msg_code != JWRN_EXTRANEOUS_DATA) self(jpeg).jump();
    };
    jpeg_.client_data = this;
    run([](jpeg_decompress_struct& jpeg) { jpeg_create_decompress(&jpeg); });
  }
  jpeg_reader(const jpeg_reader&) = delete;
  jpeg_reader& operator=(const jpeg_reader&) = delete;
  ~jpeg_reader() { jpeg_destroy_decompress(&jpeg_); }

  /// Reads the header.
  void open() {
    if (content_.empty()) throw format_error(name_, 0, "the file is empty, it should be a JPEG");
    jpeg_mem_src(&jpeg_, content_.data(), static_cast<unsigned long>(content_.size()));
    run([](jpeg_decompress_struct& jpeg) { jpeg_read_header(&jpeg, TRUE); });
    if (rows() * cols() > most_pixels) {
      throw format_error(name_, offset(),
                         "the image has " + std::to_string(rows()) + " x " + std::to_string(cols()) +
                             " pixels; at most 2^28 are accepted");
    }
  }

  /// Starts decoding at 1 / divisor of the size.
  void start(unsigned divisor) {
    jpeg_.scale_num = 1;
    jpeg_.scale_denom = divisor;
    jpeg_.out_color_space = JCS_RGB;
    run([](jpeg_decompress_struct& jpeg) { jpeg_start_decompress(&jpeg); });
  }

  /// Restricts the columns, after start(): at least [begin, end) will be decoded, as decoding all would.
  /// Returns the first one.
  std::int64_t crop(std::int64_t begin, std::int64_t end) {
    // The outermost columns' chroma is interpolated as if the image ended there.
    first_ = static_cast<JDIMENSION>(std::max<std::int64_t>(begin - 2, 0));
    count_ = static_cast<JDIMENSION>(std::min<std::int64_t>(end + 2, jpeg_.output_width)) - first_;
    if (first_ == 0 && count_ == jpeg_.output_width) return 0;
    run([](jpeg_decompress_struct& jpeg) {
      jpeg_reader& here = self(reinterpret_cast<j_common_ptr>(&jpeg));
      jpeg_crop_scanline(&jpeg, &here.first_, &here.count_);
    });
    return first_;
  }

  /// Goes on without the next rows, which is faster than reading them.
  void skip_rows(std::int64_t count) {
    if (count <= 0) return;
    count_ = static_cast<JDIMENSION>(count);
    run([](jpeg_decompress_struct& jpeg) {
      jpeg_skip_scanlines(&jpeg, self(reinterpret_cast<j_common_ptr>(&jpeg)).count_);
    });
  }

  void read_row(std::uint8_t* row) {
    row_ = row;
    run([](jpeg_decompress_struct& jpeg) {
      JSAMPROW rows[] = {self(reinterpret_cast<j_common_ptr>(&jpeg)).row_};
      jpeg_read_scanlines(&jpeg, rows, 1);
    });
  }

  std::int64_t rows() const noexcept { return jpeg_.image_height; }
  std::int64_t cols() const noexcept { return jpeg_.image_width; }
  std::int64_t decoded_rows() const noexcept { return jpeg_.output_height; }
  std::int64_t decoded_cols() const noexcept { return jpeg_.output_width; }

 private:
  static jpeg_reader& self(j_common_ptr jpeg) { return *static_cast<jpeg_reader*>(jpeg->client_data); }

  [[noreturn]] void jump() { std::longjmp(back_, 1); }

  void run(void (*step)(jpeg_decompress_struct&)) {
    if (setjmp(back_) != 0) fail();
    step(jpeg_);
  }

  [[noreturn]] void fail() {
    char text[JMSG_LENGTH_MAX];
    errors_.format_message(reinterpret_cast<j_common_ptr>(&jpeg_), text);
    throw format_error(name_, offset(), std::string("not a whole JPEG: ") + text);
  }

  std::int64_t offset() const noexcept {
    const auto left = jpeg_.src != nullptr ? static_cast<std::int64_t>(jpeg_.src->bytes_in_buffer) : 0;
    // At its end libjpeg reads on in an end marker of its own.
    return std::max<std::int64_t>(static_cast<std::int64_t>(content_.size()) - left, 0);
  }

  std::span<const std::uint8_t> content_;
  const std::string& name_;
  std::uint8_t* row_ = nullptr;  // what follows are the arguments of a step
  JDIMENSION first_ = 0;
  JDIMENSION count_ = 0;
  jpeg_error_mgr errors_{};
  jpeg_decompress_struct jpeg_{};
  std::jmp_buf back_{};
};

/// Where one row or column of the result comes from: first + share of the way to the next.
struct between {
  std::int64_t first;
  std::int64_t second;
  float share;
};

/// @param begin, length the part of an axis that is wanted, in decoded pixels; @param available how many
/// there are
between source_of(std::int64_t index, std::int64_t wanted, double begin, double length,
                  std::int64_t available) noexcept {
  const double step = length / static_cast<double>(wanted);
  const double low = std::max(begin, 0.0);
  const double high = std::max(std::min(begin + length, static_cast<double>(available)) - 1.0, low);
  const double place = std::clamp(begin + (static_cast<double>(index) + 0.5) * step - 0.5, low, high);
  const auto last = available - 1;
  const auto first = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(place)), 0, last);
  return {first, std::min(first + 1, last), static_cast<float>(place - static_cast<double>(first))};
}

/// Of a column of the result: the place of its two pixels' first values in a row, and the share of the
/// second.
struct column_source {
  std::int32_t first;
  std::int32_t second;
  float share;
};

struct scratch {
  std::vector<column_source> columns;
  std::vector<std::uint8_t> upper;
  std::vector<std::uint8_t> lower;
  std::vector<float> row;
};

/// A pixel and the value behind it, which does not matter: vectors have no three elements.
using pixel [[gnu::vector_size(16)]] = float;

pixel load_pixel(const float* from) noexcept {
  pixel value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Between two decoded rows.
void blend_rows(const scratch& buffers, float share, std::vector<float>& out) noexcept {
  const std::uint8_t* upper = buffers.upper.data();
  const std::uint8_t* lower = buffers.lower.data();
  float* to = out.data();
  for (std::size_t i = 0; i < buffers.upper.size(); ++i) {
    const auto above = static_cast<float>(upper[i]);
    to[i] = above + share * (static_cast<float>(lower[i]) - above);
  }
}

/// Between the columns of a blended row, and normalised.
void blend_columns(const scratch& buffers, pixel factor, pixel offset, float* to) noexcept {
  const float* row = buffers.row.data();
  const auto blended = [&](const column_source& column) {
    const pixel left = load_pixel(row + column.first);
    return (left + column.share * (load_pixel(row + column.second) - left)) * factor + offset;
  };
  const std::size_t last = buffers.columns.size() - 1;
  for (std::size_t col = 0; col < last; ++col, to += 3) {
    const pixel value = blended(buffers.columns[col]);
    std::memcpy(to, &value, sizeof value);  // the next pixel goes over its fourth element
  }
  const pixel value = blended(buffers.columns[last]);
  std::memcpy(to, &value, 3 * sizeof(float));
}

void check(const jpeg_target& target, std::size_t floats) {
  if (target.rows < 1 || target.cols < 1) {
    throw invalid_argument("decode_jpeg: the target is " + std::to_string(target.rows) + " x " +
                           std::to_string(target.cols) + " pixels; it must have at least one");
  }
  if (static_cast<std::int64_t>(floats) != target.rows * target.cols * 3) {
    throw invalid_argument("decode_jpeg: out has " + std::to_string(floats) +
                           " floats but the target needs " + std::to_string(target.rows * target.cols * 3));
  }
  for (const float deviation : target.deviation) {
    if (!(deviation != 0.0F)) throw invalid_argument("decode_jpeg: a deviation is 0");
  }
}

}  // namespace

void decode_jpeg(std::span<const std::uint8_t> content, const std::string& name, const jpeg_target& target,
                 const choose_area& area, std::span<float> out) {
  static thread_local scratch buffers;
  check(target, out.size());
  jpeg_reader jpeg(content, name);
  jpeg.open();
  const image_area wanted = area(jpeg.rows(), jpeg.cols());
  constexpr double rounding = 1e-6;
  const auto inside = [](double begin, double length, std::int64_t available) {
    return length > 0.0 && begin > -rounding && begin + length < static_cast<double>(available) + rounding;
  };
  if (!inside(wanted.top, wanted.rows, jpeg.rows()) || !inside(wanted.left, wanted.cols, jpeg.cols())) {
    throw invalid_argument("decode_jpeg: " + name +
                           ": the area is empty or not within the image, which has " +
                           std::to_string(jpeg.rows()) + " x " + std::to_string(jpeg.cols()) + " pixels");
  }
  unsigned divisor = 1;
  while (divisor < 8 && wanted.rows >= 2.0 * divisor * static_cast<double>(target.rows) &&
         wanted.cols >= 2.0 * divisor * static_cast<double>(target.cols)) {
    divisor *= 2;
  }
  jpeg.start(divisor);

  const double across = static_cast<double>(jpeg.decoded_cols()) / static_cast<double>(jpeg.cols());
  const double down = static_cast<double>(jpeg.decoded_rows()) / static_cast<double>(jpeg.rows());
  const auto row_source = [&, available = jpeg.decoded_rows()](std::int64_t row) {
    return source_of(row, target.rows, wanted.top * down, wanted.rows * down, available);
  };
  const auto col_source = [&, available = jpeg.decoded_cols()](std::int64_t col) {
    return source_of(col, target.cols, wanted.left * across, wanted.cols * across, available);
  };
  const std::int64_t first_col = jpeg.crop(col_source(0).first, col_source(target.cols - 1).second + 1);
  buffers.columns.clear();
  for (std::int64_t col = 0; col < target.cols; ++col) {
    const between from = col_source(target.flip ? target.cols - 1 - col : col);
    buffers.columns.push_back({static_cast<std::int32_t>(3 * (from.first - first_col)),
                               static_cast<std::int32_t>(3 * (from.second - first_col)), from.share});
  }
  const auto width = static_cast<std::size_t>(3 * jpeg.decoded_cols());
  buffers.upper.resize(width);
  buffers.lower.resize(width);
  buffers.row.resize(width + 1);  // the last pixel is loaded with the value behind it
  pixel factor = {};
  pixel offset = {};
  for (std::size_t channel = 0; channel < 3; ++channel) {
    factor[channel] = 1.0F / (255.0F * target.deviation[channel]);
    offset[channel] = -target.mean[channel] / target.deviation[channel];
  }

  std::int64_t decoded = row_source(0).first;  // rows; the last one is in lower, the one before it in upper
  jpeg.skip_rows(decoded);
  float* to = out.data();
  for (std::int64_t row = 0; row < target.rows; ++row, to += 3 * target.cols) {
    const between here = row_source(row);
    while (decoded <= here.second) {
      std::swap(buffers.upper, buffers.lower);
      jpeg.read_row(buffers.lower.data());
      ++decoded;
    }
    // In the last row of the image there is no other below; upper is any row then.
    blend_rows(buffers, here.first == here.second ? 1.0F : here.share, buffers.row);
    blend_columns(buffers, factor, offset, to);
  }
}

}  // namespace weft
