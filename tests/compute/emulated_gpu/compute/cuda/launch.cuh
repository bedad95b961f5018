#pragma once

// In the place of src/compute/cuda/launch.cuh: the GPU's kernels on the processor. The threads of a block are
// fibers of one thread, which take turns where a GPU's threads wait for each other; blocks run one after the
// other, and there are few of them, so that loops over what is left are run too.

#include <compute/cuda/check.hpp>

#include <ucontext.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

// NOLINTBEGIN
#define __global__
#define __device__
#define __shared__ static

struct CUstream_st;

namespace emulated_gpu_machine {

struct coordinate {
  unsigned x = 0;
};
inline coordinate thread, block, grid;

/// Where threads wait for each other.
struct meeting {
  int expected = 0;
  int arrived = 0;
  std::uint64_t times = 0;

  void leave() {
    if (--expected > 0 && arrived == expected) open();
  }
  void open() {
    arrived = 0;
    ++times;
  }
};

class machine {
 public:
  static constexpr int threads = 256;
  static constexpr int warp = 32;

  static machine& get() {
    static machine one;
    return one;
  }

  void run(unsigned blocks, const std::function<void()>& body) {
    body_ = &body;
    grid.x = blocks;
    for (block.x = 0; block.x < blocks; ++block.x) run_block();
  }

  void wait(meeting& here) {
    moved_ = true;
    const std::uint64_t mine = here.times;
    if (++here.arrived == here.expected) return here.open();
    while (here.times == mine) {
      leave_fiber(&kept_[current_]);
      swapcontext(&contexts_[current_], &home_);
      enter_fiber(kept_[current_]);
    }
  }
  meeting& of_block() { return all_; }
  meeting& of_warp() { return warps_[current_ / warp]; }

  template <class T>
  T from_lane(T value, int mask) {
    static_assert(sizeof(T) <= sizeof(std::uint64_t));
    const std::size_t me = current_;
    std::memcpy(&slots_[me], &value, sizeof(T));
    wait(of_warp());
    std::memcpy(&value, &slots_[me ^ static_cast<std::size_t>(mask)], sizeof(T));
    wait(of_warp());
    return value;
  }

 private:
  static constexpr std::size_t stack_bytes = 64 * 1024;

  machine() : stacks_(threads * stack_bytes) {}

  static void enter() {
    machine& self = get();
    self.enter_fiber(nullptr);
    (*self.body_)();
    self.done_[self.current_] = true;
    self.leave_fiber(nullptr);
  }

  // AddressSanitizer has to know which stack is in use.
  void enter_fiber([[maybe_unused]] void* kept) {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(kept, &home_stack_, &home_bytes_);
#endif
  }
  void leave_fiber([[maybe_unused]] void** kept) {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(kept, home_stack_, home_bytes_);
#endif
  }
  void switch_to_fiber() {
#ifdef __SANITIZE_ADDRESS__
    void* kept = nullptr;
    __sanitizer_start_switch_fiber(&kept, stacks_.data() + current_ * stack_bytes, stack_bytes);
#endif
    swapcontext(&home_, &contexts_[current_]);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(kept, nullptr, nullptr);
#endif
  }

  void prepare(std::size_t each) {
    ucontext_t& context = contexts_[each];
    getcontext(&context);
    context.uc_stack.ss_sp = stacks_.data() + each * stack_bytes;
    context.uc_stack.ss_size = stack_bytes;
    context.uc_link = &home_;
    makecontext(&context, &machine::enter, 0);
  }

  void run_block() {
    all_ = {threads};
    warps_.fill({warp});
    done_.fill(false);
    for (std::size_t each = 0; each < threads; ++each) prepare(each);
    for (int left = threads; left > 0;) {
      moved_ = false;
      for (current_ = 0; current_ < threads; ++current_) {
        if (done_[current_]) continue;
        thread.x = static_cast<unsigned>(current_);
        switch_to_fiber();
        if (!done_[current_]) continue;
        --left;
        moved_ = true;
        all_.leave();
        of_warp().leave();
      }
      if (!moved_) throw weft::error("the threads of a block wait for each other for ever");
    }
  }

  std::vector<char> stacks_;
  std::array<ucontext_t, threads> contexts_{};
  ucontext_t home_{};
  std::array<bool, threads> done_{};
  std::array<std::uint64_t, threads> slots_{};
  meeting all_;
  std::array<meeting, threads / warp> warps_{};
  const std::function<void()>* body_ = nullptr;
  [[maybe_unused]] std::array<void*, threads> kept_{};
  [[maybe_unused]] const void* home_stack_ = nullptr;
  [[maybe_unused]] std::size_t home_bytes_ = 0;
  std::size_t current_ = 0;
  bool moved_ = false;
};

}  // namespace emulated_gpu_machine

#define threadIdx ::emulated_gpu_machine::thread
#define blockIdx ::emulated_gpu_machine::block
#define gridDim ::emulated_gpu_machine::grid

namespace weft::detail {

inline namespace emulated {

inline void __syncthreads() {
  auto& machine = emulated_gpu_machine::machine::get();
  machine.wait(machine.of_block());
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return emulated_gpu_machine::machine::get().from_lane(value, mask);
}
template <class T>
T __ldg(const T* from) {
  return *from;
}
inline float __uint_as_float(std::uint32_t bits) {
  return std::bit_cast<float>(bits);
}
inline std::uint32_t __float_as_uint(float value) {
  return std::bit_cast<std::uint32_t>(value);
}
inline float normcdff(float x) {
  return static_cast<float>(0.5 * std::erfc(-static_cast<double>(x) / std::numbers::sqrt2));
}
inline void sincospif(float x, float* sine, float* cosine) {
  *sine = static_cast<float>(std::sin(std::numbers::pi * static_cast<double>(x)));
  *cosine = static_cast<float>(std::cos(std::numbers::pi * static_cast<double>(x)));
}
inline float atomicAdd(float* at, float value) {
  const float before = *at;
  *at += value;
  return before;
}
inline int cudaMemsetAsync(void* to, int value, std::size_t bytes, CUstream_st*) {
  std::memset(to, value, bytes);
  return 0;
}

constexpr int block_threads = emulated_gpu_machine::machine::threads;

template <class... Parameters, class... Arguments>
void launch(const char* name, CUstream_st*, unsigned blocks, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  if (blocks == 0) throw error(std::string(name) + " was launched without blocks");
  static_assert((sizeof(Parameters) + ... + 0) <= 4000, "a kernel's parameters have 4 KB");
  emulated_gpu_machine::machine::get().run(blocks, [&] { kernel(static_cast<Parameters>(arguments)...); });
}

inline unsigned blocks_for(std::int64_t count) {
  constexpr std::int64_t most_blocks = 5;
  return static_cast<unsigned>(std::min(most_blocks, (count + block_threads - 1) / block_threads));
}

inline unsigned one_block_for_each(std::int64_t count) {
  return blocks_for(count * block_threads);
}

template <class Each>
void for_each_index(std::int64_t count, const Each& each) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * block_threads;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x;
  for (std::int64_t index = first; index < count; index += step) each(index);
}

template <class T>
struct alignas(16) pack {
  static constexpr int size = 16 / static_cast<int>(sizeof(T));
  T value[size];
};

template <class... T>
bool aligned_for_packs(const T*... arrays) {
  return ((reinterpret_cast<std::uintptr_t>(arrays) % 16 == 0) && ...);
}

}  // namespace emulated
}  // namespace weft::detail
// NOLINTEND
