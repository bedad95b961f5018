// A server in Python, WEFT_SCRIPT beside this file, with the cases WEFT_CASES and asked by WEFT_PROTOCOL; it
// is run as benchmarks/run runs scripts.

#include "http_cases.hpp"

#include <cstdlib>  // for std::getenv

int main(int count, char** arguments) {
  const char* const python = std::getenv("WEFT_BENCH_PYTHON");
  return http_cases::measure(count, arguments, {python != nullptr ? python : "python3", WEFT_SCRIPT},
                             {WEFT_CASES}, http_cases::protocol::WEFT_PROTOCOL);
}
