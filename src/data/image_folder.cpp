#include <weft/core/error.hpp>
#include <weft/data/detail/kept_rows.hpp>
#include <weft/data/image_folder.hpp>

#include <fcntl.h>     // for ::open
#include <sys/stat.h>  // for ::fstat
#include <unistd.h>    // for ::read, ::close

#include <algorithm>     // for std::sort, std::min, std::max
#include <cctype>        // for std::tolower
#include <cerrno>        // for errno
#include <cmath>         // for std::sqrt, std::exp, std::log
#include <cstddef>       // for std::size_t
#include <filesystem>    // for std::filesystem::recursive_directory_iterator
#include <system_error>  // for std::error_code
#include <utility>       // for std::move

namespace weft {
namespace {

namespace fs = std::filesystem;

constexpr int crop_attempts = 10;

bool is_jpeg(const fs::path& file) {
  std::string ending = file.extension().string();
  for (char& letter : ending) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return ending == ".jpg" || ending == ".jpeg";
}

[[noreturn]] void fail(const std::string& path, const char* action, int code) {
  throw io_error(path, action, std::error_code(code, std::generic_category()));
}

class open_file {
 public:
  explicit open_file(const std::string& path) : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (number_ < 0) fail(path, "open", errno);
  }
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file() { ::close(number_); }

  int number() const noexcept { return number_; }

 private:
  int number_;
};

void read_file(const std::string& path, std::vector<std::uint8_t>& content) {
  const open_file file(path);
  struct stat facts {};
  if (::fstat(file.number(), &facts) != 0) fail(path, "read", errno);
  // One byte more than there should be, so that the end of the file is seen at once.
  content.resize(static_cast<std::size_t>(std::max<off_t>(facts.st_size, 0)) + 1);
  std::size_t filled = 0;
  for (;;) {
    const ssize_t count = ::read(file.number(), content.data() + filled, content.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, "read", errno);
    filled += static_cast<std::size_t>(count);
    if (count == 0) break;
    if (filled == content.size()) content.resize(2 * content.size());
  }
  content.resize(filled);
}

image_area middle(std::int64_t rows, std::int64_t cols, double ratio) {
  const auto height = static_cast<double>(rows);
  const auto width = static_cast<double>(cols);
  const double part_height = std::min(height, width / ratio);
  const double part_width = std::min(width, height * ratio);
  return {(height - part_height) / 2.0, (width - part_width) / 2.0, part_height, part_width};
}

image_area random_part(std::int64_t rows, std::int64_t cols, double ratio, const philox& random) {
  const auto height = static_cast<double>(rows);
  const auto width = static_cast<double>(cols);
  std::uint64_t drawn = 0;
  const auto between = [&](double low, double high) { return low + (high - low) * random.uniform(drawn++); };
  for (int attempt = 0; attempt < crop_attempts; ++attempt) {
    const double area = height * width * between(0.08, 1.0);
    const double shape = std::exp(between(std::log(3.0 / 4.0), std::log(4.0 / 3.0)));
    const double part_height = std::sqrt(area / shape);
    const double part_width = std::sqrt(area * shape);
    if (part_height > height || part_width > width) continue;
    const double top = between(0.0, height - part_height);
    const double left = between(0.0, width - part_width);
    return {top, left, part_height, part_width};
  }
  return middle(rows, cols, ratio);
}

}  // namespace

image_folder::image_folder(std::string folder, image_folder_options options)
    : folder_(std::move(folder)), options_(options) {
  if (options_.rows < 1 || options_.cols < 1) {
    throw invalid_argument("image_folder: rows and cols must be at least 1, they are " +
                           std::to_string(options_.rows) + " and " + std::to_string(options_.cols));
  }
  for (const float deviation : options_.deviation) {
    if (!(deviation != 0.0F)) throw invalid_argument("image_folder: a deviation is 0");
  }
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
      if (entry.is_directory()) classes_.push_back(entry.path().filename().string());
    }
    std::sort(classes_.begin(), classes_.end());
    for (const std::string& name : classes_) {
      const std::size_t first = files_.size();
      for (const fs::directory_entry& entry : fs::recursive_directory_iterator(fs::path(folder_) / name)) {
        if (entry.is_regular_file() && is_jpeg(entry.path())) {
          files_.push_back(entry.path().lexically_relative(folder_).string());
        }
      }
      if (files_.size() == first) {
        throw invalid_argument("image_folder: " + folder_ + "/" + name +
                               ": there is no .jpg or .jpeg file in it; remove it or add its images");
      }
      std::sort(files_.begin() + static_cast<std::ptrdiff_t>(first), files_.end());
      labels_.resize(files_.size(), static_cast<std::int32_t>(&name - classes_.data()));
    }
  } catch (const fs::filesystem_error& failure) {
    throw io_error(failure.path1().empty() ? folder_ : failure.path1().string(), "list", failure.code());
  }
  if (classes_.empty()) {
    throw invalid_argument("image_folder: " + folder_ + ": there are no folders in it; it takes one a class");
  }
}

void image_folder::prepare(batch_type& batch, std::int64_t samples) const {
  const shape<2> extents = {samples, options_.rows * options_.cols * 3};
  if (batch.images.extents() != extents) batch.images = tensor<float, 2>(extents);
  if (batch.labels.extents() != shape<1>{samples}) batch.labels = tensor<std::int32_t, 1>({samples});
}

std::int64_t image_folder::load(const sample_request& request, batch_type& batch) const {
  static thread_local std::vector<std::uint8_t> content;
  constexpr std::uint64_t flip_draw = 4 * crop_attempts;  // behind those of the crop
  const std::string path = name(request.index);
  read_file(path, content);
  const double ratio = static_cast<double>(options_.cols) / static_cast<double>(options_.rows);
  const auto area = [&](std::int64_t rows, std::int64_t cols) {
    return options_.random_crop ? random_part(rows, cols, ratio, request.random) : middle(rows, cols, ratio);
  };
  const jpeg_target target = {.rows = options_.rows,
                              .cols = options_.cols,
                              .flip = options_.random_flip && request.random.uniform(flip_draw) < 0.5,
                              .mean = options_.mean,
                              .deviation = options_.deviation};
  const std::int64_t width = options_.rows * options_.cols * 3;
  decode_jpeg(content, path, target, area,
              {batch.images.data() + request.row * width, static_cast<std::size_t>(width)});
  batch.labels(request.row) = label(request.index);
  return static_cast<std::int64_t>(content.size());
}

void image_folder::keep(batch_type& batch, std::span<const std::int64_t> rows) const {
  batch.images = detail::kept_rows(batch.images, rows);
  batch.labels = detail::kept_rows(batch.labels, rows);
}

}  // namespace weft
