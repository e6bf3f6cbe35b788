// What a file of tile kernels includes, and all it includes: the tile vocabulary and launch(). The one place that knows
// whether nvcc compiles the kernels for a GPU or another compiler builds them for the CPU model.
//
//   #include "shared/tile/launch.hpp"
//   namespace ladder::LADDER_SIDE {           // a program may hold both sides
//   namespace ct = cuda::tiles;
//   __tile_global__ void twice(float* x, int n) { ... }
//   }
//   launch(twice, {"twice", blocks}, x, n);            // on the default stream, or on the model's own threads
//   launch(stream, twice, {"twice", blocks}, x, n);    // on a Stream, which notes the kernel's name
//
// With LADDER_TILE_REAL_HEADER a host compiler reads the kernels with NVIDIA's header: a check of the text, no program.
#pragma once

#include <type_traits>

#include "shared/base/error.hpp"
#include "shared/device/stream.hpp"
#include "shared/tile/grid.hpp"

#if defined(__CUDACC__) || defined(LADDER_TILE_REAL_HEADER)
#ifndef LADDER_SIDE
#define LADDER_SIDE on_gpu
#endif
#include <cuda_runtime_api.h>

// The element types too: the tile header only declares them.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_tf32.h>
#include <cuda_tile.h>
#else
#ifndef LADDER_SIDE
#define LADDER_SIDE on_cpu
#endif
#include "shared/tile/model.hpp"
#endif

namespace ladder::LADDER_SIDE {

#if defined(__CUDACC__) || defined(LADDER_TILE_REAL_HEADER)

namespace detail {
inline void check_launch(const char* name, cudaError_t code) {
  if (code != cudaSuccess) throw MachineError(fmt::format("kernel {}: {}", name, cudaGetErrorString(code)));
}

template <class... Parameters>
void start([[maybe_unused]] Stream* stream, const tile::Launch& where,
           [[maybe_unused]] void (*kernel)(Parameters...), [[maybe_unused]] Parameters... arguments) {
#ifdef __CUDACC__
  const dim3 grid(where.grid.x, where.grid.y, where.grid.z);
  const auto handle = static_cast<cudaStream_t>(stream == nullptr ? nullptr : stream->handle);
  kernel<<<grid, 1, 0, handle>>>(arguments...);
#endif
  check_launch(where.name, cudaGetLastError());
}
}  // namespace detail

/// Multiprocessors of the current device: what a persistent grid is sized by.
inline int sm_count() {
  int device = 0, count = 0;
  detail::check_launch("sm_count", cudaGetDevice(&device));
  detail::check_launch("sm_count", cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
  return count;
}

#else

namespace detail {
template <class... Parameters>
void start(Stream* stream, const tile::Launch& where, void (*kernel)(Parameters...),
           Parameters... arguments) {
  tile::run_grid(where, stream == nullptr ? tile::shared_workers() : stream->workers,
                 [&] { kernel(arguments...); });
}
}  // namespace detail

/// Multiprocessors that the CPU model claims to have.
inline int sm_count() { return tile::options().sm_count; }

#endif

/// Runs `kernel` as one tile program for each block of the grid. Throws InputError for a grid outside CUDA's limits (on
/// both sides), Fault for what checked mode finds, MachineError when the GPU refuses. An empty grid is no launch.
template <class... Parameters>
void launch(Stream& stream, void (*kernel)(Parameters...), const tile::Launch& where,
            std::type_identity_t<Parameters>... arguments) {
  const tile::Grid& grid = where.grid;
  if (grid.count() == 0) return;
  require(grid.x <= 2147483647U && grid.y <= 65535U && grid.z <= 65535U,
          "kernel {}: grid ({}, {}, {}) is outside CUDA's limits", where.name, grid.x, grid.y, grid.z);
  if (stream.dry) return;
  stream.record(where.name, where.hints);
  detail::start<Parameters...>(&stream, where, kernel, arguments...);
}

/// The same without a stream.
template <class... Parameters>
void launch(void (*kernel)(Parameters...), const tile::Launch& where,
            std::type_identity_t<Parameters>... arguments) {
  if (where.grid.count() == 0) return;
  require(where.grid.y <= 65535U && where.grid.z <= 65535U,
          "kernel {}: grid ({}, {}, {}) is outside CUDA's limits", where.name, where.grid.x, where.grid.y,
          where.grid.z);
  detail::start<Parameters...>(nullptr, where, kernel, arguments...);
}

}  // namespace ladder::LADDER_SIDE
