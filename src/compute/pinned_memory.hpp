#pragma once

#include <weft/compute/memory.hpp>

#include <memory>  // for std::shared_ptr

namespace weft::detail {

/// Pinned pages from the CUDA runtime; there must be a GPU. Only src/compute/cuda/ implements it.
std::shared_ptr<memory> make_pinned_memory();

}  // namespace weft::detail
