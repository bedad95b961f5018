#pragma once

#include <stop_token>  // for std::stop_token
#include <weft/async/task.hpp>
#include <weft/compute/any_executor.hpp>
#include <weft/data/collate.hpp>
#include <weft/pool/thread_pool.hpp>
#include <weft/train/classifier.hpp>

#include "batches.hpp"
#include "dataset.hpp"
#include "options.hpp"
#include "records.hpp"

namespace fashion {

/// What a training works with; everything outlives it.
struct training_job {
  weft::thread_pool& pool;
  weft::any_executor& executor;
  const dataset& data;
  /// The whole test set.
  const weft::image_batch& test;
  batch_plan plan;
  /// Asked before each step.
  std::stop_token stop;
};

/// The network that the options name, for images of this data set.
weft::neural_net_options network_for(const options& settings, const dataset& data);

/// Trains the model while the batches of the next steps are decoded, evaluates it after every epoch, shows
/// how far it is, and keeps the record up to date, so that it is right when the training is stopped in
/// between. The model is where the executor computes.
weft::task<> train(const training_job& job, weft::classifier& model, job_record& record);

}  // namespace fashion
