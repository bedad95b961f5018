#include <cstdio>                // for std::puts
#include <optional>              // for std::optional
#include <weft/async/queue.hpp>  // for weft::queue
#include <weft/async/run.hpp>    // for weft::run
#include <weft/async/task.hpp>   // for weft::task

namespace {

weft::task<int> sum(weft::queue<int>& numbers) {
  for (int number = 1; number <= 4; ++number) co_await numbers.push(number);
  numbers.close();
  int total = 0;
  while (std::optional<int> number = co_await numbers.pop()) total += *number;
  co_return total;
}

}  // namespace

int main() {
  weft::queue<int> numbers(4);
  if (weft::run(sum(numbers)) != 10) return 1;
  std::puts("consumer of weft::async: ok");
}
