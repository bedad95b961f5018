#include <compute/isa/blocks.hpp>
#include <compute/isa/math.hpp>
#include <compute/isa/product.hpp>

namespace weft::detail::WEFT_ISA {
namespace {

template <bool Full>
struct finish_product {
  const product_arguments& arguments;
  size columns;
  __attribute__((always_inline)) void operator()(size row, size column, vec sum) const {
    float* output = arguments.output.data + row * arguments.output.stride;
    vec value = sum;
    if (arguments.bias != nullptr) value += load_left_of<Full>(arguments.bias, column, columns);
    if (arguments.accumulate) value += load_left_of<Full>(output, column, columns);
    if (arguments.after == activation::relu) value = max(vec{}, value);
    if (arguments.after == activation::gelu) value = gelu(value);
    store_left_of<Full>(output, column, columns, value);
  }

 private:
  // Out of line: it would be there once for every accumulator.
  __attribute__((noinline)) static vec gelu(vec value) { return gaussian_error_unit(value); }
};

template <class Left>
void product_of(Left left, const product_arguments& arguments, const tile& area, float* scratch) {
  for_each_panel(area, [&](size column, size width) {
    const size padded = padded_width(width);
    const size stride = arguments.right.stride;
    panel right{arguments.right.data + column, stride};
    if (arguments.right_transposed) {
      pack_transposed(arguments.right.data + column * stride, stride, arguments.depth, width, padded,
                      scratch);
      right = {scratch, padded};
    } else if (width != padded || stride >= packing_stride) {
      pack(right.data, stride, arguments.depth, width, padded, scratch);
      right = {scratch, padded};
    }
    run_panel(left, right, arguments.depth, area, column, width, [&](auto full) {
      return finish_product<full.value>{arguments, column + width};
    });
  });
}

}  // namespace

void product(const product_arguments& arguments, const tile& area, float* scratch) {
  const flush_denormals flush;
  if (arguments.left_depth == 1) {
    product_of(row_major_left{arguments.left, arguments.left_row}, arguments, area, scratch);
  } else {
    product_of(transposed_left{arguments.left, arguments.left_depth}, arguments, area, scratch);
  }
}

}  // namespace weft::detail::WEFT_ISA
