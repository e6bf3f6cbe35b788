// CUDA's thread model on the CPU: what a kernel without barriers needs, in one sitting.
//
// A kernel is a function that runs once for each thread of a grid of blocks and reads who it is from blockIdx
// and threadIdx. Here those are thread_local variables, and a launch is three nested loops around a call:
//
//   for each block of the grid        (spread over the cores; every block is run by one core)
//     for each thread of the block    (one at a time, x fastest, then y, then z)
//       threadIdx = ...; kernel(arguments...)
//
// So a breakpoint in a kernel stops in one thread, and `step` goes on in that thread. What is left out
// refuses to compile: __shared__ is not defined, __syncthreads() is deleted, because threads that run one
// after the other cannot wait for each other.
#pragma once

#include <math.h>  // exp, log, sqrt for float and double in the global namespace, as CUDA has them

#include <cstddef>
#include <exception>
#include <functional>
#include <string>

#include "shared/base/error.hpp"
#include "shared/device/stream.hpp"
#include "shared/device/worker_pool.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): CUDA's names
#define __global__
#define __device__
#define __host__
// NOLINTEND(bugprone-reserved-identifier)

/// In front of a loop: asks the GPU's compiler to have eight loads under way at a time.
/// A CPU does that by itself.
#define LADDER_UNROLL_8

namespace ladder::on_cpu {

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};

/// CUDA's dim3: sizes that are left out are 1.
struct dim3 {  // NOLINT(readability-identifier-naming)
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned size_x = 1, unsigned size_y = 1, unsigned size_z = 1)
      : x(size_x), y(size_y), z(size_z) {}
  constexpr std::size_t count() const { return static_cast<std::size_t>(x) * y * z; }
};

// NOLINTBEGIN(readability-identifier-naming): CUDA's names
inline thread_local constinit dim3 gridDim{}, blockDim{};
inline thread_local constinit Index3 blockIdx{}, threadIdx{};
// NOLINTEND(readability-identifier-naming)

/// Threads of a block run one after the other here, so none can wait for another: kernels that need a barrier
/// do not compile for the CPU model.
void __syncthreads() = delete;

/// A kernel threw: says which kernel, which block and which thread.
struct KernelError : CheckError {
  using CheckError::CheckError;
};

/// Runs blocks begin..end-1 of the grid, numbered x fastest; `call` runs the kernel for one thread.
template <class Call>
void run_blocks(const char* name, dim3 grid, dim3 block, std::size_t begin, std::size_t end,
                const Call& call) {
  gridDim = grid;
  blockDim = block;
  try {
    for (std::size_t index = begin; index < end; ++index) {
      blockIdx = {static_cast<unsigned>(index % grid.x), static_cast<unsigned>(index / grid.x % grid.y),
                  static_cast<unsigned>(index / grid.x / grid.y)};
      for (threadIdx.z = 0; threadIdx.z < block.z; ++threadIdx.z)
        for (threadIdx.y = 0; threadIdx.y < block.y; ++threadIdx.y)
          for (threadIdx.x = 0; threadIdx.x < block.x; ++threadIdx.x) call();
    }
  } catch (const std::exception& error) {
    throw KernelError(fmt::format("kernel {}, block ({}, {}, {}), thread ({}, {}, {}): {}", name, blockIdx.x,
                                  blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z,
                                  error.what()));
  }
}

/// Fewer threads than this are not worth waking other cores for.
inline constexpr std::size_t kSerialThreads = 4096;

template <class... Parameters, class... Arguments>
void start(Stream& stream, const char* name, dim3 grid, dim3 block, void (*kernel)(Parameters...),
           const Arguments&... arguments) {
  const auto call = [&] { kernel(static_cast<Parameters>(arguments)...); };
  const auto some = [&](std::size_t begin, std::size_t end) {
    run_blocks(name, grid, block, begin, end, call);
  };
  if (stream.workers == nullptr || grid.count() * block.count() < kSerialThreads)
    some(0, grid.count());
  else
    stream.workers->parallel(grid.count(), std::ref(some));  // by reference: no copy, no allocation
}

}  // namespace ladder::on_cpu
