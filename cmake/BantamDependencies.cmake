# What the rooms link to; docs/DEPENDENCIES.md says why each is here. The installed package reads
# this file too, so that both agree.

# A library without a CMake package of its own becomes the imported target NAME::NAME.
function(bantam_library name header library)
  if(TARGET ${name}::${name})
    return()
  endif()
  string(TOUPPER ${name} upper)
  find_path(${upper}_INCLUDE ${header} REQUIRED)
  add_library(${name}::${name} INTERFACE IMPORTED)
  target_include_directories(${name}::${name} INTERFACE ${${upper}_INCLUDE})
  if(library)
    if(BANTAM_STATIC)
      set(library lib${library}.a)
    endif()
    find_library(${upper}_LIBRARY ${library} REQUIRED)
    target_link_libraries(${name}::${name} INTERFACE ${${upper}_LIBRARY})
  endif()
endfunction()

find_package(Threads REQUIRED)
find_package(nlohmann_json REQUIRED)
bantam_library(utf8proc utf8proc.h utf8proc)
bantam_library(zstd zstd.h zstd)
bantam_library(tomlplusplus toml++/toml.h "")

# The program's only: who uses the installed libraries does not need it.
if(PROJECT_NAME STREQUAL "bantam")
  bantam_library(edit histedit.h edit)
  if(BANTAM_STATIC)
    target_link_libraries(edit::edit INTERFACE tinfo bsd md)
  endif()
endif()

# Debian has fmt as a shared library only: the static program takes it as headers.
find_package(fmt REQUIRED)
if(BANTAM_STATIC)
  set(BANTAM_FMT fmt::fmt-header-only)
else()
  set(BANTAM_FMT fmt::fmt)
endif()
