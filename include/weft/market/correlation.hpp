#pragma once

#include <cstdint>  // for std::int64_t
#include <span>     // for std::span
#include <vector>   // for std::vector

namespace weft {

/// The lower triangle L with L L' = matrix, row after row, zeros above the diagonal: what turns independent
/// normal numbers into numbers with these covariances.
///
/// @param matrix of `order` rows, row after row
/// Throws shape_error if it has not order^2 elements; invalid_argument if it is not symmetric within 1e-12 of
/// its largest element, naming the two elements, or not positive definite, naming its smallest eigenvalue.
///
/// Thread safety: safe.
std::vector<double> cholesky(std::span<const double> matrix, std::int64_t order);

/// The same for correlations: the diagonal must be ones too.
std::vector<double> correlation_factor(std::span<const double> correlation, std::int64_t order);

}  // namespace weft
