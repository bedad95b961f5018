#include <cstdio>
#include <tuple>
#include <weft/async.hpp>
#include <weft/pool.hpp>

weft::task<> read(weft::queue<int>& numbers) {
  for (int n = 1; n <= 100; ++n) co_await numbers.push(n);  // waits while the queue is full
  numbers.close();                                          // what is queued still comes out
}

weft::task<long> train(weft::queue<int>& numbers, weft::thread_pool& pool) {
  long sum = 0;
  while (auto n = co_await numbers.pop()) sum += co_await pool.run([n] { return long{*n} * *n; });
  co_return sum;
}

int main() {
  weft::thread_pool pool;        // one thread a core
  weft::queue<int> numbers(10);  // ten in flight, no more
  auto result = weft::run(weft::gather(read(numbers), train(numbers, pool)));
  std::printf("sum of the squares to 100: %ld\n", std::get<1>(result));
}
