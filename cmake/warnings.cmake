# Warnings are errors in our own build only: these options never reach a consumer. is not among
# them: with optimisation GCC 12 finds null pointers in Asio's any_executor that cannot be.
set(WEFT_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wdelete-non-virtual-dtor -Wold-style-cast -Wcast-align
                  -Wunused -Woverloaded-virtual -Werror)

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
