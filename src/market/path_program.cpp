#include <market/checks.hpp>
#include <market/normal_quantile.hpp>
#include <market/path_kernels.hpp>
#include <weft/compute/cpu_context.hpp>
#include <weft/market/detail/path_program.hpp>
#include <weft/market/monte_carlo_options.hpp>

#include <algorithm>    // for std::clamp, std::copy, std::max, std::min
#include <chrono>       // for std::chrono::steady_clock
#include <cmath>        // for std::sqrt
#include <cstddef>      // for std::size_t
#include <type_traits>  // for std::is_same_v

namespace weft::detail {
namespace {

// A round is at most so many parts, 16 million paths: moments are kept for each part until they are joined.
constexpr std::int64_t most_parts = 4096;
constexpr std::int64_t first_parts = 16;

const path_kernel_table& kernels_of(isa level) {
  switch (level) {
    case isa::v2:
      return v2::path_kernels;
    case isa::v3:
      return v3::path_kernels;
    case isa::v4:
    case isa::v4_bf16:
      break;
  }
  return v4::path_kernels;
}

// Sums in eight parts, which the compiler keeps in registers.
template <class F>
double sum(std::size_t count, const F& term) {
  double parts[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (std::size_t k = 0; k < 8; ++k) parts[k] += term(i + k);
  }
  for (std::size_t k = 0; i < count; ++i, ++k) parts[k] += term(i);
  return ((parts[0] + parts[4]) + (parts[1] + parts[5])) + ((parts[2] + parts[6]) + (parts[3] + parts[7]));
}

// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
void join(path_moments& all, const path_moments& part) {
  const double count = all.count + part.count;
  if (count == 0.0) return;
  const double dx = part.mean_x - all.mean_x;
  const double dy = part.mean_y - all.mean_y;
  const double share = part.count / count;
  const double weight = all.count * share;
  all.mean_x += dx * share;
  all.mean_y += dy * share;
  all.xx += part.xx + dx * dx * weight;
  all.yy += part.yy + dy * dy * weight;
  all.xy += part.xy + dx * dy * weight;
  all.count = count;
}

path_range part_of(path_range range, std::int64_t part) {
  const std::int64_t begin = range.begin + part * paths_in_part;
  return {begin, std::min(begin + paths_in_part, range.end)};
}

// One part: its moments, and its values if they are wanted.
path_moments run_part(const path_program& program, isa level, path_range part, float* values) {
  const auto count = static_cast<std::size_t>(part.end - part.begin);
  std::vector<float> buffer(2 * static_cast<std::size_t>(paths_in_part));
  float* const paid = values != nullptr ? values : buffer.data();
  float* const controls = program.has_control() ? buffer.data() + paths_in_part : nullptr;
  program.fill(level, part, paid, controls);
  if (values != nullptr) return {};
  return moments_of({paid, count}, {controls, controls == nullptr ? 0 : count});
}

// Room for the results of a range, and the loop over its parts.
class collected {
 public:
  collected(path_range range, bool want_values) : range_(range) {
    if (want_values) {
      results_.values.resize(static_cast<std::size_t>(range.end - range.begin));
    } else {
      results_.moments.resize(static_cast<std::size_t>(range.parts()));
    }
  }

  void run(const path_program& program, isa level, std::int64_t part) {
    const path_range paths = part_of(range_, part);
    if (results_.values.empty()) {
      results_.moments[static_cast<std::size_t>(part)] = run_part(program, level, paths, nullptr);
    } else {
      run_part(program, level, paths, results_.values.data() + (paths.begin - range_.begin));
    }
  }

  path_results take() { return std::move(results_); }

 private:
  path_range range_;
  path_results results_;
};

// A range as a kernel, for executors.
struct path_kernel {
  const path_program* program;
  path_range range;
  bool want_values;

  path_results operator()(const cpu_context& context) const {
    collected results(range, want_values);
    context.parallel_for(range.parts(),
                         [&](std::int64_t part) { results.run(*program, context.level(), part); });
    return results.take();
  }
  path_results operator()(const cuda_context& context) const {
    return program->on_gpu(context, range, want_values);
  }
};

path_results in_workers(const path_program& program, process_pool& pool, path_range range, bool want_values) {
  // Two calls a worker, so that one that is late does not hold up the others for long.
  const std::int64_t calls = std::clamp<std::int64_t>(2 * pool.workers(), 1, range.parts());
  std::vector<future<path_results>> running;
  for (std::int64_t call = 0; call < calls; ++call) {
    const std::int64_t first = range.begin + range.parts() * call / calls * paths_in_part;
    const std::int64_t last = range.begin + range.parts() * (call + 1) / calls * paths_in_part;
    running.push_back(program.in_worker(pool, {first, std::min(last, range.end)}, want_values));
  }
  path_results results;
  for (auto& each : running) {
    const path_results part = each.get();
    results.moments.insert(results.moments.end(), part.moments.begin(), part.moments.end());
    results.values.insert(results.values.end(), part.values.begin(), part.values.end());
  }
  return results;
}

path_results run_range(const path_program& program, const simulation_place& place, path_range range,
                       bool want_values) {
  return place.visit([&]<class Where>(const Where& where) -> path_results {
    if constexpr (std::is_same_v<Where, std::monostate>) {
      return results_of(program, selected_isa(), range, want_values);
    } else if constexpr (std::is_same_v<Where, thread_pool*>) {
      collected results(range, want_values);
      const isa level = selected_isa();
      where->for_range(0, range.parts(), [&](std::int64_t part) { results.run(program, level, part); });
      return results.take();
    } else if constexpr (std::is_same_v<Where, process_pool*>) {
      return in_workers(program, *where, range, want_values);
    } else if constexpr (std::is_same_v<Where, executor_base*>) {
      return where->submit(path_kernel{&program, range, want_values}).get();
    } else {
      return where.base().submit(path_kernel{&program, range, want_values}).get();
    }
  });
}

void check(const monte_carlo_options& options) {
  const auto refuse = [](const std::string& field, const std::string& value, const char* allowed) {
    throw invalid_argument("monte_carlo: " + field + " is " + value + ", it must be " + allowed);
  };
  require(options.maturity >= 0.0, "monte_carlo", "maturity", options.maturity, "at least 0");
  require_steps("monte_carlo", options.steps);
  if (options.paths < 2) refuse("paths", std::to_string(options.paths), "at least 2");
  require(options.confidence > 0.0 && options.confidence < 1.0, "monte_carlo", "confidence",
          options.confidence, "above 0 and below 1");
  require(options.target_error >= 0.0, "monte_carlo", "target_error", options.target_error,
          "above 0, or 0 for none");
  if (options.time_budget.count() < 0) {
    refuse("time_budget", std::to_string(options.time_budget.count()) + " ns", "above 0, or 0 for none");
  }
}

estimate estimate_of(const path_moments& all, const path_program& program, double quantile) {
  double value = all.mean_x;
  double squares = all.xx;
  double freedom = all.count - 1.0;
  if (program.has_control() && all.yy > 0.0) {
    const double factor = all.xy / all.yy;
    value -= factor * (all.mean_y - program.control_mean());
    squares -= factor * all.xy;
    freedom -= 1.0;
  }
  const double variance = std::max(0.0, squares) / std::max(1.0, freedom);
  estimate result;
  result.value = program.discount() * value;
  result.standard_error = program.discount() * std::sqrt(variance / all.count);
  result.low = result.value - quantile * result.standard_error;
  result.high = result.value + quantile * result.standard_error;
  result.paths = static_cast<std::int64_t>(all.count);
  return result;
}

}  // namespace

path_moments moments_of(std::span<const float> values, std::span<const float> controls) {
  path_moments result;
  const std::size_t count = values.size();
  const auto x = [&](std::size_t i) { return static_cast<double>(values[i]); };
  const auto y = [&](std::size_t i) { return static_cast<double>(controls[i]); };
  result.count = static_cast<double>(count);
  result.mean_x = sum(count, x) / result.count;
  const double mean_x = result.mean_x;
  result.xx = sum(count, [&](std::size_t i) { return (x(i) - mean_x) * (x(i) - mean_x); });
  if (!controls.empty()) {
    result.mean_y = sum(count, y) / result.count;
    const double mean_y = result.mean_y;
    result.yy = sum(count, [&](std::size_t i) { return (y(i) - mean_y) * (y(i) - mean_y); });
    result.xy = sum(count, [&](std::size_t i) { return (x(i) - mean_x) * (y(i) - mean_y); });
  }
  return result;
}

path_results results_of(const path_program& program, isa level, path_range range, bool want_values) {
  collected results(range, want_values);
  for (std::int64_t part = 0; part < range.parts(); ++part) results.run(program, level, part);
  return results.take();
}

estimate estimate_paths(const path_program& program, const monte_carlo_options& options) {
  check(options);
  const double quantile = two_sided_quantile(options.confidence);
  const auto began = std::chrono::steady_clock::now();
  const bool timed = options.time_budget.count() > 0;
  const bool in_rounds = timed || options.target_error > 0.0;
  path_moments all;
  std::int64_t done = 0;
  std::int64_t parts = in_rounds ? first_parts : most_parts;
  for (;;) {
    const path_range range{done, std::min(options.paths, done + parts * paths_in_part)};
    for (const path_moments& part : run_range(program, options.place, range, false).moments) join(all, part);
    done = range.end;
    estimate result = estimate_of(all, program, quantile);
    if (options.target_error > 0.0 && result.standard_error <= options.target_error) {
      result.reason = stopped_by::target_error;
      return result;
    }
    if (done == options.paths) return result;
    if (!in_rounds) continue;
    parts = std::min(most_parts, done / paths_in_part);  // twice as many in all
    if (timed) {
      const auto elapsed = std::chrono::steady_clock::now() - began;
      const double left = std::chrono::duration<double>(options.time_budget - elapsed).count();
      const double a_part = std::chrono::duration<double>(elapsed).count() /
                            (static_cast<double>(done) / static_cast<double>(paths_in_part));
      if (left < a_part) {
        result.reason = stopped_by::time_budget;
        return result;
      }
      parts = std::min(parts, std::max<std::int64_t>(1, static_cast<std::int64_t>(left / a_part)));
    }
  }
}

std::vector<double> pay_paths(const path_program& program, const monte_carlo_options& options) {
  check(options);
  std::vector<double> result;
  result.reserve(static_cast<std::size_t>(options.paths));
  for (std::int64_t done = 0; done < options.paths;) {
    const path_range range{done, std::min(options.paths, done + most_parts * paths_in_part)};
    for (const float value : run_range(program, options.place, range, true).values) {
      result.push_back(program.discount() * static_cast<double>(value));
    }
    done = range.end;
  }
  return result;
}

void fill_path_normals(isa level, std::uint64_t seed, std::int64_t factor, std::int64_t block,
                       path_range range, std::int64_t stride, float* output) {
  const std::uint32_t words[2] = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  kernels_of(level).normals(words, factor, block, range.begin, range.end, stride, output);
}

void fill_paths(isa level, const path_arguments& arguments, path_range range, float* values,
                float* controls) {
  kernels_of(level).paths(arguments, range.begin, range.end, values, controls);
}

}  // namespace weft::detail
