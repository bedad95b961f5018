#include <data/area_blend.hpp>
#include <data/area_filter.hpp>
#include <data/pixels.hpp>
#include <weft/core/error.hpp>
#include <weft/data/jpeg.hpp>

#include <cstdio>  // for std::FILE, which jpeglib.h needs

#include <jpeglib.h>  // for jpeg_decompress_struct

#include <jerror.h>  // for JWRN_EXTRANEOUS_DATA

#include <algorithm>  // for std::min, std::max
#include <csetjmp>    // for setjmp, std::longjmp
#include <cstddef>    // for std::size_t

namespace weft {
namespace {

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

}  // namespace

void decode_jpeg(std::span<const std::uint8_t> content, const std::string& name, const image_target& target,
                 const choose_area& area, std::span<float> out) {
  check(target, out.size(), "decode_jpeg");
  jpeg_reader jpeg(content, name);
  jpeg.open();
  const image_area wanted = area(jpeg.rows(), jpeg.cols());
  check(wanted, jpeg.rows(), jpeg.cols(), name);
  const bool bilinear = target.method == resize_method::bilinear;
  const unsigned divisor = divisor_of(wanted, target);
  jpeg.start(bilinear ? divisor : std::max(divisor / 2, 1U));

  const auto run = [&](auto resize) {
    const std::int64_t first_col = jpeg.crop(resize.begin_col(), resize.end_col());
    jpeg.skip_rows(resize.begin_row());
    resize.run(
        first_col, jpeg.decoded_cols(), [&](std::uint8_t* row) { jpeg.read_row(row); }, out.data());
  };
  if (bilinear) {
    run(area_blend(target, wanted, jpeg.rows(), jpeg.cols(), jpeg.decoded_rows(), jpeg.decoded_cols()));
  } else {
    run(area_filter(target, wanted, jpeg.rows(), jpeg.cols(), jpeg.decoded_rows(), jpeg.decoded_cols()));
  }
}

image_pixels decode_jpeg_pixels(std::span<const std::uint8_t> content, const std::string& name,
                                std::vector<std::uint8_t>& values) {
  jpeg_reader jpeg(content, name);
  jpeg.open();
  jpeg.start(1);
  values.resize(static_cast<std::size_t>(3 * jpeg.rows() * jpeg.cols()));
  std::uint8_t* row = values.data();
  for (std::int64_t i = 0; i < jpeg.rows(); ++i, row += 3 * jpeg.cols()) jpeg.read_row(row);
  return {jpeg.rows(), jpeg.cols(), values.data()};
}

}  // namespace weft
