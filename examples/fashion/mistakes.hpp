#pragma once

#include <vector>  // for std::vector
#include <weft/compute/cpu_context.hpp>
#include <weft/train/evaluation.hpp>
#include <weft/train/neural_net.hpp>

#include "dataset.hpp"
#include "records.hpp"

namespace fashion {

/// The test images that a network got wrong, surest first, and of each pair of classes only the first few.
///
/// @param context where the network runs; @param network what was evaluated; @param data the test images
/// @param result  its evaluation on the whole test set
std::vector<mistake> find_mistakes(const weft::cpu_context& context, const weft::neural_net& network,
                                   const dataset& data, const weft::evaluation& result);

}  // namespace fashion
