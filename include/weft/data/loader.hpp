#pragma once

#include <weft/async/stream/map.hpp>
#include <weft/async/task.hpp>
#include <weft/compute/device_prefetch.hpp>
#include <weft/compute/staging_pool.hpp>
#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/data/detail/batch_line.hpp>
#include <weft/data/detail/sample_stream.hpp>
#include <weft/data/loader_options.hpp>
#include <weft/pool/thread_pool.hpp>

#include <concepts>     // for std::convertible_to, std::same_as
#include <cstddef>      // for std::size_t, std::ptrdiff_t
#include <cstdint>      // for std::int64_t
#include <iterator>     // for std::input_iterator_tag, std::default_sentinel_t
#include <limits>       // for std::numeric_limits
#include <memory>       // for std::shared_ptr
#include <mutex>        // for std::mutex
#include <optional>     // for std::optional
#include <span>         // for std::span
#include <string>       // for std::string
#include <type_traits>  // for std::is_void_v, std::remove_reference_t, std::type_identity
#include <utility>      // for std::move, std::exchange
#include <variant>      // for std::monostate
#include <vector>       // for std::vector

namespace weft {

namespace detail {

template <class S>
concept sized_source = requires(const S& source) {
  { source.size() } -> std::convertible_to<std::int64_t>;
};

}  // namespace detail

/// A source whose samples are values: size() says how many there are, load(index) makes one. A batch is then
/// a std::vector of them.
///
/// The loader calls load() from several threads at the same time.
template <class S>
concept value_source = detail::sized_source<S> && requires(const S& source, std::int64_t index) {
  source.load(index);
  requires !std::is_void_v<decltype(source.load(index))>;
};

/// A source that writes its samples straight into a batch of a type of its own:
///
///     using batch_type = ...;                                    default constructible, movable
///     std::int64_t size() const;
///     void prepare(batch_type&, std::int64_t samples) const;
///     std::int64_t load(const sample_request&, batch_type&) const;
///
/// prepare() gives the batch place for so many samples, whatever it held; load() returns the bytes that it
/// read, for stats(). More may be there:
///
///     void keep(batch_type&, std::span<const std::int64_t> rows) const;
///     std::int64_t load_rows(const sample_rows&, batch_type&) const;
///     void finish(batch_type&) const;
///
/// keep() drops all other rows: bad_sample::skip needs it. load_rows() does the same as load() for several
/// rows, where that is faster in one call; if it throws, each of them is loaded again on its own. finish() is
/// called once for every batch, when all of its samples are there; what it throws is thrown in the batch's
/// place.
///
/// The loader calls load() and load_rows() from several threads at the same time, for different rows of one
/// batch too.
template <class S>
concept batch_source = detail::sized_source<S> &&
    requires(const S& source, typename S::batch_type& batch, const sample_request& request) {
  source.prepare(batch, std::int64_t{0});
  { source.load(request, batch) } -> std::convertible_to<std::int64_t>;
};

/// A source whose samples have places. A source may also name its samples for error reports, e.g. by their
/// file: `std::string name(std::int64_t index) const`; begin to read one that will soon be loaded: `void
/// will_need(std::int64_t index) const`, called from several threads; and tell what its cache does:
/// `cache_stats cached() const`, called from any thread.
template <class S>
concept sample_source = value_source<S> || batch_source<S>;

/// A source that can only be gone through: a compressed shard, what a socket brings.
///
///     std::optional<T> next();                                   nothing at the end
///
/// A batch is then a std::vector<T>. More may be there: what is made of a sample, which is the work that
/// threads share, and in the second form straight in a batch as batch_source has it,
///
///     R load(const sample_request&, T&) const;                   or
///     using batch_type = ...;
///     void prepare(batch_type&, std::int64_t samples) const;
///     std::int64_t load(const sample_request&, T&, batch_type&) const;
///
/// keep(), finish() and name() as elsewhere, and
///
///     void stop();
///
/// which has a next() that waits, now or later, return, e.g. by closing a queue: the loader's destructor
/// calls it.
///
/// The loader calls next() from one thread at a time, load() from several at the same time, and stop() at any
/// time.
template <class S>
concept iterable_source = !detail::sized_source<S> && requires(S & source) {
  requires std::same_as<decltype(source.next()), std::optional<typename decltype(source.next())::value_type>>;
};

/// What a loader loads from.
template <class S>
concept loadable_source = sample_source<S> || iterable_source<S>;

namespace detail {

template <class Source>
struct source_sample {
  using type = std::monostate;
};
template <iterable_source Source>
struct source_sample<Source> {
  using type = typename decltype(std::declval<Source&>().next())::value_type;
};
/// What an iterable source gives; nothing for another.
template <class Source>
using source_sample_t = typename source_sample<Source>::type;

/// Whether an iterable source makes something of its samples, one by one.
template <class Source>
concept changes_samples = requires(const Source& source, const sample_request& request,
                                   source_sample_t<Source>& sample) {
  source.load(request, sample);
};

/// Whether batches are of a type of the source's own.
template <class Source>
concept makes_batches = batch_source<Source> ||
    (iterable_source<Source>&& requires { typename Source::batch_type; });

template <class Source>
auto batch_of() {
  if constexpr (makes_batches<Source>) {
    return std::type_identity<typename Source::batch_type>();
  } else if constexpr (changes_samples<Source>) {
    using made = decltype(std::declval<const Source&>().load(std::declval<const sample_request&>(),
                                                             std::declval<source_sample_t<Source>&>()));
    return std::type_identity<std::vector<std::remove_cvref_t<made>>>();
  } else if constexpr (iterable_source<Source>) {
    return std::type_identity<std::vector<source_sample_t<Source>>>();
  } else {
    using made = decltype(std::declval<const Source&>().load(std::int64_t{0}));
    return std::type_identity<std::vector<std::remove_cvref_t<made>>>();
  }
}

template <class Source>
struct source_batch {
  using type = typename decltype(batch_of<Source>())::type;
};

/// Batches that were used and given back, so that their memory is used again.
template <class Batch>
class batch_shelf {
 public:
  explicit batch_shelf(std::size_t capacity) : capacity_(capacity) {}

  Batch take() {
    const std::lock_guard lock(mutex_);
    if (batches_.empty()) return Batch();
    Batch batch = std::move(batches_.back());
    batches_.pop_back();
    return batch;
  }

  void put(Batch&& batch) noexcept {
    try {
      const std::lock_guard lock(mutex_);
      if (batches_.size() < capacity_) batches_.push_back(std::move(batch));
    } catch (...) {  // no memory to remember it: it is freed
      static_cast<void>(batch);
    }
  }

 private:
  std::size_t capacity_;
  std::mutex mutex_;
  std::vector<Batch> batches_;
};

}  // namespace detail

/// A batch as a loader gives it out: the samples, and which they are. When it is destroyed its memory goes
/// back to the loader for a later batch; a batch that is moved out of it (`std::move(*loaded)`) is the
/// caller's. It may outlive the loader.
///
/// Thread safety: distinct objects safe, also those of one loader; shared objects safe for reading.
template <class Batch>
class loaded_batch {
 public:
  /// Made by the loader.
  loaded_batch(Batch samples, detail::made_batch made, std::shared_ptr<detail::batch_shelf<Batch>> shelf)
      : samples_(std::move(samples)), made_(std::move(made)), shelf_(std::move(shelf)) {}
  /// Takes the batch over.
  loaded_batch(loaded_batch&&) noexcept = default;
  /// Gives this batch back and takes the other over.
  loaded_batch& operator=(loaded_batch&& other) noexcept {
    if (this == &other) return *this;
    give_back();
    samples_ = std::move(other.samples_);
    made_ = std::move(other.made_);
    shelf_ = std::move(other.shelf_);
    return *this;
  }
  ~loaded_batch() { give_back(); }

  /// The samples.
  Batch& operator*() noexcept { return samples_; }
  /// The samples.
  const Batch& operator*() const noexcept { return samples_; }
  /// The samples.
  Batch* operator->() noexcept { return &samples_; }
  /// The samples.
  const Batch* operator->() const noexcept { return &samples_; }

  /// Which samples of the source they are, in the order of the rows.
  const std::vector<std::int64_t>& indices() const noexcept { return made_.indices; }
  /// How many samples there are.
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(made_.indices.size()); }
  /// Which epoch it belongs to, from 0.
  std::int64_t epoch() const noexcept { return made_.epoch; }
  /// Its number within the epoch, from 0.
  std::int64_t number() const noexcept { return made_.number; }

 private:
  void give_back() noexcept {
    if (shelf_) shelf_->put(std::move(samples_));
    shelf_.reset();
  }

  Batch samples_;
  detail::made_batch made_;
  std::shared_ptr<detail::batch_shelf<Batch>> shelf_;
};

/// Batches of a source's samples, made ahead on the threads of a pool: PyTorch's DataLoader.
///
///     weft::loader batches(pool, weft::image_folder("flowers", {...}), {.batch_size = 64, .shuffle = true});
///     for (auto& batch : batches) step(batch->images, batch->labels);           // on a thread
///     co_await (weft::from(batches) | weft::for_each(step));                    // in a coroutine
///
/// Which samples a batch holds, and in which rows, is a function of the options and of the number of samples:
/// not of threads or time. An epoch's samples, shuffled or not, are cut into batches of batch_size; of each,
/// rank r of world w makes rows [n r / w, n (r + 1) / w), where n is the number of the batch's samples. So
/// the ranks' parts put together are the batches of one process, no sample is lost or repeated, and every
/// rank has the same number of batches. Parts differ by at most one sample, and only if batch_size is no
/// multiple of world or in the last, smaller batch of an epoch, where a part may be empty; drop_last leaves
/// that one out.
///
/// The samples of one batch are loaded by all threads together, so the first batch is there as soon as it can
/// be; a slow sample holds back its batch, and with `ordered` those behind it, of which at most `prefetch`
/// are made. Memory: prefetch batches here, and those that the caller holds; if the device is a GPU, those in
/// work are in pinned memory and those that are ready in its own. With autotune, threads and
/// prefetch are chosen by how much the caller waits; the batches stay the same.
///
/// Of an iterable_source the same is true, but for this: every rank's source must have all samples, in the
/// same order, and each reads them all; there is one epoch; shuffle mixes within shuffle_buffer; weights,
/// groups, lengths, read_ahead and bad_sample::replace need places and are refused. One thread reads the next
/// batch while the others load. Memory: also a batch of samples as they were read for each of prefetch
/// batches, one more, and shuffle_buffer samples. What next() throws stops the loader in its batch's place.
///
/// Nothing starts before the first batch is asked for. The destructor blocks until the samples that are being
/// loaded are done. The pool must outlive the loader.
///
/// Thread safety: next(), next_wait() and iteration: one call at a time; state(), stats() and failures() from
/// any thread at any time.
/// Cancellation: a cancelled next() throws `cancelled` and has taken no batch.
template <loadable_source Source>
class loader {
 public:
  /// The samples of one batch.
  using batch_type = typename detail::source_batch<Source>::type;
  /// What next() gives out.
  using value_type = loaded_batch<batch_type>;

  /// @param pool whose threads load
  /// @param source what is loaded, moved in
  /// @param options see there
  /// @throws invalid_argument naming the option that cannot work
  loader(thread_pool& pool, Source source, loader_options options = {})
      : maker_(std::move(source), options), line_(pool, maker_, maker_.size(), checked(options)) {
    maker_.set_up(line_.slots());
  }
  loader(const loader&) = delete;
  loader& operator=(const loader&) = delete;
  ~loader() { line_.close(); }

  /// The next batch, or nothing after the last epoch. Throws load_error where a sample cannot be loaded and
  /// on_error is `stop`, and again if it is called again; `cancelled` if the pool's calls were cancelled.
  task<std::optional<value_type>> next() {
    std::optional<value_type> batch;
    std::optional<detail::made_batch> made = co_await line_.next();
    if (made) hand_over(std::move(*made), batch);
    co_return batch;
  }

  /// As next(), blocking; meanwhile the calling thread loads samples itself, so it may be one of the pool's.
  std::optional<value_type> next_wait() {
    std::optional<value_type> batch;
    std::optional<detail::made_batch> made = line_.next_wait();
    if (made) hand_over(std::move(*made), batch);
    return batch;
  }

  /// An input iterator over the batches that are left; going on blocks as next_wait() does.
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;  ///< one pass
    using difference_type = std::ptrdiff_t;             ///< for the standard library
    using value_type = loaded_batch<batch_type>;        ///< a batch
    using pointer = value_type*;                        ///< to the current batch
    using reference = value_type&;                      ///< valid until the iterator goes on

    /// Waits for the first batch. @param from what is iterated over
    explicit iterator(loader& from) : loader_(&from) { ++*this; }
    /// The current batch.
    reference operator*() noexcept { return *current_; }
    /// The current batch.
    pointer operator->() noexcept { return &*current_; }
    /// Waits for the next batch.
    iterator& operator++() {
      current_.reset();  // its memory may be used for the next ones
      current_ = loader_->next_wait();
      return *this;
    }
    /// As the other one.
    void operator++(int) { ++*this; }
    /// Whether there are no more.
    bool operator==(std::default_sentinel_t) const noexcept { return !current_; }

   private:
    loader* loader_;
    std::optional<value_type> current_;
  };

  /// Waits for the next batch; see iterator.
  iterator begin() { return iterator(*this); }
  /// The end of the last epoch.
  std::default_sentinel_t end() const noexcept { return {}; }

  /// How many batches an epoch has, the same for every rank.
  std::int64_t batches_per_epoch() const noexcept requires sample_source<Source> {
    return line_.batches_per_epoch();
  }

  /// Where the loader stands: the batches that were given out are behind it, those made ahead are not.
  loader_state state() const { return line_.state(); }

  /// Continues where another loader's state() says, with the very next sample, at once: what came before is
  /// not gone through. An iterable_source is read again from its beginning, and what came before is dropped
  /// without being loaded. To be called before the first batch is asked for. The pool and the rank and world
  /// of the split may be others.
  ///
  /// @throws invalid_argument if the state belongs to another set, seed, batch size or way of ordering, to
  ///         other weights, groups or lengths, or if batches were asked for
  void resume(const loader_state& where) { line_.resume(where); }

  /// What it has done so far, and how it works.
  loader_stats stats() const { return line_.stats(); }

  /// The samples that could not be loaded, in the order in which that was found; at most the first 1000, all
  /// are counted in stats().
  std::vector<failed_sample> failures() const { return line_.failures(); }

 private:
  struct maker final : detail::batch_maker {
    maker(Source from, const loader_options& options)
        : source(std::move(from)), incoming(options), device(options.device) {
      if (!device || device->where() == place{}) return;
      // The loader holds at most prefetch batches: nothing else bounds it.
      staging = std::make_shared<staging_pool>(
          staging_pool_options{.max_bytes = std::numeric_limits<std::size_t>::max()});
      stager.emplace(device->base(), staging);
    }

    std::int64_t size() const {
      if constexpr (iterable_source<Source>) {
        return -1;
      } else {
        return source.size();
      }
    }

    void set_up(std::size_t slots) {
      batches.resize(slots);
      samples_of.resize(slots);
      // One for each slot, and two that a caller gives back while every slot is free. What is on a device
      // does not come back: a source writes into the host's memory.
      if (!stager) shelf = std::make_shared<detail::batch_shelf<batch_type>>(slots + 2);
    }

    void prepare(std::size_t slot, std::int64_t samples) override {
      batches[slot] = shelf ? shelf->take() : batch_type();
      if constexpr (detail::makes_batches<Source>) {
        source.prepare(batches[slot], samples);
      } else {
        batches[slot].resize(static_cast<std::size_t>(samples));
      }
      if (!staging) return;
      detail::for_each_tensor(batches[slot], [&](auto& values) {
        values = std::remove_reference_t<decltype(values)>(values.extents(), staging);
      });
    }

    std::int64_t load(std::size_t slot, const sample_request& request) override {
      if constexpr (iterable_source<Source>) {
        auto& sample = samples_of[slot][static_cast<std::size_t>(request.row)];
        if constexpr (detail::makes_batches<Source>) {
          return source.load(request, sample, batches[slot]);
        } else {
          auto& row = batches[slot][static_cast<std::size_t>(request.row)];
          if constexpr (detail::changes_samples<Source>) {
            row = source.load(request, sample);
          } else {
            row = std::move(sample);
          }
          return static_cast<std::int64_t>(sizeof(row));
        }
      } else if constexpr (batch_source<Source>) {
        return source.load(request, batches[slot]);
      } else {
        auto& row = batches[slot][static_cast<std::size_t>(request.row)];
        row = source.load(request.index);
        return static_cast<std::int64_t>(sizeof(row));
      }
    }

    bool loads_rows() const noexcept override { return has_load_rows; }

    std::int64_t load_rows(std::size_t slot, const sample_rows& rows) override {
      if constexpr (has_load_rows) {
        return source.load_rows(rows, batches[slot]);
      } else {
        return 0;
      }
    }

    void keep(std::size_t slot, std::span<const std::int64_t> rows) override {
      if constexpr (!detail::makes_batches<Source>) {
        auto& samples = batches[slot];
        std::size_t kept = 0;
        for (const std::int64_t row : rows) {
          const auto from = static_cast<std::size_t>(row);
          if (kept != from) samples[kept] = std::move(samples[from]);
          ++kept;
        }
        samples.resize(kept);
      } else if constexpr (can_keep) {
        source.keep(batches[slot], rows);
      }
    }

    bool finishes() const noexcept override { return has_finish || stager; }

    void finish(std::size_t slot) override {
      if constexpr (has_finish) source.finish(batches[slot]);
      if (stager) stager->bring(batches[slot]);
    }

    bool reads_ahead() const noexcept override { return has_will_need; }

    void will_need(std::int64_t index) override {
      if constexpr (has_will_need) source.will_need(index);
    }

    cache_stats cached() const override {
      if constexpr (requires { source.cached(); }) {
        return source.cached();
      } else {
        return {};
      }
    }

    std::string name(std::int64_t index) const override {
      if constexpr (requires { source.name(index); }) {
        return source.name(index);
      } else {
        return "sample " + std::to_string(index);
      }
    }

    bool streams() const noexcept override { return iterable_source<Source>; }

    std::int64_t read(std::size_t slot, std::int64_t batch, std::vector<std::int64_t>& indices) override {
      if constexpr (iterable_source<Source>) {
        return incoming.read(source, batch, samples_of[slot], indices);
      } else {
        return 0;
      }
    }

    std::int64_t samples_read() const noexcept override { return incoming.samples_read(); }

    void stop_reading() override {
      if constexpr (iterable_source<Source> && requires { source.stop(); }) source.stop();
    }

    Source source;
    detail::sample_stream<detail::source_sample_t<Source>> incoming;
    std::vector<std::vector<detail::source_sample_t<Source>>> samples_of;  // a slot, as they were read
    std::optional<any_executor> device;
    std::shared_ptr<staging_pool> staging;       // if the device is not the host
    std::optional<detail::batch_stager> stager;  // likewise
    std::vector<batch_type> batches;
    std::shared_ptr<detail::batch_shelf<batch_type>> shelf;
  };

  static_assert(!std::same_as<batch_type, std::vector<bool>>,
                "the elements of a std::vector<bool> cannot be written by several threads");

  static constexpr bool can_keep =
      !detail::makes_batches<Source> ||
      requires(const Source& from, batch_type& batch, std::span<const std::int64_t> rows) {
    from.keep(batch, rows);
  };

  static constexpr bool has_load_rows =
      batch_source<Source> && requires(const Source& from, batch_type& batch, const sample_rows& rows) {
    from.load_rows(rows, batch);
  };

  static constexpr bool has_finish =
      detail::makes_batches<Source> && requires(const Source& from, batch_type& batch) {
    from.finish(batch);
  };

  static constexpr bool has_will_need = requires(const Source& from) { from.will_need(std::int64_t{0}); };

  static const loader_options& checked(const loader_options& options) {
    if (!can_keep && options.on_error == bad_sample::skip) {
      throw invalid_argument(
          "loader: on_error is skip, which needs a source with keep(); use replace or stop");
    }
    return options;
  }

  void hand_over(detail::made_batch made, std::optional<value_type>& out) {
    const std::size_t slot = made.slot;
    out.emplace(std::move(maker_.batches[slot]), std::move(made), maker_.shelf);
    line_.release(slot);
  }

  maker maker_;
  detail::batch_line line_;
};

}  // namespace weft
