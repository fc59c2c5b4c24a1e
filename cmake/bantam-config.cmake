# find_package(bantam) gives bantam::bantam: the libraries, their headers and what they need.
set(BANTAM_STATIC @BANTAM_STATIC@)
include(${CMAKE_CURRENT_LIST_DIR}/BantamDependencies.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/bantam-targets.cmake)
