// Rung 4 of the product: promises that let the bulk copy engine fetch whole tiles.
#pragma once

#include "stage3_tiled_kernels/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage3::matmul_04 {

inline constexpr int kRows = 128, kColumns = 128, kInner = 64;
/// What the rows must be a multiple of, in elements.
inline constexpr int kDivisor = 8;

// Computes: c_mn = a_mk b_nk^T, as in a linear layer
// Shapes:   a_mk [M, K], b_nk [N, K] -> c_mn [M, N]
// Map:      block number b owns the TM x TN tile at row b / (N/TN), column b % (N/TN) of c
// Traffic:  reads M N K (1/TM + 1/TN) elements, writes M N
// FLOPs:    2 M N K
// Bound:    the tensor cores, as long as the L2 cache keeps up
// Differs from the previous rung: rows are promised to be multiples of 16 bytes and to begin at one: the
//           engine copies a tile into shared memory while the tensor cores work, and no thread waits for it
template <class E>
__tile_global__ void matmul_kernel(int m, int columns, int inner, const E* __restrict__ a_mk,
                                   const E* __restrict__ b_nk, E* __restrict__ c_mn) {
  const int n = ct::assume_divisible<kDivisor>(columns), k = ct::assume_divisible<kDivisor>(inner);
  const int block = ct::bid().x, tile_columns = tiles_for(n, kColumns);
  const int row = block / tile_columns, column = block % tile_columns;
  const auto a = matrix<kRows, kInner>(ct::assume_aligned<16>(a_mk), m, k);
  const auto b = matrix<kColumns, kInner>(ct::assume_aligned<16>(b_nk), n, k);
  auto c = ct::zeros<ct::tile<Wide<E>, ct::shape<kRows, kColumns>>>();
  for (int step : ct::irange(0, tiles_for(k, kInner)))
    c = ct::mma(a.load_masked(row, step), ct::transpose(b.load_masked(column, step)), c);
  matrix<kRows, kColumns>(ct::assume_aligned<16>(c_mn), m, n)
      .store_masked(ct::element_cast<E>(c), row, column);
}

/// One block for each tile of c.
inline tile::Grid matmul_grid(int m, int n) { return blocks_for(m, kRows) * blocks_for(n, kColumns); }

}  // namespace ladder::LADDER_SIDE::stage3::matmul_04
