#pragma once

#include <weft/async/task.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <benchmark/benchmark.h>

#include <atomic>  // for std::atomic

// Start state.range(0) coroutines and wait until all have ended; a time is for all of them.

using work = weft::task<> (*)(std::atomic<long>&);

/// Ends without having waited.
inline weft::task<> ready(std::atomic<long>& sum) {
  sum.fetch_add(1, std::memory_order_relaxed);
  co_return;
}

/// Waits once, for its turn on the event loop.
inline weft::task<> waiting(std::atomic<long>& sum) {
  co_await boost::asio::post(boost::asio::use_awaitable);
  sum.fetch_add(1, std::memory_order_relaxed);
}

inline void check(benchmark::State& state, const std::atomic<long>& sum) {
  if (sum.load() != static_cast<long>(state.iterations()) * state.range(0)) {
    state.SkipWithError("not all children ran");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
