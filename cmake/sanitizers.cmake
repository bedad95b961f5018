# WEFT_SANITIZE=address,undefined or thread. It reaches the library and everything that links it.
set(WEFT_SANITIZE "" CACHE STRING "Sanitizers for weft's own build: 'address,undefined' or 'thread'")
if(WEFT_SANITIZE)
  get_property(layers GLOBAL PROPERTY WEFT_LAYERS)
  foreach(layer IN LISTS layers)
    get_target_property(type weft_${layer} TYPE)
    if(NOT type STREQUAL "INTERFACE_LIBRARY")
      target_compile_options(weft_${layer} PRIVATE
        $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${WEFT_SANITIZE}> $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer>)
    endif()
  endforeach()
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${WEFT_SANITIZE}>
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer>)
  add_link_options(-fsanitize=${WEFT_SANITIZE})
endif()
