#include <weft/compute/isa.hpp>

#include <weft/compute/cpu_context.hpp>
#include <weft/core/error.hpp>

#include "every_context.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace isa_test {

using weft::isa;

TEST(isa, has_names_that_parse_back) {
  for (const isa level : {isa::v2, isa::v3, isa::v4, isa::v4_bf16})
    EXPECT_EQ(weft::parse_isa(weft::to_string(level)), level);
  EXPECT_EQ(message_of<weft::invalid_argument>([] { weft::parse_isa("avx9"); }),
            "instruction set 'avx9' is unknown: it is one of v2, v3, v4, v4_bf16");
}

TEST(isa, levels_contain_the_lower_ones) {
  const auto supported = weft::supported_isas();
  ASSERT_FALSE(supported.empty());
  for (std::size_t index = 0; index < supported.size(); ++index)
    EXPECT_EQ(static_cast<int>(supported[index]), index);
}

TEST(isa, refuses_what_the_machine_cannot_run) {
  for (const isa level : {isa::v2, isa::v3, isa::v4, isa::v4_bf16}) {
    if (weft::isa_supported(level)) {
      EXPECT_EQ(weft::cpu_context(level).level(), level);
    } else {
      EXPECT_THROW(weft::cpu_context{level}, weft::invalid_argument);
    }
  }
}

// The choice is made once a process, so each value of the variable gets a process of its own.
[[noreturn]] void select_with(const char* value) {
  ::setenv("WEFT_ISA", value, 1);
  try {
    std::fprintf(stderr, "selected %s\n", std::string(weft::to_string(weft::selected_isa())).c_str());
  } catch (const weft::invalid_argument& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  std::exit(0);
}

class isa_environment : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(isa_environment, overrides_the_choice) {
  EXPECT_EXIT(select_with("v2"), testing::ExitedWithCode(0), "selected v2");
}

TEST_F(isa_environment, is_ignored_if_empty) {
  const std::string widest(weft::to_string(weft::supported_isas().back()));
  EXPECT_EXIT(select_with(""), testing::ExitedWithCode(0), "selected " + widest);
}

TEST_F(isa_environment, is_named_if_wrong) {
  EXPECT_EXIT(
      select_with("fast"), testing::ExitedWithCode(0),
      "environment variable WEFT_ISA: instruction set 'fast' is unknown: it is one of v2, v3, v4, v4_bf16");
}

}  // namespace isa_test
