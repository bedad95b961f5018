include(${CMAKE_CURRENT_LIST_DIR}/packages.cmake)

set_property(GLOBAL PROPERTY WEFT_LAYERS "")

# weft_add_layer(<name> [LAYERS <lower>...] [PACKAGES <package>...])
#
# One floor of the house: the headers under include/weft/<name>/ and, where there is something to compile,
# the sources directly under src/<name>/. A layer without sources is an INTERFACE target.
function(weft_add_layer name)
  cmake_parse_arguments(LAYER "" "" "LAYERS;PACKAGES" ${ARGN})
  set(target weft_${name})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.cpp")
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF
                                               UNITY_BUILD ${WEFT_UNITY})
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(weft::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_include_directories(${target} ${scope} "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
                                                "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  foreach(lower IN LISTS LAYER_LAYERS)
    target_link_libraries(${target} ${scope} weft::${lower})
  endforeach()
  foreach(package IN LISTS LAYER_PACKAGES)
    weft_find_package(${package} REQUIRED)
    target_link_libraries(${target} ${scope} ${WEFT_TARGET_${package}})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY WEFT_LAYERS ${name})
  set_property(GLOBAL PROPERTY WEFT_LAYER_${name}_LAYERS "${LAYER_LAYERS}")
  set_property(GLOBAL PROPERTY WEFT_LAYER_${name}_PACKAGES "${LAYER_PACKAGES}")
endfunction()
