#pragma once

#include <stop_token>  // for std::stop_token
#include <vector>      // for std::vector
#include <weft/async/task.hpp>
#include <weft/data/collate.hpp>
#include <weft/pool/thread_pool.hpp>
#include <weft/train/neural_net.hpp>

#include "dataset.hpp"
#include "options.hpp"
#include "records.hpp"

namespace fashion {

/// The first experiments of the grid {batch 32, 64, 128} x {learning rate 1e-3, 5e-4} x {seed, seed + 1,
/// ...}; those that take longest, with the smallest batches, come first.
std::vector<experiment_record> plan_experiments(const options& settings);

/// What the experiments share; everything outlives the pool.
struct experiment_job {
  weft::thread_pool& pool;
  const dataset& data;
  /// The whole test set.
  const weft::image_batch& test;
  /// What each of them trains.
  weft::neural_net_options network;
  /// Asked before each step.
  std::stop_token stop;
};

/// Runs the planned experiments side by side, each a training on one thread of the pool, and prints each as
/// it completes and a ranked table at the end. One that fails says so in its state; the others go on.
///
/// @param experiments the plan; what happened is written into it
weft::task<> run_experiments(const experiment_job& job, std::vector<experiment_record>& experiments);

/// Positions of the experiments, the finished ones by test accuracy first.
std::vector<std::size_t> ranking(const std::vector<experiment_record>& experiments);

}  // namespace fashion
