# WEFT_SANITIZE=address,undefined or thread. It reaches the library, the kernels and everything that links them.
set(WEFT_SANITIZE "" CACHE STRING "Sanitizers for weft's own build: 'address,undefined' or 'thread'")
# For the ENVIRONMENT property of every test; one variable, since gtest_discover_tests takes no list there.
set(WEFT_TEST_ENVIRONMENT "")

if(WEFT_SANITIZE)
  set(options -fsanitize=${WEFT_SANITIZE} -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS)
  if(WEFT_SANITIZE MATCHES "undefined")
    list(APPEND options -fno-sanitize-recover=undefined)
  endif()
  # The checks that are put in between hide from GCC 12 what is initialised, in std::regex and std::function for one.
  list(APPEND options -Wno-maybe-uninitialized)
  if(WEFT_SANITIZE STREQUAL "thread")
    # Asio orders what a handler sees by a fence as well as by a mutex; the sanitizer follows the mutex alone, which
    # is enough, and says so at each fence.
    list(APPEND options -Wno-tsan)
  endif()
  list(TRANSFORM options REPLACE "(.+)" "$<$<COMPILE_LANGUAGE:CXX>:\\1>")

  # Targets that exist already took their directory's options when they were made: name each of them.
  foreach(target IN LISTS WEFT_COMPILED_TARGETS)
    target_compile_options(${target} PRIVATE ${options})
  endforeach()
  add_compile_options(${options})
  add_link_options(-fsanitize=${WEFT_SANITIZE})

  if(WEFT_SANITIZE STREQUAL "thread")
    if(NOT TBB_DIR MATCHES "tsan-tbb")
      message(FATAL_ERROR "weft: WEFT_SANITIZE=thread found oneTBB in ${TBB_DIR}, which is not built with "
                          "ThreadSanitizer; run cmake/build-tsan-tbb and configure with the preset tsan")
    endif()
    set(WEFT_TEST_ENVIRONMENT
        "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/cmake/tsan.suppressions:halt_on_error=1:second_deadlock_stack=1")
  else()
    set(WEFT_TEST_ENVIRONMENT "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1")
  endif()
endif()
