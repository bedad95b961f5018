#pragma once

#include <weft/data/loader_options.hpp>

namespace weft::detail {

/// What was measured since the last time, in seconds.
struct loader_period {
  double seconds = 0.0;
  double waited = 0.0;   // by the caller
  double loading = 0.0;  // in the source, over all threads
  double reading = 0.0;  // of that, reading files
};

/// Chooses how a loader works, from what is measured. A caller that waits gets more threads, then more
/// batches made ahead and, where much of the time is reading, more reading ahead; one that does not wait
/// leaves threads to the rest of the program. A thread that was missed at once is not taken away again.
///
/// Thread safety: none.
class loader_tuner {
 public:
  /// @param most what may be chosen
  explicit loader_tuner(const loader_tuning& most);

  const loader_tuning& chosen() const noexcept { return chosen_; }

  /// Chooses anew. True if that changed something.
  bool observe(const loader_period& period);

 private:
  bool more(const loader_period& period);
  bool less();

  loader_tuning most_;
  loader_tuning chosen_;
  int least_threads_ = 1;
  int calm_ = 0;          // periods without waiting, in a row
  bool lowered_ = false;  // by the last change
};

}  // namespace weft::detail
