#pragma once

#include <weft/data/collate.hpp>
#include <weft/data/image_options.hpp>
#include <weft/data/loader_options.hpp>

#include <cstdint>  // for std::int32_t, std::int64_t
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// A loader's source: JPEG and PNG files in one folder a class, as torchvision's ImageFolder.
///
/// Classes are the folders, in the order of their names; the samples of a class are the files below its
/// folder whose names end in .jpg or .jpeg, in the order of their paths. Other files are left alone. An
/// image's row in the batch is [rows, cols, 3], red, green, blue, decoded straight into it. Memory: the
/// paths.
///
/// Random crops and flips depend on the loader's seed, the epoch and the sample's place in it.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class image_folder {
 public:
  /// What a loader's batches are.
  using batch_type = image_batch;

  /// Lists the files; no file is opened. Blocks.
  ///
  /// @param folder the folder of the classes' folders
  /// @param options see there
  /// @throws io_error if a folder cannot be read; invalid_argument if there is no class, if a class has no
  ///         image, or if an option cannot work
  explicit image_folder(std::string folder, image_options options = {});

  /// How many images there are.
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(files_.size()); }
  /// The names of the classes; a label is an index into them.
  const std::vector<std::string>& classes() const noexcept { return classes_; }
  /// The classes of all images, e.g. as a loader's groups.
  const std::vector<std::int32_t>& labels() const noexcept { return labels_; }
  /// The class of an image. @param index which image, in [0, size()), not checked
  std::int32_t label(std::int64_t index) const noexcept { return labels_[static_cast<std::size_t>(index)]; }
  /// The path of an image. @param index which image, in [0, size()), not checked
  std::string name(std::int64_t index) const {
    return folder_ + "/" + files_[static_cast<std::size_t>(index)];
  }

  /// Gives a batch place for so many images. @param batch whose memory is used again if it has the right
  /// shape
  /// @param samples how many
  void prepare(batch_type& batch, std::int64_t samples) const;

  /// Reads and decodes one image into its row, or takes it from the cache.
  ///
  /// @param request which one, and where to
  /// @param batch prepared for more rows than request.row
  /// @return how many bytes were read, from the file or the cache
  /// @throws io_error if the file cannot be read; format_error if it is no whole image or
  ///         larger than 1 GiB
  std::int64_t load(const sample_request& request, batch_type& batch) const;

  /// Has the system read an image's file from now on. @param index which image, in [0, size()), not checked
  void will_need(std::int64_t index) const;

  /// What the options' cache has done.
  cache_stats cached() const;

  /// Drops all rows but these. @param batch what is made smaller @param rows ascending
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const;

 private:
  std::string folder_;
  image_options options_;
  std::vector<std::string> classes_;
  std::vector<std::string> files_;  // below folder_
  std::vector<std::int32_t> labels_;
};

}  // namespace weft
