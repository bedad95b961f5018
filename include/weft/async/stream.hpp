#pragma once

// Streams: sources, the stages that change them, and the sinks that run them.

#include <weft/async/stream/batch.hpp>
#include <weft/async/stream/callbacks.hpp>
#include <weft/async/stream/combine.hpp>
#include <weft/async/stream/error.hpp>
#include <weft/async/stream/filter.hpp>
#include <weft/async/stream/from.hpp>
#include <weft/async/stream/generator.hpp>
#include <weft/async/stream/map.hpp>
#include <weft/async/stream/nested.hpp>
#include <weft/async/stream/pace.hpp>
#include <weft/async/stream/prefetch.hpp>
#include <weft/async/stream/repeat.hpp>
#include <weft/async/stream/shuffle.hpp>
#include <weft/async/stream/sinks.hpp>
#include <weft/async/stream/stage.hpp>
#include <weft/async/stream/stats.hpp>
#include <weft/async/stream/tee.hpp>
