#pragma once

#include <weft/observe/trace.hpp>

#include <chrono>   // for std::chrono::microseconds
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint8_t, std::uint64_t
#include <vector>   // for std::vector

namespace weft {

/// What a batcher may do.
struct batcher_options {
  /// The most requests in a batch; at least 1.
  std::size_t max_batch_size = 32;
  /// Sizes for which the model is quickest: the largest that can be formed is released at once, another size
  /// only when the oldest request has waited its time. Each 1 to max_batch_size.
  std::vector<std::size_t> preferred_batch_sizes{};
  /// How long the oldest request may wait for others. 0: an instance that is idle takes what there is.
  std::chrono::microseconds max_queue_delay{0};
  /// How long a request should take in all, model included; 0: no goal. With a goal the batcher learns what a
  /// batch costs, and lets requests wait for others only while that saves more than it costs, and never so
  /// long that the oldest would miss the goal. max_queue_delay, if it is not 0, still bounds the wait.
  std::chrono::microseconds latency_goal{0};
  /// How many requests may wait; those beyond are refused with `overloaded`. At least 1.
  std::size_t max_queue_size = 4096;
  /// How many levels of priority there are. Level 1 goes first, always: a stream of it can keep the others
  /// waiting.
  std::size_t priority_levels = 1;
  /// How many batches may run at once, each on a thread of its own; at least 1.
  std::size_t instances = 1;
  /// Whether an event loop runs the batches itself that its requests make due, if an instance is idle, and
  /// does not wake the instance's thread: for models that take microseconds. The loop does nothing else
  /// meanwhile. What a delay or a plain thread makes due still runs on an instance.
  bool run_on_loop = false;
  /// Whether batches are answered in the order in which they left the queue, though a later one be ready
  /// earlier.
  bool preserve_order = false;
  /// Whether the requests of a batch that failed are run again one by one, so that only those fail that fail
  /// alone.
  bool isolate_failures = false;
  /// The time limit of requests that have none of their own; 0: none.
  std::chrono::microseconds default_timeout{0};
  /// Under which its waits and batches stand in a trace.
  trace_name name = "batcher";
};

/// What one request asks for.
struct infer_options {
  /// 1 to priority_levels; 0: the last level.
  std::size_t priority = 0;
  /// How long it may take in all; 0: the batcher's default_timeout.
  std::chrono::microseconds timeout{0};
};

/// Why a batch left the queue.
enum class release_reason : std::uint8_t {
  full,       ///< it had max_batch_size requests
  preferred,  ///< it had a preferred size
  delay,      ///< its oldest request had waited max_queue_delay
  goal,       ///< waiting longer would have cost more than it saves, or the latency goal
  closing     ///< the batcher was being closed
};
/// How many reasons there are.
inline constexpr std::size_t release_reasons = 5;

/// What a batcher has done since it was made, and what it does now.
struct batcher_stats {
  std::uint64_t accepted = 0;   ///< requests that were queued
  std::uint64_t succeeded = 0;  ///< requests that got a result
  std::uint64_t failed = 0;     ///< requests whose batch, or they alone, threw
  std::uint64_t refused = 0;    ///< requests that were refused with `overloaded`
  std::uint64_t cancelled =
      0;  ///< requests that were cancelled, or whose time was over, before they had a result
  std::uint64_t batches = 0;  ///< batches that were released
  /// Batches by release_reason.
  std::uint64_t released[release_reasons] = {};
  /// Batches by size: element n counts those of n requests.
  std::vector<std::uint64_t> sizes;
  double queue_seconds = 0;  ///< the time that requests spent waiting for their batch, all together
  double model_seconds = 0;  ///< the time that batches spent in the model, all together
  std::size_t queued = 0;    ///< requests that wait now
  std::size_t running = 0;   ///< batches that run now
  std::size_t idle = 0;      ///< instances that wait for a batch to become due
};

}  // namespace weft
