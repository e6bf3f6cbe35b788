// Rung 1 of attention: two walks along the keys, the first for the maximum of each query.
#pragma once

#include "stage3_tiled_kernels/kernels/attention_tiles.hpp"

namespace ladder::LADDER_SIDE::stage3::attention_01 {

inline constexpr int kQueries = 64, kKeys = 64;
/// What the length of a sequence must be a multiple of, in rows, and a row of q, k and v, in bytes.
inline constexpr int kSlotDivisor = 1, kRowDivisor = 1;

template <class E, int Columns>
using Queries = ct::tile<Wide<E>, ct::shape<kQueries, Columns>>;

// Computes: out[t, h] = sum_s softmax_s(scale q[t, h] . k[s, h]) v[s, h] over s <= t,
//           lse_hn = log sum_s exp(score)
// Shapes:   q, k and v [N, H, D] in rows of P -> out_nc [N, H, D], lse_hn [H, N]; sequences of T rows
// Map:      one block owns 64 queries of one head of one sequence and walks twice along all keys
// Traffic:  reads q once, k twice and v once for every 64 queries; writes out and lse
// FLOPs:    4 D a pair of a query and a key that it sees
// Bound:    the loads: every thread copies and masks for itself, and waits for what it asked for
// Differs from the previous rung: there is none; beside stage 2's attention, the scores of a tile stay in
//           registers and no score is in memory
template <class E, int D>
__tile_global__ void attention_kernel(int rows, int length, int heads, int row_stride,
                                      const E* __restrict__ q_np, const E* __restrict__ k_np,
                                      const E* __restrict__ v_np, Wide<E> scale, E* __restrict__ out_nc,
                                      Wide<E>* __restrict__ lse_hn) {
  using W = Wide<E>;
  const int tile = ct::bid().x, h = ct::bid().y, start = ct::bid().z * length;
  const std::int64_t first = static_cast<std::int64_t>(start) * row_stride + h * D;
  const auto q = matrix<kQueries, D>(q_np + first, length, D, row_stride);
  const auto k = matrix<kKeys, D>(k_np + first, length, D, row_stride);
  const auto v = matrix<kKeys, D>(v_np + first, length, D, row_stride);
  const auto last = last_visible_key(column_of_indices<kQueries>(tile * kQueries), length, true);
  const auto masked = ct::full<Queries<E, kKeys>>(static_cast<W>(kMaskValue));
  const auto q_qd = q.load_masked(tile, 0);
  auto m_q = ct::full<Queries<E, 1>>(static_cast<W>(kMaskValue));
  auto l_q = ct::zeros<Queries<E, 1>>();
  auto out_qd = ct::zeros<Queries<E, D>>();
  for (int j : ct::irange(0, tiles_for(length, kKeys))) {
    const auto product_qk =
        ct::mma(q_qd, ct::transpose(k.load_masked(j, 0)), ct::zeros<Queries<E, kKeys>>()) * scale;
    const auto visible = row_of_indices<kKeys>(j * kKeys) <= last;
    const auto score_qk = ct::select(visible, product_qk, masked);
    m_q = ct::max(m_q, ct::reduce_max<1>(score_qk));
  }
  for (int j : ct::irange(0, tiles_for(length, kKeys))) {
    const auto product_qk =
        ct::mma(q_qd, ct::transpose(k.load_masked(j, 0)), ct::zeros<Queries<E, kKeys>>()) * scale;
    const auto visible = row_of_indices<kKeys>(j * kKeys) <= last;
    const auto score_qk = ct::select(visible, product_qk, masked);
    const auto p_qk = ct::exp(score_qk - m_q);
    l_q = l_q + ct::sum<1>(p_qk);
    out_qd = ct::mma(ct::element_cast<E>(p_qk), v.load_masked(j, 0), out_qd);
  }
  const auto out = out_qd / l_q;
  const auto lse = m_q + ct::log(l_q);
  const std::int64_t out_first = (static_cast<std::int64_t>(start) * heads + h) * D;
  matrix<kQueries, D>(out_nc + out_first, length, D, heads * D)
      .store_masked(ct::element_cast<E>(out), tile, 0);
  vector<kQueries>(lse_hn + static_cast<std::int64_t>(h) * rows + start, length)
      .store_masked(ct::reshape<ct::shape<kQueries>>(lse), tile);
}

/// One block for each tile of queries, head and sequence.
inline tile::Grid attention_grid(int length, int heads, int batch) {
  return {blocks_for(length, kQueries), heads, batch};
}

}  // namespace ladder::LADDER_SIDE::stage3::attention_01
