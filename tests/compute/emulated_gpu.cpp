#include "emulated_gpu.hpp"

// The names of the kernels are others, because the library may have them too.
#define gpu emulated_kernels
#define cuda_kernels emulated_cuda_kernels
#include <compute/cuda_stream.hpp>

#include "../../src/compute/cuda/elementwise.cu"
#include "../../src/compute/cuda/images.cu"
#include "../../src/compute/cuda/optimizers.cu"
#include "../../src/compute/cuda/random.cu"
#include "../../src/compute/cuda/reduce.cu"
#include "../../src/compute/cuda/rows.cu"

#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <vector>

namespace weft::detail {
namespace {

float element(const device_product& product, const void* data, std::int64_t index) {
  if (product.type == product_type::bfloat16) return read(static_cast<const bfloat16_bits*>(data), index);
  if (product.type == product_type::half) return read(static_cast<const half_bits*>(data), index);
  return static_cast<const float*>(data)[index];
}

class emulated_stream final : public cuda_stream {
 public:
  void enqueue(kernel_call) override { std::terminate(); }
  void launched(kernel_state&) override { std::terminate(); }
  std::shared_ptr<memory> source() const override { return nullptr; }
  CUstream_st* stream() const noexcept override { return nullptr; }
  place where() const noexcept override { return {}; }
  void synchronize() override {}
  void settle() noexcept override {}
  bool copies_alone(const void*) override { return true; }
  void* scratch(std::size_t bytes) override {
    // What an earlier kernel had there is gone, as on a GPU it may be.
    scratch_.assign(bytes / sizeof(double) + 2, std::numeric_limits<double>::quiet_NaN());
    return scratch_.data();
  }
  void copy(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  const cuda_kernel_table& kernels() const noexcept override;

 private:
  std::vector<double> scratch_;
};

}  // namespace

void gpu::product(const cuda_context&, const device_product& all, void*) {
  for (std::int64_t result = 0; result < all.batch * all.rows * all.columns; ++result) {
    const std::int64_t column = result % all.columns;
    const std::int64_t row = result / all.columns % all.rows;
    const std::int64_t matrix = result / all.columns / all.rows;
    double sum = all.accumulate ? static_cast<double>(element(all, all.output, result)) : 0.0;
    for (std::int64_t k = 0; k < all.depth; ++k) {
      const std::int64_t right =
          all.right_transposed ? column * all.right_stride + k : k * all.right_stride + column;
      sum += static_cast<double>(
                 element(all, all.left, matrix * all.left_step + row * all.left_row + k * all.left_depth)) *
             static_cast<double>(element(all, all.right, matrix * all.right_step + right));
    }
    if (all.type == product_type::bfloat16) {
      write(static_cast<bfloat16_bits*>(all.output), result, static_cast<float>(sum));
    } else if (all.type == product_type::half) {
      write(static_cast<half_bits*>(all.output), result, static_cast<float>(sum));
    } else {
      static_cast<float*>(all.output)[result] = static_cast<float>(sum);
    }
  }
  if (all.bias != nullptr || all.after != activation::none) {
    finish_product(nullptr, all.type, all.output, all.bias, all.columns, all.batch * all.rows * all.columns,
                   all.after);
  }
}

}  // namespace weft::detail
#include "../../src/compute/cuda/table.cpp"
namespace weft::detail {

const cuda_kernel_table& emulated_stream::kernels() const noexcept {
  return emulated_cuda_kernels();
}

}  // namespace weft::detail

void on_emulated_gpu(const std::function<void(const weft::cuda_context&)>& run) {
  weft::detail::emulated_stream stream;
  run(weft::cuda_context(stream));
}
