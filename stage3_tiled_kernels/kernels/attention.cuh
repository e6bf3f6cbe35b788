// Attention without a matrix of scores: FMHA, forward and backward.
//
// The scores of one tile of queries against one tile of keys live in registers and are gone before the next
// tile. What makes that possible is the online softmax: a running maximum m and a running sum l of
// exponentials, and whenever a tile of keys raises m, what was summed so far shrinks by exp(m_old - m_new).
// The backward pass makes the scores again from q and k, and the probabilities from the saved log-sum-exp: no
// running maximum is needed there.
//
// Exponentials are powers of two, the hardware's own: exp(x) = 2^(x log2 e). log2 e and
// 1/sqrt(D) are one factor, which goes into the argument of exp2 (scale2); m and l are in these
// units, the saved log-sum-exp is not.
//
// Keep (attention_tiles.hpp) is where stage 4 drops weights; here it keeps them all, and nothing of it is compiled.
#pragma once

#include "stage3_tiled_kernels/kernels/attention_tiles.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// Adds one tile of keys to the running softmax of a tile of queries. Masked scores are -infinity, which exp2 turns
/// into 0 however low the real ones are: m is one of them from tile 0 on, which shows key 0 to every query.
template <class E, int TQ, int TK, int D, class Kept>
__tile__ void online_softmax(ct::tile<Wide<E>, ct::shape<TQ, TK>> score_qk,
                             ct::tile<Stored<E>, ct::shape<TK, D>> v_kd, Wide<E> scale2, Kept kept,
                             ct::tile<Wide<E>, ct::shape<TQ, 1>>& m_q,
                             ct::tile<Wide<E>, ct::shape<TQ, 1>>& l_q,
                             ct::tile<Wide<E>, ct::shape<TQ, D>>& out_qd) {
  const auto highest = ct::max(m_q, ct::reduce_max<1>(score_qk) * scale2);
  const auto p_qk = power_of_two(score_qk * scale2 - highest);
  const auto shrink = power_of_two(m_q - highest);
  l_q = l_q * shrink + ct::sum<1>(p_qk);
  out_qd =
      ct::mma(ct::element_cast<Operand<E>>(kept(p_qk)), ct::element_cast<Operand<E>>(v_kd), out_qd * shrink);
  m_q = highest;
}

// Computes: out[t, h] = sum_s softmax_s(q[t, h] . k[s, kv(h)] / sqrt(D)) v[s, kv(h)],
//           lse_hn = log sum_s exp(score)
// Shapes:   q [N, H, D], k and v [N, K, D] in rows of P -> out_nc [N, H, D], lse_hn [H, N]; k and v have first_key rows
//           more in front, seen by all queries, when text is generated
// Map:      one block owns TQ queries of one head of one sequence and walks along its keys, up to the
//           diagonal when causal; the longest walks start first. Keys that all its queries see are not masked
// Traffic:  reads q once and k, v once for every TQ queries; writes out and lse
// FLOPs:    4 D a pair of a query and a key that it sees
// Bound:    the tensor cores and exp2, about equally
// Differs from the previous rung: nothing of size N x T is in memory, and one launch does it all. Causal: compiled for
//           it, which spares heads of 64 4% of the time; otherwise `causal` says whether it is
template <class E, table::AttentionTiles S, int D, bool Bulk, bool Causal, class Keep = KeepAll,
          class... KeepArguments>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
attention_forward_kernel(int batch, int rows, int slot_rows, int first_key, int heads, int kv_heads,
                         int group_inverse, int head_dim, bool causal, int row_stride,
                         const std::int32_t* __restrict__ starts_b,
                         const std::int32_t* __restrict__ lengths_b, const Stored<E>* __restrict__ q_np,
                         const Stored<E>* __restrict__ k_np, const Stored<E>* __restrict__ v_np,
                         Wide<E> scale2, Stored<E>* __restrict__ out_nc, Wide<E>* __restrict__ lse_hn,
                         KeepArguments... keep_arguments) {
  constexpr int TQ = S.queries, TK = S.keys;
  const bool is_causal = Causal || causal;
  using W = Wide<E>;
  using Scores = ct::tile<W, ct::shape<TQ, TK>>;
  const int b = ct::bid().z, h = ct::bid().y, kv = key_value_head(h, group_inverse);
  const int tile = ct::num_blocks().x - 1 - ct::bid().x;
  const auto [start, length, slot] = rows_of<Bulk>(b, batch, rows, slot_rows, starts_b, lengths_b);
  if constexpr (!Bulk)
    if (tile * TQ >= slot) return;

  const auto q = head_tiles<TQ, D, Bulk>(q_np, rows, heads, row_stride, start, length, h, head_dim);
  const int before = Bulk ? 0 : first_key, known = before + length;  // keys of earlier calls; all there are
  const auto k = head_tiles<TK, D, Bulk>(k_np, rows, kv_heads, row_stride, start, known, kv, head_dim);
  const auto v = head_tiles<TK, D, Bulk>(v_np, rows, kv_heads, row_stride, start, known, kv, head_dim);
  const int query = first_tile<TQ, Bulk>(start) + tile, key = first_tile<TK, Bulk>(start);
  const int q_column = head_column<Bulk>(h), kv_column = head_column<Bulk>(kv);
  const KeyTiles keys = visible_keys<TQ, TK>(before + tile * TQ, known, is_causal);
  const auto t = column_of_indices<TQ>(before + tile * TQ);
  const auto last = last_visible_key(t, known, is_causal);
  const auto masked = ct::full<Scores>(kBelowAll<W>);

  const Keep keep = Keep::in_sequence(b, keep_arguments...);
  auto m_q = ct::full<ct::tile<W, ct::shape<TQ, 1>>>(kBelowAll<W>);
  auto l_q = ct::zeros<ct::tile<W, ct::shape<TQ, 1>>>();
  auto out_qd = ct::zeros<ct::tile<W, ct::shape<TQ, D>>>();
  const auto q_qd = ct::element_cast<Operand<E>>(q.load_masked(query, q_column));
  for (int j : ct::irange(0, keys.whole)) {
    const auto k_kd = load_ahead<S.key_latency>(k, key + j, kv_column);
    const auto score_qk =
        ct::mma(q_qd, ct::transpose(ct::element_cast<Operand<E>>(k_kd)), ct::zeros<Scores>());
    const auto v_kd = load_ahead<S.value_latency>(v, key + j, kv_column);
    const auto kept = keep.template by_query<TQ, TK>(h, before + tile * TQ, j * TK);
    online_softmax<E, TQ, TK, D>(score_qk, v_kd, scale2, kept, m_q, l_q, out_qd);
  }
  for (int j : ct::irange(keys.whole, keys.all)) {
    const auto k_kd = load_ahead<S.key_latency>(k, key + j, kv_column);
    const auto product_qk =
        ct::mma(q_qd, ct::transpose(ct::element_cast<Operand<E>>(k_kd)), ct::zeros<Scores>());
    // after the product: predicates need registers too
    const auto visible = row_of_indices<TK>(j * TK) <= last;
    const auto score_qk = ct::select(visible, product_qk, masked);
    const auto v_kd = load_ahead<S.value_latency>(v, key + j, kv_column);
    const auto kept = keep.template by_query<TQ, TK>(h, before + tile * TQ, j * TK);
    online_softmax<E, TQ, TK, D>(score_qk, v_kd, scale2, kept, m_q, l_q, out_qd);
  }

  // Rows behind the sequence's end have seen no key of their own: zeros, and the log-sum-exp of nothing.
  const auto inside = t < known;
  const auto sum = inside_or<Bulk>(inside && l_q > W(0), l_q, ct::ones<ct::tile<W, ct::shape<TQ, 1>>>());
  const auto out = inside_or<Bulk>(inside, out_qd * (W(1) / sum), ct::zeros<ct::tile<W, ct::shape<TQ, D>>>());
  const auto lse = inside_or<Bulk>(inside, (m_q + ct::log2(sum)) * static_cast<W>(kLn2),
                                   ct::full<ct::tile<W, ct::shape<TQ, 1>>>(static_cast<W>(kMaskValue)));
  head_tiles<TQ, D, Bulk>(out_nc, rows, heads, heads * head_dim, start, slot, h, head_dim)
      .store_masked(ct::element_cast<Stored<E>>(out), query, q_column);
  statistic_tiles<TQ, Bulk>(lse_hn, rows, heads, start, slot, h)
      .store_masked(ct::reshape<ct::shape<TQ>>(lse), first_tile<TQ, Bulk>(h * rows + start) + tile);
}

// ---- backward ---------------------------------------------------------------------------------------------
//
// out[t] = sum_s p[t, s] v[s], so dp[t, s] = dout[t] . v[s] and dv[s] = sum_t p[t, s] dout[t].
// p = softmax(score), so dscore = p (dp - sum_s p dp), and the sum is delta[t] = dout[t] . out[t].
// score[t, s] = scale q[t] . k[s], so dq[t] = scale sum_s dscore k[s] and dk[s] = scale sum_t dscore q[t].
// dq is a sum over keys, dk and dv are sums over queries: two kernels, each owning its sums, and no atomics. The one
// that owns queries runs first: it makes delta, and the log-sum-exp times log2(e), for the other.

/// Adds one tile of queries to the sums dk and dv of a tile of keys.
template <class E, int TQ, int TK, int D, class Kept>
__tile__ void add_query_tile(ct::tile<Wide<E>, ct::shape<TK, TQ>> p_kq,
                             ct::tile<Operand<E>, ct::shape<TK, D>> v_kd,
                             ct::tile<Operand<E>, ct::shape<TQ, D>> q_qd,
                             ct::tile<Operand<E>, ct::shape<TQ, D>> dout_qd,
                             ct::tile<Wide<E>, ct::shape<1, TQ>> delta_q, Kept kept,
                             ct::tile<Wide<E>, ct::shape<TK, D>>& dk_kd,
                             ct::tile<Wide<E>, ct::shape<TK, D>>& dv_kd) {
  using Scores = ct::tile<Wide<E>, ct::shape<TK, TQ>>;
  dv_kd = ct::mma(ct::element_cast<Operand<E>>(kept(p_kq)), dout_qd, dv_kd);
  const auto dp_kq = ct::mma(v_kd, ct::transpose(dout_qd), ct::zeros<Scores>());
  dk_kd = ct::mma(ct::element_cast<Operand<E>>(p_kq * (kept(dp_kq) - delta_q)), q_qd, dk_kd);
}

// Computes: dk[s] = scale sum_t dscore[t, s] q[t], dv[s] = sum_t p[t, s] dout[t], over the query heads of a
//           key/value head
// Shapes:   q, dout_nc [N, H, D], k, v [N, K, D], lse2_hn, delta_hn [H, N] -> dk, dv [N, K, D] in rows of P
// Map:      one block owns TK keys of one key/value head and walks along the queries that see them, from the
//           diagonal on when causal, for each query head of the group in turn. Scores stand transposed, keys
//           by queries, so that both sums are plain products
// Traffic:  reads k, v once and q, dout, lse2, delta once for every TK keys; writes dk and dv
// FLOPs:    8 D a pair
// Bound:    the tensor cores
// Differs from the previous rung: the scores are made again instead of read
template <class E, table::AttentionTiles S, int D, bool Bulk, class Keep = KeepAll, class... KeepArguments>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
attention_backward_key_value_kernel(int batch, int rows, int slot_rows, int heads, int kv_heads, int group,
                                    int head_dim, bool causal, int row_stride,
                                    const std::int32_t* __restrict__ starts_b,
                                    const std::int32_t* __restrict__ lengths_b,
                                    const Stored<E>* __restrict__ q_np, const Stored<E>* __restrict__ k_np,
                                    const Stored<E>* __restrict__ v_np, const Stored<E>* __restrict__ dout_nc,
                                    const Wide<E>* __restrict__ lse2_hn, const Wide<E>* __restrict__ delta_hn,
                                    Wide<E> scale, Wide<E> scale2, Stored<E>* __restrict__ dk_np,
                                    Stored<E>* __restrict__ dv_np, KeepArguments... keep_arguments) {
  constexpr int TQ = S.queries, TK = S.keys;
  using W = Wide<E>;
  using Scores = ct::tile<W, ct::shape<TK, TQ>>;
  const int b = ct::bid().z, kv = ct::bid().y, tile = ct::bid().x;
  const auto [start, length, slot] = rows_of<Bulk>(b, batch, rows, slot_rows, starts_b, lengths_b);
  if constexpr (!Bulk)
    if (tile * TK >= slot) return;

  const auto k = head_tiles<TK, D, Bulk>(k_np, rows, kv_heads, row_stride, start, length, kv, head_dim);
  const auto v = head_tiles<TK, D, Bulk>(v_np, rows, kv_heads, row_stride, start, length, kv, head_dim);
  const int key = first_tile<TK, Bulk>(start) + tile, query = first_tile<TQ, Bulk>(start);
  const int kv_column = head_column<Bulk>(kv);
  const auto k_kd = ct::element_cast<Operand<E>>(k.load_masked(key, kv_column));
  const auto v_kd = ct::element_cast<Operand<E>>(v.load_masked(key, kv_column));
  const auto s = column_of_indices<TK>(tile * TK);
  const QueryTiles queries = seeing_queries<TQ, TK>(tile * TK, length, causal);

  const Keep keep = Keep::in_sequence(b, keep_arguments...);
  auto dk_kd = ct::zeros<ct::tile<W, ct::shape<TK, D>>>();
  auto dv_kd = ct::zeros<ct::tile<W, ct::shape<TK, D>>>();
  for (int h : ct::irange(kv * group, (kv + 1) * group)) {
    const auto q = head_tiles<TQ, D, Bulk>(q_np, rows, heads, row_stride, start, length, h, head_dim);
    const auto dout =
        head_tiles<TQ, D, Bulk>(dout_nc, rows, heads, heads * head_dim, start, length, h, head_dim);
    const auto lse2 = statistic_tiles<TQ, Bulk>(lse2_hn, rows, heads, start, length, h);
    const auto delta = statistic_tiles<TQ, Bulk>(delta_hn, rows, heads, start, length, h);
    const int column = head_column<Bulk>(h), number = first_tile<TQ, Bulk>(h * rows + start);
    // The diagonal and the sequence's last tile; first, because the largest terms stand there.
    const int before = queries.whole - queries.first;
    for (int n : ct::irange(0, before + queries.end - queries.whole_end)) {
      const int i = n < before ? queries.first + n : queries.whole_end + n - before;
      const auto q_qd = ct::element_cast<Operand<E>>(load_ahead<S.key_latency>(q, query + i, column));
      const auto dout_qd = ct::element_cast<Operand<E>>(load_ahead<S.value_latency>(dout, query + i, column));
      const auto lse2_q = ct::reshape<ct::shape<1, TQ>>(lse2.load_masked(number + i));
      const auto delta_q = ct::reshape<ct::shape<1, TQ>>(delta.load_masked(number + i));
      const auto score_kq = ct::mma(k_kd, ct::transpose(q_qd), ct::zeros<Scores>());
      const auto t = row_of_indices<TQ>(i * TQ);
      const auto visible = s <= last_visible_key(t, length, causal) && t < length;
      const auto p_kq = ct::select(visible, power_of_two(score_kq * scale2 - lse2_q), ct::zeros<Scores>());
      const auto kept = keep.template by_key<TK, TQ>(h, tile * TK, i * TQ);
      add_query_tile<E, TQ, TK, D>(p_kq, v_kd, q_qd, dout_qd, delta_q, kept, dk_kd, dv_kd);
    }
    for (int i : ct::irange(queries.whole, queries.whole_end)) {
      const auto q_qd = ct::element_cast<Operand<E>>(load_ahead<S.key_latency>(q, query + i, column));
      const auto dout_qd = ct::element_cast<Operand<E>>(load_ahead<S.value_latency>(dout, query + i, column));
      const auto lse2_q = ct::reshape<ct::shape<1, TQ>>(lse2.load_masked(number + i));
      const auto delta_q = ct::reshape<ct::shape<1, TQ>>(delta.load_masked(number + i));
      const auto score_kq = ct::mma(k_kd, ct::transpose(q_qd), ct::zeros<Scores>());
      const auto p_kq = power_of_two(score_kq * scale2 - lse2_q);
      const auto kept = keep.template by_key<TK, TQ>(h, tile * TK, i * TQ);
      add_query_tile<E, TQ, TK, D>(p_kq, v_kd, q_qd, dout_qd, delta_q, kept, dk_kd, dv_kd);
    }
  }
  head_tiles<TK, D, Bulk>(dk_np, rows, kv_heads, row_stride, start, slot, kv, head_dim)
      .store_masked(ct::element_cast<Stored<E>>(dk_kd * scale), key, kv_column);
  head_tiles<TK, D, Bulk>(dv_np, rows, kv_heads, row_stride, start, slot, kv, head_dim)
      .store_masked(ct::element_cast<Stored<E>>(dv_kd), key, kv_column);
}

/// Adds one tile of keys to the sum dq of a tile of queries.
template <class E, int TQ, int TK, int D, class Kept>
__tile__ void add_key_tile(ct::tile<Wide<E>, ct::shape<TQ, TK>> p_qk,
                           ct::tile<Operand<E>, ct::shape<TK, D>> k_kd,
                           ct::tile<Operand<E>, ct::shape<TK, D>> v_kd,
                           ct::tile<Operand<E>, ct::shape<TQ, D>> dout_qd,
                           ct::tile<Wide<E>, ct::shape<TQ, 1>> delta_q, Kept kept,
                           ct::tile<Wide<E>, ct::shape<TQ, D>>& dq_qd) {
  using Scores = ct::tile<Wide<E>, ct::shape<TQ, TK>>;
  const auto dp_qk = ct::mma(dout_qd, ct::transpose(v_kd), ct::zeros<Scores>());
  dq_qd = ct::mma(ct::element_cast<Operand<E>>(p_qk * (kept(dp_qk) - delta_q)), k_kd, dq_qd);
}

// Computes: delta_hn[h, t] = dout[t] . out[t], lse2_hn = lse_hn log2(e), dq[t] = scale sum_s dscore[t, s] k[s]
// Shapes:   q, dout_nc, out_nc [N, H, D], k, v [N, K, D], lse_hn [H, N] -> lse2_hn, delta_hn [H, N], dq [N, H, D] in
//           rows of P
// Map:      one block owns TQ queries of one head and walks along their keys, as the forward kernel
// Traffic:  reads q, dout, out, lse once and k, v once for every TQ queries; writes dq, lse2, delta
// FLOPs:    6 D a pair, 2 D a query
// Bound:    the tensor cores
// Differs from the previous rung: the scores are made again instead of read
template <class E, table::AttentionTiles S, int D, bool Bulk, class Keep = KeepAll, class... KeepArguments>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
attention_backward_query_kernel(int batch, int rows, int slot_rows, int heads, int kv_heads,
                                int group_inverse, int head_dim, bool causal, int row_stride,
                                const std::int32_t* __restrict__ starts_b,
                                const std::int32_t* __restrict__ lengths_b,
                                const Stored<E>* __restrict__ q_np, const Stored<E>* __restrict__ k_np,
                                const Stored<E>* __restrict__ v_np, const Stored<E>* __restrict__ out_nc,
                                const Stored<E>* __restrict__ dout_nc, const Wide<E>* __restrict__ lse_hn,
                                Wide<E> scale, Wide<E> scale2, Wide<E>* __restrict__ lse2_hn,
                                Wide<E>* __restrict__ delta_hn, Stored<E>* __restrict__ dq_np,
                                KeepArguments... keep_arguments) {
  constexpr int TQ = S.queries, TK = S.keys;
  using W = Wide<E>;
  using Scores = ct::tile<W, ct::shape<TQ, TK>>;
  const int b = ct::bid().z, h = ct::bid().y, kv = key_value_head(h, group_inverse);
  const int tile = ct::num_blocks().x - 1 - ct::bid().x;
  const auto [start, length, slot] = rows_of<Bulk>(b, batch, rows, slot_rows, starts_b, lengths_b);
  if constexpr (!Bulk)
    if (tile * TQ >= slot) return;

  const auto q = head_tiles<TQ, D, Bulk>(q_np, rows, heads, row_stride, start, length, h, head_dim);
  const int channels = heads * head_dim;
  const auto out = head_tiles<TQ, D, Bulk>(out_nc, rows, heads, channels, start, length, h, head_dim);
  const auto dout = head_tiles<TQ, D, Bulk>(dout_nc, rows, heads, channels, start, length, h, head_dim);
  const auto k = head_tiles<TK, D, Bulk>(k_np, rows, kv_heads, row_stride, start, length, kv, head_dim);
  const auto v = head_tiles<TK, D, Bulk>(v_np, rows, kv_heads, row_stride, start, length, kv, head_dim);
  const auto lse = statistic_tiles<TQ, Bulk>(lse_hn, rows, heads, start, length, h);
  const int query = first_tile<TQ, Bulk>(start) + tile, key = first_tile<TK, Bulk>(start);
  const int q_column = head_column<Bulk>(h), kv_column = head_column<Bulk>(kv);
  const int number = first_tile<TQ, Bulk>(h * rows + start) + tile;
  const auto q_qd = ct::element_cast<Operand<E>>(q.load_masked(query, q_column));
  const auto dout_stored = dout.load_masked(query, q_column);
  const auto dout_qd = ct::element_cast<Operand<E>>(dout_stored);
  const auto delta_q =
      ct::sum<1>(ct::element_cast<W>(dout_stored) * ct::element_cast<W>(out.load_masked(query, q_column)));
  const auto lse2_q = ct::reshape<ct::shape<TQ, 1>>(lse.load_masked(number)) * static_cast<W>(kLog2E);
  statistic_tiles<TQ, Bulk>(delta_hn, rows, heads, start, length, h)
      .store_masked(ct::reshape<ct::shape<TQ>>(delta_q), number);
  statistic_tiles<TQ, Bulk>(lse2_hn, rows, heads, start, length, h)
      .store_masked(ct::reshape<ct::shape<TQ>>(lse2_q), number);
  const auto t = column_of_indices<TQ>(tile * TQ);
  const auto last = last_visible_key(t, length, causal);
  const KeyTiles keys = visible_keys<TQ, TK>(tile * TQ, length, causal);

  const Keep keep = Keep::in_sequence(b, keep_arguments...);
  auto dq_qd = ct::zeros<ct::tile<W, ct::shape<TQ, D>>>();
  for (int j : ct::irange(0, keys.whole)) {
    const auto k_kd = ct::element_cast<Operand<E>>(load_ahead<S.key_latency>(k, key + j, kv_column));
    const auto v_kd = ct::element_cast<Operand<E>>(load_ahead<S.value_latency>(v, key + j, kv_column));
    const auto score_qk = ct::mma(q_qd, ct::transpose(k_kd), ct::zeros<Scores>());
    const auto p_qk = power_of_two(score_qk * scale2 - lse2_q);
    const auto kept = keep.template by_query<TQ, TK>(h, tile * TQ, j * TK);
    add_key_tile<E, TQ, TK, D>(p_qk, k_kd, v_kd, dout_qd, delta_q, kept, dq_qd);
  }
  for (int j : ct::irange(keys.whole, keys.all)) {
    const auto k_kd = ct::element_cast<Operand<E>>(load_ahead<S.key_latency>(k, key + j, kv_column));
    const auto v_kd = ct::element_cast<Operand<E>>(load_ahead<S.value_latency>(v, key + j, kv_column));
    const auto score_qk = ct::mma(q_qd, ct::transpose(k_kd), ct::zeros<Scores>());
    const auto visible = row_of_indices<TK>(j * TK) <= last;
    const auto p_qk = ct::select(visible, power_of_two(score_qk * scale2 - lse2_q), ct::zeros<Scores>());
    const auto kept = keep.template by_query<TQ, TK>(h, tile * TQ, j * TK);
    add_key_tile<E, TQ, TK, D>(p_qk, k_kd, v_kd, dout_qd, delta_q, kept, dq_qd);
  }
  // Rows behind the sequence's end have no log-sum-exp, so what stands in them is no number.
  const auto dq = inside_or<Bulk>(t < length, dq_qd * scale, ct::zeros<ct::tile<W, ct::shape<TQ, D>>>());
  head_tiles<TQ, D, Bulk>(dq_np, rows, heads, row_stride, start, slot, h, head_dim)
      .store_masked(ct::element_cast<Stored<E>>(dq), query, q_column);
}

// ---- launchers --------------------------------------------------------------------------------------------

template <class Drop = DropNothing>
void launch_attention_forward(const AttentionForward& args, Stream& stream, const Drop& drop = {}) {
  require_pointers(Drop::kForward, {pointer("q", args.q), pointer("k", args.k), pointer("v", args.v),
                                    pointer("out_nc", args.out_nc), pointer("lse_hn", args.lse_hn)});
  const BatchView& batch = args.batch;
  const bool bulk = attention_bulk(args, {args.q.data, args.k.data, args.v.data, args.out_nc.data}) &&
                    (args.causal || !Drop::kBulkIsCausal);
  with_attention_kernels(args, bulk, [&]<class E, int Architecture, int D, bool Bulk>() {
    constexpr table::AttentionTiles size =
        Drop::template tiles<E, Architecture, D, Bulk>(table::AttentionPart::forward);
    using W = Wide<E>;
    using Keep = typename Drop::template Keep<W>;
    const auto start = [&]<bool Causal, class... K>(K... keep) {
      launch(stream, attention_forward_kernel<E, size, D, Bulk, Causal, Keep, K...>,
             {Drop::kForward, attention_grid(batch, size.queries, args.heads)}, batch.batch, batch.rows,
             batch.max_length, batch.first, args.heads, args.kv_heads, group_inverse(args), args.head_dim,
             args.causal, args.row_stride, batch.starts_b, batch.lengths_b, args.q.as<Stored<E>>(),
             args.k.as<Stored<E>>(), args.v.as<Stored<E>>(), static_cast<W>(attention_scale(args) * kLog2E),
             args.out_nc.as<Stored<E>>(), args.lse_hn.as<W>(), keep...);
    };
    drop.template with_arguments<W>([&](auto... keep) {
      if constexpr (Bulk)
        if (args.causal) return start.template operator()<true>(keep...);
      if constexpr (!Bulk || !Drop::kBulkIsCausal) start.template operator()<false>(keep...);
    });
  });
}

template <class Drop = DropNothing>
void launch_attention_backward(const AttentionBackward& args, Stream& stream, const Drop& drop = {}) {
  require_pointers(Drop::kBackward, {pointer("q", args.q), pointer("k", args.k), pointer("v", args.v),
                                     pointer("out_nc", args.out_nc), pointer("dout_nc", args.dout_nc),
                                     pointer("lse_hn", args.lse_hn), pointer("dq", args.dq),
                                     pointer("dk", args.dk), pointer("dv", args.dv)});
  const BatchView& batch = args.batch;
  const bool bulk = attention_bulk(args, {args.q.data, args.k.data, args.v.data, args.out_nc.data,
                                          args.dout_nc.data, args.dq.data, args.dk.data, args.dv.data});
  with_attention_kernels(args, bulk, [&]<class E, int Architecture, int D, bool Bulk>() {
    constexpr table::AttentionTiles by_key = Drop::template tiles<E, Architecture, D, Bulk>(
                                        table::AttentionPart::key_value),
                                    by_query = Drop::template tiles<E, Architecture, D, Bulk>(
                                        table::AttentionPart::query);
    using T = Stored<E>;
    using W = Wide<E>;
    using Keep = typename Drop::template Keep<W>;
    const W scale = static_cast<W>(attention_scale(args)),
            scale2 = static_cast<W>(attention_scale(args) * kLog2E);
    const std::size_t statistics =
        static_cast<std::size_t>(batch.rows) * static_cast<std::size_t>(args.heads);
    W* delta_hn = static_cast<W*>(stream.workspace(2 * statistics * sizeof(W)));
    W* lse2_hn = delta_hn + statistics;
    drop.template with_arguments<W>([&]<class... K>(K... keep) {
      launch(stream, attention_backward_query_kernel<E, by_query, D, Bulk, Keep, K...>,
             {Drop::kBackwardQuery, attention_grid(batch, by_query.queries, args.heads)}, batch.batch,
             batch.rows, batch.max_length, args.heads, args.kv_heads, group_inverse(args), args.head_dim,
             args.causal, args.row_stride, batch.starts_b, batch.lengths_b, args.q.as<T>(), args.k.as<T>(),
             args.v.as<T>(), args.out_nc.as<T>(), args.dout_nc.as<T>(), args.lse_hn.as<W>(), scale, scale2,
             lse2_hn, delta_hn, args.dq.as<T>(), keep...);
      launch(stream, attention_backward_key_value_kernel<E, by_key, D, Bulk, Keep, K...>,
             {Drop::kBackwardKeyValue, attention_grid(batch, by_key.keys, args.kv_heads)}, batch.batch,
             batch.rows, batch.max_length, args.heads, args.kv_heads, args.heads / args.kv_heads,
             args.head_dim, args.causal, args.row_stride, batch.starts_b, batch.lengths_b, args.q.as<T>(),
             args.k.as<T>(), args.v.as<T>(), args.dout_nc.as<T>(), lse2_hn, delta_hn, scale, scale2,
             args.dk.as<T>(), args.dv.as<T>(), keep...);
    });
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
