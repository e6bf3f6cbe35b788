// A lost rung of attention: blocks ordered by head.
#pragma once

#include "stage3_tiled_kernels/kernels/attention_tiles.hpp"

namespace ladder::LADDER_SIDE::stage3::attention_lost_heads_first {

inline constexpr int kQueries = 64, kKeys = 64;
/// What the length of a sequence must be a multiple of, in rows, and a row of q, k and v, in bytes.
inline constexpr int kSlotDivisor = 64, kRowDivisor = 16;

template <class E, int Columns>
using Queries = ct::tile<Wide<E>, ct::shape<kQueries, Columns>>;

/// Adds one tile of keys to the running softmax: when it raises the maximum m_q, the sums so far shrink.
template <class E, int D>
__tile__ void add_keys(Queries<E, kKeys> score_qk, ct::tile<E, ct::shape<kKeys, D>> v_kd, Wide<E> scale2,
                       Queries<E, 1>& m_q, Queries<E, 1>& l_q, Queries<E, D>& out_qd) {
  const auto highest = ct::max(m_q, ct::reduce_max<1>(score_qk) * scale2);
  const auto p_qk = power_of_two(score_qk * scale2 - highest);
  const auto shrink = power_of_two(m_q - highest);
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
// Bound:    the tensor cores and exp2, about equally
// Differs from the previous rung: beside rung 10, neighbouring blocks own the same queries of different
//           heads, and share no keys in the cache
template <class E, int D>
[[using cutile: hint(0, occupancy = 4)]] __tile_global__ void attention_kernel(
    int rows, int length, int heads, int row_stride, const E* __restrict__ q_np, const E* __restrict__ k_np,
    const E* __restrict__ v_np, Wide<E> scale, E* __restrict__ out_nc, Wide<E>* __restrict__ lse_hn) {
  using W = Wide<E>;
  const int tile = ct::num_blocks().y - 1 - ct::bid().y, h = ct::bid().x, start = ct::bid().z * length;
  const int stride = ct::assume_divisible<16 / static_cast<int>(sizeof(E))>(row_stride);
  const auto q = matrix<kQueries, D>(ct::assume_aligned<16>(q_np), rows, heads * D, stride);
  const auto k = matrix<kKeys, D>(ct::assume_aligned<16>(k_np), rows, heads * D, stride);
  const auto v = matrix<kKeys, D>(ct::assume_aligned<16>(v_np), rows, heads * D, stride);
  const int query = start / kQueries + tile, key = start / kKeys;
  const auto last = last_visible_key(column_of_indices<kQueries>(tile * kQueries), length, true);
  const auto masked = ct::full<Queries<E, kKeys>>(static_cast<W>(kMaskValue));
  const W scale2 = scale * static_cast<W>(kLog2E);
  const auto q_qd = q.load_masked(query, h);
  auto m_q = ct::full<Queries<E, 1>>(static_cast<W>(kMaskValue));
  auto l_q = ct::zeros<Queries<E, 1>>();
  auto out_qd = ct::zeros<Queries<E, D>>();
  const int whole = tile * kQueries / kKeys, keys = tiles_for((tile + 1) * kQueries, kKeys);
  for (int j : ct::irange(0, whole)) {
    const auto score_qk =
        ct::mma(q_qd, ct::transpose(load_ahead<2>(k, key + j, h)), ct::zeros<Queries<E, kKeys>>());
    add_keys<E, D>(score_qk, load_ahead<5>(v, key + j, h), scale2, m_q, l_q, out_qd);
  }
  for (int j : ct::irange(whole, keys)) {
    const auto product_qk =
        ct::mma(q_qd, ct::transpose(load_ahead<2>(k, key + j, h)), ct::zeros<Queries<E, kKeys>>());
    const auto visible = row_of_indices<kKeys>(j * kKeys) <= last;
    const auto score_qk = ct::select(visible, product_qk, masked);
    add_keys<E, D>(score_qk, load_ahead<5>(v, key + j, h), scale2, m_q, l_q, out_qd);
  }
  const auto out = out_qd * (W(1) / l_q);
  const auto lse = (m_q + ct::log2(l_q)) * static_cast<W>(kLn2);
  matrix<kQueries, D>(ct::assume_aligned<16>(out_nc), rows, heads * D, heads * D)
      .store_masked(ct::element_cast<E>(out), query, h);
  vector<kQueries>(lse_hn, heads * rows)
      .store_masked(ct::reshape<ct::shape<kQueries>>(lse), (h * rows + start) / kQueries + tile);
}

/// One block for each head, tile of queries and sequence: the heads first.
inline tile::Grid attention_grid(int length, int heads, int batch) {
  return {heads, blocks_for(length, kQueries), batch};
}

}  // namespace ladder::LADDER_SIDE::stage3::attention_lost_heads_first
