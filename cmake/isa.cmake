# CPU kernels are compiled once per instruction set and chosen at run time, so that a consumer who passes no
# -march still gets the best. Every variant is built from the same sources, src/<layer>/isa/*.cpp, with
# WEFT_ISA naming its namespace; Eigen's namespace is renamed with it, because two copies of one inline
# function that differ only in instruction set would otherwise be merged by the linker.
function(weft_add_isa_kernels layer)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${layer}/isa/*.cpp")
  if(NOT sources)
    return()
  endif()
  foreach(variant IN ITEMS v2 v3 v4)
    set(target weft_${layer}_x86_64_${variant})
    add_library(${target} OBJECT ${sources})
    target_compile_features(${target} PRIVATE cxx_std_20)
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(${target} PRIVATE ${WEFT_TARGET_Eigen3} ${WEFT_TARGET_Random123})
    target_compile_definitions(${target} PRIVATE WEFT_ISA=${variant} Eigen=Eigen_${variant})
    target_compile_options(${target} PRIVATE -march=x86-64-${variant})
    if(NOT WEFT_SANITIZE)
      # Unrolled kernels with a check at every access take minutes to optimise.
      target_compile_options(${target} PRIVATE -O3)
    endif()
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF)
    target_sources(weft_${layer} PRIVATE $<TARGET_OBJECTS:${target}>)
  endforeach()
endfunction()
