#pragma once

#include <thread>  // for std::this_thread::yield

namespace weft::detail {

/// Tells the processor that this is a spinning loop.
inline void pause_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

/// Spins until `done()`. Only for what another thread is about to do and cannot be held up in by anything but
/// the scheduler: after a short while the processor is given away.
template <class Done>
void spin_until(Done done) noexcept {
  for (int spins = 0; !done(); ++spins) {
    if (spins < 128) {
      pause_processor();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace weft::detail
