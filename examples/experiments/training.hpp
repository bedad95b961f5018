#pragma once

#include <cstdint>  // for std::int64_t, std::uint8_t
#include <string>   // for std::string

#include <weft/compute/kernels/normalize.hpp>
#include <weft/data/image_set.hpp>
#include <weft/data/sampler.hpp>
#include <weft/pool/shared_array.hpp>

namespace experiments {

/// Labelled images in memory that all processes share.
struct shared_images {
  weft::shared_array<const std::uint8_t> pixels;
  weft::shared_array<const std::uint8_t> labels;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  int classes = 0;

  std::int64_t count() const noexcept { return static_cast<std::int64_t>(labels.size()); }
};

/// Moves a set into shared memory.
shared_images share(const weft::image_set& set);

/// One point of the grid.
struct experiment {
  int number = 0;
  double learning_rate = 1e-3;
  std::int64_t batch_size = 64;
  std::uint64_t seed = 1;
  int epochs = 1;
  bool crash = false;
};

/// What it came to.
struct outcome {
  int number = 0;
  double accuracy = 0;
  double loss = 0;
  double seconds = 0;
};

/// What a running experiment tells.
struct epoch_report {
  int number = 0;
  int epoch = 0;
  double loss = 0;
};

/// What all experiments have in common: two handles and a few numbers, whatever the size of the images.
struct material {
  shared_images train;
  shared_images test;
  double mean = 0;
  double deviation = 1;
};

/// Trains one classifier in this process and reports after every epoch.
outcome train(const experiment& plan, const material& given);

}  // namespace experiments
