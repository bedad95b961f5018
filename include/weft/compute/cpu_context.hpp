#pragma once

#include <weft/compute/isa.hpp>

#include <tbb/blocked_range.h>  // for tbb::blocked_range
#include <tbb/parallel_for.h>   // for tbb::parallel_for
#include <tbb/partitioner.h>    // for tbb::static_partitioner
#include <tbb/task_arena.h>     // for tbb::task_arena

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t

namespace weft {

/// What a kernel on the CPU is given: where its parallel parts run. A context is serial, or it borrows an
/// arena of threads.
///
/// Kernels split sums by shapes alone and never by threads(), so that their results are the same bits on
/// every context.
///
/// Thread safety: distinct objects safe; shared objects safe.
class cpu_context {
 public:
  /// A serial context: everything runs on the calling thread. It needs no pool. Throws as selected_isa().
  cpu_context() : cpu_context(selected_isa()) {}

  /// A serial context with kernels of a given instruction set; throws invalid_argument if this machine cannot
  /// run it.
  explicit cpu_context(isa level) : level_(require_supported(level)) {}

  /// A context over an arena, which must outlive it. Throws as selected_isa().
  explicit cpu_context(tbb::task_arena& arena) : cpu_context(arena, selected_isa()) {}

  /// A context over an arena, which must outlive it, with kernels of a given instruction set; throws
  /// invalid_argument if this machine cannot run it.
  cpu_context(tbb::task_arena& arena, isa level) : arena_(&arena), level_(require_supported(level)) {}

  /// The instruction set whose kernels run here.
  isa level() const noexcept { return level_; }

  /// How many threads a parallel part may use.
  int threads() const { return arena_ == nullptr ? 1 : arena_->max_concurrency(); }

  /// Calls f(index) once for every index in [0, count), in no particular order and possibly at the same time,
  /// and returns when all calls have returned. Equal counts give equal indices to the same threads where
  /// possible, so that data stay in a core's cache from one call to the next.
  ///
  /// `least` calls, at least 1, are worth another thread. To wake a thread that sleeps costs some
  /// 20 us, most of it on the thread that wakes; with `least` calls or fewer, all run on the calling thread.
  ///
  /// If a call throws, indices not yet begun may be left out and one of the exceptions is rethrown here.
  template <class F>
  void parallel_for(std::int64_t count, const F& f, std::int64_t least = 1) const {
    if (arena_ == nullptr || count <= least || arena_->max_concurrency() == 1) {
      for (std::int64_t index = 0; index < count; ++index) f(index);
      return;
    }
    // Isolated, so that a thread that waits here for the last index does not begin unrelated work of the
    // arena.
    arena_->execute([&] {
      tbb::this_task_arena::isolate([&] {
        tbb::parallel_for(
            tbb::blocked_range<std::int64_t>(0, count, static_cast<std::size_t>(least)),
            [&f](const tbb::blocked_range<std::int64_t>& range) {
              for (std::int64_t index = range.begin(); index < range.end(); ++index) f(index);
            },
            tbb::static_partitioner());
      });
    });
  }

 private:
  tbb::task_arena* arena_ = nullptr;
  isa level_;
};

}  // namespace weft
