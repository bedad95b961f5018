#pragma once

#include <cstdint>      // for std::uint64_t
#include <functional>   // for std::function
#include <memory>       // for std::unique_ptr
#include <string>       // for std::string
#include <string_view>  // for std::string_view
#include <utility>      // for std::pair
#include <variant>      // for std::variant
#include <vector>       // for std::vector

#include <weft/observe/counter.hpp>
#include <weft/observe/gauge.hpp>
#include <weft/observe/histogram.hpp>

namespace weft {

/// What tells metrics of one name apart, such as {{"queue", "batches"}}.
using metric_labels = std::vector<std::pair<std::string, std::string>>;

/// One metric and its value at one moment.
struct metric_sample {
  /// Its name.
  std::string name;
  /// What it measures, for people.
  std::string help;
  /// Its labels, sorted by key.
  metric_labels labels;
  /// Its value: of a counter, a gauge or a histogram.
  std::variant<std::uint64_t, double, histogram_snapshot> value;
};

/// Metrics by name, so that a report or an endpoint can read them all.
///
/// Asking for a metric that exists returns it; asking for a new one makes it. References stay valid as long
/// as the registry: look a metric up once and keep the reference, a look-up takes a mutex.
///
/// Names and label keys are what Prometheus accepts: letters, digits and underscores, not starting with a
/// digit, in names colons too. Every function that takes them throws invalid_argument for others, and when
/// the name belongs to a metric of another type.
///
/// Thread safety: distinct objects safe; shared objects safe.
class metric_registry {
 public:
  metric_registry();
  ~metric_registry();
  metric_registry(const metric_registry&) = delete;
  metric_registry& operator=(const metric_registry&) = delete;

  /// The counter of that name and these labels; help is kept from the first call.
  weft::counter& counter(std::string_view name, std::string_view help = {}, metric_labels labels = {});
  /// The gauge of that name and these labels; help is kept from the first call.
  weft::gauge& gauge(std::string_view name, std::string_view help = {}, metric_labels labels = {});
  /// The histogram of that name and these labels; help and options are kept from the first call.
  weft::histogram& histogram(std::string_view name, std::string_view help = {}, metric_labels labels = {},
                             histogram_options options = {});

  /// Every metric with its value now, sorted by name and labels. The values are read one after the other, not
  /// at one instant.
  std::vector<metric_sample> snapshot() const;

 private:
  friend class observed_gauge;
  struct table;
  std::unique_ptr<table> table_;
};

/// A gauge whose value is computed when somebody looks: as long as this lives, every snapshot has what `read`
/// returns. Several of one name and labels add up, with each other and with the registry's own gauge.
///
/// `read` is called by the thread that takes the snapshot, with the registry locked: it must not use the
/// registry, nor wait for who does. It is not called any more once the destructor, which waits for a snapshot
/// that is being taken, has returned.
///
/// Thread safety: distinct objects safe; shared objects have nothing to share.
class observed_gauge {
 public:
  /// Throws as metric_registry::gauge(), whose parameters these are. It must not outlive the registry.
  observed_gauge(metric_registry& registry, std::string_view name, std::string_view help,
                 metric_labels labels, std::function<double()> read);
  ~observed_gauge();
  observed_gauge(const observed_gauge&) = delete;
  observed_gauge& operator=(const observed_gauge&) = delete;

 private:
  friend class metric_registry;
  metric_registry& registry_;
  const weft::gauge* gauge_;
  std::function<double()> read_;
};

/// The registry of the process; it is never destroyed.
metric_registry& metrics();

}  // namespace weft
