#include <weft/pool/shared_array.hpp>

#include <weft/pool/object_ref.hpp>
#include <weft/pool/process_pool.hpp>

#include "processes.hpp"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace shared_array_test {

using weft::future;
using weft::object_ref;
using weft::process_pool;
using weft::shared_array;

struct batch {
  shared_array<const float> images;
  std::vector<int> labels;
};

long sum(const shared_array<const int>& values) {
  return std::accumulate(values.begin(), values.end(), 0L);
}
void fill(shared_array<int> values, int value) {
  for (int& element : values.elements()) element = value;
}
float first_image(const batch& given) {
  return given.images[0] + static_cast<float>(given.labels[0]);
}
shared_array<int> make(std::size_t size) {
  shared_array<int> made(size);
  std::iota(made.begin(), made.end(), 0);
  return made;
}
void write_through(const shared_array<const int>& values) {
  const_cast<int&>(values[0]) = 1;
}
std::optional<shared_array<int>>& kept() {
  static std::optional<shared_array<int>> array;
  return array;
}
void keep(shared_array<int> values) {
  kept() = std::move(values);
}
int kept_first() {
  return (*kept())[0];
}
std::size_t mappings_here() {
  return shared_mappings();
}

TEST(shared_array, is_one_piece_of_memory_in_all_processes) {
  process_pool pool({.workers = 2});
  shared_array<int> values(1000);
  EXPECT_EQ(values.size(), 1000U);
  EXPECT_EQ(values[999], 0);
  pool.submit<&fill>(values, 7).get();
  EXPECT_EQ(values[0], 7);
  EXPECT_EQ(values[999], 7);
  values[0] = 8;
  EXPECT_EQ(pool.submit<&sum>(values).get(), 7001);
  EXPECT_EQ(pool.submit<&sum>(values).get(), 7001);
  EXPECT_EQ(pool.submit<&sum>(shared_array<int>()).get(), 0);
}

TEST(shared_array, travels_inside_other_values) {
  process_pool pool({.workers = 1});
  shared_array<float> images(std::vector<float>(600, 1.5F));
  EXPECT_EQ(pool.submit<&first_image>(batch{images, {4}}).get(), 5.5F);
}

TEST(shared_array, comes_back_from_a_worker_that_is_gone) {
  process_pool pool({.workers = 1, .max_tasks_per_worker = 1});
  const shared_array<int> made = pool.submit<&make>(5000U).get();
  ASSERT_EQ(made.size(), 5000U);
  EXPECT_EQ(made[4999], 4999);
  EXPECT_EQ(pool.submit<&sum>(made).get(), 5000L * 4999 / 2);
}

TEST(shared_array, sealed_elements_cannot_be_changed_by_anyone) {
  process_pool pool({.workers = 1, .forward_stderr = false});
  shared_array<int> values(100);
  values[0] = 5;
  shared_array<int> copy = values;
  EXPECT_THROW(std::move(values).seal(), weft::error);
  copy = {};
  const shared_array<const int> fixed = std::move(values).seal();
  EXPECT_TRUE(fixed.sealed());
  EXPECT_EQ(fixed[0], 5);
  EXPECT_EQ(pool.submit<&sum>(fixed).get(), 5);
  EXPECT_THROW(pool.submit<&write_through>(fixed).get(), weft::worker_died);
  EXPECT_EQ(fixed[0], 5);
  EXPECT_EQ(pool.submit<&sum>(fixed).get(), 5);
}

TEST(shared_array, a_worker_may_not_have_it_when_it_is_sealed) {
  process_pool pool({.workers = 1});
  shared_array<int> values(100);
  pool.submit<&keep>(values).get();
  EXPECT_THROW(std::move(values).seal(), weft::error);
}

TEST(shared_array, too_much_is_an_error_and_not_a_bus_error) {
  EXPECT_THROW(shared_array<char>(std::size_t{1} << 46U), weft::shared_memory_full);
  EXPECT_THROW(shared_array<double>(std::numeric_limits<std::size_t>::max() / 2), weft::shared_memory_full);
}

TEST(shared_array, huge_pages_work_or_say_why_not) {
  try {
    shared_array<char> values(1000, {.huge_pages = true});
    values[999] = 1;
  } catch (const weft::shared_memory_full& error) {
    EXPECT_NE(std::string(error.what()).find("nr_hugepages"), std::string::npos);
  } catch (const weft::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("huge_pages"), std::string::npos);
  }
}

TEST(shared_array, is_freed_when_the_last_user_is_gone) {
  process_pool pool({.workers = 1});
  pool.submit<&process_pool::this_worker_index>().get();
  const std::size_t descriptors = open_descriptors();
  const std::size_t here = shared_mappings();
  const std::size_t there = pool.submit<&mappings_here>().get();
  {
    shared_array<int> values(10'000);
    EXPECT_EQ(pool.submit<&sum>(values).get(), 0);
    EXPECT_EQ(pool.submit<&mappings_here>().get(), there + 1);
  }
  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_EQ(shared_mappings(), here);
  // The worker was told before it was called.
  EXPECT_EQ(pool.submit<&mappings_here>().get(), there);
}

TEST(shared_array, a_worker_that_kept_it_has_it_after_the_sender_let_go) {
  process_pool pool({.workers = 1});
  {
    shared_array<int> values(10);
    values[0] = 3;
    pool.submit<&keep>(values).get();
  }
  EXPECT_EQ(pool.submit<&kept_first>().get(), 3);
}

TEST(shared_array, survives_the_worker_that_crashed_with_it) {
  const auto crash = [](shared_array<int> values) {
    values[0] = 9;
    ::raise(SIGKILL);
  };
  process_pool pool({.workers = 1});
  shared_array<int> values(10);
  EXPECT_THROW(pool.submit<crash>(values).get(), weft::worker_died);
  EXPECT_EQ(pool.submit<&sum>(values).get(), 9);
}

// Which memory it is, in any process.
std::string number_of(const void* address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::string access;
    std::string offset;
    std::string device;
    std::string number;
    char dash = 0;
    std::istringstream fields(line);
    fields >> std::hex >> begin >> dash >> end >> access >> offset >> device >> number;
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    if (begin <= wanted && wanted < end) return number;
  }
  return "";
}
// Mapped, or as a descriptor.
bool has(int process, const std::string& memory) {
  const std::string folder = "/proc/" + std::to_string(process);
  std::ifstream maps(folder + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" " + memory + " ") != std::string::npos) return true;
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/fd")) {
    struct stat status {};
    if (::stat(entry.path().c_str(), &status) == 0 && std::to_string(status.st_ino) == memory) return true;
  }
  return false;
}
int process_id() {
  return ::getpid();
}

TEST(shared_array, is_freed_after_the_crash_of_the_last_that_had_it) {
  const auto crash = [] { ::raise(SIGKILL); };
  process_pool pool({.workers = 1});
  const int worker = pool.submit<&process_id>().get();
  std::string memory;
  {
    const shared_array<int> values(10'000);
    memory = number_of(values.data());
    pool.submit<&keep>(values).get();
    EXPECT_TRUE(has(::getpid(), memory));
  }
  EXPECT_TRUE(has(worker, memory));
  EXPECT_THROW(pool.submit<crash>().get(), weft::worker_died);
  const int next = pool.submit<&process_id>().get();
  EXPECT_NE(next, worker);
  for (const int process : {::getpid(), next, parent_of(next)}) EXPECT_FALSE(has(process, memory)) << process;
}

TEST(shared_array, many_arrays_pass_through_a_small_socket) {
  process_pool pool({.workers = 2});
  std::vector<future<long>> calls;
  for (int i = 0; i < 500; ++i) {
    shared_array<int> values(10);
    values[0] = i;
    calls.push_back(pool.submit<&sum>(values));
  }
  for (int i = 0; i < 500; ++i) EXPECT_EQ(calls[static_cast<std::size_t>(i)].get(), i);
}

// Hogwild: several workers go down the same slope, without locks, in one vector of parameters.
void descend(shared_array<float> parameters, int seed, int steps) {
  auto random = static_cast<unsigned>(seed);
  for (int step = 0; step < steps; ++step) {
    random = random * 1664525U + 1013904223U;
    const std::size_t i = (random >> 8U) % parameters.size();
    const std::atomic_ref<float> parameter(parameters[i]);
    const float value = parameter.load(std::memory_order_relaxed);
    const float gradient = 2 * (value - static_cast<float>(i));
    parameter.store(value - 0.1F * gradient, std::memory_order_relaxed);
  }
}

TEST(shared_array, hogwild_training_converges) {
  process_pool pool({.workers = 3});
  shared_array<float> parameters(16);
  std::vector<future<void>> workers;
  for (int seed = 1; seed <= 3; ++seed) workers.push_back(pool.submit<&descend>(parameters, seed, 5000));
  for (auto& worker : workers) worker.get();
  for (std::size_t i = 0; i < parameters.size(); ++i)
    EXPECT_NEAR(parameters[i], static_cast<float>(i), 1e-3F);
}

std::size_t length(const object_ref<std::string>& text) {
  return text.get().size();
}
bool same_object_as_before(const object_ref<std::vector<std::string>>& value) {
  static const void* before = nullptr;
  return std::exchange(before, static_cast<const void*>(&value.get())) == &value.get();
}
float last_in_view(const object_ref<std::vector<float>>& value) {
  return value.view().back();
}
long sum_of(const object_ref<batch>& value) {
  return static_cast<long>(value.get().images[1]) + value.get().labels[0];
}

TEST(object_ref, is_put_once_and_read_once_in_a_worker) {
  process_pool pool({.workers = 1});
  const auto text = weft::put(std::string("abc"));
  EXPECT_EQ(text.get(), "abc");
  EXPECT_EQ(&text.get(), &text.get());
  EXPECT_EQ(pool.submit<&length>(text).get(), 3U);
  const auto list = weft::put(std::vector<std::string>{"a", "b"});
  EXPECT_FALSE(pool.submit<&same_object_as_before>(list).get());
  EXPECT_TRUE(pool.submit<&same_object_as_before>(list).get());
  const auto other = weft::put(std::vector<std::string>{"c"});
  EXPECT_FALSE(pool.submit<&same_object_as_before>(other).get());
  EXPECT_THROW(object_ref<int>().get(), weft::error);
}

TEST(object_ref, large_ones_are_seen_where_they_are) {
  process_pool pool({.workers = 2});
  std::vector<float> values(300'000);
  std::iota(values.begin(), values.end(), 0.0F);
  const auto ref = weft::put(values);
  ASSERT_EQ(ref.view().size(), values.size());
  EXPECT_EQ(ref.get(), values);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pool.submit<&last_in_view>(ref).get(), 299'999.0F);
}

TEST(object_ref, may_hold_shared_arrays) {
  process_pool pool({.workers = 1});
  object_ref<batch> ref;
  {
    shared_array<float> images(10);
    images[1] = 4;
    ref = weft::put(batch{std::move(images).seal(), {5}});
  }
  EXPECT_EQ(pool.submit<&sum_of>(ref).get(), 9);
}

}  // namespace shared_array_test
