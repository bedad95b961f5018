#include <cstdio>                        // for std::puts
#include <numeric>                       // for std::iota
#include <vector>                        // for std::vector
#include <weft/async/run.hpp>            // for weft::run
#include <weft/compute/cuda_device.hpp>  // for weft::cuda_devices
#include <weft/data/sampler.hpp>         // so that the compiled half of weft::data links
#include <weft/pool/thread_pool.hpp>     // for weft::thread_pool

namespace {

weft::task<int> twice(weft::thread_pool& pool, int value) {
  co_return co_await pool.run([value] { return 2 * value; });
}

}  // namespace

int main() {
  weft::thread_pool pool(2);
  if (weft::run(twice(pool, 21)) != 42) return 1;
  static_cast<void>(weft::cuda_devices());
  std::puts("consumer of weft::weft: ok");
}
