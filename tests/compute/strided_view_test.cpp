#include <weft/compute/strided_view.hpp>

#include <weft/compute/tensor.hpp>

#include "every_context.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

namespace strided_view_test {

using weft::strided_view;
using weft::tensor;
using weft::tensor_view;

tensor<int, 3> counting_cube() {
  tensor<int, 3> cube({2, 3, 4});
  std::iota(cube.elements().begin(), cube.elements().end(), 0);
  return cube;
}

TEST(strided_view, slices_any_axis_without_a_copy) {
  tensor<int, 3> cube = counting_cube();
  const strided_view<int, 3> part = cube.slice(2, 1, 4, 2);
  EXPECT_EQ(part.extents(), (weft::shape<3>{2, 3, 2}));
  EXPECT_EQ(part(1, 2, 1), cube(1, 2, 3));
  part(0, 0, 0) = -1;
  EXPECT_EQ(cube(0, 0, 1), -1);
  EXPECT_EQ(part.slice(1, 1, 3)(1, 0, 0), cube(1, 1, 1));
  EXPECT_EQ(cube.view().strided().select(1, 2)(1, 3), cube(1, 2, 3));
  EXPECT_EQ(part[1].at(2, 1), cube(1, 2, 3));
  EXPECT_TRUE(cube.slice(1, 3, 3).empty());
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { cube.slice(1, 2, 4); }),
            "strided_view slice: [2, 4) in steps of 1 is not within axis 1 of shape [2, 3, 4]");
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { cube.slice(3, 0, 1); }),
            "strided_view: there is no axis 3 in shape [2, 3, 4]");
  EXPECT_THROW(cube.slice(0, 0, 1, 0), weft::invalid_argument);
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { part.at(0, 0, 2); }),
            "strided_view at(): index [0, 0, 2] is outside shape [2, 3, 2]");
}

TEST(strided_view, permutes_and_transposes) {
  const tensor<int, 3> cube = counting_cube();
  const auto turned = cube.view().strided().permute({2, 0, 1});
  EXPECT_EQ(turned.extents(), (weft::shape<3>{4, 2, 3}));
  EXPECT_EQ(turned(3, 1, 2), cube(1, 2, 3));
  EXPECT_EQ(cube.transpose()(1, 3, 2), cube(1, 2, 3));
  const tensor<int, 3> copied(turned);
  EXPECT_EQ(copied(3, 1, 2), cube(1, 2, 3));
  EXPECT_EQ(copied(0, 1, 0), cube(1, 0, 0));
  EXPECT_EQ(message_of<weft::invalid_argument>([&] {
              cube.view().strided().permute({0, 2, 2});
            }),
            "strided_view permute: axis 2 is there twice");
}

TEST(strided_view, repeats_by_numpys_rule) {
  const tensor<int, 2> column({3, 1}, std::vector<int>{1, 2, 3});
  const auto repeated = column.view().strided().broadcast_to<3>({2, 3, 4});
  EXPECT_EQ(repeated(1, 2, 3), 3);
  EXPECT_EQ(repeated.stride(0), 0);
  EXPECT_EQ(message_of<weft::shape_error>([&] {
              column.view().strided().broadcast_to<2>({4, 4});
            }),
            "broadcast_to: shape [3, 1] cannot be repeated to shape [4, 4]");
}

TEST(strided_view, goes_back_to_a_dense_view_where_it_is_one) {
  tensor<int, 3> cube = counting_cube();
  EXPECT_EQ(cube.slice(0, 1, 2).dense().data(), cube.data() + 12);
  EXPECT_TRUE(cube.slice(0, 0, 1).slice(1, 1, 3).is_dense());
  EXPECT_TRUE(cube.slice(2, 4, 4).is_dense());
  EXPECT_EQ(
      message_of<weft::shape_error>([&] { cube.transpose().dense(); }),
      "dense: strides [12, 1, 4] of shape [2, 4, 3] are not row-major without gaps: copy the elements into "
      "a tensor");
}

TEST(strided_view, copy_prints_both_shapes_and_keeps_off_a_gpus_memory) {
  tensor<int, 3> cube = counting_cube();
  tensor<int, 3> other({2, 4, 3});
  weft::copy<int, 3>(strided_view<const int, 3>(cube.transpose()), strided_view<int, 3>(other));
  EXPECT_EQ(other(1, 3, 2), cube(1, 2, 3));
  EXPECT_EQ(message_of<weft::shape_error>(
                [&] { weft::copy<int, 3>(strided_view<const int, 3>(cube), strided_view<int, 3>(other)); }),
            "copy: the source has shape [2, 3, 4] but the target has shape [2, 4, 3]");
  const tensor_view<const int, 3> elsewhere(cube.data(), {2, 3, 4}, weft::cuda_place(1));
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { tensor<int, 3>{elsewhere}; }),
            "tensor: the elements are on cuda:1: move them to the host with an executor first");
  EXPECT_EQ(elsewhere.slice(0, 1).where(), weft::cuda_place(1));
  EXPECT_EQ(elsewhere.transpose().where(), weft::cuda_place(1));
}

// Memory that counts what it has given.
class counting_memory final : public weft::memory {
 public:
  void* allocate(std::size_t bytes) override {
    live += bytes;
    return ::operator new (bytes, std::align_val_t{weft::tensor_alignment});
  }
  void deallocate(void* data, std::size_t bytes) noexcept override {
    live -= bytes;
    ::operator delete (data, std::align_val_t{weft::tensor_alignment});
  }
  weft::place where() const noexcept override { return weft::cuda_place(3); }

  std::size_t live = 0;
};

TEST(tensor, gives_memory_back_to_where_it_came_from) {
  const auto source = std::make_shared<counting_memory>();
  {
    tensor<float, 2> first({3, 5}, source);
    EXPECT_EQ(source->live, 60U);
    EXPECT_EQ(first.view().where(), weft::cuda_place(3));
    tensor<float, 2> second = std::move(first);
    EXPECT_EQ(source->live, 60U);
    EXPECT_EQ(second.where(), weft::cuda_place(3));
    EXPECT_THROW((tensor<float, 2>(second)), weft::invalid_argument);
    const tensor<float, 2> none({0, 5}, source);
    EXPECT_EQ(none.where(), weft::cuda_place(3));
  }
  EXPECT_EQ(source->live, 0U);
}

// Kernels that need dense arrays do not compile with strides, nor with another type or rank.
static_assert(!std::is_convertible_v<strided_view<float, 2>, tensor_view<float, 2>>);
static_assert(std::is_convertible_v<tensor_view<float, 2>, strided_view<const float, 2>>);
static_assert(std::is_convertible_v<tensor<float, 2>&, strided_view<const float, 2>>);
static_assert(!std::is_convertible_v<strided_view<const float, 2>, strided_view<float, 2>>);
static_assert(!std::is_convertible_v<tensor_view<float, 2>, strided_view<float, 1>>);
static_assert(!std::is_convertible_v<tensor_view<float, 2>, strided_view<double, 2>>);

}  // namespace strided_view_test
