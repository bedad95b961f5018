#pragma once

// Floor 2: coroutines, queues between them, and groups that start and end together.

#include <weft/async/async_mutex.hpp>
#include <weft/async/broadcast.hpp>
#include <weft/async/event.hpp>
#include <weft/async/gather.hpp>
#include <weft/async/latch.hpp>
#include <weft/async/latest.hpp>
#include <weft/async/queue.hpp>
#include <weft/async/race.hpp>
#include <weft/async/run.hpp>
#include <weft/async/semaphore.hpp>
#include <weft/async/sleep.hpp>
#include <weft/async/stream.hpp>
#include <weft/async/task.hpp>
#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>
