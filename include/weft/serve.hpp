#pragma once

// Floor 6: single requests in batches, and models behind HTTP.

#include <weft/serve/batcher.hpp>
#include <weft/serve/batcher_options.hpp>
#include <weft/serve/inference_tensor.hpp>
#include <weft/serve/served_model.hpp>
#include <weft/serve/server.hpp>
#include <weft/serve/server_options.hpp>
