#include <compute/isa/blocks.hpp>
#include <compute/isa/linear.hpp>

namespace weft::detail::WEFT_ISA {
namespace {

// What becomes of the sums of a block.

template <bool Full, bool Relu>
struct add_bias {
  const linear_forward_arguments& arguments;
  size columns;
  __attribute__((always_inline)) void operator()(size row, size column, vec sum) const {
    vec value = sum + load_left_of<Full>(arguments.bias, column, columns);
    if constexpr (Relu) value = max(vec{}, value);
    store_left_of<Full>(arguments.output.data + row * arguments.output.stride, column, columns, value);
  }
};

template <bool Full>
struct store_gradient {
  const weight_gradient_arguments& arguments;
  size columns;
  __attribute__((always_inline)) void operator()(size row, size column, vec sum) const {
    store_left_of<Full>(arguments.weight_gradient.data + row * arguments.weight_gradient.stride, column,
                        columns, sum);
  }
};

template <bool Full, bool Masked>
struct mask_inactive {
  const input_gradient_arguments& arguments;
  size columns;
  __attribute__((always_inline)) void operator()(size row, size column, vec sum) const {
    vec value = sum;
    if constexpr (Masked) {
      const vec active =
          load_left_of<Full>(arguments.active.data + row * arguments.active.stride, column, columns);
      value = active > 0.0F ? value : vec{};
    }
    store_left_of<Full>(arguments.input_gradient.data + row * arguments.input_gradient.stride, column,
                        columns, value);
  }
};

// Column sums of the output gradient, top to bottom.
void bias_gradient(const weight_gradient_arguments& arguments, const panel& right, size column, size width) {
  for (size offset = 0; offset < width; offset += lanes) {
    vec sum{};
    for (size k = 0; k < arguments.batch; ++k) sum += load(right.data + k * right.stride + offset);
    store_left_of<false>(arguments.bias_gradient, column + offset, column + width, sum);
  }
}

}  // namespace

void linear_forward(const linear_forward_arguments& arguments, const tile& area, float* scratch) {
  const flush_denormals flush;
  const row_major_left left{arguments.input.data, arguments.input.stride};
  for_each_panel(area, [&](size column, size width) {
    panel right{arguments.weight.data + column, arguments.weight.stride};
    const size padded = padded_width(width);
    if (width != padded || right.stride >= packing_stride) {
      pack(right.data, right.stride, arguments.inputs, width, padded, scratch);
      right = {scratch, padded};
    }
    if (arguments.relu) {
      run_panel(left, right, arguments.inputs, area, column, width, [&](auto full) {
        return add_bias<full.value, true>{arguments, column + width};
      });
    } else {
      run_panel(left, right, arguments.inputs, area, column, width, [&](auto full) {
        return add_bias<full.value, false>{arguments, column + width};
      });
    }
  });
}

void weight_gradient(const weight_gradient_arguments& arguments, const tile& area, float* scratch) {
  const flush_denormals flush;
  const transposed_left left{arguments.input.data, arguments.input.stride};
  for_each_panel(area, [&](size column, size width) {
    const size padded = padded_width(width);
    pack(arguments.output_gradient.data + column, arguments.output_gradient.stride, arguments.batch, width,
         padded, scratch);
    const panel right{scratch, padded};
    if (area.row_begin == 0) bias_gradient(arguments, right, column, width);
    run_panel(left, right, arguments.batch, area, column, width, [&](auto full) {
      return store_gradient<full.value>{arguments, column + width};
    });
  });
}

void input_gradient(const input_gradient_arguments& arguments, const tile& area, float* scratch) {
  const flush_denormals flush;
  const row_major_left left{arguments.output_gradient.data, arguments.output_gradient.stride};
  for_each_panel(area, [&](size column, size width) {
    const size padded = padded_width(width);
    pack_transposed(arguments.weight.data + column * arguments.weight.stride, arguments.weight.stride,
                    arguments.outputs, width, padded, scratch);
    const panel right{scratch, padded};
    if (arguments.active.data != nullptr) {
      run_panel(left, right, arguments.outputs, area, column, width, [&](auto full) {
        return mask_inactive<full.value, true>{arguments, column + width};
      });
    } else {
      run_panel(left, right, arguments.outputs, area, column, width, [&](auto full) {
        return mask_inactive<full.value, false>{arguments, column + width};
      });
    }
  });
}

}  // namespace weft::detail::WEFT_ISA
