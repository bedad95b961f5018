#include <data/area_blend.hpp>
#include <data/pixels.hpp>
#include <weft/core/error.hpp>
#include <weft/data/png.hpp>

#include <png.h>  // for png_create_read_struct

#include <algorithm>  // for std::max, std::min
#include <csetjmp>    // for setjmp, std::longjmp
#include <cstdio>     // for std::snprintf
#include <cstring>    // for std::memcpy

namespace weft {
namespace {

/// libpng over a span. Its errors jump back into run(); the frames between hold nothing to destroy.
class png_reader {
 public:
  png_reader(std::span<const std::uint8_t> content, const std::string& name)
      : content_(content), name_(name) {
    const auto fails = [](png_structp png, const char* reason) {
      auto& here = *static_cast<png_reader*>(png_get_error_ptr(png));
      std::snprintf(here.reason_, sizeof here.reason_, "%s", reason);
      std::longjmp(here.back_, 1);
    };
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fails, [](png_structp, const char*) {});
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw error(name_ + ": there is no memory for libpng");
    }
  }
  png_reader(const png_reader&) = delete;
  png_reader& operator=(const png_reader&) = delete;
  ~png_reader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  /// Reads the header.
  void open() {
    if (content_.empty()) throw format_error(name_, 0, "the file is empty, it should be a PNG");
    run([](png_reader& here) {
      png_set_read_fn(here.png_, &here, [](png_structp png, png_bytep to, std::size_t count) {
        auto& from = *static_cast<png_reader*>(png_get_io_ptr(png));
        if (count > from.content_.size() - from.at_) png_error(png, "the file ends too soon");
        std::memcpy(to, from.content_.data() + from.at_, count);
        from.at_ += count;
      });
      png_read_info(here.png_, here.info_);
    });
    if (rows() * cols() > most_pixels) {
      throw format_error(name_, offset(),
                         "the image has " + std::to_string(rows()) + " x " + std::to_string(cols()) +
                             " pixels; at most 2^28 are accepted");
    }
  }

  /// All pixels, [rows, cols, 3].
  void read(std::vector<std::uint8_t>& pixels) {
    run([](png_reader& here) {
      png_set_expand(here.png_);
      png_set_strip_16(here.png_);
      png_set_strip_alpha(here.png_);
      png_set_gray_to_rgb(here.png_);
      here.passes_ = png_set_interlace_handling(here.png_);
      png_read_update_info(here.png_, here.info_);
    });
    pixels.resize(static_cast<std::size_t>(3 * rows() * cols()));
    pixels_ = pixels.data();
    run([](png_reader& here) {
      for (int pass = 0; pass < here.passes_; ++pass) {
        for (std::int64_t row = 0; row < here.rows(); ++row) {
          png_read_row(here.png_, here.pixels_ + 3 * row * here.cols(), nullptr);
        }
      }
      png_read_end(here.png_, nullptr);
    });
  }

  std::int64_t rows() const noexcept { return png_get_image_height(png_, info_); }
  std::int64_t cols() const noexcept { return png_get_image_width(png_, info_); }

 private:
  void run(void (*step)(png_reader&)) {
    if (setjmp(back_) != 0) throw format_error(name_, offset(), std::string("not a whole PNG: ") + reason_);
    step(*this);
  }

  std::int64_t offset() const noexcept { return static_cast<std::int64_t>(at_); }

  std::span<const std::uint8_t> content_;
  const std::string& name_;
  std::size_t at_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::uint8_t* pixels_ = nullptr;
  int passes_ = 1;
  char reason_[200] = "";
  std::jmp_buf back_{};
};

/// Averages squares of pixels, in place; at the right and lower edge over those that there are.
void shrink(std::vector<std::uint8_t>& pixels, std::int64_t& rows, std::int64_t& cols, std::int64_t divisor) {
  const std::int64_t down = (rows + divisor - 1) / divisor;
  const std::int64_t across = (cols + divisor - 1) / divisor;
  std::uint8_t* to = pixels.data();
  for (std::int64_t row = 0; row < down; ++row) {
    const std::int64_t last_row = std::min(rows, (row + 1) * divisor);
    for (std::int64_t col = 0; col < across; ++col) {
      const std::int64_t last_col = std::min(cols, (col + 1) * divisor);
      std::array<unsigned, 3> sums{};
      for (std::int64_t y = row * divisor; y < last_row; ++y) {
        const std::uint8_t* from = pixels.data() + 3 * (y * cols + col * divisor);
        for (std::int64_t x = col * divisor; x < last_col; ++x) {
          for (unsigned& sum : sums) sum += *from++;
        }
      }
      // At least one: the square begins inside.
      const auto count =
          std::max(1U, static_cast<unsigned>((last_row - row * divisor) * (last_col - col * divisor)));
      for (const unsigned sum : sums) *to++ = static_cast<std::uint8_t>((sum + count / 2) / count);
    }
  }
  rows = down;
  cols = across;
}

}  // namespace

void decode_png(std::span<const std::uint8_t> content, const std::string& name, const image_target& target,
                const choose_area& area, std::span<float> out) {
  static thread_local std::vector<std::uint8_t> pixels;
  check(target, out.size(), "decode_png");
  png_reader png(content, name);
  png.open();
  const image_area wanted = area(png.rows(), png.cols());
  check(wanted, png.rows(), png.cols(), name);
  png.read(pixels);
  std::int64_t rows = png.rows();
  std::int64_t cols = png.cols();
  const unsigned divisor = divisor_of(wanted, target);
  if (divisor > 1 && target.method == resize_method::bilinear) shrink(pixels, rows, cols, divisor);
  place_pixels({rows, cols, pixels.data()}, target, wanted, png.rows(), png.cols(), out.data());
}

image_pixels decode_png_pixels(std::span<const std::uint8_t> content, const std::string& name,
                               std::vector<std::uint8_t>& values) {
  png_reader png(content, name);
  png.open();
  png.read(values);
  return {png.rows(), png.cols(), values.data()};
}

}  // namespace weft
