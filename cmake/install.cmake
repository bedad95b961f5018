# Every layer is an export set of its own, so that find_package(weft COMPONENTS async) defines the targets up
# to async and looks for the libraries those need, and for nothing else.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/weft")
get_property(layers GLOBAL PROPERTY WEFT_LAYERS)

set(WEFT_CONFIG_TABLE "")
foreach(layer IN LISTS layers)
  get_property(lower GLOBAL PROPERTY WEFT_LAYER_${layer}_LAYERS)
  get_property(packages GLOBAL PROPERTY WEFT_LAYER_${layer}_PACKAGES)
  string(APPEND WEFT_CONFIG_TABLE "set(_weft_${layer}_lower \"${lower}\")\n"
                                  "set(_weft_${layer}_packages \"${packages}\")\n")
  install(TARGETS weft_${layer} EXPORT weft-${layer} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT weft-${layer} NAMESPACE weft:: DESTINATION ${package_dir})
endforeach()
install(TARGETS weft EXPORT weft-weft)
install(EXPORT weft-weft NAMESPACE weft:: DESTINATION ${package_dir})
set(WEFT_CONFIG_LAYERS "${layers}")

configure_package_config_file(cmake/weft-config.cmake.in "${PROJECT_BINARY_DIR}/weft-config.cmake"
                              INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/weft-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/weft-config.cmake" "${PROJECT_BINARY_DIR}/weft-config-version.cmake"
              cmake/packages.cmake
        DESTINATION ${package_dir})
install(DIRECTORY include/weft DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cuh")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
