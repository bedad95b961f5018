#include <cstdio>         // for std::puts
#include <weft/core.hpp>  // for weft::philox

int main() {
  const weft::philox random(42);
  if (random.word(7) != weft::philox(42).word(7)) return 1;
  std::puts("consumer of weft::core: ok");
}
