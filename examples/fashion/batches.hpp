#pragma once

#include <cstdint>  // for std::int64_t, std::uint64_t
#include <weft/async/queue.hpp>
#include <weft/async/task.hpp>
#include <weft/data/collate.hpp>
#include <weft/pool/thread_pool.hpp>

#include "dataset.hpp"

namespace fashion {

/// Which batches a training gets.
struct batch_plan {
  std::int64_t batch_size = 128;
  int epochs = 1;
  std::uint64_t seed = 0;

  /// The number of steps in one epoch: the last batch may be smaller.
  std::int64_t steps_per_epoch(std::int64_t samples) const { return (samples + batch_size - 1) / batch_size; }
};

/// Shuffles the training images once an epoch, loads batches on the pool's threads,
/// and pushes them in order; closes the queue at the end. The order depends on the plan only.
///
/// @param data must outlive the pool's calls
weft::task<> produce_batches(weft::thread_pool& pool, const dataset& data, const batch_plan& plan,
                             weft::queue<weft::image_batch>& batches);

}  // namespace fashion
