#pragma once

#include <string_view>  // for std::string_view
#include <vector>       // for std::vector

namespace weft {

/// An x86-64 micro-architecture level that weft's CPU kernels are compiled for: SSE4.2, AVX2 with FMA,
/// AVX-512.
enum class isa { v2, v3, v4 };

/// "v2", "v3" or "v4".
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
/// fastest of the three in weft's measurements (docs/performance.md).
///
/// Throws invalid_argument, naming WEFT_ISA and its value, if that is not a level or this machine cannot run
/// it; throws weft::error if the machine is older than x86-64-v2.
///
/// Thread safety: safe.
isa selected_isa();

}  // namespace weft
