#include <weft/compute/kernels/gather_rows.hpp>

#include <weft/compute/float16.hpp>

#include "every_context.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gather_rows_test {

using weft::tensor;

template <class T>
class gather_rows : public testing::Test {};
using types = testing::Types<float, double, weft::bfloat16, std::int64_t, std::uint8_t>;
TYPED_TEST_SUITE(gather_rows, types);

TYPED_TEST(gather_rows, takes_rows_in_any_order) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t columns : {0, 1, 9, 3000}) {
      tensor<TypeParam, 2> source({7, columns});
      for (std::int64_t i = 0; i < source.size(); ++i)
        source.data()[i] = TypeParam(static_cast<float>(i % 100));
      const tensor<std::int64_t, 1> rows({5}, std::vector<std::int64_t>{6, 0, 0, 3, 6});
      tensor<TypeParam, 2> output({5, columns});
      weft::gather_rows{}(context, source.view(), rows, output.view());
      for (std::int64_t row = 0; row < 5; ++row) {
        for (std::int64_t column = 0; column < columns; ++column) {
          ASSERT_EQ(output(row, column), source(rows(row), column));
        }
      }
    }
  });
}

TEST(gather_rows_kernel, names_the_row_that_is_not_there) {
  const weft::cpu_context context;
  const tensor<float, 2> source({3, 2});
  tensor<float, 2> output({2, 2});
  for (const std::int64_t wrong : {-1, 3}) {
    const tensor<std::int64_t, 1> rows({2}, std::vector<std::int64_t>{0, wrong});
    EXPECT_EQ(message_of<weft::invalid_argument>(
                  [&] { weft::gather_rows{}(context, source.view(), rows, output.view()); }),
              "gather_rows: row " + std::to_string(wrong) + " is outside the source's 3 rows");
  }
  const tensor<std::int64_t, 1> three({3});
  EXPECT_EQ(message_of<weft::shape_error>(
                [&] { weft::gather_rows{}(context, source.view(), three, output.view()); }),
            "gather_rows: output has shape [2, 2] but the chosen rows of the source has shape [3, 2]");
}

}  // namespace gather_rows_test
