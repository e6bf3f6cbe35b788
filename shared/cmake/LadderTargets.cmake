# The helpers every room uses to declare its targets, and the flags that decide the last bit.

# ladder_options: C++20, warnings, the repository root as the one include path, fmt without a library.
add_library(ladder_options INTERFACE)
target_compile_features(ladder_options INTERFACE cxx_std_20)
target_include_directories(ladder_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(ladder_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow>")
if(LADDER_MARCH)
  target_compile_options(ladder_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=${LADDER_MARCH}>)
elseif(LADDER_NATIVE)
  target_compile_options(ladder_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=native>)
endif()

# ladder_exact: arithmetic as written. No fused multiply-add, and pow is libm's: compilers fold pow(x, 2) or pow(x, -1)
# into operations that differ in the last bit. Stage 0 and everything it shares are built with it.
add_library(ladder_exact INTERFACE)
target_compile_options(ladder_exact INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off;-fno-builtin-pow>")

# ladder_library(NAME SOURCES ... LIBS ... [EXACT]): a static library with the project's options.
function(ladder_library name)
  cmake_parse_arguments(ARG "EXACT" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ladder_options ${ARG_LIBS})
  if(ARG_EXACT)
    target_link_libraries(${name} PRIVATE ladder_exact)
  endif()
endfunction()
