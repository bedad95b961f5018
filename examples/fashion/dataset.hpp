#pragma once

#include <array>    // for std::array
#include <cstdint>  // for std::int64_t
#include <string>   // for std::string
#include <string_view>
#include <weft/async/task.hpp>
#include <weft/data/collate.hpp>
#include <weft/data/image_set.hpp>
#include <weft/pool/thread_pool.hpp>

namespace fashion {

/// What the labels 0 to 9 mean.
inline constexpr std::array<std::string_view, 10> class_names = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};

/// Fashion-MNIST in memory.
struct dataset {
  weft::image_set train;
  weft::image_set test;
  /// Measured on the training images.
  weft::normalize scale;
};

/// Reads the four files of a folder on the pool's threads.
///
/// @param limit how many training images are kept, 0 for all
/// @throws weft::io_error or weft::format_error naming the file; weft::invalid_argument if a set is empty or
/// the
///         images of the two sets differ in size
weft::task<dataset> load_dataset(weft::thread_pool& pool, std::string folder, std::int64_t limit);

}  // namespace fashion
