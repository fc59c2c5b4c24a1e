# cmake --install: the program, the libraries, the public headers and a CMake package.
include(CMakePackageConfigHelpers)

get_property(rooms GLOBAL PROPERTY BANTAM_ROOMS)
list(REMOVE_ITEM rooms bantam_cli)  # part of the program, not of the library
add_library(bantam_all INTERFACE)
add_library(bantam::bantam ALIAS bantam_all)
set_target_properties(bantam_all PROPERTIES EXPORT_NAME bantam)
target_include_directories(bantam_all INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(bantam_all INTERFACE ${rooms})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/bantam)
install(TARGETS bantam_all ${rooms} EXPORT bantam-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT bantam-targets NAMESPACE bantam:: DESTINATION ${package_dir})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/bantam DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")
configure_file(cmake/bantam-config.cmake bantam-config.cmake @ONLY)
write_basic_package_version_file(bantam-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/bantam-config.cmake ${CMAKE_BINARY_DIR}/bantam-config-version.cmake
  cmake/BantamDependencies.cmake DESTINATION ${package_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(TARGET bantam)
  install(TARGETS bantam DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
