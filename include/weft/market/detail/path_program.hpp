#pragma once

#include <weft/compute/cuda_context.hpp>
#include <weft/compute/isa.hpp>
#include <weft/market/detail/path_moments.hpp>
#include <weft/market/estimate.hpp>
#include <weft/pool/future.hpp>
#include <weft/pool/process_pool.hpp>

#include <cstddef>     // for std::byte, std::size_t
#include <cstdint>     // for std::int64_t, std::uint64_t
#include <functional>  // for std::function
#include <span>        // for std::span
#include <vector>      // for std::vector

namespace weft {

struct monte_carlo_options;

namespace detail {

/// Of values, and of controls unless there are none.
path_moments moments_of(std::span<const float> values, std::span<const float> controls);

/// What a range of paths gives: what each pays, or the moments of each part.
struct path_results {
  std::vector<path_moments> moments;
  std::vector<float> values;
};

/// A model with a payoff, ready to be simulated.
class path_program {
 public:
  path_program() = default;
  path_program(const path_program&) = delete;
  path_program& operator=(const path_program&) = delete;
  virtual ~path_program() = default;

  /// What is paid today for 1 that a path pays.
  virtual double discount() const = 0;
  /// Whether there is a control variate, and its expectation.
  virtual bool has_control() const = 0;
  virtual double control_mean() const = 0;
  /// What each path pays; controls is null if not wanted.
  virtual void fill(isa level, path_range range, float* values, float* controls) const = 0;
  virtual future<path_results> in_worker(process_pool& pool, path_range range, bool want_values) const = 0;
  virtual path_results on_gpu(const cuda_context& context, path_range range, bool want_values) const = 0;
};

/// Enqueues the kernel that simulates a range on a GPU: `room` is as much of the GPU's memory as was asked
/// for, values and controls are its too, and controls is null if not wanted.
using gpu_simulation = std::function<void(std::byte* room, float* values, float* controls)>;

/// The results of a range on a GPU.
path_results gpu_results(const cuda_context& context, path_range range, bool control, bool want_values,
                         std::size_t room, const gpu_simulation& simulate);

/// The results of a range on this thread.
path_results results_of(const path_program& program, isa level, path_range range, bool want_values);

/// Simulates until an option says that it is enough.
estimate estimate_paths(const path_program& program, const monte_carlo_options& options);

/// What each path pays, discounted.
std::vector<double> pay_paths(const path_program& program, const monte_carlo_options& options);

/// Normal numbers as path_kernel_table::normals has them.
void fill_path_normals(isa level, std::uint64_t seed, std::int64_t factor, std::int64_t block,
                       path_range range, std::int64_t stride, float* output);

}  // namespace detail
}  // namespace weft
