#include <data/image_options.hpp>
#include <data/open_file.hpp>
#include <weft/core/error.hpp>
#include <weft/data/detail/kept_rows.hpp>
#include <weft/data/image_folder.hpp>

#include <algorithm>   // for std::sort
#include <cctype>      // for std::tolower
#include <cmath>       // for std::sqrt, std::exp, std::log
#include <cstddef>     // for std::size_t
#include <filesystem>  // for std::filesystem::recursive_directory_iterator
#include <utility>     // for std::move

namespace weft {
namespace {

namespace fs = std::filesystem;

bool is_image(const fs::path& file) {
  std::string ending = file.extension().string();
  for (char& letter : ending) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png";
}

}  // namespace

image_folder::image_folder(std::string folder, image_options options)
    : folder_(std::move(folder)), options_(std::move(options)) {
  check(options_, "image_folder");
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
      if (entry.is_directory()) classes_.push_back(entry.path().filename().string());
    }
    std::sort(classes_.begin(), classes_.end());
    for (const std::string& name : classes_) {
      const std::size_t first = files_.size();
      for (const fs::directory_entry& entry : fs::recursive_directory_iterator(fs::path(folder_) / name)) {
        if (entry.is_regular_file() && is_image(entry.path())) {
          files_.push_back(entry.path().lexically_relative(folder_).string());
        }
      }
      if (files_.size() == first) {
        throw invalid_argument("image_folder: " + folder_ + "/" + name +
                               ": there is no .jpg, .jpeg or .png file in it; remove it or add its images");
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
  const std::string path = name(request.index);
  const std::int64_t width = options_.rows * options_.cols * 3;
  const wanted_image image = {request.index,
                              path,
                              request.random,
                              {batch.images.data() + request.row * width, static_cast<std::size_t>(width)}};
  batch.labels(request.row) = label(request.index);
  if (const std::int64_t cached = place_cached(image, options_); cached != 0) return cached;
  open_file(path).read(content);
  place_file(content, image, options_);
  return static_cast<std::int64_t>(content.size());
}

cache_stats image_folder::cached() const {
  return options_.cache ? options_.cache->stats() : cache_stats{};
}

void image_folder::will_need(std::int64_t index) const {
  open_file::will_need(name(index));
}

void image_folder::keep(batch_type& batch, std::span<const std::int64_t> rows) const {
  batch.images = detail::kept_rows(batch.images, rows);
  batch.labels = detail::kept_rows(batch.labels, rows);
}

}  // namespace weft
