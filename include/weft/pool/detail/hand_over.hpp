#pragma once

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace weft::detail {

/// Tells ThreadSanitizer about an ordering that oneTBB establishes: distributions ship it uninstrumented, so
/// the sanitizer does not see its synchronisation. What precedes hand_over(tag) happens before what follows
/// take_over(tag). Nothing in other builds.
inline void hand_over([[maybe_unused]] void* tag) noexcept {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(tag);
#endif
}

/// See hand_over().
inline void take_over([[maybe_unused]] void* tag) noexcept {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(tag);
#endif
}

}  // namespace weft::detail
