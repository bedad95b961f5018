#include <data/reading_time.hpp>
#include <weft/data/detail/batch_line.hpp>
#include <weft/data/detail/loader_tuner.hpp>
#include <weft/data/sampler.hpp>

#include <algorithm>           // for std::clamp, std::find, std::max, std::sort, std::lower_bound
#include <atomic>              // for std::atomic
#include <bit>                 // for std::bit_cast
#include <chrono>              // for std::chrono::steady_clock
#include <condition_variable>  // for std::condition_variable
#include <exception>           // for std::exception_ptr
#include <limits>              // for std::numeric_limits
#include <memory>              // for std::enable_shared_from_this
#include <mutex>               // for std::mutex
#include <new>                 // for std::bad_alloc
#include <utility>             // for std::move, std::exchange

namespace weft::detail {
namespace {

using clock = std::chrono::steady_clock;

/// Keeps the random numbers of samples apart from those that other uses of the same seed draw.
constexpr std::uint64_t sample_stream = std::uint64_t{0x4c44} << 48;

/// A worker takes as many samples at once as it loads in about this time.
constexpr std::int64_t claim_nanoseconds = 50'000;

/// After this time a worker lets other users of the pool have the thread.
constexpr std::chrono::milliseconds slice(4);

constexpr std::int64_t batches_between_tunings = 8;
constexpr int most_read_ahead = 1024;
constexpr int replacements = 16;
constexpr std::size_t most_failures_kept = 1000;
/// How many batches there are, where nobody knows.
constexpr auto unknown = std::numeric_limits<std::int64_t>::max();

[[noreturn]] void refuse(const std::string& reason) {
  throw invalid_argument("loader: " + reason);
}

// What needs samples with places.
void require_stream_options(const loader_options& options) {
  const auto needs_places = [](const char* what) {
    refuse(std::string(what) +
           " needs a source with size() and load(index); this one can only be gone through");
  };
  if (!options.weights.empty()) needs_places("weights");
  if (!options.groups.empty()) needs_places("groups");
  if (!options.shares.empty()) needs_places("shares");
  if (!options.lengths.empty()) needs_places("lengths");
  if (options.read_ahead != 0) needs_places("read_ahead");
  if (options.on_error == bad_sample::replace) needs_places("on_error = replace");
  if (options.epochs != 1) {
    refuse("epochs is " + std::to_string(options.epochs) +
           "; a source that can only be gone through has one: make another loader for the next");
  }
  if (options.shuffle && options.shuffle_buffer < 1) {
    refuse("shuffle_buffer is " + std::to_string(options.shuffle_buffer) +
           "; to shuffle a source that can only be gone through it must be at least 1");
  }
}

loader_options checked(loader_options options, const batch_maker& maker, std::int64_t samples, int threads) {
  if (maker.streams()) {
    require_stream_options(options);
  } else if (options.shuffle_buffer != 0) {
    refuse("shuffle_buffer is " + std::to_string(options.shuffle_buffer) +
           "; it is for sources that can only be gone through: this one is shuffled as a whole");
  }
  if (!maker.streams() && samples < 0)
    refuse("the source's size is " + std::to_string(samples) + "; it cannot be negative");
  if (options.batch_size < 1) {
    refuse("batch_size is " + std::to_string(options.batch_size) + "; it must be at least 1");
  }
  if (options.epochs < 0) {
    refuse("epochs is " + std::to_string(options.epochs) + "; it must be positive, or 0 for without end");
  }
  if (options.threads < 0) {
    refuse("threads is " + std::to_string(options.threads) + "; it must be positive, or 0 for the pool's");
  }
  if (options.prefetch < 0) {
    refuse("prefetch is " + std::to_string(options.prefetch) +
           "; it must be positive, or 0 for twice the threads");
  }
  if (options.read_ahead < 0) {
    refuse("read_ahead is " + std::to_string(options.read_ahead) + "; it cannot be negative");
  }
  if (options.world < 1 || options.world > options.batch_size) {
    refuse("world is " + std::to_string(options.world) + "; it must be from 1 to batch_size, which is " +
           std::to_string(options.batch_size));
  }
  if (options.rank < 0 || options.rank >= options.world) {
    refuse("rank is " + std::to_string(options.rank) + "; it must be from 0 to world - 1, which is " +
           std::to_string(options.world - 1));
  }
  const auto one_a_sample = [&](const char* what, std::size_t count) {
    if (count == 0 || static_cast<std::int64_t>(count) == samples) return;
    refuse("there are " + std::to_string(count) + " " + what + " for " + std::to_string(samples) +
           " samples; there must be one a sample");
  };
  one_a_sample("weights", options.weights.size());
  one_a_sample("groups", options.groups.size());
  one_a_sample("lengths", options.lengths.size());
  if (!options.weights.empty() && !options.groups.empty()) {
    refuse("there are weights and groups; give one of them");
  }
  if (!options.shares.empty() && options.groups.empty() && samples > 0) {
    refuse("there are shares but no groups; give one a sample");
  }
  if (options.bucket_batches < 1) {
    refuse("bucket_batches is " + std::to_string(options.bucket_batches) + "; it must be at least 1");
  }
  options.threads = options.threads == 0 ? threads : std::min(options.threads, threads);
  if (options.prefetch == 0) options.prefetch = 2 * options.threads;
  return options;
}

sampler base_of(const loader_options& options, std::int64_t samples) {
  if (samples < 0) return sampler::sequential(0);  // the source's own order
  if (!options.weights.empty()) return sampler::weighted(options.weights, options.seed);
  if (!options.groups.empty()) {
    return sampler::grouped(options.groups, options.shares, options.shuffle, options.seed);
  }
  return options.shuffle ? sampler::shuffled(samples, options.seed) : sampler::sequential(samples);
}

sampler sampler_of(const loader_options& options, std::int64_t samples) {
  sampler base = base_of(options, samples);
  if (options.lengths.empty()) return base;
  return base.by_length(options.lengths, options.batch_size, options.bucket_batches);
}

// What the order depends on beside the numbers of a loader_state; 0 for nothing.
std::uint64_t fingerprint(const loader_options& options) {
  std::uint64_t sum = 0;
  const auto add = [&](std::uint64_t value) {
    sum = (sum ^ value) * 0x9e3779b97f4a7c15U;
    sum ^= sum >> 32;
  };
  const auto add_all = [&](std::uint64_t kind, const auto& values, auto bits) {
    if (values.empty()) return;
    add(kind);
    add(values.size());
    for (const auto value : values) add(bits(value));
  };
  const auto of_real = [](double value) { return std::bit_cast<std::uint64_t>(value); };
  const auto of_integer = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  add_all(1, options.weights, of_real);
  add_all(2, options.groups, of_integer);
  add_all(3, options.shares, of_real);
  add_all(4, options.lengths, of_integer);
  if (!options.lengths.empty()) add(static_cast<std::uint64_t>(options.bucket_batches));
  if (options.shuffle && options.shuffle_buffer != 0) {
    add(5);
    add(static_cast<std::uint64_t>(options.shuffle_buffer));
  }
  return sum;
}

std::string reason_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "the source threw something that is not a std::exception";
  }
}

std::int64_t nanoseconds(clock::duration time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

double seconds(std::int64_t nanoseconds) {
  return static_cast<double>(nanoseconds) * 1e-9;
}

}  // namespace

class batch_line::core : public std::enable_shared_from_this<batch_line::core> {
 public:
  core(thread_pool& pool, batch_maker& maker, std::int64_t samples, const loader_options& options)
      : pool_(pool),
        maker_(maker),
        options_(checked(options, maker, samples, pool.threads())),
        streams_(maker.streams()),
        samples_(samples),
        order_(fingerprint(options_)),
        sampler_(sampler_of(options_, samples)),
        per_epoch_(streams_ ? unknown
                            : samples / options_.batch_size +
                                  (!options_.drop_last && samples % options_.batch_size != 0 ? 1 : 0)),
        slots_(static_cast<std::size_t>(options_.prefetch)),
        tuning_{options_.threads, options_.prefetch, options_.read_ahead} {
    const bool endless = per_epoch_ > 0 && (options_.epochs == 0 || options_.epochs > unknown / per_epoch_);
    total_ = endless ? unknown : per_epoch_ * options_.epochs;
    in_flight_.reserve(slots_.size());
    if (options_.autotune) {
      const int ahead = maker.reads_ahead() ? most_read_ahead : 0;
      tuner_.emplace(loader_tuning{options_.threads, options_.prefetch, ahead});
      tuning_ = tuner_->chosen();
    }
    // The sampler has what it needs of them.
    options_.weights = {};
    options_.groups = {};
    options_.lengths = {};
  }

  std::size_t slots() const noexcept { return slots_.size(); }
  std::int64_t batches_per_epoch() const noexcept { return per_epoch_; }

  void close() {
    stopping_.store(true, std::memory_order_relaxed);
    std::unique_lock lock(mutex_);
    closed_ = true;
    lock.unlock();
    maker_.stop_reading();
    lock.lock();
    all_left_.wait(lock, [this] { return running_ == 0; });
  }

  task<std::optional<made_batch>> next() {
    std::optional<made_batch> batch;
    begin();
    for (;;) {
      arrival_.reset();
      if (take(batch)) co_return batch;
      const waiting at_end(*this);
      invite();
      co_await arrival_.wait();
    }
  }

  std::optional<made_batch> next_wait() {
    std::optional<made_batch> batch;
    begin();
    for (;;) {
      arrival_.reset();
      if (take(batch)) return batch;
      const waiting at_end(*this);
      invite();
      if (const std::optional<portion> mine = claim_one()) {
        perform(*mine);
      } else {
        arrival_.wait_blocking();
      }
    }
  }

  void release(std::size_t index) {
    {
      const std::lock_guard lock(mutex_);
      slots_[index].phase = phase::free;
      // Several at once: a worker that comes for one small batch has hardly anything to do.
      if (in_flight_.size() > static_cast<std::size_t>(tuning_.prefetch) / 2) return;
    }
    invite();
  }

  loader_state state() const {
    const std::lock_guard lock(mutex_);
    return {.samples = samples_,
            .batch_size = options_.batch_size,
            .seed = options_.seed,
            .shuffle = options_.shuffle,
            .drop_last = options_.drop_last,
            .order = order_,
            .next = next_to_give_,
            .ahead = given_ahead_};
  }

  void resume(const loader_state& where) {
    const auto same = [](const char* what, auto theirs, auto ours) {
      if (theirs == ours) return;
      refuse(std::string("resume: the state was saved with ") + what + " = " + std::to_string(theirs) +
             " but this loader has " + std::to_string(ours));
    };
    same("samples", where.samples, samples_);
    same("batch_size", where.batch_size, options_.batch_size);
    same("shuffle", where.shuffle, options_.shuffle);
    if (options_.shuffle || order_ != 0) same("seed", where.seed, options_.seed);
    same("drop_last", where.drop_last, options_.drop_last);
    if (where.order != order_) {
      refuse(
          "resume: the state was saved with other weights, groups, shares, lengths or shuffle_buffer than "
          "this "
          "loader's");
    }
    if (where.next < 0 || where.next > total_) {
      refuse("resume: the state is at batch " + std::to_string(where.next) + " of " + std::to_string(total_));
    }
    std::int64_t last = where.next;
    for (const std::int64_t batch : where.ahead) {
      if (batch <= last || batch >= total_) refuse("resume: the state's list of batches ahead is not valid");
      last = batch;
    }
    const std::lock_guard lock(mutex_);
    if (begun_) refuse("resume: batches have been asked for already; make another loader");
    next_to_give_ = next_to_open_ = where.next;
    given_ahead_ = where.ahead;
    given_before_ = where.ahead;
  }

  loader_stats stats() const {
    const std::lock_guard lock(mutex_);
    loader_stats now = counted_;
    if (begun_) now.seconds = seconds(nanoseconds((ended_ ? *ended_ : clock::now()) - since_));
    now.waited = seconds(waited_);
    now.loading = seconds(loading_);
    now.reading = seconds(reading_);
    now.finishing = seconds(finishing_);
    now.tuning = tuning_;
    now.cache = maker_.cached();
    return now;
  }

  std::vector<failed_sample> failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

 private:
  // free -> opening (one worker prepares it) -> filling (workers take rows) -> made -> taken -> free
  enum class phase : std::uint8_t { free, opening, filling, made, taken };

  struct slot {
    enum phase phase = phase::free;
    std::int64_t batch = 0;  // counted through all epochs
    std::int64_t epoch = 0;
    std::int64_t first = 0;  // the position of row 0 in the epoch's order
    std::int64_t rows = 0;
    std::int64_t next_row = 0;    // the first that nobody has taken
    std::int64_t unfinished = 0;  // rows that are not loaded yet
    std::shared_ptr<const epoch_order> order;
    std::uint64_t sample_seed = 0;
    std::uint64_t replacement_seed = 0;
    std::vector<std::int64_t> indices;
    std::vector<std::int64_t> skipped;  // rows, in any order
    std::int64_t hints_begin = 0;       // positions that the source is told of
    std::int64_t hints_end = 0;
    std::exception_ptr failure;  // of row failed_row
    std::int64_t failed_row = 0;
  };

  /// When it was tuned last, and what had been measured by then, in nanoseconds.
  struct measured {
    std::int64_t since = 0;
    std::int64_t waited = 0;
    std::int64_t loading = 0;
    std::int64_t reading = 0;
  };

  struct portion {
    std::size_t slot;
    std::int64_t begin;  // begin == end: the slot is to be opened
    std::int64_t end;
  };

  /// What one worker did with a portion.
  struct outcome {
    std::int64_t bytes = 0;
    std::int64_t errors = 0;
    std::vector<std::int64_t> skipped;
    std::vector<failed_sample> failures;
    std::exception_ptr failure;
    std::int64_t failed_row = 0;
  };

  /// A worker on its way; says so if the pool drops it.
  class call {
   public:
    explicit call(std::shared_ptr<core> line) noexcept : line_(std::move(line)) {}
    call(call&&) noexcept = default;
    call& operator=(call&&) = delete;
    ~call() {
      if (line_) line_->dropped();
    }
    void operator()() { std::exchange(line_, nullptr)->work(); }

   private:
    std::shared_ptr<core> line_;
  };

  /// Counts the time of its life as the consumer's waiting.
  class waiting {
   public:
    explicit waiting(core& line) : line_(line), since_(clock::now()) {}
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;
    ~waiting() {
      const std::lock_guard lock(line_.mutex_);
      line_.waited_ += nanoseconds(clock::now() - since_);
    }

   private:
    core& line_;
    clock::time_point since_;
  };

  void begin() {
    const std::lock_guard lock(mutex_);
    if (begun_) return;
    begun_ = true;
    since_ = clock::now();
  }

  // ---- the consumer ---------------------------------------------------------------------------------------

  // False if it is not known yet what comes next.
  bool take(std::optional<made_batch>& out) {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    for (std::size_t place = 0; place < in_flight_.size(); ++place) {
      const std::size_t index = in_flight_[place];
      slot& from = slots_[index];
      if (from.phase == phase::made) {
        in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(place));
        give(from);
        out = made_batch{index, from.epoch, from.batch - from.epoch * per_epoch_, std::move(from.indices)};
        return true;
      }
      if (options_.order == ordered) return false;
    }
    if (!in_flight_.empty() || more_to_open()) return false;
    if (!ended_) ended_ = clock::now();
    return true;
  }

  void give(slot& from) {
    from.phase = phase::taken;
    from.order.reset();
    if (from.failure) {
      failure_ = std::exchange(from.failure, nullptr);
      stopping_.store(true, std::memory_order_relaxed);
      ended_ = clock::now();
      std::rethrow_exception(failure_);
    }
    ++counted_.batches;
    counted_.samples += static_cast<std::int64_t>(from.indices.size());
    if (tuner_ && counted_.batches % batches_between_tunings == 0) tune();
    if (from.batch != next_to_give_) {
      given_ahead_.insert(std::lower_bound(given_ahead_.begin(), given_ahead_.end(), from.batch), from.batch);
      return;
    }
    ++next_to_give_;
    for (const std::int64_t ahead : given_ahead_) {
      if (ahead == next_to_give_) ++next_to_give_;
    }
    given_ahead_.erase(given_ahead_.begin(),
                       std::lower_bound(given_ahead_.begin(), given_ahead_.end(), next_to_give_));
  }

  void tune() {
    const std::int64_t now = nanoseconds(clock::now() - since_);
    const measured last = std::exchange(tuned_at_, {now, waited_, loading_, reading_});
    tuner_->observe({.seconds = seconds(now - last.since),
                     .waited = seconds(waited_ - last.waited),
                     .loading = seconds(loading_ - last.loading),
                     .reading = seconds(reading_ - last.reading)});
    tuning_ = tuner_->chosen();
  }

  // ---- workers --------------------------------------------------------------------------------------------

  bool more_to_open() noexcept {
    if (reading_batch_) return false;  // one batch of a stream after the other
    while (std::binary_search(given_before_.begin(), given_before_.end(), next_to_open_)) ++next_to_open_;
    return next_to_open_ < total_;
  }

  std::optional<std::size_t> free_slot() const noexcept {
    if (in_flight_.size() >= static_cast<std::size_t>(tuning_.prefetch)) return std::nullopt;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].phase == phase::free) return i;
    }
    return std::nullopt;
  }

  std::optional<std::size_t> slot_with_rows() const noexcept {
    for (const std::size_t i : in_flight_) {
      if (slots_[i].phase == phase::filling && slots_[i].next_row < slots_[i].rows) return i;
    }
    return std::nullopt;
  }

  bool worker_wanted() {
    return !closed_ && !failure_ && workers_ < tuning_.threads &&
           (slot_with_rows() || (free_slot() && more_to_open()));
  }

  std::optional<portion> claim() {
    if (closed_ || failure_) return std::nullopt;
    if (const std::optional<std::size_t> index = slot_with_rows()) {
      slot& from = slots_[*index];
      const std::int64_t wanted = sample_time_ == 0 ? 1 : claim_nanoseconds / sample_time_;
      const std::int64_t begin = from.next_row;
      from.next_row += std::clamp<std::int64_t>(wanted, 1, from.rows - begin);
      return portion{*index, begin, from.next_row};
    }
    const std::optional<std::size_t> index = free_slot();
    if (!index || !more_to_open()) return std::nullopt;
    try {
      plan(slots_[*index], next_to_open_++);
    } catch (...) {  // there is no memory for the epoch's order
      failure_ = std::current_exception();
      arrival_.set();
      return std::nullopt;
    }
    in_flight_.push_back(*index);
    reading_batch_ = streams_;
    return portion{*index, 0, 0};
  }

  std::optional<portion> claim_one() {
    const std::lock_guard lock(mutex_);
    return claim();
  }

  void plan(slot& next, std::int64_t batch) {
    next.phase = phase::opening;
    next.batch = batch;
    next.epoch = batch / per_epoch_;
    if (!epoch_order_ || order_epoch_ != next.epoch) {
      const auto epoch = static_cast<std::uint64_t>(next.epoch);
      epoch_order_ = std::make_shared<const epoch_order>(sampler_.order(epoch));
      order_epoch_ = next.epoch;
      const philox seeds(options_.seed, sample_stream + epoch);
      sample_seed_ = seeds.word(0);
      replacement_seed_ = seeds.word(1);
    }
    next.order = epoch_order_;
    next.sample_seed = sample_seed_;
    next.replacement_seed = replacement_seed_;
    next.skipped.clear();
    next.failure = nullptr;
    const std::int64_t begin = (batch - next.epoch * per_epoch_) * options_.batch_size;
    set_rows(next, begin, streams_ ? 0 : std::min(options_.batch_size, samples_ - begin));
    plan_reading(next);
  }

  // Of a batch of so many samples, the first of which has this position, the rank's rows.
  void set_rows(slot& of, std::int64_t begin, std::int64_t whole) const noexcept {
    const std::int64_t first = part(whole, options_.rank);
    of.first = begin + first;
    of.rows = part(whole, options_.rank + 1) - first;
    of.next_row = 0;
    of.unfinished = of.rows;
  }

  // Which positions of the epoch the source is told of when this batch is opened: each once.
  void plan_reading(slot& next) {
    next.hints_begin = next.hints_end = 0;
    if (tuning_.read_ahead == 0 || !maker_.reads_ahead()) return;
    if (hinted_epoch_ != next.epoch) hinted_ = 0;
    hinted_epoch_ = next.epoch;
    const std::int64_t last = std::min(per_epoch_ * options_.batch_size, samples_);
    next.hints_begin = std::max(hinted_, next.first + next.rows);
    next.hints_end = std::min(next.first + next.rows + tuning_.read_ahead, last);
    hinted_ = std::max(hinted_, next.hints_end);
  }

  void tell_source(const slot& fresh) {
    for (std::int64_t position = fresh.hints_begin; position < fresh.hints_end; ++position) {
      const std::int64_t begin = position / options_.batch_size * options_.batch_size;
      const std::int64_t whole = std::min(options_.batch_size, samples_ - begin);
      const std::int64_t row = position - begin;
      if (row < part(whole, options_.rank) || row >= part(whole, options_.rank + 1)) continue;
      maker_.will_need((*fresh.order)[position]);
    }
  }

  std::int64_t part(std::int64_t whole, std::int64_t rank) const noexcept {
    return part_begin(whole, rank, options_.world);
  }

  // Sends for one worker; one that finds more to do than for itself sends for the next.
  void invite() {
    {
      const std::lock_guard lock(mutex_);
      if (!worker_wanted()) return;
      ++workers_;
    }
    submit();
  }

  void submit() { static_cast<void>(pool_.submit(call(shared_from_this()))); }

  void dropped() noexcept {
    {
      const std::lock_guard lock(mutex_);
      --workers_;
      if (!failure_) failure_ = std::make_exception_ptr(cancelled());
    }
    arrival_.set();
  }

  void work() {
    if (!enter()) return;
    const clock::time_point begin = clock::now();
    for (;;) {
      std::optional<portion> mine;
      bool another = false;
      {
        const std::lock_guard lock(mutex_);
        if (workers_ <= tuning_.threads) mine = claim();
        if (!mine) {
          --workers_;
          leave();
          return;
        }
        another = worker_wanted();
        if (another) ++workers_;
      }
      if (another) submit();
      perform(*mine);
      if (pool_.queued() != 0 && clock::now() - begin > slice) break;
    }
    submit();
    const std::lock_guard lock(mutex_);
    leave();
  }

  bool enter() {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      --workers_;
      return false;
    }
    ++running_;
    return true;
  }

  void leave() noexcept {
    if (--running_ == 0 && closed_) all_left_.notify_all();
  }

  void perform(const portion& mine) noexcept {
    if (mine.begin == mine.end) {
      open(mine.slot);
    } else {
      fill(mine);
    }
  }

  void open(std::size_t index) noexcept {
    slot& fresh = slots_[index];
    std::exception_ptr failure;
    std::int64_t whole = options_.batch_size;
    try {
      if (streams_) whole = read(index);
      if (whole > 0) {
        fresh.indices.resize(static_cast<std::size_t>(fresh.rows));
        maker_.prepare(index, fresh.rows);
        tell_source(fresh);
        if (fresh.rows == 0 && maker_.finishes()) maker_.finish(index);
      }
    } catch (...) {
      failure = std::current_exception();
    }
    bool ready = false;
    {
      const std::lock_guard lock(mutex_);
      fresh.failure = failure;
      ready = failure != nullptr || fresh.rows == 0;
      if (whole > 0) fresh.phase = ready ? phase::made : phase::filling;
      if (streams_) end_reading(index, whole, failure != nullptr);
    }
    if (ready) arrival_.set();
  }

  // A batch of a stream: how many samples it has over all ranks, 0 if there is none.
  std::int64_t read(std::size_t index) {
    slot& fresh = slots_[index];
    const clock::time_point begin = clock::now();
    std::int64_t whole = 0;
    std::exception_ptr failure;
    try {
      whole = maker_.read(index, fresh.batch, fresh.indices);
    } catch (const std::bad_alloc&) {
      throw;
    } catch (...) {
      failure = std::current_exception();
    }
    const std::int64_t taken = nanoseconds(clock::now() - begin);
    if (options_.drop_last && whole < options_.batch_size) whole = 0;
    set_rows(fresh, fresh.batch * options_.batch_size, whole);
    const std::lock_guard lock(mutex_);
    loading_ += taken;
    reading_ += taken;
    if (!failure) return whole;
    const std::int64_t failed = maker_.samples_read();
    failures_.push_back(
        {.index = failed, .epoch = 0, .name = maker_.name(failed), .reason = reason_of(failure)});
    ++counted_.errors;
    throw load_error(failures_.back());
  }

  // Under the lock: now it is known whether there are more batches.
  void end_reading(std::size_t index, std::int64_t whole, bool failed) noexcept {
    slot& fresh = slots_[index];
    reading_batch_ = false;
    if (failed || whole < options_.batch_size) total_ = fresh.batch + (whole > 0 ? 1 : 0);
    if (whole > 0) return;
    in_flight_.erase(std::find(in_flight_.begin(), in_flight_.end(), index));
    fresh.phase = phase::free;
  }

  void fill(const portion& mine) noexcept {
    const clock::time_point begin = clock::now();
    const std::int64_t read_before = reading_nanoseconds();
    outcome done;
    if (!load_together(mine, done)) {
      for (std::int64_t row = mine.begin; row < mine.end; ++row) {
        if (stopping_.load(std::memory_order_relaxed)) break;
        load_row(mine.slot, row, done);
        if (done.failure) break;
      }
    }
    slot& here = slots_[mine.slot];
    const std::int64_t taken = nanoseconds(clock::now() - begin);
    const std::int64_t rows = mine.end - mine.begin;
    bool last = false;
    // Decided under the lock: once it is made, the batch may be given out and its slot used again.
    bool complete_it = false;
    {
      const std::lock_guard lock(mutex_);
      record(done, taken, rows);
      reading_ += reading_nanoseconds() - read_before;
      here.skipped.insert(here.skipped.end(), done.skipped.begin(), done.skipped.end());
      if (done.failure && (!here.failure || done.failed_row < here.failed_row)) {
        here.failure = done.failure;
        here.failed_row = done.failed_row;
      }
      here.unfinished -= rows;
      last = here.unfinished == 0;
      complete_it = last && (!here.skipped.empty() || maker_.finishes());
      if (last && !complete_it) here.phase = phase::made;
    }
    if (!last) return;
    if (complete_it) complete(mine.slot);
    arrival_.set();
  }

  void record(outcome& done, std::int64_t taken, std::int64_t rows) {
    counted_.bytes += done.bytes;
    counted_.errors += done.errors;
    loading_ += taken;
    const std::int64_t latest = std::max<std::int64_t>(taken / rows, 1);
    sample_time_ = sample_time_ == 0 ? latest : (3 * sample_time_ + latest) / 4;
    for (failed_sample& failed : done.failures) {
      if (failures_.size() < most_failures_kept) failures_.push_back(std::move(failed));
    }
  }

  // False if the source cannot, or if one of the samples is bad: then each is to be loaded on its own.
  bool load_together(const portion& mine, outcome& done) noexcept {
    if (!maker_.loads_rows()) return false;
    slot& here = slots_[mine.slot];
    const auto indices =
        std::span(here.indices)
            .subspan(static_cast<std::size_t>(mine.begin), static_cast<std::size_t>(mine.end - mine.begin));
    const std::int64_t first = here.first + mine.begin;
    try {
      std::int64_t position = first;
      for (std::int64_t& index : indices) index = (*here.order)[position++];
      done.bytes += maker_.load_rows(mine.slot, {.indices = indices,
                                                 .row = mine.begin,
                                                 .epoch = here.epoch,
                                                 .seed = here.sample_seed,
                                                 .position = first});
      return true;
    } catch (const std::bad_alloc&) {
      done.failure = std::current_exception();
      done.failed_row = mine.begin;
      return true;
    } catch (...) {
      return false;
    }
  }

  void load_row(std::size_t index, std::int64_t row, outcome& done) noexcept {
    slot& here = slots_[index];
    const std::int64_t position = here.first + row;
    try {
      failed_sample why;
      std::int64_t sample = streams_ ? here.indices[static_cast<std::size_t>(row)] : (*here.order)[position];
      for (int attempt = 0; attempt <= replacements; ++attempt) {
        if (try_to_load(index, row, sample, done, why)) {
          here.indices[static_cast<std::size_t>(row)] = sample;
          return;
        }
        if (options_.on_error != bad_sample::replace || attempt == replacements) break;
        const philox random(here.replacement_seed, static_cast<std::uint64_t>(position));
        const std::uint64_t other =
            random.below(static_cast<std::uint64_t>(attempt), static_cast<std::uint64_t>(samples_));
        sample = (*here.order)[static_cast<std::int64_t>(other)];
      }
      if (options_.on_error == bad_sample::skip) {
        done.skipped.push_back(row);
        return;
      }
      done.failure = std::make_exception_ptr(load_error(std::move(why)));
    } catch (...) {  // there is no memory
      done.failure = std::current_exception();
    }
    done.failed_row = row;
  }

  bool try_to_load(std::size_t index, std::int64_t row, std::int64_t sample, outcome& done,
                   failed_sample& why) {
    const slot& here = slots_[index];
    const sample_request request = {
        .index = sample,
        .row = row,
        .epoch = here.epoch,
        .random = philox(here.sample_seed, static_cast<std::uint64_t>(here.first + row))};
    std::exception_ptr failure;
    try {
      done.bytes += maker_.load(index, request);
      return true;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (...) {
      failure = std::current_exception();
    }
    ++done.errors;
    why = {.index = sample, .epoch = here.epoch, .name = maker_.name(sample), .reason = reason_of(failure)};
    done.failures.push_back(why);
    return false;
  }

  // The slot is this worker's alone now: all of its rows are done.
  void complete(std::size_t index) noexcept {
    slot& here = slots_[index];
    std::exception_ptr failure = here.failure;
    const clock::time_point begin = clock::now();
    try {
      if (!here.skipped.empty()) leave_out(index);
      if (!failure && maker_.finishes()) maker_.finish(index);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
    const std::int64_t taken = nanoseconds(clock::now() - begin);
    const std::lock_guard lock(mutex_);
    finishing_ += taken;
    here.failure = failure;
    here.phase = phase::made;
  }

  void leave_out(std::size_t index) {
    slot& here = slots_[index];
    std::sort(here.skipped.begin(), here.skipped.end());
    std::vector<std::int64_t> kept;
    for (std::int64_t row = 0; row < here.rows; ++row) {
      if (!std::binary_search(here.skipped.begin(), here.skipped.end(), row)) kept.push_back(row);
    }
    maker_.keep(index, kept);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      here.indices[i] = here.indices[static_cast<std::size_t>(kept[i])];
    }
    here.indices.resize(kept.size());
  }

  thread_pool& pool_;
  batch_maker& maker_;
  loader_options options_;
  const bool streams_;
  const std::int64_t samples_;
  const std::uint64_t order_;  // a fingerprint
  const sampler sampler_;
  const std::int64_t per_epoch_;
  std::int64_t total_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable all_left_;
  event arrival_;                      // something the consumer may be waiting for
  std::atomic<bool> stopping_{false};  // samples not yet begun are not wanted
  std::vector<slot> slots_;
  std::vector<std::size_t> in_flight_;  // opened and not taken, in the order of their batches
  std::int64_t next_to_open_ = 0;
  bool reading_batch_ = false;  // of a stream, by one thread at a time
  std::int64_t next_to_give_ = 0;
  std::vector<std::int64_t> given_ahead_;   // sorted, all above next_to_give_
  std::vector<std::int64_t> given_before_;  // by the loader that this one continues
  std::shared_ptr<const epoch_order> epoch_order_;
  std::int64_t order_epoch_ = 0;
  std::uint64_t sample_seed_ = 0;
  std::uint64_t replacement_seed_ = 0;
  int workers_ = 0;  // submitted and not yet gone
  int running_ = 0;  // of them, those that may use the maker
  bool closed_ = false;
  bool begun_ = false;
  std::exception_ptr failure_;
  std::int64_t sample_time_ = 0;  // nanoseconds
  loader_stats counted_;
  std::int64_t waited_ = 0;     // nanoseconds
  std::int64_t loading_ = 0;    // nanoseconds
  std::int64_t reading_ = 0;    // of them
  std::int64_t finishing_ = 0;  // nanoseconds
  loader_tuning tuning_;
  std::optional<loader_tuner> tuner_;
  measured tuned_at_;
  std::int64_t hinted_ = 0;  // positions of the epoch that the source was told of
  std::int64_t hinted_epoch_ = 0;
  clock::time_point since_;
  std::optional<clock::time_point> ended_;
  std::vector<failed_sample> failures_;
};

batch_line::batch_line(thread_pool& pool, batch_maker& maker, std::int64_t samples,
                       const loader_options& options)
    : core_(std::make_shared<core>(pool, maker, samples, options)) {}

void batch_line::close() {
  core_->close();
}

std::size_t batch_line::slots() const noexcept {
  return core_->slots();
}

std::int64_t batch_line::batches_per_epoch() const noexcept {
  return core_->batches_per_epoch();
}

task<std::optional<made_batch>> batch_line::next() {
  return core_->next();
}

std::optional<made_batch> batch_line::next_wait() {
  return core_->next_wait();
}

void batch_line::release(std::size_t slot) {
  core_->release(slot);
}

loader_state batch_line::state() const {
  return core_->state();
}

void batch_line::resume(const loader_state& where) {
  core_->resume(where);
}

loader_stats batch_line::stats() const {
  return core_->stats();
}

std::vector<failed_sample> batch_line::failures() const {
  return core_->failures();
}

}  // namespace weft::detail
