#pragma once

#include <weft/async/task.hpp>
#include <weft/serve/batcher.hpp>
#include <weft/serve/served_model.hpp>

#include <array>    // for std::array
#include <atomic>   // for std::atomic
#include <chrono>   // for std::chrono::nanoseconds
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint64_t
#include <span>     // for std::span
#include <vector>   // for std::vector

namespace weft::detail {

/// Why a request for inference failed, as Triton's metrics call it.
enum class failure_kind : std::uint8_t { rejected, canceled, backend, other };
inline constexpr std::size_t failure_kinds = 4;

/// What a model has done: counts, and times in nanoseconds.
struct model_figures {
  std::uint64_t succeeded = 0;
  std::array<std::uint64_t, failure_kinds> failed{};
  std::uint64_t items = 0;
  std::uint64_t executions = 0;
  std::uint64_t success_ns = 0;
  std::uint64_t failure_ns = 0;
  std::uint64_t input_ns = 0;  // putting batches together
  std::uint64_t compute_ns = 0;
  std::uint64_t output_ns = 0;          // taking them apart
  std::uint64_t last_inference_ms = 0;  // since the epoch
  batcher_stats batches{};
};

/// A model and its batcher.
///
/// Thread safety: all members may be called from any thread.
class loaded_model {
 public:
  /// Throws invalid_argument, naming the field, and what warming up throws.
  explicit loaded_model(served_model model);

  const served_model& description() const noexcept { return model_; }

  /// The outputs for inputs that have been checked against the description. Throws as batcher::infer().
  task<std::vector<inference_tensor>> infer(std::vector<inference_tensor> inputs, infer_options options);

  /// A request failed before it could be asked for.
  void count_failure(failure_kind kind) noexcept;

  model_figures figures() const;

 private:
  struct item_batch {
    std::vector<inference_tensor> tensors;
  };
  struct totals {
    std::atomic<std::uint64_t> succeeded{0}, items{0}, executions{0}, success_ns{0}, failure_ns{0},
        input_ns{0}, compute_ns{0}, output_ns{0}, last_inference_ms{0};
    std::array<std::atomic<std::uint64_t>, failure_kinds> failed{};
  };

  std::vector<item_batch> compute(std::span<const item_batch> requests);
  void compute_together(std::span<const item_batch> requests, std::vector<item_batch>& responses);
  std::vector<inference_tensor> checked_outputs(const std::vector<inference_tensor>& inputs,
                                                std::int64_t items) const;
  void warm_up(std::int64_t items) const;

  const served_model model_;
  totals totals_;
  batcher<item_batch, item_batch> batches_;  // last: its threads use the rest
};

}  // namespace weft::detail
