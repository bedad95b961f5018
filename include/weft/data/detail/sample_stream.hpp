#pragma once

#include <weft/core/philox.hpp>
#include <weft/data/detail/batch_line.hpp>
#include <weft/data/loader_options.hpp>

#include <cstddef>   // for std::size_t
#include <cstdint>   // for std::int64_t, std::uint64_t
#include <optional>  // for std::optional
#include <utility>   // for std::move
#include <vector>    // for std::vector

namespace weft::detail {

/// The order of a source that can only be gone through, cut into batches, of which one rank's parts are kept.
/// Holds one batch and shuffle_buffer samples.
///
/// Thread safety: none.
template <class Sample>
class sample_stream {
 public:
  explicit sample_stream(const loader_options& options)
      : batch_size_(options.batch_size),
        rank_(options.rank),
        world_(options.world),
        buffer_(options.shuffle ? static_cast<std::size_t>(options.shuffle_buffer) : 1),
        random_(options.seed, order_stream) {}

  /// As batch_maker::read(). @param source whose next() gives the samples
  template <class Source>
  std::int64_t read(Source& source, std::int64_t batch, std::vector<Sample>& kept,
                    std::vector<std::int64_t>& indices) {
    for (; next_ <= batch; ++next_) {
      fill(source);
      if (!batch_.empty()) continue;
      next_ = batch + 1;  // there are no more
      break;
    }
    const auto whole = static_cast<std::int64_t>(batch_.size());
    const std::int64_t end = part_begin(whole, rank_ + 1, world_);
    kept.clear();
    indices.clear();
    for (std::int64_t row = part_begin(whole, rank_, world_); row < end; ++row) {
      placed& each = batch_[static_cast<std::size_t>(row)];
      kept.push_back(std::move(each.sample));
      indices.push_back(each.index);
    }
    batch_.clear();
    return whole;
  }

  std::int64_t samples_read() const noexcept { return read_; }

 private:
  /// Keeps the order apart from what else is drawn with the same seed.
  static constexpr std::uint64_t order_stream = std::uint64_t{0x5353} << 48;

  struct placed {
    std::int64_t index;
    Sample sample;
  };

  template <class Source>
  void fill(Source& source) {
    batch_.clear();
    while (static_cast<std::int64_t>(batch_.size()) < batch_size_) {
      while (!ended_ && held_.size() < buffer_) {
        std::optional<Sample> sample = source.next();
        ended_ = !sample;
        if (!ended_) held_.push_back({read_++, std::move(*sample)});
      }
      if (held_.empty()) return;
      const std::size_t chosen =
          held_.size() == 1 ? 0 : static_cast<std::size_t>(random_.below(drawn_++, held_.size()));
      batch_.push_back(std::move(held_[chosen]));
      if (chosen + 1 != held_.size()) held_[chosen] = std::move(held_.back());
      held_.pop_back();
    }
  }

  std::int64_t batch_size_;
  std::int64_t rank_;
  std::int64_t world_;
  std::size_t buffer_;
  philox random_;
  std::uint64_t drawn_ = 0;
  std::vector<placed> held_;
  std::vector<placed> batch_;
  std::int64_t next_ = 0;  // batch
  std::int64_t read_ = 0;  // samples
  bool ended_ = false;
};

}  // namespace weft::detail
