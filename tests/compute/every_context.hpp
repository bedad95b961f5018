#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/isa.hpp>
#include <weft/pool/thread_pool.hpp>

#include <gtest/gtest.h>

#include <string>

/// Calls check(context) for each instruction set of this machine, serially and on arenas of two and three
/// threads.
template <class Check>
void on_every_context(const Check& check) {
  for (const weft::isa level : weft::supported_isas()) {
    for (const int threads : {1, 2, 3}) {
      SCOPED_TRACE(std::string(weft::to_string(level)) + ", threads: " + std::to_string(threads));
      if (threads == 1) {
        check(weft::cpu_context(level));
      } else {
        weft::thread_pool pool(threads);
        check(weft::cpu_context(pool.arena(), level));
      }
    }
  }
}

/// The bits of compute(context) must be the same on one, two and three threads, for each instruction set.
template <class Compute>
void expect_same_bits_for_any_threads(const Compute& compute) {
  for (const weft::isa level : weft::supported_isas()) {
    SCOPED_TRACE(std::string(weft::to_string(level)));
    const auto serial = compute(weft::cpu_context(level));
    for (const int threads : {2, 3}) {
      weft::thread_pool pool(threads);
      const auto parallel = compute(weft::cpu_context(pool.arena(), level));
      ASSERT_EQ(serial.size(), parallel.size());
      for (std::size_t index = 0; index < serial.size(); ++index) {
        ASSERT_EQ(serial[index], parallel[index]) << "element " << index << ", threads: " << threads;
      }
    }
  }
}

/// What the exception of type Error that `call` throws says; fails if it throws none.
template <class Error, class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}
