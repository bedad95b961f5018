#pragma once

#include <weft/async/stream/map.hpp>
#include <weft/async/stream/stage.hpp>
#include <weft/async/task.hpp>
#include <weft/compute/executor.hpp>
#include <weft/compute/staging_pool.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/core/error.hpp>

#include <boost/pfr.hpp>

#include <cstddef>      // for std::size_t, std::byte
#include <memory>       // for std::shared_ptr, std::make_shared
#include <ranges>       // for std::ranges::range
#include <tuple>        // for std::apply
#include <type_traits>  // for std::is_aggregate_v, std::is_array_v
#include <utility>      // for std::move, std::swap
#include <vector>       // for std::vector

namespace weft {

namespace detail {

/// Calls visit(tensor) for each tensor in a batch: the batch itself, or those among the elements of a tuple
/// or a range and the members of an aggregate, however deep.
template <class Batch, class Visit>
void for_each_tensor(Batch& batch, const Visit& visit) {
  if constexpr (is_tensor<Batch>::value) {
    visit(batch);
  } else if constexpr (requires { std::tuple_size<Batch>::value; }) {
    std::apply([&](auto&... parts) { (for_each_tensor(parts, visit), ...); }, batch);
  } else if constexpr (std::ranges::range<Batch&>) {
    using element = std::ranges::range_reference_t<Batch&>;
    if constexpr (std::is_class_v<std::remove_cvref_t<element>> && std::is_lvalue_reference_v<element>) {
      for (auto& part : batch) for_each_tensor(part, visit);
    }
  } else if constexpr (std::is_aggregate_v<Batch> && !std::is_array_v<Batch>) {
    boost::pfr::for_each_field(batch, [&](auto& part) { for_each_tensor(part, visit); });
  }
}

/// Elements on their way to an executor's memory.
struct staged_copy {
  const void* from;
  void* to;
  std::size_t bytes;
};

/// The arrays of one batch on their way, and what must stay alive until they are there.
struct staged_batch {
  std::vector<staged_copy> copies;
  std::vector<std::shared_ptr<void>> sources;
  std::vector<tensor<std::byte, 1>> buffers;
};

/// Kernel: copies the arrays of a batch, piece by piece: while one piece goes to the device, the next goes
/// into a staging buffer.
struct stage_batch {
  staged_batch* batch;
  std::shared_ptr<staging_pool> staging;

  void operator()(const cpu_context& context) const;
  void operator()(const cuda_context& context) const;
};

/// The stage's function.
class batch_stager {
 public:
  batch_stager(executor_base& target, std::shared_ptr<staging_pool> staging);

  template <class Batch>
  task<Batch> operator()(Batch batch) {
    staged_batch staged;
    redirect_all(batch, staged);
    if (!staged.copies.empty()) {
      const stage_batch kernel{&staged, staging_};
      co_await copier().run(kernel);
    }
    co_return batch;
  }

  /// The same, blocking.
  template <class Batch>
  void bring(Batch& batch) const {
    staged_batch staged;
    redirect_all(batch, staged);
    if (!staged.copies.empty()) copier().submit(stage_batch{&staged, staging_}).get();
  }

 private:
  template <class Batch>
  void redirect_all(Batch& batch, staged_batch& staged) const {
    for_each_tensor(batch, [&](auto& values) { redirect(values, staged); });
  }

  executor_base& copier() const noexcept { return copier_ == nullptr ? *target_ : *copier_; }
  // Throws invalid_argument unless the target can be reached from there.
  void require_reachable(place from) const;

  // Puts a tensor of the target's memory in the place of one that lies elsewhere.
  template <class T, int Rank>
  void redirect(tensor<T, Rank>& values, staged_batch& staged) const {
    if (values.where() == target_->where()) return;
    require_reachable(values.where());
    tensor<T, Rank> there(values.extents(), memory_);
    if (!values.empty()) {
      staged.copies.push_back(
          {values.data(), there.data(), static_cast<std::size_t>(values.size()) * sizeof(T)});
    }
    std::swap(values, there);
    staged.sources.push_back(std::make_shared<tensor<T, Rank>>(std::move(there)));
  }

  executor_base* target_;
  std::shared_ptr<executor_base> copier_;
  std::shared_ptr<memory> memory_;
  std::shared_ptr<staging_pool> staging_;
};

struct device_prefetch_adaptor : adaptor_base {
  batch_stager stager;
  std::size_t depth;

  device_prefetch_adaptor(batch_stager moves, std::size_t ahead) : stager(std::move(moves)), depth(ahead) {}

  template <stream S>
  auto attach(S upstream) && {
    const map_options options{.concurrency = static_cast<int>(depth), .buffer = depth};
    concurrent_map_stream<S, no_pool, batch_stager> result(std::move(upstream), nullptr, std::move(stager),
                                                           options);
    result.name = "device_prefetch";
    return result;
  }
};

device_prefetch_adaptor make_device_prefetch(executor_base& target, std::size_t depth,
                                             std::shared_ptr<staging_pool> staging);

}  // namespace detail

/// Brings batches into the memory that an executor computes in, ahead of what comes after it, so that batch
/// n + 1 is copied while batch n is computed:
///
///     co_await (batches | device_prefetch(gpu) | for_each(step));
///
/// A batch is a tensor, a tuple or a range of them, or an aggregate with tensors among its members, and comes
/// out as the same type, in the order of the batches. Tensors that lie in the executor's memory pass through;
/// on a CPU all of them do. Those of a GPU are copied through staging buffers, which are pinned pages, beside
/// the kernels (executor_base::copier()); a tensor that was allocated from pinned_memory() or a staging_pool
/// is copied from where it lies. The source's memory is given back when its copy is done.
///
/// Holds at most `depth` batches: being produced, being copied, or copied and not yet taken. That many are in
/// the executor's memory beside the one that is computed, and as many may be in staging buffers. What fails
/// comes out as a stage_error of 'device_prefetch' after the batches before it.
///
/// @param target the executor, which must outlive the pipeline; @param depth how many batches, above 0
/// @param staging where the buffers come from; null for a pool of the stage's own
///
/// Throws invalid_argument if depth is 0 or above 1024; otherwise as staging_pool's constructor and
/// executor_base::copier().
///
/// Cancellation: copies that run are waited for, and no more are begun.
template <executor E>
auto device_prefetch(E& target, std::size_t depth = 2, std::shared_ptr<staging_pool> staging = nullptr) {
  if constexpr (requires { target.base(); }) {
    return detail::make_device_prefetch(target.base(), depth, std::move(staging));
  } else {
    return detail::make_device_prefetch(target, depth, std::move(staging));
  }
}

}  // namespace weft
