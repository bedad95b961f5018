#pragma once

#include <chrono>   // for std::chrono::seconds
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint16_t, std::uint64_t
#include <map>      // for std::map
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace load {

/// What is sent, how often and for how long.
struct plan {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;
  std::string request;  ///< with its headers
  int connections = 64;
  /// Requests a second in all, at even distances but in steps of 0.1 ms, whether or not answers come; 0: each
  /// connection asks again as soon as it is answered.
  double rate = 0;
  double seconds = 5;
  double warm_up = 0.5;  ///< of the seconds, how long it does not measure yet
};

/// What came of it.
struct outcome {
  /// Seconds from when a request was due to its answer, of those with status 200, ascending.
  std::vector<double> latencies;
  /// The same of the others.
  std::vector<double> refusal_latencies;
  /// Seconds from when a request was due until it was sent, of those that had a connection waiting for them,
  /// ascending: what of the latencies is the driver's own. Empty without a rate.
  std::vector<double> own_delays;
  std::map<int, std::uint64_t> statuses;  ///< how many answers of each
  std::uint64_t broken = 0;               ///< connections that ended unasked
  double seconds = 0;                     ///< the time that was measured
};

/// Throws what Asio throws if it cannot connect.
outcome drive(const plan& what);

/// The value that a share q of them do not exceed; 0 without any.
double quantile(const std::vector<double>& ascending, double q);

}  // namespace load
