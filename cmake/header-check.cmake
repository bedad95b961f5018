# Every public header compiles alone: one generated translation unit a header, which includes it twice (so it
# must guard itself too), linked against its own layer and nothing above.
get_property(layers GLOBAL PROPERTY WEFT_LAYERS)
foreach(layer IN LISTS layers)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/include"
       "${PROJECT_SOURCE_DIR}/include/weft/${layer}/*.hpp" "${PROJECT_SOURCE_DIR}/include/weft/${layer}.hpp")
  set(units "")
  foreach(header IN LISTS headers)
    set(unit "${PROJECT_BINARY_DIR}/header-check/${header}.cpp")
    file(CONFIGURE OUTPUT "${unit}" CONTENT "#include <@header@>\n#include <@header@>\n" @ONLY)
    list(APPEND units "${unit}")
  endforeach()
  if(units)
    add_library(weft_header_check_${layer} OBJECT ${units})
    target_link_libraries(weft_header_check_${layer} PRIVATE weft::${layer})
    target_compile_options(weft_header_check_${layer} PRIVATE -O0)
    weft_enable_warnings(weft_header_check_${layer})
  endif()
endforeach()
