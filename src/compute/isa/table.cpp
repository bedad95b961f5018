#include <compute/isa/elementwise.hpp>
#include <compute/isa/linear.hpp>

namespace weft::detail::WEFT_ISA {

extern const kernel_table kernels;
const kernel_table kernels{linear_forward, weight_gradient, input_gradient, cross_entropy, normalize, adam};

}  // namespace weft::detail::WEFT_ISA
