// A backend that is not in the library: every kernel that the program runs is recorded, on whatever executor.

#include "tracing_executor.hpp"

#include <weft/async/run.hpp>
#include <weft/compute/any_executor.hpp>

#include <cstdio>  // for std::printf

struct scale {
  float factor;
  void operator()(const weft::cpu_context&, weft::tensor_view<float, 2> values) const {
    for (float& value : values) value *= factor;
  }
};

struct sum {
  double operator()(const weft::cpu_context&, weft::tensor_view<const float, 2> values) const {
    double total = 0.0;
    for (const float value : values) total += static_cast<double>(value);
    return total;
  }
};

int main() {
  weft::any_executor cpu = weft::make_executor("cpu");
  tracing_executor traced(cpu);
  weft::tensor<float, 2> values({2, 3});
  for (float& value : values.elements()) value = 1.5F;
  const double total = weft::run([&]() -> weft::task<double> {
    co_await traced.run(scale{2.0F}, values.view());
    co_return co_await traced.run(sum{}, weft::tensor_view<const float, 2>(values));
  }());
  for (const auto& record : traced.records()) {
    std::printf("%s(%s) on %s\n", record.kernel.c_str(), record.operands.c_str(), traced.name().c_str());
  }
  std::printf("total: %g\n", total);
}
