#include <weft/core/error.hpp>
#include <weft/data/gzip.hpp>
#include <weft/data/image_set.hpp>

#include <algorithm>  // for std::find_if
#include <utility>    // for std::move

namespace weft {
namespace {

constexpr int most_classes = 256;
constexpr std::int64_t first_extent_offset = 4;
constexpr std::int64_t rank_offset = 3;

[[noreturn]] void refuse(const std::string& path, std::int64_t content_offset, const std::string& reason) {
  throw format_error(path, stored_offset_of(path, content_offset), reason);
}

void check_classes(int classes) {
  if (classes < 1 || classes > most_classes) {
    throw invalid_argument("image_files.classes is " + std::to_string(classes) + "; it must be 1 to 256");
  }
}

idx_array read_images(const image_files& files) {
  idx_array array = read_idx(files.images, files.idx);
  if (array.type != idx_type::uint8) {
    refuse(files.images, rank_offset - 1, std::string("images must be uint8, not ") + to_string(array.type));
  }
  if (array.extents.size() != 3 && array.extents.size() != 4) {
    refuse(files.images, rank_offset,
           "images have 3 dimensions (count, rows, columns) or 4 (and channels), not " +
               std::to_string(array.extents.size()));
  }
  for (std::size_t axis = 1; axis < array.extents.size(); ++axis) {
    if (array.extents[axis] == 0) {
      refuse(files.images, first_extent_offset + 4 * static_cast<std::int64_t>(axis),
             "the images have an extent of 0");
    }
  }
  return array;
}

idx_array read_labels(const image_files& files) {
  idx_array array = read_idx(files.labels, files.idx);
  if (array.type != idx_type::uint8) {
    refuse(files.labels, rank_offset - 1, std::string("labels must be uint8, not ") + to_string(array.type));
  }
  if (array.extents.size() != 1) {
    refuse(files.labels, rank_offset,
           "labels have 1 dimension (count), not " + std::to_string(array.extents.size()));
  }
  const auto wrong = std::find_if(array.bytes.begin(), array.bytes.end(),
                                  [&](std::uint8_t label) { return label >= files.classes; });
  if (wrong != array.bytes.end()) {
    const std::int64_t index = wrong - array.bytes.begin();
    refuse(files.labels, array.payload_offset + index,
           "the label of image " + std::to_string(index) + " is " + std::to_string(*wrong) +
               "; there are only " + std::to_string(files.classes) + " classes");
  }
  return array;
}

image_set join(const image_files& files, idx_array images, idx_array labels) {
  if (images.extents[0] != labels.extents[0]) {
    refuse(files.labels, first_extent_offset,
           "there are " + std::to_string(labels.extents[0]) + " labels, but " +
               std::to_string(images.extents[0]) + " images in " + files.images);
  }
  image_set set;
  set.count = images.extents[0];
  set.rows = images.extents[1];
  set.cols = images.extents[2];
  set.channels = images.extents.size() == 4 ? images.extents[3] : 1;
  set.classes = files.classes;
  set.pixels = std::move(images.bytes);
  set.labels = std::move(labels.bytes);
  return set;
}

}  // namespace

void image_set::truncate(std::int64_t wanted) {
  if (wanted < 0) {
    throw invalid_argument("image_set::truncate: cannot keep " + std::to_string(wanted) + " images");
  }
  if (wanted >= count) return;
  count = wanted;
  pixels.resize(static_cast<std::size_t>(count * image_size()));
  labels.resize(static_cast<std::size_t>(count));
}

image_set load_image_set(const image_files& files) {
  check_classes(files.classes);
  idx_array images = read_images(files);
  idx_array labels = read_labels(files);
  return join(files, std::move(images), std::move(labels));
}

task<image_set> load_image_set(thread_pool& pool, image_files files) {
  check_classes(files.classes);
  future<idx_array> labels = pool.submit(read_labels, files);
  idx_array images = co_await pool.run(read_images, files);
  idx_array read = co_await labels.async_get();
  co_return join(files, std::move(images), std::move(read));
}

}  // namespace weft
