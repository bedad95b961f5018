#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/data/sampler.hpp>

#include <algorithm>  // for std::min
#include <numeric>    // for std::iota
#include <string>     // for std::to_string
#include <utility>    // for std::move, std::swap

namespace weft {
namespace {

/// Keeps the shuffle's random numbers apart from those that other uses of the same seed draw. Epochs are the
/// low bits of the stream, so numbers beyond 2^48 would meet another use's streams.
constexpr std::uint64_t shuffle_stream = std::uint64_t{0x5346} << 48;

}  // namespace

sampler::sampler(std::int64_t count, bool shuffles, std::uint64_t seed)
    : count_(count), shuffles_(shuffles), seed_(seed) {
  if (count < 0) {
    throw invalid_argument("sampler: the number of samples is " + std::to_string(count) +
                           "; it cannot be negative");
  }
}

sampler sampler::sequential(std::int64_t count) {
  return {count, false, 0};
}

sampler sampler::shuffled(std::int64_t count, std::uint64_t seed) {
  return {count, true, seed};
}

std::vector<std::int64_t> sampler::epoch(std::uint64_t number) const {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count_));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (!shuffles_) return order;
  const philox random(seed_, shuffle_stream + number);
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[random.below(left, left)]);
  }
  return order;
}

batch_order::batch_order(std::vector<std::int64_t> order, std::int64_t batch_size, bool drop_last)
    : order_(std::move(order)), batch_size_(batch_size) {
  if (batch_size < 1) {
    throw invalid_argument("batch_order: the batch size is " + std::to_string(batch_size) +
                           "; it must be at least 1");
  }
  const auto count = static_cast<std::int64_t>(order_.size());
  batches_ = count / batch_size + (!drop_last && count % batch_size != 0 ? 1 : 0);
}

std::span<const std::int64_t> batch_order::operator[](std::int64_t index) const noexcept {
  const auto begin = static_cast<std::size_t>(index * batch_size_);
  return std::span(order_).subspan(begin,
                                   std::min(static_cast<std::size_t>(batch_size_), order_.size() - begin));
}

}  // namespace weft
