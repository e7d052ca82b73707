# SPDX-License-Identifier: Apache-2.0
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/dwconv)
install(TARGETS dwconv EXPORT dwconv-targets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/dwconv DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT dwconv-targets NAMESPACE dwconv:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/dwconv-config.cmake.in
                              ${PROJECT_BINARY_DIR}/dwconv-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/dwconv-config-version.cmake
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/dwconv-config.cmake ${PROJECT_BINARY_DIR}/dwconv-config-version.cmake
        DESTINATION ${package_dir})
