// launch(): the same call on the GPU and on the CPU model, and the one place that
// knows which of the two it is.
//
// A translation unit that nvcc compiles speaks to the GPU (namespace ladder::on_gpu); any other C++ compiler
// builds the same kernels for the CPU model (namespace ladder::on_cpu). A program may contain both.
#pragma once

#include "shared/device/stream.hpp"

#ifdef __CUDACC__
#define LADDER_SIDE on_gpu
#include "shared/device/cuda_runtime.hpp"
#else
#define LADDER_SIDE on_cpu
#include "shared/device/cpu_runtime.hpp"
#include "shared/simt/thread_model.hpp"
#endif

namespace ladder::LADDER_SIDE {

/// Number of blocks of `size` threads that cover `count` elements; the kernel leaves out what is too many.
inline unsigned blocks_for(std::size_t count, unsigned size) {
  return static_cast<unsigned>((count + size - 1) / size);
}

/// A kernel's name for lists and messages, and how many threads it gets.
struct Launch {
  const char* name;  ///< a string literal
  dim3 grid, block;
};

/// Runs `kernel` once for each thread of the grid. Throws InputError, naming kernel and shape, when the shape
/// is outside CUDA's limits (on the CPU model as well), and the side's own error when the launch fails. An
/// empty grid is no launch: CUDA would refuse it.
template <class... Parameters, class... Arguments>
void launch(Stream& stream, const Launch& shape, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  const auto& [name, grid, block] = shape;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  const std::size_t threads = static_cast<std::size_t>(block.x) * block.y * block.z;
  const bool fits = grid.x <= 2147483647U && grid.y <= 65535U && grid.z <= 65535U && block.z <= 64U &&
                    threads > 0 && threads <= 1024;
  require(fits, "kernel {}: grid ({}, {}, {}) of blocks ({}, {}, {}) is outside CUDA's limits", name, grid.x,
          grid.y, grid.z, block.x, block.y, block.z);
  if (stream.dry) return;
  stream.record(name);
  start(stream, name, grid, block, kernel, arguments...);
}

}  // namespace ladder::LADDER_SIDE
