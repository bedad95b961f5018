#include <weft/compute/shared_tensor.hpp>

#include <weft/compute/kernels/sgd.hpp>
#include <weft/pool/process_pool.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace shared_tensor_test {

using weft::process_pool;
using weft::shared_array;
using weft::shared_tensor;
using weft::tensor_view;

struct batch {
  shared_tensor<const float, 2> images;
  std::vector<int> labels;
};

void fill(tensor_view<float, 2> values) {
  for (std::int64_t row = 0; row < values.extent(0); ++row) {
    for (std::int64_t column = 0; column < values.extent(1); ++column)
      values(row, column) = static_cast<float>(10 * row + column);
  }
}
void fill_shared(const shared_tensor<float, 2>& values) {
  fill(values);
}
float sum(tensor_view<const float, 2> values) {
  float all = 0;
  for (const float value : values) all += value;
  return all;
}
float sum_shared(const shared_tensor<const float, 2>& values) {
  return sum(values);
}
void write_through(const shared_tensor<const float, 2>& values) {
  const_cast<float&>(values.view()(0, 0)) = 1;
}
void descend(const shared_tensor<float, 1>& parameters, const shared_tensor<const float, 1>& gradients) {
  const std::array<weft::sgd_parameter, 1> all{{{.parameter = parameters, .gradient = gradients}}};
  weft::sgd_step{{.learning_rate = 0.5}}(weft::cpu_context(), all);
}
shared_tensor<float, 2> make(std::int64_t rows) {
  shared_tensor<float, 2> made({rows, 3});
  fill(made);
  return made;
}
float last_of(const batch& given) {
  return given.images.view()(1, 2) + static_cast<float>(given.labels[0]);
}

TEST(shared_tensor, is_written_by_a_worker_and_read_here) {
  process_pool pool({.workers = 2});
  const shared_tensor<float, 2> values({4, 3});
  EXPECT_EQ(sum(values), 0);
  const tensor_view<float, 2> seen = values;
  pool.submit<&fill_shared>(values).get();
  EXPECT_EQ(seen(3, 2), 32);
  EXPECT_EQ(seen.data(), values.array().data());
  seen(0, 0) = 100;
  EXPECT_EQ(pool.submit<&sum_shared>(values).get(), 100 + 192);
}

TEST(shared_tensor, is_what_kernels_of_several_processes_work_on) {
  process_pool pool({.workers = 2});
  const shared_tensor<float, 1> parameters(weft::shape<1>{1000});
  shared_tensor<float, 1> ones(weft::shape<1>{1000});
  for (float& one : ones.view()) one = 1;
  const shared_tensor<const float, 1> gradients = std::move(ones).seal();
  for (int step = 0; step < 4; ++step) pool.submit<&descend>(parameters, gradients).get();
  for (const float value : parameters.view()) ASSERT_EQ(value, -2);
}

TEST(shared_tensor, comes_back_with_its_shape) {
  process_pool pool({.workers = 1, .max_tasks_per_worker = 1});
  const auto made = pool.submit<&make>(5).get();
  EXPECT_EQ(made.extents(), (weft::shape<2>{5, 3}));
  EXPECT_EQ(made.view()(4, 2), 42);
  EXPECT_EQ(pool.submit<&sum_shared>(shared_tensor<float, 2>()).get(), 0);
  EXPECT_EQ(pool.submit<&last_of>(batch{made, {7}}).get(), 19);
}

TEST(shared_tensor, a_sealed_one_cannot_be_changed_by_anyone) {
  process_pool pool({.workers = 1, .forward_stderr = false});
  const std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  shared_tensor<float, 2> values(tensor_view<const float, 2>(numbers.data(), {2, 3}));
  const shared_tensor<const float, 2> fixed = std::move(values).seal();
  EXPECT_TRUE(fixed.sealed());
  EXPECT_EQ(pool.submit<&sum_shared>(fixed).get(), 21);
  EXPECT_THROW(pool.submit<&write_through>(fixed).get(), weft::worker_died);
  EXPECT_EQ(fixed.view()(0, 0), 1);
  EXPECT_EQ(pool.submit<&sum_shared>(fixed).get(), 21);
}

TEST(shared_tensor, is_a_shape_for_elements_that_are_shared_already) {
  const shared_array<int> elements(12);
  const shared_tensor<int, 3> block({2, 3, 2}, elements);
  EXPECT_EQ(block.view().data(), elements.data());
  const shared_tensor<const int, 2> rows({6, 2}, elements);
  block.view()(1, 0, 0) = 5;
  EXPECT_EQ(rows.view()(3, 0), 5);
  try {
    const shared_tensor<int, 2> wrong({5, 2}, elements);
    FAIL() << "it was accepted";
  } catch (const weft::shape_error& error) {
    EXPECT_EQ(std::string(error.what()),
              "shared_tensor: an array of 12 elements given for shape [5, 2], which has 10");
  }
}

TEST(shared_tensor, refuses_shapes_that_cannot_be) {
  using matrix = shared_tensor<float, 2>;
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(matrix({-1, 2}), weft::shape_error);
  EXPECT_THROW(matrix({most, 2}), weft::shape_error);
  EXPECT_THROW(matrix({most, 1}), weft::shared_memory_full);
  EXPECT_EQ(matrix({most, 0}).size(), 0);
}

}  // namespace shared_tensor_test
