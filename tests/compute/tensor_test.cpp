#include <weft/compute/tensor.hpp>

#include "every_context.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace tensor_test {

using weft::tensor;
using weft::tensor_view;

TEST(tensor, starts_as_aligned_zeros) {
  for (std::int64_t rows = 1; rows < 40; rows += 3) {
    const tensor<float, 2> zeros({rows, 7});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(zeros.data()) % weft::tensor_alignment, 0U);
    for (const float element : zeros.elements()) EXPECT_EQ(element, 0.0F);
  }
}

TEST(tensor, is_row_major) {
  tensor<int, 3> cube({2, 3, 4});
  for (std::int64_t i = 0; i < cube.size(); ++i) cube.data()[i] = static_cast<int>(i);
  EXPECT_EQ(cube(1, 2, 3), 23);
  EXPECT_EQ(cube.at(1, 0, 2), 14);
  EXPECT_EQ(cube[1](2, 3), 23);
  EXPECT_EQ(cube[1][2](3), 23);
  EXPECT_EQ(cube.view().reshape<1>({24})(23), 23);
}

TEST(tensor, slices_without_a_copy) {
  tensor<int, 2> matrix({4, 2}, std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7});
  const tensor_view<int, 2> middle = matrix.slice(1, 3);
  EXPECT_EQ(middle.extents(), (weft::shape<2>{2, 2}));
  EXPECT_EQ(middle.data(), matrix.data() + 2);
  middle(0, 0) = 20;
  EXPECT_EQ(matrix(1, 0), 20);
  EXPECT_TRUE(matrix.slice(4, 4).empty());
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { matrix.slice(2, 5); }),
            "tensor slice: [2, 5) is not within the outer axis of shape [4, 2]");
  EXPECT_THROW(matrix.slice(3, 2), weft::invalid_argument);
  EXPECT_THROW(matrix.slice(-1, 2), weft::invalid_argument);
}

TEST(tensor, names_what_is_out_of_range) {
  tensor<float, 2> matrix({2, 3});
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { matrix.at(1, 3); }),
            "tensor at(): index [1, 3] is outside shape [2, 3]");
  EXPECT_THROW(matrix.at(-1, 0), weft::invalid_argument);
  EXPECT_THROW((tensor<float, 2>({0, 3}).at(0, 0)), weft::invalid_argument);
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { matrix[2]; }),
            "tensor []: index 2 is outside the outer axis of shape [2, 3]");
}

TEST(tensor, refuses_shapes_that_cannot_be) {
  EXPECT_EQ(message_of<weft::shape_error>([] {
              tensor<float, 2>({2, -1});
            }),
            "tensor: negative extent in shape [2, -1]");
  EXPECT_THROW((tensor<float, 2>({std::numeric_limits<std::int64_t>::max() / 2, 4})), weft::shape_error);
  EXPECT_EQ(message_of<weft::shape_error>([] {
              tensor<int, 2>({2, 2}, std::vector<int>{1, 2, 3});
            }),
            "tensor: 3 elements given for shape [2, 2], which has 4");
  EXPECT_EQ(message_of<weft::shape_error>([] {
              tensor<int, 2>({2, 2}).view().reshape<1>({5});
            }),
            "reshape: shape [2, 2] has 4 elements but shape [5] has 5");
  EXPECT_THROW((tensor_view<float, 1>(nullptr, {-1})), weft::shape_error);
}

TEST(tensor, copies_elements_and_moves_ownership) {
  tensor<int, 1> source({3}, std::vector<int>{1, 2, 3});
  tensor<int, 1> copied = source;
  copied(0) = 9;
  EXPECT_EQ(source(0), 1);
  const int* where = source.data();
  tensor<int, 1> moved = std::move(source);
  EXPECT_EQ(moved.data(), where);
  EXPECT_TRUE(source.empty());  // NOLINT(bugprone-use-after-move): the promise under test
  copied = moved;
  EXPECT_EQ(copied(2), 3);
}

TEST(tensor, may_be_empty) {
  tensor<float, 2> none({0, 5});
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.size(), 0);
  const tensor<float, 2> copied = none;
  EXPECT_EQ(copied.extents(), (weft::shape<2>{0, 5}));
  EXPECT_EQ((tensor<float, 2>()).size(), 0);
  EXPECT_TRUE((tensor_view<float, 2>()).elements().empty());
}

TEST(tensor, copy_prints_both_shapes) {
  tensor<float, 2> wide({2, 3});
  tensor<float, 2> tall({3, 2});
  EXPECT_EQ(message_of<weft::shape_error>([&] { weft::copy<float, 2>(wide, tall); }),
            "copy: the source has shape [2, 3] but the target has shape [3, 2]");
  wide(1, 1) = 4.0F;
  tensor<float, 2> same({2, 3});
  weft::copy<float, 2>(wide, same);
  EXPECT_EQ(same(1, 1), 4.0F);
}

// A view adds const and never takes it away; ranks do not mix.
static_assert(std::is_convertible_v<tensor_view<float, 2>, tensor_view<const float, 2>>);
static_assert(!std::is_convertible_v<tensor_view<const float, 2>, tensor_view<float, 2>>);
static_assert(!std::is_convertible_v<tensor_view<float, 1>, tensor_view<const float, 2>>);
static_assert(!std::is_convertible_v<tensor_view<double, 2>, tensor_view<const float, 2>>);
static_assert(!std::is_convertible_v<const tensor<float, 2>&, tensor_view<float, 2>>);

}  // namespace tensor_test
