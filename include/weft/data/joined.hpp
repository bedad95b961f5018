#pragma once

#include <weft/core/error.hpp>
#include <weft/data/loader.hpp>

#include <algorithm>  // for std::upper_bound
#include <cstddef>    // for std::size_t, std::ptrdiff_t
#include <cstdint>    // for std::int32_t, std::int64_t
#include <span>       // for std::span
#include <string>     // for std::string
#include <utility>    // for std::move, std::pair
#include <vector>     // for std::vector

namespace weft {

/// A loader's source: the samples of several sources of one type, one source behind the other. A loader mixes
/// them by proportion:
///
///     const weft::joined_sources all(std::vector{weft::image_folder("web"), weft::image_folder("clean")});
///     weft::loader batches(pool, all, {.shuffle = true, .groups = all.groups(), .shares = {0.3, 0.7}});
///
/// Thread safety: as that of the sources.
template <batch_source Source>
class joined_sources {
 public:
  /// What a loader's batches are.
  using batch_type = typename Source::batch_type;

  /// @param sources at least one, moved in; their batches must be alike
  /// @throws invalid_argument if there is none
  explicit joined_sources(std::vector<Source> sources) : sources_(std::move(sources)) {
    if (sources_.empty()) throw invalid_argument("joined_sources: there are no sources; give at least one");
    for (const Source& each : sources_) {
      ends_.push_back((ends_.empty() ? 0 : ends_.back()) + static_cast<std::int64_t>(each.size()));
    }
  }

  /// How many samples there are.
  std::int64_t size() const noexcept { return ends_.back(); }
  /// The source of each sample, by its number: a loader's groups.
  std::vector<std::int32_t> groups() const {
    std::vector<std::int32_t> all;
    all.reserve(static_cast<std::size_t>(size()));
    for (std::size_t source = 0; source < ends_.size(); ++source) {
      all.resize(static_cast<std::size_t>(ends_[source]), static_cast<std::int32_t>(source));
    }
    return all;
  }
  /// What its source calls a sample. @param index which one
  std::string name(std::int64_t index) const {
    const auto [source, own] = find(index);
    if constexpr (requires { source->name(own); }) {
      return source->name(own);
    } else {
      return "sample " + std::to_string(own) + " of source " + std::to_string(source - sources_.data());
    }
  }

  /// Gives a batch place. @param batch whose memory is used again @param samples how many
  void prepare(batch_type& batch, std::int64_t samples) const { sources_.front().prepare(batch, samples); }
  /// Loads one sample into its row. @param request which one, and where to; @param batch prepared for it
  std::int64_t load(const sample_request& request, batch_type& batch) const {
    const auto [source, own] = find(request.index);
    sample_request theirs = request;
    theirs.index = own;
    return source->load(theirs, batch);
  }
  /// Drops all rows but these. @param batch what is made smaller @param rows ascending
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const requires
      requires(const Source& from) {
    from.keep(batch, rows);
  }
  { sources_.front().keep(batch, rows); }
  /// What the sources do when all samples are there. @param batch all of whose samples are loaded
  void finish(batch_type& batch) const requires requires(const Source& from) { from.finish(batch); }
  { sources_.front().finish(batch); }
  /// Begins to read a sample. @param index which one
  void will_need(std::int64_t index) const requires requires(const Source& from) { from.will_need(index); }
  {
    const auto [source, own] = find(index);
    source->will_need(own);
  }

 private:
  // The source of a sample, and its index there.
  std::pair<const Source*, std::int64_t> find(std::int64_t index) const noexcept {
    const auto end = std::upper_bound(ends_.begin(), ends_.end(), index);
    const auto place = static_cast<std::size_t>(end - ends_.begin());
    return {&sources_[place], index - (place == 0 ? 0 : ends_[place - 1])};
  }

  std::vector<Source> sources_;
  std::vector<std::int64_t> ends_;  // of each source's indices
};

}  // namespace weft
