# PCRE2::8bit, the library that works on bytes. Its own CMake files and pkg-config are not on every system that has it.
find_path(PCRE2_INCLUDE_DIR pcre2.h)
if(LADDER_PORTABLE)  # the programs run where it may be missing
  find_library(PCRE2_LIBRARY NAMES libpcre2-8.a)
else()
  find_library(PCRE2_LIBRARY NAMES pcre2-8)
endif()
mark_as_advanced(PCRE2_INCLUDE_DIR PCRE2_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(PCRE2
  REQUIRED_VARS PCRE2_LIBRARY PCRE2_INCLUDE_DIR
  FAIL_MESSAGE "PCRE2 was not found: ./ladder doctor prints the command that installs it")
if(PCRE2_FOUND AND NOT TARGET PCRE2::8bit)
  add_library(PCRE2::8bit UNKNOWN IMPORTED)
  set_target_properties(PCRE2::8bit PROPERTIES
    IMPORTED_LOCATION "${PCRE2_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${PCRE2_INCLUDE_DIR}")
endif()
