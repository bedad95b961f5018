#pragma once

#include <thread>  // for std::this_thread::yield

namespace weft::detail {

/// Spins until `done()`. Only for what another thread is about to do and cannot be held up in by anything but
/// the scheduler: after a short while the processor is given away.
template <class Done>
void spin_until(Done done) noexcept {
  for (int spins = 0; !done(); ++spins) {
    if (spins < 128) {
#if defined(__x86_64__) || defined(__i386__)
      __builtin_ia32_pause();
#endif
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace weft::detail
