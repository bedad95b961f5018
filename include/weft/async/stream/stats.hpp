#pragma once

#include <chrono>     // for std::chrono::nanoseconds
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::uint64_t
#include <cstdio>     // for std::snprintf
#include <stdexcept>  // for std::out_of_range
#include <string>     // for std::string
#include <vector>     // for std::vector

namespace weft {

/// What one stage of a pipeline has done so far.
struct stage_stats {
  /// The stage's kind, or what named() called it.
  std::string name;
  /// Items it took from upstream (0 for a source).
  std::uint64_t items_in = 0;
  /// Items it handed downstream (0 for a sink).
  std::uint64_t items_out = 0;
  /// How many items it works on at the same time at most.
  int concurrency = 1;
  /// Time spent in the stage's own work, summed over the items.
  std::chrono::nanoseconds busy{0};
  /// Time in which it had nothing to work on, because upstream was not ready.
  std::chrono::nanoseconds starved{0};
  /// Time in which it could not go on, because downstream did not take what it had.
  std::chrono::nanoseconds blocked{0};
};

/// What the stages of a pipeline have done so far.
struct pipeline_stats {
  /// Time since the pipeline was started, until now or until it ended.
  std::chrono::nanoseconds elapsed{0};
  /// The stages, source first and sink last.
  std::vector<stage_stats> stages;

  /// The part of the time, 0 to 1, in which the stage worked at full concurrency.
  double utilization(const stage_stats& stage) const noexcept {
    if (elapsed.count() <= 0) return 0;
    return static_cast<double>(stage.busy.count()) / static_cast<double>(elapsed.count()) / stage.concurrency;
  }

  /// The stage that limits the pipeline: the one with the highest utilization. Throws std::out_of_range if
  /// the pipeline has not been started.
  const stage_stats& bottleneck() const {
    const stage_stats* worst = &stages.at(0);
    for (const stage_stats& each : stages) {
      if (utilization(each) > utilization(*worst)) worst = &each;
    }
    return *worst;
  }
};

/// A table, one line a stage: items in and out, times in milliseconds, utilization; the bottleneck is marked.
inline std::string to_string(const pipeline_stats& stats) {
  std::string text = "stage                     in         out   busy ms  starved ms  blocked ms   use\n";
  for (const stage_stats& each : stats.stages) {
    const auto milliseconds = [](std::chrono::nanoseconds time) {
      return static_cast<double>(time.count()) * 1e-6;
    };
    char line[160];
    std::snprintf(line, sizeof(line), "%-18.18s %10llu  %10llu  %8.1f  %10.1f  %10.1f  %3.0f%%%s\n",
                  each.name.c_str(), static_cast<unsigned long long>(each.items_in),
                  static_cast<unsigned long long>(each.items_out), milliseconds(each.busy),
                  milliseconds(each.starved), milliseconds(each.blocked), 100 * stats.utilization(each),
                  &each == &stats.bottleneck() ? "  <- bottleneck" : "");
    text += line;
  }
  return text;
}

}  // namespace weft
