// Rung 3 of attention: the walk ends at the diagonal.
#pragma once

#include "stage3_tiled_kernels/kernels/attention_tiles.hpp"

namespace ladder::LADDER_SIDE::stage3::attention_03 {

inline constexpr int kQueries = 64, kKeys = 64;
/// What the length of a sequence must be a multiple of, in rows, and a row of q, k and v, in bytes.
inline constexpr int kSlotDivisor = 1, kRowDivisor = 1;

template <class E, int Columns>
using Queries = ct::tile<Wide<E>, ct::shape<kQueries, Columns>>;

/// Adds one tile of keys to the running softmax: when it raises the maximum m_q, the sums so far shrink.
template <class E, int D>
__tile__ void add_keys(Queries<E, kKeys> score_qk, ct::tile<E, ct::shape<kKeys, D>> v_kd, Queries<E, 1>& m_q,
                       Queries<E, 1>& l_q, Queries<E, D>& out_qd) {
  const auto highest = ct::max(m_q, ct::reduce_max<1>(score_qk));
  const auto p_qk = ct::exp(score_qk - highest);
  const auto shrink = ct::exp(m_q - highest);
  l_q = l_q * shrink + ct::sum<1>(p_qk);
  out_qd = ct::mma(ct::element_cast<E>(p_qk), v_kd, out_qd * shrink);
  m_q = highest;
}

// Computes: out[t, h] = sum_s softmax_s(scale q[t, h] . k[s, h]) v[s, h] over s <= t,
//           lse_hn = log sum_s exp(score)
// Shapes:   q, k and v [N, H, D] in rows of P -> out_nc [N, H, D], lse_hn [H, N]; sequences of T rows
// Map:      one block owns 64 queries of one head of one sequence and walks along the keys up to the diagonal
// Traffic:  reads q once, and for every 64 queries k and v up to the diagonal; writes out and lse
// FLOPs:    4 D a pair of a query and a key that it sees
// Bound:    the loads, as before
// Differs from the previous rung: tiles of keys behind the last query, which the mask would have emptied,
//           are not visited: half of them
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
  const int keys = tiles_for((tile + 1) * kQueries, kKeys);
  for (int j : ct::irange(0, keys)) {
    const auto product_qk =
        ct::mma(q_qd, ct::transpose(k.load_masked(j, 0)), ct::zeros<Queries<E, kKeys>>()) * scale;
    const auto visible = row_of_indices<kKeys>(j * kKeys) <= last;
    const auto score_qk = ct::select(visible, product_qk, masked);
    add_keys<E, D>(score_qk, v.load_masked(j, 0), m_q, l_q, out_qd);
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

}  // namespace ladder::LADDER_SIDE::stage3::attention_03
