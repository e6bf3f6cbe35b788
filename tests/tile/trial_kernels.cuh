// Three kernels in real CUDA Tile C++, whole and small: the same text for nvcc, for NVIDIA's header read by
// g++, and for the CPU model.
#pragma once

#include "shared/tile/launch.hpp"

namespace ladder::LADDER_SIDE {

namespace ct = cuda::tiles;
using namespace ct::literals;

/// y = x / sqrt(mean(x^2) + 1e-5), one block for `RowsPerTile` rows of `columns` <= Columns elements.
template <class T, int RowsPerTile, int Columns>
__tile_global__ void trial_rmsnorm(const T* __restrict__ x_, T* __restrict__ y_, int rows, int columns) {
  auto x = ct::assume_aligned<16>(x_);
  auto y = ct::assume_aligned<16>(y_);
  using TileShape = ct::shape<RowsPerTile, Columns>;
  auto x_view = ct::partition_view{ct::tensor_span{x, ct::extents{rows, columns}}, TileShape{}};
  auto y_view = ct::partition_view{ct::tensor_span{y, ct::extents{rows, columns}}, TileShape{}};
  const int row = static_cast<int>(ct::bid().x);
  auto values = ct::element_cast<float>(x_view.load_masked(row, 0));
  auto mean = ct::sum<1>(values * values) / static_cast<float>(columns);
  auto scale = ct::rsqrt(mean + 1e-5F);
  y_view.store_masked(ct::element_cast<T>(values * scale), row, 0);
}

/// c_mn = a_mk b_nk^T for any m and n; k a multiple of 8, so that rows start at 16-byte boundaries.
template <class T, class Acc, int TM, int TN, int TK>
[[using cutile: hint(900, num_worker_warps_per_cta = 4)]] __tile_global__ void trial_matmul_nt(
    const T* __restrict__ a_, const T* __restrict__ b_, Acc* __restrict__ c_, int m, int n, int k_) {
  auto a = ct::assume_aligned<16>(a_);
  auto b = ct::assume_aligned<16>(b_);
  auto c = ct::assume_aligned<16>(c_);
  const int k = ct::assume_divisible<8>(k_);
  auto a_view = ct::partition_view{ct::tensor_span{a, ct::extents{m, k}}, ct::shape<TM, TK>{}};
  auto b_view = ct::partition_view{ct::tensor_span{b, ct::extents{n, k}}, ct::shape<TN, TK>{}};
  auto c_view = ct::partition_view{ct::tensor_span{c, ct::extents{m, n}}, ct::shape<TM, TN>{}};
  const auto [tile_n, tile_m, unused] = ct::bid();
  (void)unused;
  auto acc = ct::zeros<ct::tile<Acc, ct::shape<TM, TN>>>();
  const int steps = (k + TK - 1) / TK;
  for (int step : ct::irange(0, steps)) {
    auto a_tile = a_view.load_masked(tile_m, step);
    auto b_tile = b_view.load_masked(tile_n, step);
    acc = ct::mma(a_tile, ct::transpose(b_tile), acc);
  }
  c_view.store_masked(acc, tile_m, tile_n);
}

/// out = softmax(q k^T / sqrt(D)) v for one head, causal, by online softmax in base 2. One block for TQ queries.
/// q, k, v and out are (length, D), dense; lse is the natural logarithm of each row's sum of exponentials.
template <class T, int D, int TQ, int TK>
__tile_global__ void trial_attention(const T* __restrict__ q_, const T* __restrict__ k_,
                                     const T* __restrict__ v_, T* __restrict__ out_, float* __restrict__ lse_,
                                     int length, float scale) {
  using Rows = ct::shape<TQ, 1>;
  using Scores = ct::shape<TQ, TK>;
  auto extents = ct::extents{length, ct::integral_constant<D>{}};
  auto q_view = ct::partition_view{ct::tensor_span{ct::assume_aligned<16>(q_), extents}, ct::shape<TQ, D>{}};
  auto k_view = ct::partition_view{ct::tensor_span{ct::assume_aligned<16>(k_), extents}, ct::shape<TK, D>{}};
  auto v_view = ct::partition_view{ct::tensor_span{ct::assume_aligned<16>(v_), extents}, ct::shape<TK, D>{}};
  auto out_view =
      ct::partition_view{ct::tensor_span{ct::assume_aligned<16>(out_), extents}, ct::shape<TQ, D>{}};
  const int block = static_cast<int>(ct::bid().x);
  const float scale_log2 = scale * 1.44269504F;

  auto q = q_view.load_masked(block, 0);
  auto acc = ct::zeros<ct::tile<float, ct::shape<TQ, D>>>();
  auto row_max = ct::full<ct::tile<float, Rows>>(-1e20F);
  auto row_sum = ct::zeros<ct::tile<float, Rows>>();
  auto query = ct::reshape<Rows>(ct::iota<ct::tile<int, ct::shape<TQ>>>()) + block * TQ;
  auto key_in_tile = ct::reshape<ct::shape<1, TK>>(ct::iota<ct::tile<int, ct::shape<TK>>>());

  const int last_query = block * TQ + TQ < length ? block * TQ + TQ : length;
  const int tiles = (last_query + TK - 1) / TK;  // keys after the last query of the block are masked anyway
  for (int j : ct::irange(0, tiles)) {
    auto k = k_view.load_masked(j, 0);
    auto scores = ct::mma(q, ct::transpose(k), ct::zeros<ct::tile<float, Scores>>()) * scale_log2;
    auto key = key_in_tile + j * TK;
    scores = ct::select(key <= query && key < length, scores, ct::full<ct::tile<float, Scores>>(-1e20F));
    auto new_max = ct::max(row_max, ct::reduce_max<1>(scores));
    auto rescale = ct::exp2(row_max - new_max);
    auto p = ct::exp2(scores - new_max);
    row_sum = row_sum * rescale + ct::sum<1>(p);
    acc = ct::mma(ct::element_cast<T>(p), v_view.load_masked(j, 0), acc * rescale);
    row_max = new_max;
  }
  out_view.store_masked(ct::element_cast<T>(acc / row_sum), block, 0);
  auto lse = (row_max + ct::log2(row_sum)) * 0.693147181F;
  ct::store_masked(lse_ + query, lse, query < length);
}

}  // namespace ladder::LADDER_SIDE
