#include "own_mean.hpp"

#include <weft/market/brownian_motion.hpp>
#include <weft/market/cuda_paths.cuh>

template struct weft::cuda_paths<weft::brownian_motion, own_mean>;
