// A lost rung of the product: rung 7 in clusters of two blocks.
#pragma once

#include "stage3_tiled_kernels/kernels/product.hpp"

namespace ladder::LADDER_SIDE::stage3::matmul_lost_clusters_of_two {

inline constexpr int kRows = 128, kColumns = 256, kInner = 64;
/// What the rows must be a multiple of, in elements.
inline constexpr int kDivisor = 8;

/// Rows of tiles that the blocks go down before they move to the next column.
inline constexpr int kGroup = 8;

// Computes: c_mn = a_mk b_nk^T, as in a linear layer
// Shapes:   a_mk [M, K], b_nk [N, K] -> c_mn [M, N]
// Map:      block number b owns tiles b, b + blocks, b + 2 blocks, ... of c in the grouped order
// Traffic:  reads M N K (1/TM + 1/TN) elements, writes M N
// FLOPs:    2 M N K
// Bound:    waiting: both blocks of a cluster must be ready for every copy that they share
// Differs from the previous rung: beside rung 7, two blocks form a cluster and may share what they fetch
template <class E>
[[using cutile: hint(0, num_worker_warps_per_cta = 8, num_cta_in_cga = 2)]] __tile_global__ void
matmul_kernel(int m, int columns, int inner, const E* __restrict__ a_mk, const E* __restrict__ b_nk,
              E* __restrict__ c_mn) {
  const int n = ct::assume_divisible<kDivisor>(columns), k = ct::assume_divisible<kDivisor>(inner);
  const auto a = matrix<kRows, kInner>(ct::assume_aligned<16>(a_mk), m, k);
  const auto b = matrix<kColumns, kInner>(ct::assume_aligned<16>(b_nk), n, k);
  const auto c_view = matrix<kRows, kColumns>(ct::assume_aligned<16>(c_mn), m, n);
  const int tile_rows = tiles_for(m, kRows), tile_columns = tiles_for(n, kColumns);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int tile : ct::irange(first, tile_rows * tile_columns, blocks)) {
    const auto [row, column] = grouped_block<kGroup>(tile, tile_rows, tile_columns);
    auto c = ct::zeros<ct::tile<Wide<E>, ct::shape<kRows, kColumns>>>();
    for (int step : ct::irange(0, tiles_for(k, kInner)))
      c = ct::mma(a.load_masked(row, step), ct::transpose(b.load_masked(column, step)), c);
    c_view.store_masked(ct::element_cast<E>(c), row, column);
  }
}

/// One block for each multiprocessor, or fewer.
inline tile::Grid matmul_grid(int m, int n) {
  const unsigned tiles = blocks_for(m, kRows) * blocks_for(n, kColumns);
  const auto multiprocessors = static_cast<unsigned>(sm_count());
  return tiles < multiprocessors ? tiles : multiprocessors;
}

}  // namespace ladder::LADDER_SIDE::stage3::matmul_lost_clusters_of_two
