#include "own_paths.hpp"

#include <weft/market/cuda_paths.cuh>

template struct weft::cuda_paths<own_motion, own_mean>;
template struct weft::cuda_paths<own_pair_of_motions, own_mean>;
