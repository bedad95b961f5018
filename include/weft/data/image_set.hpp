#pragma once

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t, std::uint8_t
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

#include <weft/async/task.hpp>
#include <weft/data/idx.hpp>
#include <weft/pool/thread_pool.hpp>

namespace weft {

/// Labelled images of one size, in memory.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
struct image_set {
  /// How many images there are.
  std::int64_t count = 0;
  /// The height of an image in pixels.
  std::int64_t rows = 0;
  /// The width of an image in pixels.
  std::int64_t cols = 0;
  /// Values a pixel: 1 for grey, 3 for colour.
  std::int64_t channels = 1;
  /// How many classes there are: every label is below it.
  int classes = 0;
  /// count x rows x cols x channels values, row-major.
  std::vector<std::uint8_t> pixels;
  /// One label an image, in [0, classes).
  std::vector<std::uint8_t> labels;

  /// The number of values in one image.
  std::int64_t image_size() const noexcept { return rows * cols * channels; }

  /// The pixels of one image, row-major. @param index which image, in [0, count), not checked
  std::span<const std::uint8_t> image(std::int64_t index) const noexcept {
    return std::span(pixels).subspan(static_cast<std::size_t>(index * image_size()),
                                     static_cast<std::size_t>(image_size()));
  }

  /// Drops every image but the first ones. @param wanted how many to keep; beyond count, all of them
  /// @throws invalid_argument if wanted is negative
  void truncate(std::int64_t wanted);
};

/// A pair of IDX files, gzip or plain: the images, uint8 of [count, rows, cols] or [count, rows, cols,
/// channels], and their labels, uint8 of [count].
struct image_files {
  /// The file of the images.
  std::string images;
  /// The file of the labels.
  std::string labels;
  /// How many classes there are, 1 to 256: a label that is not below it is refused.
  int classes = 10;
  /// How large a payload is accepted.
  idx_options idx = {};
};

/// Reads and checks both files, one after the other, on the calling thread.
///
/// @throws format_error naming the file and the stored byte: what read_idx() refuses, a type or a rank that
/// is not
///         that of images or labels, counts that differ, a label that is not below the number of classes;
///         io_error if a file cannot be read; invalid_argument if classes is out of range
/// Thread safety: safe. Blocks its thread.
image_set load_image_set(const image_files& files);

/// The same off the event loop, both files at once on the pool's threads; the caller's executor is not
/// blocked.
///
/// @param pool where the files are read and inflated; it must outlive the task
/// @param files the pair to read
/// @throws what the other overload throws; when both files are wrong, the error of the images file
/// Cancellation: takes effect once the reads in progress have ended; what they read is dropped.
task<image_set> load_image_set(thread_pool& pool, image_files files);

}  // namespace weft
