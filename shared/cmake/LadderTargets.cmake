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

# ladder_cold: what no run waits for compiles in two thirds of the time with -O1. Files, tables, reports,
# pictures, the references of tests and the command line; never what a stage computes with, draws random numbers,
# splits text or takes times.
add_library(ladder_cold INTERFACE)
target_link_libraries(ladder_cold INTERFACE ladder_options ladder_exact)
target_compile_options(ladder_cold INTERFACE "$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:$<CONFIG:Debug>>>:-O1>")

# The standard library's headers that nearly every cold file reads, read once.
function(ladder_precompile_cold)
  add_library(ladder_cold_headers OBJECT "${PROJECT_SOURCE_DIR}/shared/cmake/cold_headers.cpp")
  target_link_libraries(ladder_cold_headers PRIVATE ladder_cold ${LADDER_FMT})
  target_precompile_headers(ladder_cold_headers PRIVATE "${PROJECT_SOURCE_DIR}/shared/cmake/cold_headers.hpp")
endfunction()

# ladder_library(NAME [SOURCES ...] [COLD ...] LIBS ... [EXACT]): a static library with the project's options. The
# sources under COLD are compiled as ladder_cold says.
function(ladder_library name)
  cmake_parse_arguments(ARG "EXACT" "" "SOURCES;COLD;LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ladder_options ${ARG_LIBS})
  if(ARG_EXACT)
    target_link_libraries(${name} PRIVATE ladder_exact)
  endif()
  if(ARG_COLD)
    add_library(${name}_cold OBJECT ${ARG_COLD})
    target_link_libraries(${name}_cold PRIVATE ladder_cold ${ARG_LIBS})
    target_precompile_headers(${name}_cold REUSE_FROM ladder_cold_headers)
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:${name}_cold>)
  endif()
endfunction()
