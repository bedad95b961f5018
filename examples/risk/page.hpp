#pragma once

#include "book.hpp"
#include "market.hpp"
#include "options.hpp"
#include "table.hpp"

#include <string>
#include <vector>

namespace risk {

/// Writes what happened as a page that needs nothing else: the prices, a fan chart of each symbol's simulated
/// prices, the book, its losses with what they may be at worst, and how old prices were when their figures
/// were there. Throws weft::io_error.
void write_page(const options& chosen, const market& prices, const figures& last, const progress& so_far,
                const std::vector<double>& ages_in_ms);

}  // namespace risk
