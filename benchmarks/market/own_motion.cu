#include "own_motion.hpp"

#include <weft/market/cuda_paths.cuh>

template struct weft::cuda_paths<own_motion, own_mean>;
