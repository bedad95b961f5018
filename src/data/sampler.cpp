#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/data/sampler.hpp>

#include <algorithm>  // for std::max_element, std::min
#include <cmath>      // for std::sqrt, std::isfinite
#include <memory>     // for std::make_shared
#include <numeric>    // for std::iota
#include <string>     // for std::to_string
#include <utility>    // for std::move, std::swap

namespace weft {
namespace {

/// Keeps the shuffle's random numbers apart from those that other uses of the same seed draw. Epochs are the
/// low bits of the stream, so numbers beyond 2^48 would meet another use's streams.
constexpr std::uint64_t shuffle_stream = std::uint64_t{0x5346} << 48;

/// A table for a permutation of up to so many samples.
constexpr std::int64_t table_limit = 65'536;

/// Rounds of the network; four make a pseudorandom permutation of a random function (Luby and Rackoff, 1988).
constexpr std::uint64_t rounds = 8;

}  // namespace

epoch_order::epoch_order(std::int64_t count, bool shuffles, const philox& random)
    : count_(count), shuffles_(shuffles), random_(random) {
  if (!shuffles) return;
  if (count <= table_limit) {
    table_.resize(static_cast<std::size_t>(count));
    std::iota(table_.begin(), table_.end(), std::uint16_t{0});
    for (std::size_t left = table_.size(); left > 1; --left) {
      std::swap(table_[left - 1], table_[random.below(left, left)]);
    }
    return;
  }
  const auto samples = static_cast<std::uint64_t>(count);
  rows_ = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(count)));
  columns_ = (samples + rows_ - 1) / rows_;
}

std::int64_t epoch_order::permuted(std::int64_t position) const noexcept {
  auto value = static_cast<std::uint64_t>(position);
  do {
    std::uint64_t row = value / columns_;
    std::uint64_t column = value % columns_;
    for (std::uint64_t round = 0; round < rounds; round += 2) {
      row = (row + random_.below(round << 32 | column, rows_)) % rows_;
      column = (column + random_.below((round + 1) << 32 | row, columns_)) % columns_;
    }
    value = row * columns_ + column;
  } while (value >= static_cast<std::uint64_t>(count_));
  return static_cast<std::int64_t>(value);
}

epoch_order::epoch_order(std::shared_ptr<const detail::alias_table> weights, const philox& random)
    : count_(weights->size()), random_(random), weights_(std::move(weights)) {}

detail::alias_table::alias_table(std::span<const double> weights) {
  const auto refuse = [](const std::string& reason) { throw invalid_argument("sampler: " + reason); };
  double sum = 0.0;
  for (const double weight : weights) {
    if (!std::isfinite(weight) || weight < 0.0) {
      refuse("a weight is " + std::to_string(weight) + "; it must be finite and not negative");
    }
    sum += weight;
  }
  if (!weights.empty() && (sum == 0.0 || !std::isfinite(sum))) {
    refuse("the sum of the weights is " + std::to_string(sum) + "; it must be positive and finite");
  }
  // A column holds 1; those with less are filled up by those with more.
  columns_.resize(weights.size());
  std::vector<std::size_t> less;
  std::vector<std::size_t> more;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    columns_[i] = {weights[i] / sum * static_cast<double>(weights.size()), static_cast<std::int64_t>(i)};
    (columns_[i].share < 1.0 ? less : more).push_back(i);
  }
  while (!less.empty() && !more.empty()) {
    column& filled = columns_[less.back()];
    column& giver = columns_[more.back()];
    filled.other = static_cast<std::int64_t>(more.back());
    giver.share -= 1.0 - filled.share;
    less.pop_back();
    if (giver.share < 1.0) {
      less.push_back(more.back());
      more.pop_back();
    }
  }
  // What is left is 1 but for rounding; only an index without weight must not get its column.
  for (const std::size_t i : more) columns_[i].share = 1.0;
  for (const std::size_t i : less) {
    if (weights[i] > 0.0) {
      columns_[i].share = 1.0;
    } else {
      columns_[i] = {0.0, std::max_element(weights.begin(), weights.end()) - weights.begin()};
    }
  }
}

std::int64_t detail::alias_table::draw(const philox& random, std::uint64_t place) const noexcept {
  __extension__ using wide = unsigned __int128;
  const auto words = random.block(place);
  const std::uint64_t first = (std::uint64_t{words[1]} << 32) | words[0];
  const std::uint64_t second = (std::uint64_t{words[3]} << 32) | words[2];
  const auto index = static_cast<std::size_t>((wide{first} * columns_.size()) >> 64);
  const column& chosen = columns_[index];
  const double share = static_cast<double>(second >> 11) * 0x1.0p-53;
  return share < chosen.share ? static_cast<std::int64_t>(index) : chosen.other;
}

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

sampler sampler::weighted(std::span<const double> weights, std::uint64_t seed) {
  sampler drawn(static_cast<std::int64_t>(weights.size()), false, seed);
  drawn.weights_ = std::make_shared<const detail::alias_table>(weights);
  return drawn;
}

epoch_order sampler::order(std::uint64_t number) const {
  const philox random(seed_, shuffle_stream + number);
  if (weights_) return {weights_, random};
  return {count_, shuffles_, random};
}

std::vector<std::int64_t> sampler::epoch(std::uint64_t number) const {
  const epoch_order samples = order(number);
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count_));
  for (std::int64_t i = 0; i < count_; ++i) indices[static_cast<std::size_t>(i)] = samples[i];
  return indices;
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
