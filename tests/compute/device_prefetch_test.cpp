#include <weft/compute/device_prefetch.hpp>

#include <weft/async/run.hpp>
#include <weft/async/stream.hpp>
#include <weft/async/task_group.hpp>
#include <weft/compute/any_executor.hpp>
#include <weft/compute/cpu_executor.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/compute/cuda_executor.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/transfer.hpp>

#include "counted_memory.hpp"
#include "every_context.hpp"
#include "far_executor.hpp"

#include <gtest/gtest.h>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace device_prefetch_test {

using weft::device_prefetch;
using weft::from;
using weft::task;
using weft::tensor;

struct sample_batch {
  tensor<float, 2> images;
  tensor<std::int32_t, 1> labels;
  int number = 0;
};

sample_batch make_batch(int number) {
  sample_batch batch{tensor<float, 2>({3, 5}), tensor<std::int32_t, 1>({3}), number};
  for (float& element : batch.images.elements()) element = static_cast<float>(number);
  for (std::int32_t& element : batch.labels.elements()) element = number;
  return batch;
}

// Makes batches for ever, or fails at one, and tells how many it was asked for.
class batch_source {
 public:
  explicit batch_source(int& asked, int end = 1 << 30, int bad = -1) : asked_(&asked), end_(end), bad_(bad) {}
  task<std::optional<sample_batch>> next() {
    std::optional<sample_batch> result;
    if (*asked_ == bad_) throw weft::error("no more discs");
    if (*asked_ < end_) result.emplace(make_batch((*asked_)++));
    co_return result;
  }

 private:
  int* asked_;
  int end_;
  int bad_;
};

task<> yield(int times) {
  for (int i = 0; i < times; ++i) co_await boost::asio::post(boost::asio::use_awaitable);
}

TEST(device_prefetch, brings_every_batch_in_order) {
  for (const std::size_t depth : {1U, 2U, 5U}) {
    far_executor gpu;
    const auto staging_source = std::make_shared<counted_memory>();
    const auto staging =
        std::make_shared<weft::staging_pool>(weft::staging_pool_options{.source = staging_source});
    int asked = 0;
    int next = 0;
    const auto look = [&](const sample_batch& batch) {
      EXPECT_EQ(batch.number, next);
      EXPECT_EQ(batch.images.where(), weft::cuda_place(7));
      EXPECT_EQ(batch.labels.where(), weft::cuda_place(7));
      EXPECT_EQ(batch.images.data()[14], static_cast<float>(next));
      EXPECT_EQ(batch.labels.data()[2], next);
      ++next;
    };
    weft::run([&]() -> task<> {
      co_await (from(batch_source(asked, 20)) | device_prefetch(gpu, depth, staging) | weft::for_each(look));
    }());
    EXPECT_EQ(next, 20);
    EXPECT_EQ(gpu.calls, 0) << "copies do not take their turn with the kernels";
    EXPECT_EQ(gpu.copies().calls, 20) << "one kernel a batch";
    EXPECT_EQ(gpu.memory->out, 0);
    EXPECT_EQ(staging->stats().bytes_in_use, 0U);
    EXPECT_LE(staging->stats().allocated, 2 * depth);
    EXPECT_EQ(staging->stats().allocated + staging->stats().reused, 40U);
  }
}

TEST(device_prefetch, stages_large_tensors_piece_by_piece) {
  far_executor gpu(false);
  tensor<std::int32_t, 1> large({3 << 20});  // 12 MiB
  for (std::int64_t i = 0; i < large.size(); ++i) large(i) = static_cast<std::int32_t>(i);
  std::vector<tensor<std::int32_t, 1>> batches;
  batches.push_back(std::move(large));
  weft::run([&]() -> task<> {
    auto there = co_await (from(std::move(batches)) | device_prefetch(gpu) | weft::collect());
    bool same = true;
    for (std::int64_t i = 0; i < there[0].size(); ++i) same = same && there[0].data()[i] == i;
    EXPECT_TRUE(same);
  }());
  EXPECT_EQ(gpu.calls, 1) << "without a copier the executor copies itself";
}

TEST(device_prefetch, copies_ahead_by_as_much_as_it_says) {
  far_executor gpu;
  int asked = 0;
  int ahead = 0;
  int most_there = 0;
  weft::run([&]() -> task<> {
    auto watch = [&](auto& batches) -> task<void> {
      for (int taken = 0; taken < 20; ++taken) {
        co_await yield(30);
        ahead = std::max(ahead, asked - taken);
        EXPECT_LE(asked, taken + 3);
        most_there = std::max(most_there, gpu.memory->out.load());
        const std::optional<sample_batch> batch = co_await batches.next();
        EXPECT_EQ(batch->number, taken);
      }
    };
    co_await (from(batch_source(asked)) | device_prefetch(gpu, 3) | weft::pull(watch));
  }());
  EXPECT_EQ(ahead, 3);
  EXPECT_EQ(most_there, 2 * 3) << "two tensors a batch";
  EXPECT_EQ(gpu.memory->out, 0);
}

TEST(device_prefetch, copies_while_a_batch_is_computed) {
  far_executor gpu;
  gpu.copies().hold();
  int asked = 0;
  weft::run([&]() -> task<> {
    auto watch = [&](auto& batches) -> task<void> {
      co_await yield(30);
      EXPECT_EQ(gpu.copies().waiting(), 2U) << "nobody has asked for a batch yet";
      gpu.copies().release();
      const std::optional<sample_batch> first = co_await batches.next();
      gpu.copies().hold();
      co_await yield(30);  // the first batch is computed
      EXPECT_EQ(gpu.copies().waiting(), 1U) << "the third is on its way";
      gpu.copies().release();
    };
    co_await (from(batch_source(asked)) | device_prefetch(gpu, 2) | weft::pull(watch));
  }());
}

TEST(device_prefetch, names_itself_when_a_copy_fails_and_leaks_nothing) {
  far_executor gpu;
  const auto staging_source = std::make_shared<counted_memory>();
  const auto staging =
      std::make_shared<weft::staging_pool>(weft::staging_pool_options{.source = staging_source});
  staging_source->refuse = true;
  int asked = 0;
  int arrived = 0;
  const auto count = [&](const sample_batch&) { ++arrived; };
  try {
    weft::run([&]() -> task<> {
      co_await (from(batch_source(asked)) | device_prefetch(gpu, 2, staging) | weft::for_each(count));
    }());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const weft::stage_error& problem) {
    EXPECT_EQ(problem.stage(), "device_prefetch");
    EXPECT_TRUE(problem.caused_by<weft::kernel_error>());
    EXPECT_NE(std::string(problem.what()).find("counted_memory: refused"), std::string::npos)
        << problem.what();
  }
  EXPECT_EQ(arrived, 0);
  EXPECT_EQ(gpu.memory->out, 0);
  EXPECT_EQ(staging->stats().bytes_in_use, 0U);

  gpu.memory->refuse = true;  // the device has no memory left
  EXPECT_THROW(weft::run([&]() -> task<> {
                 co_await (from(batch_source(asked)) | device_prefetch(gpu) | weft::for_each(count));
               }()),
               weft::stage_error);
}

TEST(device_prefetch, lets_out_what_came_before_an_error) {
  far_executor gpu;
  int asked = 0;
  int arrived = 0;
  const auto count = [&](const sample_batch&) { ++arrived; };
  EXPECT_THROW(
      weft::run([&]() -> task<> {
        co_await (from(batch_source(asked, 100, 5)) | device_prefetch(gpu, 3) | weft::for_each(count));
      }()),
      weft::stage_error);
  EXPECT_EQ(arrived, 5);
  EXPECT_EQ(gpu.memory->out, 0);
}

TEST(device_prefetch, waits_for_copies_that_run_when_it_is_cancelled) {
  far_executor gpu;
  gpu.copies().hold();
  const auto staging = std::make_shared<weft::staging_pool>();
  int asked = 0;
  int arrived = 0;
  const auto count = [&](const sample_batch&) { ++arrived; };
  weft::run([&]() -> task<> {
    co_await weft::with_task_group([&](weft::task_group& group) -> task<> {
      group.spawn([&]() -> task<> {
        co_await (from(batch_source(asked)) | device_prefetch(gpu, 2, staging) | weft::for_each(count));
      });
      while (gpu.copies().waiting() < 2) co_await yield(1);
      group.cancel();
      co_await yield(30);
      EXPECT_EQ(gpu.memory->out, 4) << "a copy that has not ended keeps what it writes";
      gpu.copies().release();
    });
  }());
  EXPECT_EQ(arrived, 0);
  EXPECT_EQ(gpu.memory->out, 0);
  EXPECT_EQ(staging->stats().bytes_in_use, 0U);
}

TEST(device_prefetch, passes_batches_through_where_they_lie_already) {
  weft::any_executor cpu = weft::make_executor("cpu:1");
  std::vector<const float*> before;
  std::vector<sample_batch> batches;
  for (int number = 0; number < 5; ++number) {
    batches.push_back(make_batch(number));
    before.push_back(batches.back().images.data());
  }
  std::vector<const float*> after;
  const auto look = [&](const sample_batch& batch) { after.push_back(batch.images.data()); };
  weft::run([&]() -> task<> {
    co_await (from(std::move(batches)) | device_prefetch(cpu) | weft::for_each(look));
  }());
  EXPECT_EQ(after, before);
}

TEST(device_prefetch, takes_batches_of_any_make) {
  far_executor gpu;
  using nested = std::pair<std::vector<tensor<float, 1>>, std::tuple<int, tensor<float, 1>, std::string>>;
  std::vector<nested> batches(1);
  batches[0].first.emplace_back(weft::shape<1>{2});
  batches[0].first.emplace_back();  // no elements
  batches[0].second = {3, tensor<float, 1>({4}), "name"};
  std::vector<std::array<tensor<double, 1>, 2>> arrays(1);
  weft::run([&]() -> task<> {
    auto there = co_await (from(std::move(batches)) | device_prefetch(gpu) | weft::collect());
    EXPECT_EQ(there[0].first[0].where(), weft::cuda_place(7));
    EXPECT_EQ(there[0].first[1].where(), weft::cuda_place(7));
    EXPECT_EQ(std::get<1>(there[0].second).where(), weft::cuda_place(7));
    EXPECT_EQ(std::get<2>(there[0].second), "name");
    auto again = co_await (from(std::move(there)) | device_prefetch(gpu) | weft::collect());
    EXPECT_EQ(again.size(), 1U);
    auto both = co_await (from(std::move(arrays)) | device_prefetch(gpu) | weft::collect());
    EXPECT_EQ(both[0][1].where(), weft::cuda_place(7));
  }());
  EXPECT_EQ(gpu.copies().calls, 1) << "what is there, or has no elements, is not copied";
}

TEST(device_prefetch, says_what_cannot_be) {
  weft::cpu_executor cpu({.threads = 1});
  far_executor gpu;
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { static_cast<void>(device_prefetch(cpu, 0)); }),
            "device_prefetch: depth is 0: it must be in [1, 1024]");
  std::vector<tensor<float, 1>> batches;
  batches.emplace_back(weft::shape<1>{1}, gpu.source());
  EXPECT_EQ(
      message_of<weft::stage_error>([&] {
        weft::run([&]() -> task<> {
          static_cast<void>(co_await (from(std::move(batches)) | device_prefetch(cpu) | weft::collect()));
        }());
      }),
      "stage 'device_prefetch': a tensor is on cuda:7 and cpu computes on cpu: move it with to_host()");
}

TEST(device_prefetch, feeds_a_gpu) {
  if (weft::cuda_devices().empty()) GTEST_SKIP() << "no GPU";
  weft::cuda_executor gpu;
  int asked = 0;
  double sum = 0.0;
  weft::run([&]() -> task<> {
    auto step = [&](sample_batch batch) -> task<void> {
      const weft::add kernel;
      co_await gpu.run(kernel, batch.images.view(), batch.images.view(), batch.images.view());
      const tensor<float, 2> result = co_await weft::to_host(gpu, batch.images.view());
      sum += static_cast<double>(result(2, 4));
    };
    co_await (from(batch_source(asked, 50)) | device_prefetch(gpu, 3) | weft::for_each(step));
  }());
  EXPECT_EQ(sum, 2.0 * 49 * 50 / 2);
}

}  // namespace device_prefetch_test
