#pragma once

#include <weft/async/detail/handover.hpp>
#include <weft/async/detail/stage_record.hpp>
#include <weft/async/stream/stage.hpp>
#include <weft/async/task.hpp>
#include <weft/observe/span.hpp>

#include <exception>  // for std::current_exception
#include <optional>   // for std::optional
#include <utility>    // for std::move

namespace weft::detail {

/// Pulls `items` into `places` until either ends; runs in the background, in a lane of its own. An error
/// travels in line: the consumer meets it after the items that were produced before it.
template <class Items, class T>
task<void> pump(Items& items, handover<T>& places, lane& home, stage_record& record) {
  breather pause;
  home.restart();
  try {
    for (;;) {
      while (!places.try_reserve()) {
        const async_span waiting(record.waits_for_room);
        co_await places.room();
        const std::uint64_t waited = home.lap();
        home.waited_for_room.add(waited);
        record.blocked.add_shared(waited);
      }
      std::optional<T> item = co_await items.next();
      if (!item) break;
      record.items_in.add_shared(1);
      places.put(std::move(*item));
      if (pause.due(home)) co_await pause.breathe(home);
    }
    places.finish();
  } catch (...) {
    places.fail(std::current_exception());
  }
}

/// The consumer's side of `places`.
template <class T>
task<std::optional<T>> pull_from(handover<T>& places, lane& home, stage_record& record) {
  while (!places.decided()) {
    home.lap();
    const async_span waiting(record.waits_for_input);
    co_await places.arrival();
    const std::uint64_t waited = home.lap();
    home.waited_for_input.add(waited);
    record.starved.add(waited);
  }
  std::optional<T> item = places.take();
  if (item) record.items_out.add(1);
  co_return item;
}

}  // namespace weft::detail
