# Everything that only weft's own build needs: warnings, sanitizers, tests, examples, benchmarks.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

# The library's targets exist by now and have taken their defaults: what follows must name them.
get_property(targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
set(WEFT_COMPILED_TARGETS "")
foreach(target IN LISTS targets)
  get_target_property(type ${target} TYPE)
  if(type MATCHES "^(STATIC|SHARED|OBJECT)_LIBRARY$")
    list(APPEND WEFT_COMPILED_TARGETS ${target})
  endif()
endforeach()

find_program(CCACHE_PROGRAM ccache)
mark_as_advanced(CCACHE_PROGRAM)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  foreach(target IN LISTS WEFT_COMPILED_TARGETS)
    set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}"
                                               CUDA_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  endforeach()
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

include(cmake/warnings.cmake)
include(cmake/sanitizers.cmake)
if(NOT WEFT_SANITIZE)
  include(cmake/header-check.cmake)
endif()

enable_testing()
add_subdirectory(tests)
if(NOT WEFT_SANITIZE)
  add_subdirectory(examples)
  add_subdirectory(benchmarks)
endif()
