#include <gtest/gtest.h>

#include <atomic>   // for std::atomic
#include <memory>   // for std::make_unique
#include <string>   // for std::string
#include <thread>   // for std::thread
#include <variant>  // for std::get
#include <vector>   // for std::vector
#include <weft/core/error.hpp>
#include <weft/observe/metrics.hpp>

namespace metrics_test {

TEST(metrics, one_name_and_labels_are_one_metric) {
  weft::metric_registry registry;
  weft::counter& a = registry.counter("weft_pushed_total", "Items pushed", {{"queue", "a"}, {"zone", "1"}});
  weft::counter& same = registry.counter("weft_pushed_total", "", {{"zone", "1"}, {"queue", "a"}});
  weft::counter& other = registry.counter("weft_pushed_total", "", {{"queue", "b"}});
  EXPECT_EQ(&a, &same);
  EXPECT_NE(&a, &other);
}

TEST(metrics, a_snapshot_has_them_all_in_order) {
  weft::metric_registry registry;
  registry.gauge("depth", "Items queued").set(2.5);
  registry.counter("pushed_total", "Items pushed", {{"queue", "b"}}).add(2);
  registry.counter("pushed_total", "", {{"queue", "a"}}).add(1);
  registry.histogram("wait_seconds", "Time waited").record(0.5);
  const auto samples = registry.snapshot();
  ASSERT_EQ(samples.size(), 4U);
  EXPECT_EQ(samples[0].name, "depth");
  EXPECT_EQ(samples[0].help, "Items queued");
  EXPECT_EQ(std::get<double>(samples[0].value), 2.5);
  EXPECT_EQ(samples[1].labels, (weft::metric_labels{{"queue", "a"}}));
  EXPECT_EQ(samples[1].help, "Items pushed");
  EXPECT_EQ(std::get<std::uint64_t>(samples[1].value), 1U);
  EXPECT_EQ(std::get<std::uint64_t>(samples[2].value), 2U);
  EXPECT_EQ(std::get<weft::histogram_snapshot>(samples[3].value).count(), 1U);
}

TEST(metrics, a_name_has_one_type) {
  weft::metric_registry registry;
  registry.counter("items_total");
  try {
    registry.gauge("items_total");
    FAIL() << "a gauge took a counter's name";
  } catch (const weft::invalid_argument& e) {
    EXPECT_EQ(std::string(e.what()), "metric 'items_total' is a counter: it cannot be a gauge too");
  }
}

TEST(metrics, refuses_names_that_prometheus_would) {
  weft::metric_registry registry;
  for (const char* name : {"", "1st", "a-b", "a b", "a.b", "\xC3\xA9"}) {
    EXPECT_THROW(registry.counter(name), weft::invalid_argument) << name;
  }
  EXPECT_NO_THROW(registry.counter("weft:queue_items_2"));
  EXPECT_THROW(registry.counter("ok", "", {{"a:b", "x"}}), weft::invalid_argument);
  EXPECT_THROW(registry.counter("ok", "", {{"a", "x"}, {"a", "y"}}), weft::invalid_argument);
  EXPECT_EQ(registry.snapshot().size(), 1U);
}

TEST(metrics, bad_histogram_options_leave_no_trace) {
  weft::metric_registry registry;
  EXPECT_THROW(registry.histogram("h", "", {}, {.relative_error = 9}), weft::invalid_argument);
  EXPECT_TRUE(registry.snapshot().empty());
  EXPECT_NO_THROW(registry.counter("h"));
}

TEST(metrics, threads_may_ask_for_the_same_metric) {
  weft::metric_registry registry;
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      for (int k = 0; k < 200; ++k) {
        registry.counter("c", "", {{"k", std::to_string(k)}}).add();
        if (k % 50 == 0) static_cast<void>(registry.snapshot());
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  const auto samples = registry.snapshot();
  ASSERT_EQ(samples.size(), 200U);
  for (const auto& sample : samples) EXPECT_EQ(std::get<std::uint64_t>(sample.value), 4U);
}

TEST(metrics, an_observed_gauge_is_read_by_each_snapshot_while_it_lives) {
  weft::metric_registry registry;
  const auto value = [&] { return std::get<double>(registry.snapshot().at(0).value); };
  double depth = 1;
  {
    const weft::observed_gauge one(registry, "depth", "Items queued", {{"queue", "a"}},
                                   [&] { return depth; });
    EXPECT_EQ(value(), 1);
    depth = 3;
    EXPECT_EQ(value(), 3);
    const weft::observed_gauge other(registry, "depth", "", {{"queue", "a"}}, [] { return 10.0; });
    EXPECT_EQ(value(), 13);
    registry.gauge("depth", "", {{"queue", "a"}}).set(100);
    EXPECT_EQ(value(), 113);
    const weft::observed_gauge elsewhere(registry, "depth", "", {{"queue", "b"}}, [] { return 10.0; });
    EXPECT_EQ(value(), 113);
  }
  EXPECT_EQ(value(), 100);
  registry.counter("items_total");
  EXPECT_THROW(weft::observed_gauge(registry, "items_total", "", {}, [] { return 0.0; }),
               weft::invalid_argument);
}

TEST(metrics, an_observed_gauge_is_not_read_after_its_end) {
  weft::metric_registry registry;
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) static_cast<void>(registry.snapshot());
  });
  for (int i = 0; i < 200; ++i) {
    const auto lives = std::make_unique<int>(i);
    const weft::observed_gauge gauge(registry, "g", "", {}, [&] { return static_cast<double>(*lives); });
  }
  done = true;
  reader.join();
  EXPECT_EQ(std::get<double>(registry.snapshot().at(0).value), 0);
}

TEST(metrics, the_process_has_one_registry) {
  EXPECT_EQ(&weft::metrics(), &weft::metrics());
}

}  // namespace metrics_test
