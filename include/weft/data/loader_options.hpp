#pragma once

#include <weft/async/stream/map.hpp>
#include <weft/compute/any_executor.hpp>
#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/data/sample_cache.hpp>

#include <cstddef>   // for std::size_t
#include <cstdint>   // for std::int32_t, std::int64_t, std::uint64_t, std::uint8_t
#include <optional>  // for std::optional
#include <span>      // for std::span
#include <string>    // for std::string
#include <utility>   // for std::move
#include <vector>    // for std::vector

namespace weft {

/// What a loader does about a sample that cannot be loaded.
enum class bad_sample : std::uint8_t {
  /// The batch that it belongs to is not given out: next() throws load_error in its place.
  stop,
  /// Its batch comes without it, and may then be empty.
  skip,
  /// Another sample of the epoch takes its row, chosen by the seed; if sixteen of them fail too, as stop.
  replace,
};

/// How a loader works.
struct loader_options {
  /// How many samples make a batch, over all ranks; at least 1.
  std::int64_t batch_size = 64;
  /// Whether every epoch has an order of its own, or that of the source.
  bool shuffle = false;
  /// With shuffle, for a source that can only be gone through: so many samples are held, and each time one of
  /// them at random is the next; the more, the better they are mixed.
  std::int64_t shuffle_buffer = 0;
  /// If given, one a sample: an epoch's samples are drawn by sampler::weighted(), and shuffle says nothing.
  std::vector<double> weights = {};
  /// If given, one a sample, from 0: its class, its source or another group. Every batch then has the groups
  /// in the same proportion, as near as whole samples can be; see sampler::grouped(). Not with weights.
  std::vector<std::int32_t> groups = {};
  /// With groups, if given, one a group: the proportion. Otherwise it is that of their sizes, and an epoch
  /// has every sample once.
  std::vector<double> shares = {};
  /// If given, one a sample: batches are made of samples of similar length; see sampler::by_length().
  std::vector<std::int64_t> lengths = {};
  /// With lengths: how many batches are sorted together; more of them need less padding and are less random.
  std::int64_t bucket_batches = 64;
  /// The experiment's seed, for the order and for the random numbers that the source gets.
  std::uint64_t seed = 0;
  /// How often the source is gone through; 0 for without end.
  std::int64_t epochs = 1;
  /// How many of the pool's threads load at the same time, at most; 0 for all.
  int threads = 0;
  /// How many batches may be in work or ready at the same time; 0 for twice the threads.
  int prefetch = 0;
  /// How many samples ahead a source that has will_need() is told of those that come; 0 for not at all.
  int read_ahead = 0;
  /// Whether threads, prefetch and read_ahead are chosen while it runs, from how much the caller waits;
  /// threads and prefetch are then the most that it may choose, and read_ahead is up to 1024.
  bool autotune = false;
  /// Whether a last batch of an epoch that is not full is left out.
  bool drop_last = false;
  /// Whether batches come in their order, or as they are ready, so that a slow sample delays only its own.
  map_order order = ordered;
  /// Where batches are needed: their tensors come out in the memory of this executor. For a GPU samples are
  /// written into pinned memory, and a batch is copied as soon as it is whole, so that it is there before it
  /// is asked for; none, or a CPU, is the host's memory.
  std::optional<any_executor> device = {};
  /// Which part of every batch is made here, in [0, world).
  std::int64_t rank = 0;
  /// Into how many parts a batch is split; at most batch_size.
  std::int64_t world = 1;
  /// What happens when a sample cannot be loaded.
  bad_sample on_error = bad_sample::stop;
};

/// One sample that a loader asks a source for.
struct sample_request {
  /// Which sample of the source.
  std::int64_t index = 0;
  /// Which row of the batch it goes to.
  std::int64_t row = 0;
  /// The epoch, from 0.
  std::int64_t epoch = 0;
  /// Random numbers for this place in this epoch's order: the same for the same seed, whichever thread or
  /// rank loads it.
  philox random{0};
};

/// Consecutive rows of a batch that a loader asks a source for in one call.
struct sample_rows {
  /// Which samples of the source, in the order of the rows.
  std::span<const std::int64_t> indices;
  /// Which row the first of them goes to.
  std::int64_t row = 0;
  /// The epoch, from 0.
  std::int64_t epoch = 0;
  /// What the samples' random numbers are drawn with: philox(seed, position) for the first, and so on.
  std::uint64_t seed = 0;
  /// The place of the first in the epoch's order.
  std::int64_t position = 0;

  /// One of them, as load() would be asked for it. @param place which, from 0, not checked
  sample_request operator[](std::int64_t place) const noexcept {
    return {.index = indices[static_cast<std::size_t>(place)],
            .row = row + place,
            .epoch = epoch,
            .random = philox(seed, static_cast<std::uint64_t>(position + place))};
  }
};

/// Where a loader stands, small enough to go into every checkpoint. Batches are numbered through all epochs.
struct loader_state {
  /// The number of samples in the source; -1 if it can only be gone through.
  std::int64_t samples = 0;
  /// The loader's batch_size.
  std::int64_t batch_size = 0;
  /// The loader's seed.
  std::uint64_t seed = 0;
  /// Whether the loader shuffles.
  bool shuffle = false;
  /// Whether the loader leaves out a last batch that is not full.
  bool drop_last = false;
  /// A number made of the loader's weights, groups, shares, lengths and shuffle_buffer; 0 without any.
  std::uint64_t order = 0;
  /// The first batch that has not been given out.
  std::int64_t next = 0;
  /// The batches behind it that have been, with as_ready.
  std::vector<std::int64_t> ahead = {};

  /// Whether both are the same place of the same sequence.
  friend bool operator==(const loader_state&, const loader_state&) = default;
};

/// How a loader works; see loader_options.
struct loader_tuning {
  /// How many threads load at the same time, at most.
  int threads = 0;
  /// How many batches are in work or ready, at most.
  int prefetch = 0;
  /// How many samples ahead the source is told of.
  int read_ahead = 0;

  /// Whether all are the same.
  friend bool operator==(const loader_tuning&, const loader_tuning&) = default;
};

/// What a loader has done.
struct loader_stats {
  /// Samples in the batches that were given out.
  std::int64_t samples = 0;
  /// Batches that were given out.
  std::int64_t batches = 0;
  /// What the source says it has read, in bytes; for a source of values, their size.
  std::int64_t bytes = 0;
  /// How often a sample could not be loaded.
  std::int64_t errors = 0;
  /// Time since the first batch was asked for, in seconds; until the end, when that has been reached.
  double seconds = 0.0;
  /// The part of it that the caller waited in next(), or loaded samples in next_wait(), in seconds.
  double waited = 0.0;
  /// Time spent in the source's load(), load_rows() and next(), summed over threads, in seconds.
  double loading = 0.0;
  /// The part of it that files were read, by the sources of weft, or that next() of a source took, in
  /// seconds.
  double reading = 0.0;
  /// Time spent in the source's finish() and in bringing batches to the device, summed over threads, in
  /// seconds.
  double finishing = 0.0;
  /// What the source's cache has done.
  cache_stats cache = {};
  /// How it works now: as the options say, or as autotune has chosen.
  loader_tuning tuning = {};

  /// Samples per second since the first batch was asked for.
  double samples_per_second() const noexcept {
    return seconds > 0.0 ? static_cast<double>(samples) / seconds : 0.0;
  }
  /// Samples per second of one thread that does nothing but one stage: `stage_rate(reading)`,
  /// `stage_rate(loading - reading)`, `stage_rate(finishing)`; 0 if there is no such stage.
  double stage_rate(double stage) const noexcept {
    return stage > 0.0 ? static_cast<double>(samples) / stage : 0.0;
  }
  /// The share of the time that the caller waited: near 0 the loader is fast enough, near 1 it is all there
  /// is.
  double wait_share() const noexcept { return seconds > 0.0 ? waited / seconds : 0.0; }
};

/// A sample that could not be loaded.
struct failed_sample {
  /// Which sample of the source.
  std::int64_t index = 0;
  /// In which epoch.
  std::int64_t epoch = 0;
  /// What the source calls it, e.g. its file.
  std::string name;
  /// What was thrown.
  std::string reason;
};

/// A sample could not be loaded and the loader was not told to go on without it; what() names it and says
/// why.
class load_error : public error {
 public:
  /// @param sample which one and why
  explicit load_error(failed_sample sample)
      : error("loader: " + sample.name + ": " + sample.reason), sample_(std::move(sample)) {}

  /// Which sample it was, and why.
  const failed_sample& sample() const noexcept { return sample_; }

 private:
  failed_sample sample_;
};

}  // namespace weft
