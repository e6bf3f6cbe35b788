// Rung 1 of the product: a tile of c for each block, its factors fetched through tiles of pointers.
#pragma once

#include "stage3_tiled_kernels/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage3::matmul_01 {

inline constexpr int kRows = 32, kColumns = 32, kInner = 32;
/// What the rows must be a multiple of, in elements.
inline constexpr int kDivisor = 1;

// Computes: c_mn = a_mk b_nk^T, as in a linear layer
// Shapes:   a_mk [M, K], b_nk [N, K] -> c_mn [M, N]
// Map:      block number b owns the TM x TN tile at row b / (N/TN), column b % (N/TN) of c
// Traffic:  reads M N K (1/TM + 1/TN) elements, writes M N
// FLOPs:    2 M N K
// Bound:    the loads: every thread computes addresses and masks, and waits for what it asked for
// Differs from the previous rung: there is none; beside stage 2's product, a block owns a tile and no
//           thread is named
template <class E>
__tile_global__ void matmul_kernel(int m, int n, int k, const E* __restrict__ a_mk,
                                   const E* __restrict__ b_nk, E* __restrict__ c_mn) {
  const int block = ct::bid().x, tile_columns = tiles_for(n, kColumns);
  const int row = block / tile_columns, column = block % tile_columns;
  const auto rows = kRows * row + ct::iota<ct::tile<int, ct::shape<kRows>>>();
  const auto columns = kColumns * column + ct::iota<ct::tile<int, ct::shape<kColumns>>>();
  const auto row_of_a = ct::reshape<ct::shape<kRows, 1>>(rows);
  const auto row_of_b = ct::reshape<ct::shape<kColumns, 1>>(columns);
  auto c = ct::zeros<ct::tile<Wide<E>, ct::shape<kRows, kColumns>>>();
  for (int step : ct::irange(0, tiles_for(k, kInner))) {
    const auto inner = row_of_indices<kInner>(step * kInner);
    const auto a = ct::load_masked(a_mk + (row_of_a * k + inner), row_of_a < m && inner < k, E(0));
    const auto b = ct::load_masked(b_nk + (row_of_b * k + inner), row_of_b < n && inner < k, E(0));
    c = ct::mma(a, ct::transpose(b), c);
  }
  const auto column_of_c = ct::reshape<ct::shape<1, kColumns>>(columns);
  ct::store_masked(c_mn + (row_of_a * n + column_of_c), ct::element_cast<E>(c),
                   row_of_a < m && column_of_c < n);
}

/// One block for each tile of c.
inline tile::Grid matmul_grid(int m, int n) { return blocks_for(m, kRows) * blocks_for(n, kColumns); }

}  // namespace ladder::LADDER_SIDE::stage3::matmul_01
