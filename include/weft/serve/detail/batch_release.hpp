#pragma once

#include <weft/serve/batcher_options.hpp>
#include <weft/serve/detail/batch_cost.hpp>

#include <chrono>   // for std::chrono::steady_clock
#include <cstddef>  // for std::size_t

namespace weft::detail {

using batch_clock = std::chrono::steady_clock;

/// The requests of which the next batch would be made.
struct gathering {
  std::size_t count;  // at least 1
  batch_clock::time_point oldest;
  batch_clock::time_point latest;
};

/// When a batch leaves, of how many requests, and why.
struct batch_release {
  batch_clock::time_point due;
  std::size_t size;
  release_reason why;
};

/// What becomes of the gathering if nobody joins it: a `due` that is not after `now` means at once.
batch_release plan_release(const batcher_options& options, const batch_cost& cost, const gathering& waiting,
                           bool closing, batch_clock::time_point now);

/// Throws invalid_argument, naming it, if an option has a value that cannot work. Sorts the preferred sizes.
batcher_options checked(batcher_options options);

}  // namespace weft::detail
