#pragma once

#include <weft/data/loader.hpp>

#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t
#include <functional>   // for std::invoke
#include <span>         // for std::span
#include <string>       // for std::string
#include <type_traits>  // for std::is_invocable_v
#include <utility>      // for std::move, std::swap

namespace weft {

namespace detail {

/// A loader's source whose batches are those of another one. What the other has beside size(), prepare() and
/// load(), it has.
template <sample_source Source>
class forwarding_source {
 public:
  using batch_type = typename source_batch<Source>::type;

  explicit forwarding_source(Source source) : source_(std::move(source)) {}

  /// How many samples there are.
  std::int64_t size() const { return static_cast<std::int64_t>(source_.size()); }
  /// What the source calls a sample. @param index which one
  std::string name(std::int64_t index) const {
    if constexpr (requires { source_.name(index); }) {
      return source_.name(index);
    } else {
      return "sample " + std::to_string(index);
    }
  }
  /// Gives a batch place. @param batch whose memory is used again @param samples how many
  void prepare(batch_type& batch, std::int64_t samples) const {
    if constexpr (batch_source<Source>) {
      source_.prepare(batch, samples);
    } else {
      batch.resize(static_cast<std::size_t>(samples));
    }
  }
  /// Loads one sample into its row. @param request which one, and where to; @param batch prepared for it
  std::int64_t load(const sample_request& request, batch_type& batch) const {
    if constexpr (batch_source<Source>) {
      return source_.load(request, batch);
    } else {
      auto& row = batch[static_cast<std::size_t>(request.row)];
      row = source_.load(request.index);
      return static_cast<std::int64_t>(sizeof(row));
    }
  }
  /// Drops all rows but these. @param batch what is made smaller @param rows ascending
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const
      requires(value_source<Source> || requires(const Source& from) { from.keep(batch, rows); }) {
    if constexpr (batch_source<Source>) {
      source_.keep(batch, rows);
    } else {
      std::size_t kept = 0;
      for (const std::int64_t row : rows) std::swap(batch[kept++], batch[static_cast<std::size_t>(row)]);
      batch.resize(kept);
    }
  }
  /// What the source does when all samples are there. @param batch all of whose samples are loaded
  void finish(batch_type& batch) const requires requires(const Source& from) { from.finish(batch); }
  { source_.finish(batch); }
  /// Begins to read a sample. @param index which one
  void will_need(std::int64_t index) const requires requires(const Source& from) { from.will_need(index); }
  { source_.will_need(index); }
  /// What the source's cache has done.
  cache_stats cached() const {
    if constexpr (requires { source_.cached(); }) {
      return source_.cached();
    } else {
      return {};
    }
  }

 private:
  Source source_;
};

}  // namespace detail

/// A loader's source: another one, of whose samples each is changed by a function when it has been loaded,
/// on the thread that loaded it. For a source of values the function is f(sample), or f(sample, request) if
/// it wants random numbers, and changes the sample; for a source of batches it is f(batch, request) and
/// changes the row request.row.
///
///     weft::mapped_samples louder(waves, [](std::vector<float>& wave) { for (float& x : wave) x *= 2.0F; });
///
/// The function is called by several threads at the same time. What it throws makes the sample a bad one.
///
/// Thread safety: as those of the source and the function.
template <sample_source Source, class F>
class mapped_samples : public detail::forwarding_source<Source> {
  using base = detail::forwarding_source<Source>;

 public:
  /// What a loader's batches are.
  using batch_type = typename base::batch_type;

  /// @param source whose samples are changed; @param function by what
  mapped_samples(Source source, F function) : base(std::move(source)), function_(std::move(function)) {}

  /// Loads one sample and changes it. @param request which one, and where to; @param batch prepared for it
  std::int64_t load(const sample_request& request, batch_type& batch) const {
    const std::int64_t bytes = base::load(request, batch);
    if constexpr (batch_source<Source>) {
      std::invoke(function_, batch, request);
    } else {
      auto& sample = batch[static_cast<std::size_t>(request.row)];
      if constexpr (std::is_invocable_v<const F&, decltype(sample), const sample_request&>) {
        std::invoke(function_, sample, request);
      } else {
        std::invoke(function_, sample);
      }
    }
    return bytes;
  }

 private:
  F function_;
};

/// A loader's source: another one, of whose batches each is changed by a function f(batch) when it is whole,
/// on the thread that loaded the last sample. To make something else of a batch, map the loader's stream:
/// `from(batches) | map(pool, f)`.
///
/// The function is called by several threads at the same time, for different batches. What it throws is
/// thrown in the batch's place.
///
/// Thread safety: as those of the source and the function.
template <sample_source Source, class F>
class mapped_batches : public detail::forwarding_source<Source> {
  using base = detail::forwarding_source<Source>;

 public:
  /// What a loader's batches are.
  using batch_type = typename base::batch_type;

  /// @param source whose batches are changed; @param function by what
  mapped_batches(Source source, F function) : base(std::move(source)), function_(std::move(function)) {}

  /// Changes a batch. @param batch all of whose samples are loaded
  void finish(batch_type& batch) const {
    if constexpr (requires { base::finish(batch); }) base::finish(batch);
    std::invoke(function_, batch);
  }

 private:
  F function_;
};

}  // namespace weft
