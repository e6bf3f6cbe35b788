// What every launcher needs: the element type behind a Dtype, and the sizes of blocks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shared/model/cost.hpp"
#include "shared/model/ops.hpp"
#include "shared/simt/launch.hpp"

namespace ladder::LADDER_SIDE::stage2 {

/// Calls body(T{}) with T the type that `dtype` is stored as. fp32 is the stage's type; fp64 shows that an
/// algorithm is right where fp32 only shows that it is right up to rounding.
template <class Body>
void with_element_type(Dtype dtype, Body&& body) {
  require(dtype == Dtype::fp32 || dtype == Dtype::fp64, "stage 2 computes in fp32 or fp64, not in {}",
          name_of(dtype));
  if (dtype == Dtype::fp64)
    body(double{});
  else
    body(float{});
}

/// Threads of a block where elements form a line.
inline constexpr unsigned kLine = 256;

/// Threads of a block where elements form a matrix: 32 neighbours along a row (one warp, one 128-byte line of
/// floats), by 8 rows.
inline constexpr unsigned kAcross = 32, kDown = 8;

/// One thread for each of `count` elements.
inline Launch line(const char* name, std::size_t count) {
  return {name, dim3(blocks_for(count, kLine)), dim3(kLine)};
}

/// One thread for each element of `depth` matrices of rows x columns.
inline Launch plane(const char* name, int rows, int columns, int depth = 1) {
  return {name,
          dim3(blocks_for(static_cast<std::size_t>(columns), kAcross),
               blocks_for(static_cast<std::size_t>(rows), kDown), static_cast<unsigned>(depth)),
          dim3(kAcross, kDown)};
}

// Who am I? The element that the calling thread owns.
__device__ inline std::size_t line_index() {
  return static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline int column_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }
__device__ inline int row_index() { return static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y); }

/// False for NaN and both infinities.
template <class T>
__host__ __device__ bool is_finite(T x) {
  return x - x == T(0);
}

/// Element [row, column] of a matrix whose rows are `stride` elements apart.
__host__ __device__ inline std::size_t at(int row, int column, int stride) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(stride) + static_cast<std::size_t>(column);
}

}  // namespace ladder::LADDER_SIDE::stage2
