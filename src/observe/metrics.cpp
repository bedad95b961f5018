#include <weft/observe/metrics.hpp>

#include <fmt/format.h>

#include <algorithm>  // for std::sort, std::find_if
#include <map>        // for std::map, std::multimap
#include <mutex>      // for std::mutex

#include <weft/core/error.hpp>

namespace weft {
namespace {

bool valid_name(std::string_view name, bool colons) {
  const auto valid = [colons](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colons && c == ':');
  };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), valid);
}

template <class Metric>
constexpr const char* type_name = nullptr;
template <>
constexpr const char* type_name<counter> = "counter";
template <>
constexpr const char* type_name<gauge> = "gauge";
template <>
constexpr const char* type_name<histogram> = "histogram";

using metric = std::variant<std::unique_ptr<counter>, std::unique_ptr<gauge>, std::unique_ptr<histogram>>;

struct family {
  std::string help;
  const char* type = nullptr;
  std::map<metric_labels, metric> members;
};

}  // namespace

struct metric_registry::table {
  mutable std::mutex mutex;
  std::map<std::string, family, std::less<>> families;
  std::multimap<const weft::gauge*, const observed_gauge*> observed;

  template <class Metric, class... Arguments>
  Metric& find_or_make(std::string_view name, std::string_view help, metric_labels labels,
                       const Arguments&... arguments) {
    if (!valid_name(name, true)) {
      throw invalid_argument(fmt::format(
          "metric '{}': a name is made of letters, digits, '_' and ':', not a digit first", name));
    }
    std::sort(labels.begin(), labels.end());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (!valid_name(labels[i].first, false)) {
        throw invalid_argument(fmt::format(
            "metric '{}': the label '{}' must be made of letters, digits and '_', not a digit first", name,
            labels[i].first));
      }
      if (i > 0 && labels[i].first == labels[i - 1].first) {
        throw invalid_argument(
            fmt::format("metric '{}': the label '{}' is given twice", name, labels[i].first));
      }
    }
    const std::lock_guard lock(mutex);
    auto found = families.find(name);
    if (found != families.end() && found->second.type != type_name<Metric>) {
      throw invalid_argument(fmt::format("metric '{}' is a {}: it cannot be a {} too", name,
                                         found->second.type, type_name<Metric>));
    }
    if (found != families.end()) {
      auto& members = found->second.members;
      if (const auto member = members.find(labels); member != members.end()) {
        return *std::get<std::unique_ptr<Metric>>(member->second);
      }
    }
    auto made = std::make_unique<Metric>(arguments...);
    Metric& result = *made;
    if (found == families.end()) {
      found = families.emplace(std::string(name), family{std::string(help), type_name<Metric>, {}}).first;
    }
    found->second.members.emplace(std::move(labels), std::move(made));
    return result;
  }
};

metric_registry::metric_registry() : table_(std::make_unique<table>()) {}

metric_registry::~metric_registry() = default;

weft::counter& metric_registry::counter(std::string_view name, std::string_view help, metric_labels labels) {
  return table_->find_or_make<weft::counter>(name, help, std::move(labels));
}

weft::gauge& metric_registry::gauge(std::string_view name, std::string_view help, metric_labels labels) {
  return table_->find_or_make<weft::gauge>(name, help, std::move(labels));
}

weft::histogram& metric_registry::histogram(std::string_view name, std::string_view help,
                                            metric_labels labels, histogram_options options) {
  return table_->find_or_make<weft::histogram>(name, help, std::move(labels), options);
}

std::vector<metric_sample> metric_registry::snapshot() const {
  std::vector<metric_sample> samples;
  const std::lock_guard lock(table_->mutex);
  for (const auto& [name, family] : table_->families) {
    for (const auto& [labels, member] : family.members) {
      metric_sample sample{name, family.help, labels, {}};
      if (const auto* counted = std::get_if<std::unique_ptr<weft::counter>>(&member)) {
        sample.value = (*counted)->value();
      } else if (const auto* gauged = std::get_if<std::unique_ptr<weft::gauge>>(&member)) {
        double value = (*gauged)->value();
        const auto [first, last] = table_->observed.equal_range(gauged->get());
        for (auto each = first; each != last; ++each) value += each->second->read_();
        sample.value = value;
      } else {
        sample.value = std::get<std::unique_ptr<weft::histogram>>(member)->snapshot();
      }
      samples.push_back(std::move(sample));
    }
  }
  return samples;
}

observed_gauge::observed_gauge(metric_registry& registry, std::string_view name, std::string_view help,
                               metric_labels labels, std::function<double()> read)
    : registry_(registry), gauge_(&registry.gauge(name, help, std::move(labels))), read_(std::move(read)) {
  const std::lock_guard lock(registry_.table_->mutex);
  registry_.table_->observed.emplace(gauge_, this);
}

observed_gauge::~observed_gauge() {
  const std::lock_guard lock(registry_.table_->mutex);
  auto& observed = registry_.table_->observed;
  const auto [first, last] = observed.equal_range(gauge_);
  observed.erase(std::find_if(first, last, [this](const auto& each) { return each.second == this; }));
}

metric_registry& metrics() {
  static metric_registry& instance = *new metric_registry;
  return instance;
}

}  // namespace weft
