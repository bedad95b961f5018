#pragma once

// Floor 0: error types, shapes and counter-based random numbers.

#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/core/shape.hpp>
