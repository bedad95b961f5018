#include <weft/async/task_group.hpp>

#include <weft/async/event.hpp>
#include <weft/async/run.hpp>
#include <weft/async/sleep.hpp>
#include <weft/async/timeout.hpp>

#include <async/coroutines.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

// GCC 12 with AddressSanitizer takes Asio's own pair of frame allocation functions for a mismatch.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace task_group_test {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::event;
using weft::task;
using weft::task_group;
using weft::task_group_options;
using weft::with_task_group;

struct child_failed : std::runtime_error {
  explicit child_failed(int which) : std::runtime_error("child " + std::to_string(which)), number(which) {}
  int number;
};

task<> fail(int number) {
  throw child_failed(number);
  co_return;
}

/// Waits until it is cancelled, and says so.
task<> wait_for_ever(int& stopped) {
  event never;
  try {
    co_await never.wait();
  } catch (const weft::cancelled&) {
    ++stopped;
    throw;
  }
}

// ---- joining ---------------------------------------------------------------------------------------------

TEST(task_group, returns_when_the_body_and_all_children_have_finished) {
  in_coroutine([]() -> task<> {
    int finished = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int turns = 0; turns < 5; ++turns) {
        group.spawn(
            [](int count, int& done) -> task<> {
              for (int i = 0; i < count; ++i) co_await yield();
              ++done;
            },
            turns, std::ref(finished));
      }
      co_return;
    });
    EXPECT_EQ(finished, 5);
  });
}

TEST(task_group, an_empty_group_returns_at_once) {
  in_coroutine([]() -> task<> {
    bool ran = false;
    co_await with_task_group([&](task_group& group) -> task<> {
      EXPECT_EQ(group.size(), 1U);
      EXPECT_FALSE(group.is_cancelled());
      ran = true;
      co_return;
    });
    EXPECT_TRUE(ran);
  });
}

TEST(task_group, children_may_spawn_into_it_after_the_body_has_ended) {
  in_coroutine([]() -> task<> {
    int finished = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn(
          [](task_group& home, int& done) -> task<> {
            for (int i = 0; i < 3; ++i) co_await yield();
            EXPECT_EQ(home.size(), 1U);
            home.spawn(
                [](int& count) -> task<> {
                  co_await yield();
                  ++count;
                },
                std::ref(done));
            ++done;
          },
          std::ref(group), std::ref(finished));
      co_return;
    });
    EXPECT_EQ(finished, 2);
  });
}

TEST(task_group, keeps_a_child_function_and_its_arguments_until_the_child_ends_and_no_longer) {
  in_coroutine([]() -> task<> {
    const auto counted = std::make_shared<int>(7);
    int seen = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      // A coroutine lambda with captures lives in its closure.
      group.spawn(
          [held = counted, &seen](std::shared_ptr<int> argument) -> task<> {
            co_await yield();
            seen = *held + *argument;
          },
          counted);
      co_return;
    });
    EXPECT_EQ(seen, 14);
    EXPECT_EQ(counted.use_count(), 1);
  });
}

TEST(task_group, join_waits_for_all_but_the_body) {
  in_coroutine([]() -> task<> {
    std::vector<int> log;
    co_await with_task_group([&](task_group& group) -> task<> {
      co_await group.join();
      for (int phase = 1; phase <= 2; ++phase) {
        for (int i = 0; i < 3; ++i) {
          group.spawn(
              [](int turns, int what, std::vector<int>& out) -> task<> {
                for (int turn = 0; turn < turns; ++turn) co_await yield();
                out.push_back(what);
              },
              i, phase, std::ref(log));
        }
        co_await group.join();
        EXPECT_EQ(group.size(), 1U);
        log.push_back(-phase);
      }
    });
    EXPECT_EQ(log, (std::vector<int>{1, 1, 1, -1, 2, 2, 2, -2}));
  });
}

TEST(task_group, join_is_cancelled_with_the_group) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    bool join_threw = false;
    EXPECT_THROW(co_await with_task_group([&](task_group& group) -> task<> {
                   group.spawn(wait_for_ever, std::ref(stopped));
                   group.spawn([]() -> task<> {
                     co_await yield();
                     throw child_failed(1);
                   });
                   try {
                     co_await group.join();
                   } catch (const weft::cancelled&) {
                     join_threw = true;
                     throw;
                   }
                 }),
                 child_failed);
    EXPECT_EQ(stopped, 1);
    EXPECT_TRUE(join_threw);
  });
}

// ---- errors ----------------------------------------------------------------------------------------------

// In a peer an exception of a child vanishes.
TEST(task_group, the_first_error_cancels_the_siblings_which_are_joined_and_is_rethrown) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    bool cleaned_up = false;
    try {
      co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(wait_for_ever, std::ref(stopped));
        group.spawn(
            [](bool& flag) -> task<> {
              event never;
              try {
                co_await never.wait();
              } catch (const weft::cancelled&) {
              }
              flag = true;
            },
            std::ref(cleaned_up));
        group.spawn(wait_for_ever, std::ref(stopped));
        group.spawn(fail, 3);
        co_await yield();
      });
      ADD_FAILURE() << "the error was swallowed";
    } catch (const child_failed& error) {
      EXPECT_EQ(error.number, 3);
    }
    EXPECT_EQ(stopped, 2);
    EXPECT_TRUE(cleaned_up);
  });
}

TEST(task_group, rethrows_exceptions_of_any_type) {
  in_coroutine([]() -> task<> {
    EXPECT_THROW(co_await with_task_group([](task_group& group) -> task<> {
                   group.spawn([]() -> task<> {
                     throw 42;
                     co_return;
                   });
                   co_return;
                 }),
                 int);
  });
}

TEST(task_group, an_error_of_the_body_cancels_the_children) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    EXPECT_THROW(co_await with_task_group([&](task_group& group) -> task<> {
                   group.spawn(wait_for_ever, std::ref(stopped));
                   group.spawn(wait_for_ever, std::ref(stopped));
                   throw child_failed(0);
                   co_return;
                 }),
                 child_failed);
    EXPECT_EQ(stopped, 2);
  });
}

TEST(task_group, an_error_in_calling_the_body_is_rethrown) {
  in_coroutine([]() -> task<> {
    EXPECT_THROW(co_await with_task_group([](task_group&) -> task<> { throw child_failed(0); }),
                 child_failed);
  });
}

TEST(task_group, an_error_of_a_child_cancels_the_body) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    EXPECT_THROW(co_await with_task_group([&](task_group& group) -> task<> {
                   group.spawn(fail, 1);
                   co_await wait_for_ever(stopped);
                 }),
                 child_failed);
    // The child failed before the body came to its wait, which then does not begin.
    EXPECT_THROW(co_await with_task_group([&](task_group& group) -> task<> {
                   group.spawn([]() -> task<> {
                     co_await yield();
                     throw child_failed(1);
                   });
                   co_await wait_for_ever(stopped);
                 }),
                 child_failed);
    EXPECT_GE(stopped, 1);
  });
}

TEST(task_group, keeps_the_further_errors_reachable) {
  in_coroutine([]() -> task<> {
    std::vector<std::exception_ptr> errors;
    const task_group_options options{.errors = &errors};
    try {
      co_await with_task_group(options, [&](task_group& group) -> task<> {
        for (int number : {2, 3}) {
          group.spawn(
              [](int own) -> task<> {
                int stopped = 0;
                try {
                  co_await wait_for_ever(stopped);
                } catch (const weft::cancelled&) {
                }
                throw child_failed(own);
              },
              number);
        }
        co_await yield();
        throw child_failed(1);
      });
      ADD_FAILURE() << "the error was swallowed";
    } catch (const child_failed& error) {
      EXPECT_EQ(error.number, 1);
    }
    std::vector<int> numbers;
    for (const auto& each : errors) {
      try {
        std::rethrow_exception(each);
      } catch (const child_failed& error) {
        numbers.push_back(error.number);
      }
    }
    EXPECT_EQ(numbers.size(), 3U);
    EXPECT_EQ(numbers.front(), 1);
    EXPECT_EQ(numbers.at(1) + numbers.at(2), 5);
  });
}

TEST(task_group, leaves_the_error_list_alone_when_there_is_no_error) {
  in_coroutine([]() -> task<> {
    std::vector<std::exception_ptr> errors(1);
    const task_group_options options{.errors = &errors};
    co_await with_task_group(options, [](task_group&) -> task<> { co_return; });
    EXPECT_EQ(errors.size(), 1U);
  });
}

TEST(task_group, a_cancellation_that_nobody_asked_for_is_an_error) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    EXPECT_THROW(co_await with_task_group([&](task_group& group) -> task<> {
                   group.spawn(wait_for_ever, std::ref(stopped));
                   group.spawn([]() -> task<> {
                     co_await yield();
                     throw weft::cancelled();
                   });
                   co_return;
                 }),
                 weft::cancelled);
    EXPECT_EQ(stopped, 1);
  });
}

// ---- cancellation ----------------------------------------------------------------------------------------

TEST(task_group, cancel_stops_the_children_and_is_no_error) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < 3; ++i) group.spawn(wait_for_ever, std::ref(stopped));
      co_await yield();
      group.cancel();
      group.cancel();
      EXPECT_TRUE(group.is_cancelled());
    });
    EXPECT_EQ(stopped, 3);
  });
}

TEST(task_group, a_child_may_cancel_the_group) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn(wait_for_ever, std::ref(stopped));
      group.spawn(
          [](task_group& home) -> task<> {
            co_await yield();
            home.cancel();
          },
          std::ref(group));
      co_await wait_for_ever(stopped);
    });
    EXPECT_EQ(stopped, 2);
  });
}

TEST(task_group, drops_what_is_spawned_after_cancel) {
  in_coroutine([]() -> task<> {
    const auto counted = std::make_shared<int>(0);
    bool ran = false;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.cancel();
      group.spawn(
          [](std::shared_ptr<int>, bool& flag) -> task<> {
            flag = true;
            co_return;
          },
          counted, std::ref(ran));
      group.spawn([](std::shared_ptr<int>) -> task<> { co_return; }(counted));
      EXPECT_EQ(counted.use_count(), 1);
      EXPECT_EQ(group.size(), 1U);
      co_return;
    });
    EXPECT_FALSE(ran);
  });
}

TEST(task_group, cancellation_from_outside_stops_all_and_throws_when_they_are_joined) {
  int stopped = 0;
  event cleanup;
  hand_turned outside(with_task_group([&](task_group& group) -> task<> {
    group.spawn(wait_for_ever, std::ref(stopped));
    group.spawn(
        [](event& end) -> task<> {
          int ignored = 0;
          try {
            co_await wait_for_ever(ignored);
          } catch (const weft::cancelled&) {
          }
          // Cleaning up may take its time; it must not be cancelled itself.
          co_await boost::asio::this_coro::reset_cancellation_state();
          co_await end.wait();
        },
        std::ref(cleanup));
    co_return;
  }));
  outside.turn();
  outside.cancel();
  outside.turn();
  EXPECT_EQ(stopped, 1);
  EXPECT_FALSE(outside.ended()) << "a child is still cleaning up";
  cleanup.set();
  outside.turn();
  EXPECT_TRUE(outside.threw<weft::cancelled>());
}

TEST(task_group, cancellation_from_outside_that_stops_nobody_is_no_error) {
  event go;
  int finished = 0;
  hand_turned outside(with_task_group([&](task_group& group) -> task<> {
    group.spawn(
        [](event& start, int& done) -> task<> {
          co_await start.wait();
          ++done;
        },
        std::ref(go), std::ref(finished));
    co_return;
  }));
  outside.turn();
  outside.on_loop([&] {
    go.set();
    outside.cancel();  // the child has been woken already
  });
  outside.turn();
  EXPECT_EQ(finished, 1);
  EXPECT_TRUE(outside.succeeded());
}

TEST(task_group, cancellation_reaches_the_innermost_of_nested_groups) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    const auto nest = [&stopped](auto self, int depth) -> task<> {
      co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(wait_for_ever, std::ref(stopped));
        if (depth > 1) {
          co_await self(self, depth - 1);
        } else {
          co_await wait_for_ever(stopped);
        }
      });
    };
    EXPECT_THROW(co_await weft::timeout(nest(nest, 5), 1ms), weft::timeout_error);
    EXPECT_EQ(stopped, 6);
  });
}

TEST(task_group, an_error_passes_through_nested_groups_and_cancels_on_its_way) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    EXPECT_THROW(co_await with_task_group([&](task_group& outer) -> task<> {
                   outer.spawn(wait_for_ever, std::ref(stopped));
                   co_await with_task_group([&](task_group& inner) -> task<> {
                     inner.spawn(wait_for_ever, std::ref(stopped));
                     inner.spawn([]() -> task<> {
                       co_await yield();
                       throw child_failed(9);
                     });
                     co_return;
                   });
                 }),
                 child_failed);
    EXPECT_EQ(stopped, 2);
  });
}

TEST(task_group, another_thread_may_cancel_it) {
  for (int round = 0; round < 50; ++round) {
    int stopped = 0;
    std::atomic<task_group*> shared{nullptr};
    std::thread canceller([&] {
      wait_until([&] { return shared.load() != nullptr; });
      shared.load()->cancel();
    });
    weft::run(with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < 10; ++i) group.spawn(wait_for_ever, std::ref(stopped));
      shared = &group;
      co_await wait_for_ever(stopped);
    }));
    canceller.join();
    EXPECT_EQ(stopped, 11);
  }
}

// ---- the limit -------------------------------------------------------------------------------------------

struct gauge {
  int running = 0;
  int most = 0;
  std::vector<int> order;
};

task<> measured(int number, int turns, gauge& seen) {
  seen.order.push_back(number);
  seen.most = std::max(seen.most, ++seen.running);
  for (int i = 0; i < turns; ++i) co_await yield();
  --seen.running;
}

TEST(task_group, runs_no_more_children_than_its_limit_and_starts_them_in_order) {
  for (const std::size_t limit : {1U, 2U, 7U}) {
    weft::run([](std::size_t most) -> task<> {
      gauge seen;
      const task_group_options options{.limit = most};
      co_await with_task_group(options, [&](task_group& group) -> task<> {
        for (int i = 0; i < 20; ++i) group.spawn(measured, i, i % 4, std::ref(seen));
        EXPECT_GE(group.size(), 20U - 7U);
        co_await group.join();
        EXPECT_EQ(group.size(), 1U);
      });
      EXPECT_EQ(seen.most, static_cast<int>(most));
      for (int i = 0; i < 20; ++i) EXPECT_EQ(seen.order.at(static_cast<std::size_t>(i)), i);
    }(limit));
  }
}

TEST(task_group, a_long_queue_of_short_children_needs_no_stack) {
  in_coroutine([]() -> task<> {
    gauge seen;
    const task_group_options options{.limit = 1};
    co_await with_task_group(options, [&](task_group& group) -> task<> {
      group.spawn(measured, 0, 1, std::ref(seen));
      for (int i = 1; i < 100000; ++i) group.spawn(measured, i, 0, std::ref(seen));
      co_return;
    });
    EXPECT_EQ(seen.order.size(), 100000U);
    EXPECT_EQ(seen.most, 1);
  });
}

TEST(task_group, destroys_those_that_wait_for_a_place_when_it_is_cancelled) {
  in_coroutine([]() -> task<> {
    const auto counted = std::make_shared<int>(0);
    int stopped = 0;
    const task_group_options options{.limit = 2};
    co_await with_task_group(options, [&](task_group& group) -> task<> {
      for (int i = 0; i < 2; ++i) group.spawn(wait_for_ever, std::ref(stopped));
      for (int i = 0; i < 5; ++i) {
        group.spawn([](std::shared_ptr<int>) -> task<> { co_return; }, counted);
      }
      EXPECT_EQ(group.size(), 8U);
      EXPECT_EQ(counted.use_count(), 6);
      group.cancel();
      EXPECT_EQ(counted.use_count(), 1);
      EXPECT_EQ(group.size(), 3U);
      co_return;
    });
    EXPECT_EQ(stopped, 2);
  });
}

TEST(task_group, an_error_destroys_those_that_wait_for_a_place) {
  in_coroutine([]() -> task<> {
    const auto counted = std::make_shared<int>(0);
    const task_group_options options{.limit = 1};
    EXPECT_THROW(co_await with_task_group(options,
                                          [&](task_group& group) -> task<> {
                                            group.spawn([]() -> task<> {
                                              co_await yield();
                                              throw child_failed(1);
                                            });
                                            group.spawn(
                                                [](std::shared_ptr<int> held) -> task<> {
                                                  *held = 1;
                                                  co_return;
                                                },
                                                counted);
                                            co_return;
                                          }),
                 child_failed);
    EXPECT_EQ(counted.use_count(), 1);
    EXPECT_EQ(*counted, 0);
  });
}

TEST(task_group, spawn_when_free_waits_for_a_place) {
  in_coroutine([]() -> task<> {
    gauge seen;
    const task_group_options options{.limit = 3};
    co_await with_task_group(options, [&](task_group& group) -> task<> {
      for (int i = 0; i < 30; ++i) {
        co_await group.spawn_when_free(measured, i, 1 + i % 5, std::ref(seen));
        EXPECT_LE(group.size(), 4U);
      }
      co_await group.spawn_when_free(measured(30, 1, seen));
    });
    EXPECT_EQ(seen.most, 3);
    for (int i = 0; i <= 30; ++i) EXPECT_EQ(seen.order.at(static_cast<std::size_t>(i)), i);
  });
}

TEST(task_group, spawn_when_free_without_a_limit_never_waits) {
  in_coroutine([]() -> task<> {
    gauge seen;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < 10; ++i) co_await group.spawn_when_free(measured, i, 1, std::ref(seen));
      EXPECT_EQ(seen.running, 10);
    });
  });
}

TEST(task_group, a_cancelled_spawn_when_free_has_not_started_its_child_and_holds_no_place) {
  in_coroutine([]() -> task<> {
    gauge seen;
    const task_group_options options{.limit = 1};
    co_await with_task_group(options, [&](task_group& group) -> task<> {
      event end;
      group.spawn([](event& until_set) -> task<> { co_await until_set.wait(); }, std::ref(end));
      EXPECT_THROW(co_await weft::timeout(group.spawn_when_free(measured, 1, 0, std::ref(seen)), 1ms),
                   weft::timeout_error);
      end.set();
      co_await group.spawn_when_free(measured, 2, 0, std::ref(seen));
      co_await group.join();
    });
    EXPECT_EQ(seen.order, std::vector<int>{2});
  });
}

// ---- executors -------------------------------------------------------------------------------------------

TEST(task_group, children_of_a_thread_pool_run_in_parallel) {
  boost::asio::thread_pool threads(2);
  std::barrier meeting(2);
  int met = 0;
  boost::asio::co_spawn(threads, with_task_group([&](task_group& group) -> task<> {
                          for (int i = 0; i < 2; ++i) {
                            group.spawn([&]() -> task<> {
                              meeting.arrive_and_wait();
                              co_return;
                            });
                          }
                          co_await group.join();
                          met = 1;
                        }),
                        boost::asio::use_future)
      .get();
  EXPECT_EQ(met, 1);
}

TEST(task_group, children_of_a_strand_stay_on_it) {
  boost::asio::thread_pool threads(2);
  const auto strand = boost::asio::make_strand(threads);
  int strays = 0;
  boost::asio::co_spawn(strand, with_task_group([&](task_group& group) -> task<> {
                          for (int i = 0; i < 20; ++i) {
                            group.spawn([&]() -> task<> {
                              if (!strand.running_in_this_thread()) ++strays;
                              co_await yield();
                              if (!strand.running_in_this_thread()) ++strays;
                            });
                          }
                          co_return;
                        }),
                        boost::asio::use_future)
      .get();
  EXPECT_EQ(strays, 0);
}

TEST(task_group, a_child_never_runs_beside_its_own_cancellation) {
  // Children that wait and go on while they are cancelled, on several threads: for the sanitizers.
  boost::asio::thread_pool threads(3);
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> ended{0};
    boost::asio::co_spawn(threads, with_task_group([&](task_group& group) -> task<> {
                            for (int i = 0; i < 20; ++i) {
                              group.spawn([&ended, i]() -> task<> {
                                try {
                                  for (int turn = 0; turn < 5 + i * 5; ++turn) co_await yield();
                                  int ignored = 0;
                                  co_await wait_for_ever(ignored);
                                } catch (...) {
                                  ++ended;
                                  throw;
                                }
                              });
                            }
                            for (int i = 0; i < 30; ++i) co_await yield();
                            group.cancel();
                          }),
                          boost::asio::use_future)
        .get();
    EXPECT_LE(ended.load(), 20);
  }
}

TEST(task_group, other_threads_may_spawn_and_cancel_at_the_same_time) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> alive{0};
    std::atomic<int> spawning{2};
    std::atomic<task_group*> shared{nullptr};
    std::vector<std::thread> outside;
    for (int i = 0; i < 2; ++i) {
      outside.emplace_back([&] {
        wait_until([&] { return shared.load() != nullptr; });
        for (int k = 0; k < 50; ++k) {
          shared.load()->spawn([&alive]() -> task<> {
            ++alive;
            int ignored = 0;
            try {
              co_await wait_for_ever(ignored);
            } catch (...) {
            }
            --alive;
          });
        }
        --spawning;
      });
    }
    boost::asio::thread_pool threads(2);
    boost::asio::co_spawn(threads, with_task_group([&](task_group& group) -> task<> {
                            shared = &group;
                            for (int i = 0; i < round * 3; ++i) co_await yield();
                            group.cancel();
                            // The group must be there until the last spawn() has returned.
                            wait_until([&] { return spawning.load() == 0; });
                          }),
                          boost::asio::use_future)
        .get();
    for (auto& each : outside) each.join();
    EXPECT_EQ(alive.load(), 0);
  }
}

TEST(task_group, limits_children_on_several_threads) {
  boost::asio::thread_pool threads(3);
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::atomic<int> ran{0};
  boost::asio::co_spawn(
      threads,
      with_task_group(task_group_options{.limit = 2},
                      [&](task_group& group) -> task<> {
                        for (int i = 0; i < 500; ++i) {
                          auto child = [&]() -> task<> {
                            const int now = ++running;
                            int before = most.load();
                            while (before < now && !most.compare_exchange_weak(before, now)) {
                            }
                            co_await yield();
                            --running;
                            ++ran;
                          };
                          if (i % 2 == 0) {
                            group.spawn(child);
                          } else {
                            co_await group.spawn_when_free(child);
                          }
                        }
                      }),
      boost::asio::use_future)
      .get();
  EXPECT_EQ(ran.load(), 500);
  EXPECT_LE(most.load(), 2);
}

// ---- size ------------------------------------------------------------------------------------------------

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool memory_is_plain = false;
#else
constexpr bool memory_is_plain = true;
#endif

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages_of_all = 0;
  std::size_t pages_resident = 0;
  statm >> pages_of_all >> pages_resident;
  return pages_resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(task_group, a_hundred_thousand_children_need_at_most_100_megabytes) {
  in_coroutine([]() -> task<> {
    constexpr int count = 100000;
    event go;
    int finished = 0;
    const std::size_t before = resident_bytes();
    std::size_t during = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < count; ++i) {
        group.spawn(
            [](event& start, int& done) -> task<> {
              co_await start.wait();
              ++done;
            },
            std::ref(go), std::ref(finished));
      }
      co_await until([&] { return go.waiting() == count; });
      during = resident_bytes();
      go.set();
    });
    EXPECT_EQ(finished, count);
    if (memory_is_plain) {
      EXPECT_LE(during - before, std::size_t{100} << 20);
      RecordProperty("bytes_per_waiting_child", std::to_string((during - before) / count));
      std::cout << "a child that waits for an event takes " << (during - before) / count << " bytes\n";
    }
  });
}

TEST(task_group, very_many_children_can_be_cancelled) {
  in_coroutine([]() -> task<> {
    constexpr int count = memory_is_plain ? 100000 : 10000;  // the sanitizers make exceptions slow
    int stopped = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < count; ++i) group.spawn(wait_for_ever, std::ref(stopped));
      group.cancel();
      co_return;
    });
    EXPECT_EQ(stopped, count);
  });
}

// ---- any order of spawning, failing, ending and cancelling ------------------------------------------------

class task_group_stress : public testing::TestWithParam<unsigned> {};

struct tally {
  std::atomic<int> started{0};
  std::atomic<int> ended{0};
  std::atomic<int> thrown{0};
};

// A child that waits for a place in its own group, while all places are held by such, waits for ever.
enum class places { any_number, limited };
places kind(const task_group_options& options) {
  return options.limit == 0 ? places::any_number : places::limited;
}

task<> grow(task_group& group, places offered, unsigned seed, int depth, tally& all) {
  std::mt19937 random(seed);
  ++all.started;
  struct at_end {
    tally& to;
    ~at_end() { ++to.ended; }
  } count{all};
  for (unsigned i = random() % 6; i > 0; --i) {
    const auto what = random() % 16;
    const auto own = static_cast<unsigned>(random());
    if (what < 5 && depth > 0) {
      group.spawn(grow, std::ref(group), offered, own, depth - 1, std::ref(all));
    } else if (what == 5 && depth > 0 && offered == places::any_number) {
      co_await group.spawn_when_free(grow, std::ref(group), offered, own, depth - 1, std::ref(all));
    } else if (what == 6 && depth > 0) {
      const task_group_options options{.limit = own % 3};
      co_await with_task_group(options, [&](task_group& inner) -> task<> {
        co_await grow(inner, kind(options), own, depth - 1, all);
      });
    } else if (what == 7 && depth > 0) {
      try {
        co_await weft::timeout(grow(group, offered, own, 0, all), std::chrono::microseconds(own % 50));
      } catch (const weft::timeout_error&) {
      }
    } else if (what == 8 && own % 8 == 0) {
      ++all.thrown;
      throw child_failed(static_cast<int>(i));
    } else if (what == 9 && own % 8 == 0) {
      group.cancel();
    } else if (what == 10) {
      co_await weft::sleep_for(std::chrono::microseconds(own % 50));
    } else {
      co_await yield();
    }
  }
}

void grow_on(const boost::asio::any_io_executor& executor, unsigned seed) {
  tally all;
  std::vector<std::exception_ptr> errors;
  const task_group_options options{.limit = seed % 4, .errors = &errors};
  auto body = [&](task_group& group) -> task<> {
    std::mt19937 random(seed);
    for (int i = 0; i < 20; ++i) {
      group.spawn(grow, std::ref(group), kind(options), static_cast<unsigned>(random()), 3, std::ref(all));
    }
    co_return;
  };
  auto ended = boost::asio::co_spawn(executor, with_task_group(options, body), boost::asio::use_future);
  try {
    ended.get();
    EXPECT_TRUE(errors.empty());
  } catch (const child_failed&) {
    EXPECT_FALSE(errors.empty());
  }
  EXPECT_EQ(all.started.load(), all.ended.load()) << "a child outlived its group";
  EXPECT_LE(errors.size(), static_cast<std::size_t>(all.thrown.load()));
}

TEST_P(task_group_stress, every_child_that_starts_ends_before_its_group) {
  boost::asio::thread_pool threads(3);
  for (unsigned i = 0; i < 20; ++i) {
    grow_on(threads.get_executor(), GetParam() * 1000 + i);
    grow_on(boost::asio::make_strand(threads), GetParam() * 1000 + i);
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, task_group_stress, testing::Range(0U, 6U));

}  // namespace task_group_test
