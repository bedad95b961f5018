#include <compute/dispatch.hpp>
#include <compute/thin_product.hpp>

#include <algorithm>  // for std::max

namespace weft::detail {
namespace {

// With more rows than two, that many elements of the right factor are worth it.
constexpr std::int64_t least_elements = 65'536;

void run(const cpu_context& context, const thin_product_arguments& arguments, std::int64_t columns) {
  const auto kernel = kernels_of(context.level()).thin_product;
  const std::int64_t depth = arguments.product.depth;
  const std::int64_t each = (columns + context.threads() - 1) / context.threads();
  const std::int64_t part =
      std::max<std::int64_t>(1, (each + tile_columns - 1) / tile_columns) * tile_columns;
  run_parts(
      context, columns, part,
      [&](std::int64_t begin, std::int64_t end) {
        kernel(arguments, begin, end, thread_scratch(arguments.rows * (thin_columns + depth)));
      },
      worth_a_thread(elements_of_a_thread, depth * part));
}

}  // namespace

bool run_thin_product(const cpu_context& context, const product_arguments& arguments, std::int64_t rows,
                      std::int64_t columns) {
  if (rows <= most_thin_rows && columns >= rows &&
      (rows <= 2 || arguments.right_transposed || columns * arguments.depth >= least_elements)) {
    run(context, {.product = arguments, .rows = rows, .one_bias = false}, columns);
    return true;
  }
  if (columns != 1) return false;
  // The transposed product has one row.
  product_arguments turned = arguments;
  turned.left = arguments.right.data;
  turned.left_depth = arguments.right_transposed ? 1 : arguments.right.stride;
  turned.right_transposed = arguments.left_depth == 1;
  turned.right = {arguments.left, turned.right_transposed ? arguments.left_row : arguments.left_depth};
  run(context, {.product = turned, .rows = 1, .one_bias = true}, rows);
  return true;
}

}  // namespace weft::detail
