#include "lookback.hpp"

#include <weft/market/brownian_motion.hpp>
#include <weft/market/cuda_paths.cuh>

template struct weft::cuda_paths<weft::brownian_motion, option_pricing::lookback>;
