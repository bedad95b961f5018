#include <compute/cuda/check.hpp>
#include <compute/cuda/product.hpp>
#include <weft/compute/cuda_context.hpp>

#include <cublasLt.h>

#include <algorithm>  // for std::max
#include <cstddef>    // for std::size_t
#include <map>        // for std::map
#include <mutex>      // for std::mutex
#include <string>     // for std::string

namespace weft::detail {
namespace {

constexpr std::size_t workspace_bytes = std::size_t{32} << 20;  // what NVIDIA recommends for Hopper

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

struct description {
  explicit description(cublasLtMatmulDesc_t from) : handle(from) {}
  description(const description&) = delete;
  description& operator=(const description&) = delete;
  ~description() { static_cast<void>(cublasLtMatmulDescDestroy(handle)); }
  cublasLtMatmulDesc_t handle;
};

struct layout {
  // A column-major matrix: the transpose of a row-major one.
  layout(std::int64_t rows, std::int64_t columns, std::int64_t stride, std::int64_t batch,
         std::int64_t step) {
    check(cublasLtMatrixLayoutCreate(&handle, CUDA_R_32F, static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), std::max(stride, rows)),
          "cublasLtMatrixLayoutCreate");
    if (batch == 1) return;
    const auto count = static_cast<std::int32_t>(batch);
    check(cublasLtMatrixLayoutSetAttribute(handle, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
          "cublasLtMatrixLayoutSetAttribute");
    check(cublasLtMatrixLayoutSetAttribute(handle, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step,
                                           sizeof step),
          "cublasLtMatrixLayoutSetAttribute");
  }
  layout(const layout&) = delete;
  layout& operator=(const layout&) = delete;
  ~layout() { static_cast<void>(cublasLtMatrixLayoutDestroy(handle)); }
  cublasLtMatrixLayout_t handle = nullptr;
};

struct preference {
  preference() {
    check(cublasLtMatmulPreferenceCreate(&handle), "cublasLtMatmulPreferenceCreate");
    check(cublasLtMatmulPreferenceSetAttribute(handle, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                               &workspace_bytes, sizeof workspace_bytes),
          "cublasLtMatmulPreferenceSetAttribute");
  }
  preference(const preference&) = delete;
  preference& operator=(const preference&) = delete;
  ~preference() { static_cast<void>(cublasLtMatmulPreferenceDestroy(handle)); }
  cublasLtMatmulPreference_t handle = nullptr;
};

}  // namespace

// cuBLASLt is column-major: it is asked for the transpose, output' = right' * left', of what it takes for the
// matrices as they lie.
void multiply_matrices(const cuda_context& context, const product_arguments& arguments, std::int64_t rows,
                       std::int64_t columns, std::int64_t batch, std::int64_t left_step,
                       std::int64_t right_step) {
  const std::int64_t depth = arguments.depth;
  const std::int64_t count = batch * rows * columns;
  if (depth == 0) {
    check_cuda(cudaMemsetAsync(arguments.output.data, 0, static_cast<std::size_t>(count) * sizeof(float),
                               context.stream()),
               "cudaMemsetAsync");
  } else {
    const bool left_transposed = arguments.left_depth != 1;
    cublasLtMatmulDesc_t made = nullptr;
    check(cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
    const description operation(made);
    const auto set = [&](cublasLtMatmulDescAttributes_t name, bool transposed) {
      const cublasOperation_t value = transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
      check(cublasLtMatmulDescSetAttribute(operation.handle, name, &value, sizeof value),
            "cublasLtMatmulDescSetAttribute");
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, arguments.right_transposed);
    set(CUBLASLT_MATMUL_DESC_TRANSB, left_transposed);
    const layout right(arguments.right_transposed ? depth : columns,
                       arguments.right_transposed ? columns : depth, arguments.right.stride, batch,
                       right_step);
    const layout left(left_transposed ? rows : depth, left_transposed ? depth : rows,
                      left_transposed ? arguments.left_depth : arguments.left_row, batch, left_step);
    const layout output(columns, rows, arguments.output.stride, batch, rows * columns);
    const preference wishes;
    cublasLtHandle_t handle = handle_of(context.where().index);
    cublasLtMatmulHeuristicResult_t chosen{};
    int found = 0;
    check(cublasLtMatmulAlgoGetHeuristic(handle, operation.handle, right.handle, left.handle, output.handle,
                                         output.handle, wishes.handle, 1, &chosen, &found),
          "cublasLtMatmulAlgoGetHeuristic");
    if (found == 0) throw error("cublasLtMatmulAlgoGetHeuristic: there is no algorithm for these matrices");
    const float one = 1.0F;
    const float zero = 0.0F;
    check(cublasLtMatmul(handle, operation.handle, &one, arguments.right.data, right.handle, arguments.left,
                         left.handle, &zero, arguments.output.data, output.handle, arguments.output.data,
                         output.handle, &chosen.algo, context.scratch(workspace_bytes), workspace_bytes,
                         context.stream()),
          "cublasLtMatmul");
  }
  if (arguments.bias != nullptr || arguments.after != activation::none) {
    finish_product(context.stream(), arguments.output.data, arguments.bias, columns, count, arguments.after);
  }
}

}  // namespace weft::detail
