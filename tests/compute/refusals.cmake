# What the compiler says to programs that hand kernels what they cannot take. Where there is no message, the program
# without a mistake has to compile.
add_library(weft_compute_refusals OBJECT EXCLUDE_FROM_ALL compute/refusals.cpp)
target_link_libraries(weft_compute_refusals PRIVATE weft::compute)
set(folders $<TARGET_PROPERTY:weft_compute_refusals,INCLUDE_DIRECTORIES>)

# Further arguments are what the compiler says the assertions that failed came to, in this order.
function(weft_add_refusal macro message)
  set(name compute.refuses.${macro})
  add_test(NAME ${name}
    COMMAND ${CMAKE_CXX_COMPILER} -std=c++20 -fsyntax-only "-I$<JOIN:${folders},;-I>" -D${macro}
            "${CMAKE_CURRENT_SOURCE_DIR}/compute/refusals.cpp"
    COMMAND_EXPAND_LISTS)
  set_tests_properties(${name} PROPERTIES TIMEOUT 120)
  foreach(comparison IN LISTS ARGN)
    string(APPEND message ".*[(]${comparison}[)]")
  endforeach()
  if(message)
    set_tests_properties(${name} PROPERTIES PASS_REGULAR_EXPRESSION "error: static assertion failed[^\n]*: ${message}")
  endif()
endfunction()

set(arguments "the kernel takes neither a cpu_context nor a cuda_context with arguments of these types and ranks")
weft_add_refusal(NO_MISTAKE "")
weft_add_refusal(RANK "${arguments}")
weft_add_refusal(RANK_OF_THE_BIAS "${arguments}")
weft_add_refusal(DTYPE "${arguments}")
weft_add_refusal(DTYPE_OF_THE_OUTPUT "${arguments}")
weft_add_refusal(OUTPUT_TO_READ "${arguments}")
weft_add_refusal(TENSOR_ITSELF "a kernel would be given a copy of a tensor: pass tensor.view()")
weft_add_refusal(NO_AXES "a tensor has at least one axis")
weft_add_refusal(ELEMENTS_THAT_OWN "elements are plain values")
weft_add_refusal(EXTENTS "the number of extents is not the rank: give one for each axis"
                 "2 == 3" "2 == 1" "1 == 2" "1 == 3" "2 == 4" "3 == 2" "1 == 4" "1 == 5" "2 == 5")
weft_add_refusal(INDICES "the number of indices is not the rank: give one for each axis" "1 == 2" "3 == 2")
