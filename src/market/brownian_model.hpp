#pragma once

#include <weft/market/geometric_brownian.hpp>

#include <string>  // for std::string
#include <vector>  // for std::vector

namespace weft::detail {

/// Throws invalid_argument, naming the field, unless the model can be.
void check(const std::string& who, const geometric_brownian& model);

/// The lower triangle that turns independent normal numbers into those of the assets, a row for each.
std::vector<double> factor_of(const geometric_brownian& model);

}  // namespace weft::detail
