#pragma once

// Floor 1: what every layer above reports into: metrics, traces, progress.

#include <weft/observe/counter.hpp>
#include <weft/observe/gauge.hpp>
#include <weft/observe/histogram.hpp>
#include <weft/observe/metrics.hpp>
#include <weft/observe/progress.hpp>
#include <weft/observe/span.hpp>
#include <weft/observe/stopwatch.hpp>
#include <weft/observe/trace.hpp>
