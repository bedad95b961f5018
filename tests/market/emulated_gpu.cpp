#include "emulated_gpu.hpp"

#include <compute/cuda_stream.hpp>

#include <cstddef>
#include <cstring>
#include <exception>
#include <memory>
#include <vector>

// The names of the kernels are others, because the library may have them too.
#define gpu emulated_market_kernels

#include "../../src/market/cuda/paths.cu"

#include <weft/market/cuda_paths.cuh>

template struct weft::cuda_paths<emulated_motion, own_mean>;
template struct weft::cuda_paths<emulated_pair_of_motions, own_mean>;

void emulated_paths(const weft::detail::path_arguments& arguments, std::int64_t begin, std::int64_t end,
                    float* values, float* controls) {
  weft::detail::gpu::paths(nullptr, arguments, begin, end, values, controls);
}

void emulated_moments(const float* values, const float* controls, std::int64_t count,
                      weft::detail::path_moments* parts) {
  weft::detail::gpu::moments(nullptr, values, controls, count, parts);
}

namespace {

class processors_memory final : public weft::detail::cuda_stream {
 public:
  void enqueue(weft::kernel_call) override { std::terminate(); }
  void launched(weft::detail::kernel_state&) override { std::terminate(); }
  std::shared_ptr<weft::memory> source() const override { return nullptr; }
  CUstream_st* stream() const noexcept override { return nullptr; }
  weft::place where() const noexcept override { return {}; }
  void synchronize() override {}
  void settle() noexcept override {}
  bool copies_alone(const void*) override { return true; }
  void* scratch(std::size_t bytes) override {
    scratch_.resize(bytes / sizeof(double) + 1);
    return scratch_.data();
  }
  void copy(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  const weft::detail::cuda_kernel_table& kernels() const noexcept override { std::terminate(); }

 private:
  std::vector<double> scratch_;
};

}  // namespace

weft::detail::path_results values_on_emulated_gpu(const weft::detail::path_program& program,
                                                  weft::detail::path_range range) {
  processors_memory stream;
  return program.on_gpu(weft::cuda_context(stream), range, true);
}
