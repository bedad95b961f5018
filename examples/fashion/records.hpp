#pragma once

#include <cstdint>  // for std::int64_t, std::uint8_t, std::uint64_t
#include <limits>   // for std::numeric_limits
#include <string>   // for std::string
#include <vector>   // for std::vector

#include "options.hpp"

// What the program finds out, as it is written to the files. A number that is not known is not_known.

namespace fashion {

inline constexpr double not_known = std::numeric_limits<double>::quiet_NaN();

/// One epoch of the training.
struct epoch_record {
  /// From 1.
  int epoch = 0;
  /// Mean over the epoch's steps.
  double train_loss = not_known;
  /// On the first train_accuracy_count training images, after the epoch.
  double train_accuracy = not_known;
  double test_loss = not_known;
  double test_accuracy = not_known;
  /// Of the training alone.
  double seconds = 0.0;
  double samples_per_second = not_known;
  /// The share of those seconds in which the trainer waited for a batch.
  double wait_share = 0.0;
};

/// A training, the main one or an experiment. Times count from when the first experiment was submitted.
struct experiment_record {
  int number = 0;
  double learning_rate = 0.0;
  std::int64_t batch_size = 0;
  std::uint64_t seed = 0;
  int epochs = 0;
  /// "finished", "stopped", "not started" or "failed: why".
  std::string state = "not started";
  double test_accuracy = not_known;
  double test_loss = not_known;
  /// Mean over the last epoch's steps.
  double train_loss = not_known;
  double start = not_known;
  double end = not_known;
  std::int64_t samples = 0;
  /// Which of the pool's threads, -1 if none.
  int thread = -1;
};

/// A test image that was taken for something else.
struct mistake {
  std::int64_t index = 0;
  int label = 0;
  int predicted = 0;
  /// The probability that the network gave to its answer.
  double confidence = 0.0;
  std::vector<std::uint8_t> pixels;
};

/// Seconds that the parts of the job took.
struct phase_times {
  double load = 0.0;
  double train = 0.0;
  double wait = 0.0;
  double evaluate = 0.0;
  double experiments = 0.0;
  double total = 0.0;
};

/// Everything.
struct job_record {
  options settings;
  int threads = 0;
  /// What the training computed on, as its executor is called.
  std::string device;
  std::int64_t train_count = 0;
  std::int64_t test_count = 0;
  std::int64_t image_rows = 0;
  std::int64_t image_cols = 0;
  std::int64_t parameters = 0;
  double pixel_mean = 0.0;
  double pixel_deviation = 1.0;
  std::int64_t steps_per_epoch = 0;
  std::int64_t train_accuracy_count = 0;
  /// The loss of each step, before the step.
  std::vector<double> losses;
  std::int64_t samples = 0;
  std::vector<epoch_record> epochs;
  double test_accuracy = not_known;
  double test_loss = not_known;
  /// Row: what the image is; column: what it was taken for. Row-major; empty if there was no evaluation.
  std::vector<std::int64_t> confusion;
  std::vector<mistake> mistakes;
  std::vector<experiment_record> experiments;
  phase_times times;
  /// The signal that stopped the job, 0 if none.
  int signal = 0;
};

}  // namespace fashion
