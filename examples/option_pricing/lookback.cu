#include "lookback.hpp"

#include <weft/market/cuda_paths.cuh>

template struct weft::cuda_paths<option_pricing::motion, option_pricing::lookback>;
