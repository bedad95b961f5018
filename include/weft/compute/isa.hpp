#pragma once

#include <string_view>  // for std::string_view
#include <vector>       // for std::vector

namespace weft {

/// An instruction set that weft's CPU kernels are compiled for, each with all of those before it: the x86-64
/// micro-architecture levels, and beyond the last of them the products of bfloat16 (AVX512_BF16).
enum class isa {
  v2,      ///< SSE4.2
  v3,      ///< AVX2 with FMA
  v4,      ///< AVX-512
  v4_bf16  ///< AVX-512 that multiplies bfloat16; all else is computed as with v4, to the same bits
};

/// "v2", "v3", "v4" or "v4_bf16".
std::string_view to_string(isa level) noexcept;

/// The level with this name; throws invalid_argument, naming the text and the levels, if there is none.
isa parse_isa(std::string_view name);

/// Whether this processor and its operating system can run kernels of that level.
///
/// Thread safety: safe.
bool isa_supported(isa level) noexcept;

/// The level itself; throws invalid_argument, naming it and the supported ones, if this machine cannot run
/// it.
isa require_supported(isa level);

/// The levels this machine can run, narrowest first; never empty on x86-64-v2 and later.
std::vector<isa> supported_isas();

/// The level whose kernels run in this process, decided once, at the first call: the value of the environment
/// variable WEFT_ISA if it is set and not empty, otherwise the widest one the machine supports, which is the
/// fastest in weft's measurements (docs/performance.md).
///
/// Throws invalid_argument, naming WEFT_ISA and its value, if that is not a level or this machine cannot run
/// it; throws weft::error if the machine is older than x86-64-v2.
///
/// Thread safety: safe.
isa selected_isa();

}  // namespace weft
