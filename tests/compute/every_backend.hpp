#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/compute/cuda_executor.hpp>
#include <weft/compute/tensor.hpp>

#include "emulated_gpu.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

/// A place where kernels run: the CPU, a GPU if there is one, and a GPU that is emulated.
class backend {
 public:
  enum kind { cpu, gpu, emulated };
  explicit backend(kind which) : kind_(which) {
    if (which == gpu) gpu_ = std::make_unique<weft::cuda_executor>();
  }

  std::string name() const { return kind_ == cpu ? "cpu" : kind_ == gpu ? gpu_->name() : "an emulated GPU"; }

  /// Calls kernels(context) with the backend's context, and waits.
  template <class Kernels>
  void run(const Kernels& kernels) const {
    if (kind_ == cpu) {
      kernels(weft::cpu_context());
    } else {
      on_gpu([&](const weft::cuda_context& context) { kernels(context); });
    }
  }

  /// A tensor of the backend's memory with these elements.
  template <class T, int Rank>
  weft::tensor<T, Rank> put(const weft::tensor<T, Rank>& values) const {
    if (kind_ != gpu) return values;
    weft::tensor<T, Rank> there(values.extents(), gpu_->source());
    copy(there.data(), values.data(), values.size());
    return there;
  }
  /// The elements of one.
  template <class T, int Rank>
  weft::tensor<T, Rank> get(const weft::tensor<T, Rank>& values) const {
    if (kind_ != gpu) return values;
    weft::tensor<T, Rank> here(values.extents());
    copy(here.data(), values.data(), values.size());
    return here;
  }

 private:
  void on_gpu(const std::function<void(const weft::cuda_context&)>& run) const {
    if (kind_ == emulated) return on_emulated_gpu(run);
    gpu_->submit(run).get();
  }
  template <class T>
  void copy(T* to, const T* from, std::int64_t count) const {
    if (count == 0) return;
    on_gpu([&](const weft::cuda_context& context) {
      context.copy(to, from, static_cast<std::size_t>(count) * sizeof(T));
      context.synchronize();
    });
  }

  kind kind_;
  std::unique_ptr<weft::cuda_executor> gpu_;
};

/// Calls check(backend) for every backend that this machine has. ThreadSanitizer does not follow the emulated
/// one's fibers, and goes without.
template <class Check>
void on_every_backend(const Check& check) {
  for (const backend::kind kind : {backend::cpu, backend::emulated, backend::gpu}) {
    if (kind == backend::gpu && weft::cuda_devices().empty()) continue;
#ifdef __SANITIZE_THREAD__
    if (kind == backend::emulated) continue;
#endif
    const backend here(kind);
    SCOPED_TRACE(here.name());
    check(here);
  }
}

/// compute(backend) gives a tensor in host memory, whose elements must be those of the CPU within
/// tolerance * (1 + |element|).
template <class Compute>
void expect_the_same_everywhere(double tolerance, const Compute& compute) {
  const auto expected = compute(backend(backend::cpu));
  on_every_backend([&](const backend& here) {
    const auto actual = compute(here);
    ASSERT_EQ(actual.extents(), expected.extents());
    for (std::int64_t index = 0; index < expected.size(); ++index) {
      const auto one = static_cast<double>(actual.data()[index]);
      const auto other = static_cast<double>(expected.data()[index]);
      if (std::isnan(one) && std::isnan(other)) continue;
      ASSERT_NEAR(one, other, tolerance * (1.0 + std::abs(other))) << "element " << index;
    }
  });
}
