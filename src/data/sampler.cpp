#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/data/sampler.hpp>

#include <algorithm>  // for std::max_element, std::min, std::max, std::sort, std::stable_sort, std::swap_ranges
#include <cmath>      // for std::sqrt, std::isfinite
#include <functional>  // for std::greater
#include <memory>      // for std::make_shared, std::make_unique
#include <mutex>       // for std::once_flag, std::call_once
#include <numeric>     // for std::iota
#include <queue>       // for std::priority_queue
#include <string>      // for std::to_string
#include <tuple>       // for std::tuple
#include <utility>     // for std::move, std::swap, std::pair

namespace weft {
namespace {

/// Keeps the shuffle's random numbers apart from those that other uses of the same seed draw. Epochs are the
/// low bits of the stream, so numbers beyond 2^48 would meet another use's streams.
constexpr std::uint64_t shuffle_stream = std::uint64_t{0x5346} << 48;

/// The same for the seeds of groups and for the batches of samples of similar length.
constexpr std::uint64_t group_stream = std::uint64_t{0x4752} << 48;
constexpr std::uint64_t length_stream = std::uint64_t{0x4c4e} << 48;

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

epoch_order::epoch_order(std::int64_t count, std::shared_ptr<const detail::computed_order> computed)
    : count_(count), computed_(std::move(computed)) {}

namespace detail {

/// Draws an index with a given probability in constant time: the alias method (Walker, 1977), set up in
/// Vose's way (1991).
class alias_table {
 public:
  explicit alias_table(std::span<const double> weights) {
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

  /// @param place which of the random numbers
  std::int64_t draw(const philox& random, std::uint64_t place) const noexcept {
    __extension__ using wide = unsigned __int128;
    const auto words = random.block(place);
    const std::uint64_t first = (std::uint64_t{words[1]} << 32) | words[0];
    const std::uint64_t second = (std::uint64_t{words[3]} << 32) | words[2];
    const auto index = static_cast<std::size_t>((wide{first} * columns_.size()) >> 64);
    const column& chosen = columns_[index];
    const double share = static_cast<double>(second >> 11) * 0x1.0p-53;
    return share < chosen.share ? static_cast<std::int64_t>(index) : chosen.other;
  }

 private:
  struct column {
    double share;        // of the column that is its own index's
    std::int64_t other;  // whose the rest is
  };
  std::vector<column> columns_;
};

/// Which group comes at each place of an epoch, the same in every epoch, and the groups' samples.
class group_plan {
 public:
  struct group {
    std::int64_t first = 0;   // in members
    std::int64_t size = 0;    // how many samples it has
    std::int64_t places = 0;  // how many of an epoch's are its own
    std::uint64_t seed = 0;
  };
  group_plan(std::span<const std::int32_t> samples, std::span<const double> shares, bool shuffle,
             std::uint64_t seed)
      : shuffles(shuffle) {
    find_members(samples, seed);
    divide(static_cast<std::int64_t>(samples.size()), shares);
    spread(static_cast<std::int64_t>(samples.size()));
  }

  bool shuffles;
  std::vector<group> groups;
  std::vector<std::int64_t> members;  // by group
  std::vector<std::int32_t> order;    // the group of each place
  std::vector<std::int64_t> numbers;  // its number in the group

 private:
  [[noreturn]] static void refuse(const std::string& reason) { throw invalid_argument("sampler: " + reason); }

  void find_members(std::span<const std::int32_t> samples, std::uint64_t seed) {
    for (const std::int32_t each : samples) {
      if (each < 0) refuse("a sample's group is " + std::to_string(each) + "; groups are numbered from 0");
      if (static_cast<std::size_t>(each) >= groups.size()) groups.resize(static_cast<std::size_t>(each) + 1);
      ++groups[static_cast<std::size_t>(each)].size;
    }
    std::int64_t first = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      groups[i].first = first;
      groups[i].seed = philox(seed, group_stream).word(i);
      first += groups[i].size;
    }
    members.resize(samples.size());
    std::vector<std::int64_t> next(groups.size());
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto mine = static_cast<std::size_t>(samples[i]);
      members[static_cast<std::size_t>(groups[mine].first + next[mine]++)] = static_cast<std::int64_t>(i);
    }
  }

  // The places of an epoch by the shares; those that are left go to the largest remainders.
  void divide(std::int64_t count, std::span<const double> shares) {
    if (shares.empty()) {
      for (group& each : groups) each.places = each.size;
      return;
    }
    if (shares.size() < groups.size()) {
      refuse("there are " + std::to_string(shares.size()) + " shares for " + std::to_string(groups.size()) +
             " groups; there must be one a group");
    }
    groups.resize(shares.size());
    double sum = 0.0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      if (!std::isfinite(shares[i]) || shares[i] < 0.0) {
        refuse("a share is " + std::to_string(shares[i]) + "; it must be finite and not negative");
      }
      if (shares[i] > 0.0 && groups[i].size == 0 && count > 0) {
        refuse("group " + std::to_string(i) + " has a share of " + std::to_string(shares[i]) +
               " but no samples");
      }
      sum += shares[i];
    }
    if (count == 0) return;
    if (sum == 0.0 || !std::isfinite(sum)) {
      refuse("the sum of the shares is " + std::to_string(sum) + "; it must be positive and finite");
    }
    std::vector<std::pair<double, std::size_t>> remainders;
    std::int64_t left = count;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const double wanted = shares[i] / sum * static_cast<double>(count);
      groups[i].places = std::min(static_cast<std::int64_t>(wanted), left);
      left -= groups[i].places;
      if (shares[i] > 0.0) remainders.emplace_back(static_cast<double>(groups[i].places) - wanted, i);
    }
    std::sort(remainders.begin(), remainders.end());
    for (std::size_t i = 0; left > 0; i = (i + 1) % remainders.size(), --left) {
      ++groups[remainders[i].second].places;
    }
  }

  // The k-th of a group's n places lies in [floor(k count / n), ceil((k + 1) count / n)): of those that have
  // begun, the one that ends first comes next (Baruah et al., "Proportionate progress", 1996).
  void spread(std::int64_t count) {
    using event = std::tuple<std::int64_t, std::size_t, std::int64_t>;  // when, the group, its number
    std::priority_queue<event, std::vector<event>, std::greater<>> to_begin;
    std::priority_queue<event, std::vector<event>, std::greater<>> to_end;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (groups[i].places > 0) to_begin.emplace(0, i, 0);
    }
    order.reserve(static_cast<std::size_t>(count));
    numbers.reserve(static_cast<std::size_t>(count));
    for (std::int64_t now = 0; now < count; ++now) {
      while (!to_begin.empty() && std::get<0>(to_begin.top()) <= now) {
        const auto [begin, mine, number] = to_begin.top();
        to_begin.pop();
        const std::int64_t places = groups[mine].places;
        to_end.emplace(((number + 1) * count + places - 1) / places, mine, number);
      }
      const auto [end, mine, number] = to_end.top();
      to_end.pop();
      order.push_back(static_cast<std::int32_t>(mine));
      numbers.push_back(number);
      const std::int64_t places = groups[mine].places;
      if (number + 1 < places) to_begin.emplace((number + 1) * count / places, mine, number + 1);
    }
  }
};

/// The samples' lengths, and what is sorted by them.
struct length_plan {
  std::vector<std::int64_t> lengths;
  std::int64_t batch_size;
  std::int64_t window;
};

namespace {

class weighted_order final : public computed_order {
 public:
  weighted_order(std::shared_ptr<const alias_table> weights, const philox& random)
      : weights_(std::move(weights)), random_(random) {}

  std::int64_t at(std::int64_t position) const override {
    return weights_->draw(random_, static_cast<std::uint64_t>(position));
  }

 private:
  std::shared_ptr<const alias_table> weights_;
  philox random_;
};

class grouped_order final : public computed_order {
 public:
  grouped_order(std::shared_ptr<const group_plan> plan, std::int64_t epoch)
      : plan_(std::move(plan)), epoch_(epoch), parts_(plan_->groups.size()) {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const group_plan::group& mine = plan_->groups[i];
      if (!plan_->shuffles || mine.places == 0 || mine.size < 2 || mine.size > table_limit) continue;
      part& here = parts_[i];
      here.passes = std::max<std::int64_t>(1, 4096 / mine.size);
      const std::int64_t span = here.passes * mine.size;
      here.first = epoch * mine.places / span;
      const std::int64_t last = ((epoch + 1) * mine.places - 1) / span;
      here.tables = std::make_unique<table[]>(static_cast<std::size_t>(last - here.first + 1));
    }
  }

  std::int64_t at(std::int64_t position) const override {
    const auto group = static_cast<std::size_t>(plan_->order[static_cast<std::size_t>(position)]);
    const group_plan::group& mine = plan_->groups[group];
    // Its number in all epochs, and which pass over the group that is.
    const std::int64_t number = epoch_ * mine.places + plan_->numbers[static_cast<std::size_t>(position)];
    std::int64_t member = number % mine.size;
    if (parts_[group].tables) {
      member = from_table(parts_[group], mine, number);
    } else if (plan_->shuffles && mine.size > 1) {
      const auto pass = static_cast<std::uint64_t>(number / mine.size);
      member = sampler::shuffled(mine.size, mine.seed).order(pass)[member];
    }
    return plan_->members[static_cast<std::size_t>(mine.first + member)];
  }

 private:
  /// Some passes over a group.
  struct table {
    std::once_flag made;
    std::vector<std::uint16_t> members;
  };
  struct part {
    std::int64_t passes = 0;  // a table
    std::int64_t first = 0;   // of the tables
    std::unique_ptr<table[]> tables;
  };

  static std::int64_t from_table(const part& from, const group_plan::group& mine, std::int64_t number) {
    const std::int64_t span = from.passes * mine.size;
    const std::int64_t which = number / span;
    table& here = from.tables[static_cast<std::size_t>(which - from.first)];
    std::call_once(here.made, [&] {
      std::vector<std::uint16_t> members;
      members.reserve(static_cast<std::size_t>(span));
      const sampler orders = sampler::shuffled(mine.size, mine.seed);
      for (std::int64_t pass = which * from.passes; pass < (which + 1) * from.passes; ++pass) {
        const epoch_order order = orders.order(static_cast<std::uint64_t>(pass));
        for (std::int64_t i = 0; i < mine.size; ++i) members.push_back(static_cast<std::uint16_t>(order[i]));
      }
      here.members = std::move(members);
    });
    return here.members[static_cast<std::size_t>(number % span)];
  }

  std::shared_ptr<const group_plan> plan_;
  std::int64_t epoch_;
  std::vector<part> parts_;
};

class length_order final : public computed_order {
 public:
  length_order(std::shared_ptr<const length_plan> plan, epoch_order base, bool shuffle, const philox& random)
      : plan_(std::move(plan)),
        base_(std::move(base)),
        shuffles_(shuffle),
        random_(random),
        full_(base_.size() / plan_->batch_size * plan_->batch_size),
        span_(plan_->batch_size * std::min(plan_->window, base_.size() / plan_->batch_size + 1)),
        parts_(std::make_unique<part[]>(static_cast<std::size_t>(full_ / span_ + 1))) {}

  std::int64_t at(std::int64_t position) const override {
    if (position >= full_) return base_[position];
    part& here = parts_[static_cast<std::size_t>(position / span_)];
    const std::int64_t begin = position / span_ * span_;
    std::call_once(here.made, [&] { here.samples = sorted(begin); });
    return here.samples[static_cast<std::size_t>(position - begin)];
  }

 private:
  struct part {
    std::once_flag made;
    std::vector<std::int64_t> samples;
  };

  std::vector<std::int64_t> sorted(std::int64_t begin) const {
    std::vector<std::int64_t> samples;
    const std::int64_t end = std::min(begin + span_, full_);
    for (std::int64_t i = begin; i < end; ++i) samples.push_back(base_[i]);
    std::stable_sort(samples.begin(), samples.end(), [&](std::int64_t left, std::int64_t right) {
      return plan_->lengths[static_cast<std::size_t>(left)] < plan_->lengths[static_cast<std::size_t>(right)];
    });
    if (!shuffles_) return samples;
    const std::int64_t batches = (end - begin) / plan_->batch_size;
    for (std::int64_t left = batches; left > 1; --left) {
      const auto place = static_cast<std::uint64_t>(begin + left);
      const auto other = static_cast<std::int64_t>(random_.below(place, static_cast<std::uint64_t>(left)));
      if (other == left - 1) continue;
      const auto first = samples.begin() + (left - 1) * plan_->batch_size;
      std::swap_ranges(first, first + plan_->batch_size, samples.begin() + other * plan_->batch_size);
    }
    return samples;
  }

  std::shared_ptr<const length_plan> plan_;
  epoch_order base_;
  bool shuffles_;
  philox random_;
  std::int64_t full_;  // positions of whole batches
  std::int64_t span_;  // of a window
  std::unique_ptr<part[]> parts_;
};

}  // namespace
}  // namespace detail

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

sampler sampler::grouped(std::span<const std::int32_t> groups, std::span<const double> shares, bool shuffle,
                         std::uint64_t seed) {
  sampler mixed(static_cast<std::int64_t>(groups.size()), shuffle, seed);
  mixed.groups_ = std::make_shared<const detail::group_plan>(groups, shares, shuffle, seed);
  return mixed;
}

sampler sampler::by_length(std::span<const std::int64_t> lengths, std::int64_t batch_size,
                           std::int64_t window) const {
  if (static_cast<std::int64_t>(lengths.size()) != count_) {
    throw invalid_argument("sampler: there are " + std::to_string(lengths.size()) + " lengths for " +
                           std::to_string(count_) + " samples; there must be one a sample");
  }
  if (batch_size < 1 || window < 1) {
    throw invalid_argument("sampler: batch size and window are " + std::to_string(batch_size) + " and " +
                           std::to_string(window) + "; they must be at least 1");
  }
  sampler sorted = *this;
  sorted.lengths_ = std::make_shared<const detail::length_plan>(
      detail::length_plan{{lengths.begin(), lengths.end()}, batch_size, window});
  return sorted;
}

epoch_order sampler::order(std::uint64_t number) const {
  const philox random(seed_, shuffle_stream + number);
  epoch_order samples;
  if (weights_) {
    samples = epoch_order(count_, std::make_shared<detail::weighted_order>(weights_, random));
  } else if (groups_) {
    samples = epoch_order(
        count_, std::make_shared<detail::grouped_order>(groups_, static_cast<std::int64_t>(number)));
  } else {
    samples = epoch_order(count_, shuffles_, random);
  }
  if (!lengths_) return samples;
  const philox batches(seed_, length_stream + number);
  return {count_, std::make_shared<detail::length_order>(lengths_, std::move(samples),
                                                         shuffles_ || weights_ != nullptr, batches)};
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
