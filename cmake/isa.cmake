# CPU kernels are compiled once per instruction set and chosen at run time, so that a consumer who passes no
# -march still gets the best. Every variant is built from the same sources, src/<layer>/isa/*.cpp, with
# WEFT_ISA naming its namespace; Eigen's namespace is renamed with it, because two copies of one inline
# function that differ only in instruction set would otherwise be merged by the linker.
function(weft_add_isa_kernels layer)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${layer}/isa/*.cpp")
  if(NOT sources)
    return()
  endif()
  foreach(variant IN ITEMS v2 v3 v4 v4_bf16)
    set(instructions -march=x86-64-${variant})
    if(variant STREQUAL v4_bf16)  # v4 with another instruction, for what it is of use to
      set(instructions -march=x86-64-v4 -mavx512bf16)
      list(FILTER sources INCLUDE REGEX "/product16[.]cpp$")
      if(NOT sources)
        break()
      endif()
    endif()
    set(target weft_${layer}_x86_64_${variant})
    add_library(${target} OBJECT ${sources})
    target_compile_features(${target} PRIVATE cxx_std_20)
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(${target} PRIVATE ${WEFT_TARGET_Eigen3} ${WEFT_TARGET_Random123})
    target_compile_definitions(${target} PRIVATE WEFT_ISA=${variant} Eigen=Eigen_${variant})
    target_compile_options(${target} PRIVATE ${instructions})
    if(NOT WEFT_SANITIZE)
      # Unrolled kernels with a check at every access take minutes to optimise.
      target_compile_options(${target} PRIVATE -O3)
    endif()
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF)
    target_sources(weft_${layer} PRIVATE $<TARGET_OBJECTS:${target}>)
  endforeach()
endfunction()
