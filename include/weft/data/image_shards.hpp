#pragma once

#include <weft/data/collate.hpp>
#include <weft/data/image_options.hpp>
#include <weft/data/loader_options.hpp>
#include <weft/data/tar.hpp>

#include <cstdint>  // for std::int64_t
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// A loader's source: JPEG and PNG files and their labels in tar shards, in WebDataset's convention. Of each
/// sample the file .jpg, .jpeg or .png is the image and .cls is its label, a number in decimal. An image's
/// row in the batch is as image_folder makes it.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class image_shards {
 public:
  /// What a loader's batches are.
  using batch_type = image_batch;

  /// Reads the headers of the shards. Blocks. @param shards see tar_shards; @param options what becomes of an
  /// image
  /// @throws what tar_shards throws; invalid_argument if an option cannot work
  explicit image_shards(tar_shards shards, image_options options = {});

  /// How many images there are.
  std::int64_t size() const noexcept { return shards_.size(); }
  /// The shard of an image, and its key. @param index which image, in [0, size()), not checked
  std::string name(std::int64_t index) const { return shards_.name(index); }

  /// Gives a batch place for so many images. @param batch whose memory is used again if it has the right
  /// shape
  /// @param samples how many
  void prepare(batch_type& batch, std::int64_t samples) const;

  /// Reads and decodes one image into its row.
  ///
  /// @param request which one, and where to; @param batch prepared for more rows than request.row
  /// @return the size of the sample's files in bytes
  /// @throws io_error if the shard cannot be read; format_error if the image is no whole image;
  /// invalid_argument if
  ///         the sample has no image or no label that is a number
  std::int64_t load(const sample_request& request, batch_type& batch) const;

  /// Has the system fetch an image, and does not wait. @param index which one, in [0, size()), not checked
  void will_need(std::int64_t index) const { shards_.will_need(index); }

  /// What the options' cache has done, which here saves the decoding: shards are read in any case.
  cache_stats cached() const;

  /// Drops all rows but these. @param batch what is made smaller @param rows ascending
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const;

 private:
  tar_shards shards_;
  image_options options_;
};

}  // namespace weft
