# Warnings are errors in our own build only: these options never reach a consumer.
set(WEFT_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-align
                  -Wunused -Woverloaded-virtual -Wnull-dereference -Werror)

function(weft_enable_warnings target)
  foreach(option IN LISTS WEFT_WARNINGS)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${option}>)
  endforeach()
endfunction()

get_property(layers GLOBAL PROPERTY WEFT_LAYERS)
foreach(layer IN LISTS layers)
  get_target_property(type weft_${layer} TYPE)
  if(NOT type STREQUAL "INTERFACE_LIBRARY")
    weft_enable_warnings(weft_${layer})
  endif()
endforeach()
