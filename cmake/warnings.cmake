# Warnings are errors in our own build only: these options never reach a consumer.
# -Wnull-dereference is not among them and -Wmismatched-new-delete is switched off: with optimisation GCC 12 finds
# null pointers in Asio's any_executor that cannot be, and takes the recycling of Asio's coroutine frames for an error.
set(WEFT_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wdelete-non-virtual-dtor -Wold-style-cast -Wcast-align
                  -Wunused -Woverloaded-virtual -Wno-mismatched-new-delete -Werror)
if(WEFT_UNITY)  # GCC takes the sources that a unit includes for headers, and their names for each other's
  list(REMOVE_ITEM WEFT_WARNINGS -Wshadow)
  list(APPEND WEFT_WARNINGS -Wno-subobject-linkage)
endif()

function(weft_enable_warnings target)
  foreach(option IN LISTS WEFT_WARNINGS)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${option}>)
  endforeach()
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>"
                                           "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wshadow,-Werror>")
endfunction()

foreach(target IN LISTS WEFT_COMPILED_TARGETS)
  weft_enable_warnings(${target})
endforeach()
