#include <compute/cuda/check.hpp>
#include <compute/cuda_kernel_table.hpp>
#include <weft/compute/cuda_context.hpp>

#include <cublasLt.h>

#include <algorithm>  // for std::max, std::min
#include <array>      // for std::array
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::int64_t, std::uint32_t, std::uintptr_t
#include <map>        // for std::map
#include <mutex>      // for std::mutex
#include <optional>   // for std::optional
#include <string>     // for std::string

namespace weft::detail {
namespace {

void check(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw error(std::string(call) + ": " + cublasLtGetStatusString(status));
}

// A handle holds nothing of a stream; each device has one until the process ends.
cublasLtHandle_t handle_of(int device) {
  static std::mutex mutex;
  static std::map<int, cublasLtHandle_t> handles;
  const std::lock_guard lock(mutex);
  cublasLtHandle_t& handle = handles[device];
  if (handle == nullptr) check(cublasLtCreate(&handle), "cublasLtCreate");
  return handle;
}

cudaDataType_t element_type(product_type type) {
  switch (type) {
    case product_type::bfloat16:
      return CUDA_R_16BF;
    case product_type::half:
      return CUDA_R_16F;
    default:
      return CUDA_R_32F;
  }
}

class description {
 public:
  explicit description(product_type type) {
    const cublasComputeType_t how =
        type == product_type::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    check(cublasLtMatmulDescCreate(&handle_, how, CUDA_R_32F), "cublasLtMatmulDescCreate");
  }
  description(const description&) = delete;
  description& operator=(const description&) = delete;
  ~description() { static_cast<void>(cublasLtMatmulDescDestroy(handle_)); }

  template <class T>
  void set(cublasLtMatmulDescAttributes_t name, const T& value) {
    check(cublasLtMatmulDescSetAttribute(handle_, name, static_cast<const void*>(&value), sizeof value),
          "cublasLtMatmulDescSetAttribute");
  }
  cublasLtMatmulDesc_t get() const noexcept { return handle_; }

 private:
  cublasLtMatmulDesc_t handle_ = nullptr;
};

class layout {
 public:
  // A column-major matrix: the transpose of a row-major one.
  layout(product_type type, std::int64_t rows, std::int64_t columns, std::int64_t stride, std::int64_t batch,
         std::int64_t step) {
    check(cublasLtMatrixLayoutCreate(&handle_, element_type(type), static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), std::max(stride, rows)),
          "cublasLtMatrixLayoutCreate");
    if (batch == 1) return;
    const auto count = static_cast<std::int32_t>(batch);
    check(cublasLtMatrixLayoutSetAttribute(handle_, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
          "cublasLtMatrixLayoutSetAttribute");
    check(cublasLtMatrixLayoutSetAttribute(handle_, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step,
                                           sizeof step),
          "cublasLtMatrixLayoutSetAttribute");
  }
  layout(const layout&) = delete;
  layout& operator=(const layout&) = delete;
  ~layout() { static_cast<void>(cublasLtMatrixLayoutDestroy(handle_)); }

  cublasLtMatrixLayout_t get() const noexcept { return handle_; }

 private:
  cublasLtMatrixLayout_t handle_ = nullptr;
};

class preference {
 public:
  preference() {
    check(cublasLtMatmulPreferenceCreate(&handle_), "cublasLtMatmulPreferenceCreate");
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, product_workspace);
  }
  preference(const preference&) = delete;
  preference& operator=(const preference&) = delete;
  ~preference() { static_cast<void>(cublasLtMatmulPreferenceDestroy(handle_)); }

  template <class T>
  void set(cublasLtMatmulPreferenceAttributes_t name, const T& value) {
    check(cublasLtMatmulPreferenceSetAttribute(handle_, name, static_cast<const void*>(&value), sizeof value),
          "cublasLtMatmulPreferenceSetAttribute");
  }
  cublasLtMatmulPreference_t get() const noexcept { return handle_; }

 private:
  cublasLtMatmulPreference_t handle_ = nullptr;
};

// The largest power of two, up to 256, that divides an address.
std::uint32_t alignment_of(const void* data) {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  return static_cast<std::uint32_t>(std::min<std::uintptr_t>(address & (~address + 1), 256));
}

// cuBLASLt's own GELU is the approximation by tanh, which differs by up to 5e-4: no more than the other
// types round, but more than float does.
std::optional<cublasLtEpilogue_t> epilogue_of(const device_product& arguments) {
  const bool bias = arguments.bias != nullptr;
  switch (arguments.after) {
    case activation::none:
      return bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
    case activation::relu:
      return bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    case activation::gelu:
      if (arguments.type == product_type::float32) return std::nullopt;
      return bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
  }
  return std::nullopt;
}

// What the choice of an algorithm depends on.
using algorithm_key = std::array<std::int64_t, 18>;

// The algorithms that were chosen, so that a product that comes again is not asked for again; nothing where
// there is none.
class algorithm_memory {
 public:
  template <class Choose>
  std::optional<cublasLtMatmulAlgo_t> find(const algorithm_key& key, const Choose& choose) {
    const std::lock_guard lock(mutex_);
    const auto known = chosen_.find(key);
    if (known != chosen_.end()) return known->second;
    constexpr std::size_t most = 4096;  // a program of ever new shapes shall not grow for ever
    if (chosen_.size() >= most) chosen_.clear();
    return chosen_.emplace(key, choose()).first->second;
  }

 private:
  std::mutex mutex_;
  std::map<algorithm_key, std::optional<cublasLtMatmulAlgo_t>> chosen_;
};

// cuBLASLt is column-major: it is asked for the transpose, output' = right' * left', of what it takes for the
// matrices as they lie. Returns false if it has no algorithm for that with this epilogue.
bool multiply(const cuda_context& context, const device_product& arguments, cublasLtEpilogue_t epilogue,
              void* workspace) {
  static algorithm_memory algorithms;
  const bool left_transposed = arguments.left_depth != 1;
  const std::int64_t left_stride = left_transposed ? arguments.left_depth : arguments.left_row;
  const bool with_bias = arguments.bias != nullptr && epilogue != CUBLASLT_EPILOGUE_DEFAULT &&
                         epilogue != CUBLASLT_EPILOGUE_RELU && epilogue != CUBLASLT_EPILOGUE_GELU;
  description operation(arguments.type);
  operation.set(CUBLASLT_MATMUL_DESC_TRANSA, arguments.right_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  operation.set(CUBLASLT_MATMUL_DESC_TRANSB, left_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  operation.set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
  if (with_bias) operation.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, arguments.bias);
  const layout right(arguments.type, arguments.right_transposed ? arguments.depth : arguments.columns,
                     arguments.right_transposed ? arguments.columns : arguments.depth, arguments.right_stride,
                     arguments.batch, arguments.right_step);
  const layout left(arguments.type, left_transposed ? arguments.rows : arguments.depth,
                    left_transposed ? arguments.depth : arguments.rows, left_stride, arguments.batch,
                    arguments.left_step);
  const layout output(arguments.type, arguments.columns, arguments.rows, arguments.columns, arguments.batch,
                      arguments.rows * arguments.columns);
  const int device = context.where().index;
  cublasLtHandle_t handle = handle_of(device);
  const algorithm_key key{device,
                          static_cast<std::int64_t>(arguments.type),
                          static_cast<std::int64_t>(epilogue),
                          arguments.rows,
                          arguments.columns,
                          arguments.depth,
                          arguments.batch,
                          static_cast<std::int64_t>(left_transposed),
                          static_cast<std::int64_t>(arguments.right_transposed),
                          left_stride,
                          arguments.right_stride,
                          arguments.left_step,
                          arguments.right_step,
                          static_cast<std::int64_t>(arguments.accumulate),
                          alignment_of(arguments.left),
                          alignment_of(arguments.right),
                          alignment_of(arguments.output),
                          with_bias ? alignment_of(arguments.bias) : 0};
  const auto algorithm = algorithms.find(key, [&]() -> std::optional<cublasLtMatmulAlgo_t> {
    preference wishes;
    wishes.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(arguments.right));
    wishes.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(arguments.left));
    wishes.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(arguments.output));
    wishes.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(arguments.output));
    cublasLtMatmulHeuristicResult_t chosen{};
    int found = 0;
    const cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(handle, operation.get(), right.get(), left.get(), output.get(),
                                       output.get(), wishes.get(), 1, &chosen, &found);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && found == 0)) {
      return std::nullopt;
    }
    check(status, "cublasLtMatmulAlgoGetHeuristic");
    return chosen.algo;
  });
  if (!algorithm) return false;
  const float one = 1.0F;
  const float before = arguments.accumulate ? 1.0F : 0.0F;
  check(cublasLtMatmul(handle, operation.get(), &one, arguments.right, right.get(), arguments.left,
                       left.get(), &before, arguments.output, output.get(), arguments.output, output.get(),
                       &*algorithm, workspace, product_workspace, context.stream()),
        "cublasLtMatmul");
  return true;
}

}  // namespace

void gpu::product(const cuda_context& context, const device_product& arguments, void* workspace) {
  const std::int64_t count = arguments.batch * arguments.rows * arguments.columns;
  if (arguments.depth == 0) {
    if (!arguments.accumulate) {
      const std::size_t width = element_type(arguments.type) == CUDA_R_32F ? 4 : 2;
      check_cuda(
          cudaMemsetAsync(arguments.output, 0, static_cast<std::size_t>(count) * width, context.stream()),
          "cudaMemsetAsync");
    }
  } else {
    const auto epilogue = epilogue_of(arguments);
    if (epilogue && multiply(context, arguments, *epilogue, workspace)) return;
    if (!multiply(context, arguments, CUBLASLT_EPILOGUE_DEFAULT, workspace)) {
      throw error("cublasLtMatmulAlgoGetHeuristic: there is no algorithm for these matrices");
    }
  }
  if (arguments.bias != nullptr || arguments.after != activation::none) {
    finish_product(context.stream(), arguments.type, arguments.output, arguments.bias, arguments.columns,
                   count, arguments.after);
  }
}

}  // namespace weft::detail
