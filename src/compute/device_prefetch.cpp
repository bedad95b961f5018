#include <weft/compute/device_prefetch.hpp>

#include <algorithm>  // for std::min
#include <cstring>    // for std::memcpy
#include <string>     // for std::to_string

namespace weft::detail {
namespace {

// Large enough to be copied at full speed, small enough that the first piece is soon on its way.
constexpr std::size_t piece_bytes = std::size_t{4} << 20;

template <class Copy>
void stage(const staged_copy& array, staged_batch& batch, const std::shared_ptr<staging_pool>& staging,
           const Copy& copy) {
  const auto size = static_cast<std::int64_t>(array.bytes);
  std::byte* const buffer = batch.buffers.emplace_back(shape<1>{size}, staging).data();
  const auto* const from = static_cast<const std::byte*>(array.from);
  for (std::size_t begin = 0; begin < array.bytes; begin += piece_bytes) {
    const std::size_t bytes = std::min(piece_bytes, array.bytes - begin);
    std::memcpy(buffer + begin, from + begin, bytes);
    copy(static_cast<std::byte*>(array.to) + begin, buffer + begin, bytes);
  }
}

}  // namespace

void stage_batch::operator()(const cpu_context&) const {
  for (const staged_copy& array : batch->copies) {
    stage(array, *batch, staging,
          [](void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); });
  }
}

void stage_batch::operator()(const cuda_context& context) const {
  for (const staged_copy& array : batch->copies) {
    if (context.copies_alone(array.from)) {
      context.copy(array.to, array.from, array.bytes);
    } else {
      stage(array, *batch, staging,
            [&](void* to, const void* from, std::size_t bytes) { context.copy(to, from, bytes); });
    }
  }
}

batch_stager::batch_stager(executor_base& target, std::shared_ptr<staging_pool> staging)
    : target_(&target), memory_(target.source()), staging_(std::move(staging)) {
  if (target.where() == place{}) return;
  copier_ = target.copier();
  if (staging_ == nullptr) staging_ = std::make_shared<staging_pool>();
}

void batch_stager::require_reachable(place from) const {
  if (target_->where() != place{} && memory_ != nullptr) return;
  throw invalid_argument("a tensor is on " + to_string(from) + " and " + target_->name() + " computes on " +
                         to_string(target_->where()) + ": move it with to_host()");
}

device_prefetch_adaptor make_device_prefetch(executor_base& target, std::size_t depth,
                                             std::shared_ptr<staging_pool> staging) {
  constexpr std::size_t most = 1024;
  if (depth == 0 || depth > most) {
    throw invalid_argument("device_prefetch: depth is " + std::to_string(depth) + ": it must be in [1, " +
                           std::to_string(most) + "]");
  }
  return {batch_stager(target, std::move(staging)), depth};
}

}  // namespace weft::detail
