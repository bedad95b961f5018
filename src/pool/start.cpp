#include <dlfcn.h>

#include <cstdlib>  // for std::getenv

// Where a program that links weft::pool begins. The C library runs the program's static initialisers inside
// __libc_start_main and calls main() after them: the place where a copy of the program that has been started
// as the zygote must turn off. The start-up object refers to __libc_start_main, so the linker takes this unit
// from the archive; everything else of process pools it takes only if the program uses them, hence the weak
// reference.

namespace weft::detail {

bool began_here = false;

[[gnu::weak]] int zygote_main();

}  // namespace weft::detail

namespace {

using main_function = int (*)(int, char**, char**);
using start_function = int (*)(main_function, int, char**, void (*)(), void (*)(), void (*)(), void*);

main_function program_main = nullptr;

int main_or_zygote(int count, char** arguments, char** environment) {
  if (weft::detail::zygote_main != nullptr && std::getenv("WEFT_ZYGOTE") != nullptr) {
    return weft::detail::zygote_main();
  }
  return program_main(count, arguments, environment);
}

}  // namespace

extern "C" {

// NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
[[gnu::visibility("default")]] int __libc_start_main(main_function main, int count, char** arguments,
                                                     void (*initialize)(), void (*finish)(), void (*unload)(),
                                                     void* stack_end) {
  weft::detail::began_here = true;
  program_main = main;
  auto* next = reinterpret_cast<start_function>(dlsym(RTLD_NEXT, "__libc_start_main"));
  if (next == nullptr) std::abort();  // a static C library, whose own definition would not have linked
  return next(&main_or_zygote, count, arguments, initialize, finish, unload, stack_end);
}

}  // extern "C"
