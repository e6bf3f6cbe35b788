# The GPU side: LADDER_CUDA=ON compiles the stages' kernels with nvcc as well. Without it nothing here needs CUDA, and
# the same kernels run on the CPU model only. Included by the top CMakeLists.txt, where a language must be enabled.
option(LADDER_CUDA "Also build the kernels for NVIDIA GPUs (needs nvcc 13.3; CMAKE_CUDA_COMPILER or CUDACXX names it)" OFF)
option(LADDER_PORTABLE "Link the C++ library in, for programs that travel to another machine" OFF)

# A toolkit that cannot compile tile kernels is found out before CMake tries it: there is a CPU model to build instead
# of an error. The option stays ON in the cache, so that a better toolkit is taken up by the next configuration.
if(LADDER_CUDA)
  set(nvcc "${CMAKE_CUDA_COMPILER}")
  if(NOT nvcc)
    set(nvcc "$ENV{CUDACXX}")
  endif()
  if(NOT nvcc)
    find_program(LADDER_NVCC NAMES nvcc PATHS /usr/local/cuda/bin)
    set(nvcc "${LADDER_NVCC}")
  endif()
  execute_process(COMMAND "${nvcc}" --version OUTPUT_VARIABLE nvcc_says RESULT_VARIABLE nvcc_failed ERROR_QUIET)
  set(unusable "")
  if(nvcc_failed OR NOT nvcc_says MATCHES "release ([0-9]+\\.[0-9]+)")
    set(unusable "no nvcc answers")
  elseif(CMAKE_MATCH_1 VERSION_LESS 13.3)
    set(unusable "nvcc ${CMAKE_MATCH_1} is too old")
  endif()
  if(unusable)
    message(NOTICE "-- GPU: skipped, ${unusable} (13.3 or newer is needed; sh shared/scripts/cuda_toolchain.sh gets it): "
            "the kernels of stages 2 and 3 run on their CPU models only")
    set(LADDER_CUDA OFF)
  endif()
else()
  message(STATUS "GPU: skipped (LADDER_CUDA is OFF): the kernels of stages 2 and 3 run on their CPU models only")
endif()

if(LADDER_CUDA)
  # Real code for each, and no PTX: a GPU that is none of these is refused with a clear line, not compiled for at start.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100-real 120-real CACHE STRING "GPU architectures to build for")
  endif()
  enable_language(CUDA)
  message(STATUS "GPU: ${CMAKE_CUDA_COMPILER} ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
endif()

if(LADDER_PORTABLE)
  add_link_options(-static-libstdc++ -static-libgcc)
endif()

# ladder_cuda_options: how every .cu is compiled. The standard is named because CMake 3.25 does not hand it to newer
# nvcc; fmt switches constexpr off under nvcc unless told otherwise, and its headers then contradict themselves.
add_library(ladder_cuda_options INTERFACE)
if(LADDER_CUDA)
  list(JOIN CMAKE_CUDA_ARCHITECTURES " " architectures)
  string(REGEX REPLACE "([0-9]+)(-real|-virtual)?" "sm_\\1" architectures "${architectures}")
  target_compile_options(ladder_cuda_options INTERFACE
    $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>
    $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wshadow>)
  target_compile_definitions(ladder_cuda_options INTERFACE
    $<$<COMPILE_LANGUAGE:CUDA>:FMT_USE_CONSTEXPR=1>
    LADDER_CUDA_ARCHITECTURES="${architectures}")
endif()
