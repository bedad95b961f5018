#include <data/image_options.hpp>
#include <weft/core/error.hpp>
#include <weft/data/detail/kept_rows.hpp>
#include <weft/data/image_shards.hpp>

#include <charconv>      // for std::from_chars
#include <cstddef>       // for std::size_t
#include <string_view>   // for std::string_view
#include <system_error>  // for std::errc
#include <utility>       // for std::move

namespace weft {
namespace {

std::int32_t label_of(const shard_sample& sample, const std::string& name) {
  const auto& bytes = sample.at("cls");
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  std::int32_t label = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), label);
  if (problem != std::errc() || end != text.data() + text.size()) {
    throw invalid_argument(name + ".cls: '" + std::string(text.substr(0, 40)) +
                           "' is not a label; it takes a number");
  }
  return label;
}

}  // namespace

image_shards::image_shards(tar_shards shards, image_options options)
    : shards_(std::move(shards)), options_(std::move(options)) {
  check(options_, "image_shards");
}

void image_shards::prepare(batch_type& batch, std::int64_t samples) const {
  const shape<2> extents = {samples, options_.rows * options_.cols * 3};
  if (batch.images.extents() != extents) batch.images = tensor<float, 2>(extents);
  if (batch.labels.extents() != shape<1>{samples}) batch.labels = tensor<std::int32_t, 1>({samples});
}

std::int64_t image_shards::load(const sample_request& request, batch_type& batch) const {
  static thread_local shard_sample sample;
  shards_.load_into(request.index, sample);
  const std::string path = name(request.index);
  const std::int32_t label = label_of(sample, path);
  const auto* image = sample.find("jpg");
  if (image == nullptr) image = sample.find("png");
  if (image == nullptr) image = &sample.at("jpeg");
  const std::int64_t width = options_.rows * options_.cols * 3;
  const wanted_image wanted = {request.index,
                               path,
                               request.random,
                               {batch.images.data() + request.row * width, static_cast<std::size_t>(width)}};
  if (place_cached(wanted, options_) == 0) place_file(*image, wanted, options_);
  batch.labels(request.row) = label;
  std::int64_t bytes = 0;
  for (const shard_file& each : sample.files) bytes += static_cast<std::int64_t>(each.bytes.size());
  return bytes;
}

cache_stats image_shards::cached() const {
  return options_.cache ? options_.cache->stats() : cache_stats{};
}

void image_shards::keep(batch_type& batch, std::span<const std::int64_t> rows) const {
  batch.images = detail::kept_rows(batch.images, rows);
  batch.labels = detail::kept_rows(batch.labels, rows);
}

}  // namespace weft
