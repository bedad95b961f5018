#include <weft/compute/staging_pool.hpp>

#include <weft/compute/pinned_memory.hpp>

#include "counted_memory.hpp"
#include "every_context.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace staging_pool_test {

using weft::staging_pool;
using weft::tensor;

TEST(staging_pool, gives_the_same_buffer_again) {
  const auto source = std::make_shared<counted_memory>();
  {
    staging_pool pool({.source = source});
    void* const first = pool.allocate(100'000);
    std::memset(first, 1, 100'000);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % weft::tensor_alignment, 0U);
    pool.deallocate(first, 100'000);
    EXPECT_EQ(pool.allocate(99'000), first) << "a little less is the same size";
    void* const second = pool.allocate(100'000);
    EXPECT_NE(second, first);
    pool.deallocate(second, 100'000);
    pool.deallocate(first, 99'000);
    const weft::staging_pool_stats stats = pool.stats();
    EXPECT_EQ(stats.allocated, 2U);
    EXPECT_EQ(stats.reused, 1U);
    EXPECT_EQ(stats.bytes_in_use, 0U);
    EXPECT_EQ(stats.bytes_kept, source->bytes_out);
    EXPECT_EQ(stats.most_bytes_in_use, source->bytes_out);
    EXPECT_EQ(source->out, 2);
  }
  EXPECT_EQ(source->out, 0);
}

TEST(staging_pool, rounds_up_by_at_most_a_quarter_and_a_page) {
  const auto source = std::make_shared<counted_memory>();
  staging_pool pool({.source = source});
  for (std::size_t bytes = 1; bytes < 3'000'000; bytes = bytes * 5 / 4 + 1) {
    const std::size_t before = pool.stats().bytes_in_use;
    void* const data = pool.allocate(bytes);
    const std::size_t size = pool.stats().bytes_in_use - before;
    EXPECT_GE(size, bytes);
    EXPECT_LE(size, bytes + bytes / 4 + 4096);
    pool.deallocate(data, bytes);
  }
}

TEST(staging_pool, never_holds_more_than_it_may) {
  const auto source = std::make_shared<counted_memory>();
  staging_pool pool({.max_bytes = 64 * 1024, .source = source});
  std::vector<void*> small;
  for (int i = 0; i < 16; ++i) small.push_back(pool.allocate(4096));
  EXPECT_EQ(message_of<weft::error>([&] { static_cast<void>(pool.allocate(1)); }),
            "staging_pool: a buffer of 1 bytes does not fit: 65536 of max_bytes = 65536 are in use; raise "
            "max_bytes or keep fewer batches under way");
  for (void* const data : small) pool.deallocate(data, 4096);
  EXPECT_EQ(source->out, 16);
  void* const large = pool.allocate(40 * 1024);  // what is kept makes room
  EXPECT_LE(source->bytes_out, 64U * 1024);
  EXPECT_EQ(pool.stats().bytes_in_use, 40U * 1024);
  EXPECT_EQ(pool.stats().bytes_in_use + pool.stats().bytes_kept, source->bytes_out);
  pool.deallocate(large, 40 * 1024);
  EXPECT_THROW(static_cast<void>(pool.allocate(65 * 1024)), weft::error);
  EXPECT_THROW(static_cast<void>(pool.allocate(SIZE_MAX)), weft::error);
  EXPECT_EQ(pool.stats().bytes_in_use, 0U);
}

TEST(staging_pool, a_source_that_refuses_changes_nothing) {
  const auto source = std::make_shared<counted_memory>();
  staging_pool pool({.source = source});
  source->refuse = true;
  EXPECT_THROW(static_cast<void>(pool.allocate(5000)), weft::error);
  EXPECT_EQ(pool.stats().bytes_in_use, 0U);
  EXPECT_EQ(pool.stats().most_bytes_in_use, 0U);
  source->refuse = false;
  void* const data = pool.allocate(5000);
  EXPECT_EQ(pool.stats().allocated, 1U);
  pool.deallocate(data, 5000);
}

TEST(staging_pool, serves_many_threads) {
  const auto source = std::make_shared<counted_memory>();
  const auto pool = std::make_shared<staging_pool>(
      weft::staging_pool_options{.max_bytes = std::size_t{4} << 20, .source = source});
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&pool, thread] {
      for (int i = 0; i < 300; ++i) {
        const std::int64_t count = 1000 * (1 + (i + thread) % 7);
        tensor<std::uint8_t, 1> buffer({count}, pool);
        std::memset(buffer.data(), thread, static_cast<std::size_t>(count));
        for (const std::uint8_t byte : buffer.elements()) ASSERT_EQ(byte, thread);
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(pool->stats().bytes_in_use, 0U);
  EXPECT_EQ(pool->stats().allocated + pool->stats().reused, 1200U);
  EXPECT_EQ(pool->stats().bytes_kept, source->bytes_out);
}

TEST(staging_pool, refuses_what_cannot_be) {
  EXPECT_EQ(message_of<weft::invalid_argument>([] { staging_pool({.max_bytes = 0}); }),
            "staging_pool: max_bytes is 0: it must be above 0");
  EXPECT_EQ(message_of<weft::invalid_argument>(
                [] { staging_pool({.source = std::make_shared<counted_memory>(weft::cuda_place(1))}); }),
            "staging_pool: the source is memory of cuda:1: it must be the host's");
}

TEST(pinned_memory, is_host_memory_with_and_without_a_gpu) {
  const auto memory = weft::pinned_memory();
  EXPECT_EQ(memory->where(), weft::place{});
  tensor<float, 1> values({1000}, memory);
  for (float& value : values.elements()) value = 2.0F;
  const tensor<float, 1> copy(values);
  EXPECT_EQ(copy(999), 2.0F);
  const tensor<float, 1> staged({1}, std::make_shared<staging_pool>());
  EXPECT_EQ(staged.where(), weft::place{});
}

}  // namespace staging_pool_test
