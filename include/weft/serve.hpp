#pragma once

// Floor 6: single requests in batches.

#include <weft/serve/batcher.hpp>
#include <weft/serve/batcher_options.hpp>
