// Attention without a matrix of scores: FMHA, forward and backward.
//
// The scores of one tile of queries against one tile of keys live in registers and are gone before the next
// tile. What makes that possible is the online softmax: a running maximum m and a running sum l of
// exponentials, and whenever a tile of keys raises m, what was summed so far shrinks by exp(m_old - m_new).
// The backward pass makes the scores again from q and k, and the probabilities from the saved log-sum-exp: no
// running maximum is needed there.
//
// Exponentials are powers of two, the hardware's own: exp(x) = 2^(x log2 e). log2 e and 1/sqrt(D) are one
// factor, which goes into the argument of exp2 (scale2); m and l are in these units, the saved log-sum-exp is
// not.
#pragma once

#include "stage3_tiled_kernels/kernels/attention_tiles.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// Adds one tile of keys to the running softmax of a tile of queries. score_qk has visible scores; masked
/// ones are kMaskValue, which exp2 turns into 0 as soon as m is a real score: tile 0 shows key 0 to every
/// query.
template <class E, int TQ, int TK, int D>
__tile__ void online_softmax(ct::tile<Wide<E>, ct::shape<TQ, TK>> score_qk,
                             ct::tile<Stored<E>, ct::shape<TK, D>> v_kd, Wide<E> scale2,
                             ct::tile<Wide<E>, ct::shape<TQ, 1>>& m_q,
                             ct::tile<Wide<E>, ct::shape<TQ, 1>>& l_q,
                             ct::tile<Wide<E>, ct::shape<TQ, D>>& out_qd) {
  const auto highest = ct::max(m_q, ct::reduce_max<1>(score_qk) * scale2);
  const auto p_qk = ct::exp2(score_qk * scale2 - highest);
  const auto shrink = ct::exp2(m_q - highest);
  l_q = l_q * shrink + ct::sum<1>(p_qk);
  out_qd = ct::mma(ct::element_cast<Operand<E>>(p_qk), ct::element_cast<Operand<E>>(v_kd), out_qd * shrink);
  m_q = highest;
}

// Computes: out[t, h] = sum_s softmax_s(q[t, h] . k[s, kv(h)] / sqrt(D)) v[s, kv(h)], lse_hn = log sum_s
//           exp(score)
// Shapes:   q [N, H, D], k and v [N, K, D] in rows of P -> out_nc [N, H, D], lse_hn [H, N]
// Map:      one block owns TQ queries of one head of one sequence and walks along its keys, up to the
//           diagonal when causal; the longest walks start first. Keys that all its queries see are not masked
// Traffic:  reads q once and k, v once for every TQ queries; writes out and lse
// FLOPs:    4 D a pair of a query and a key that it sees
// Bound:    the tensor cores and exp2, about equally
// Differs from the previous rung: nothing of size N x T is in memory, and one launch does it all
template <class E, int TQ, int TK, int D, bool Bulk>
__tile_global__ void attention_forward_kernel(int batch, int rows, int heads, int kv_heads, int head_dim,
                                              bool causal, int row_stride,
                                              const std::int32_t* __restrict__ starts_b,
                                              const std::int32_t* __restrict__ lengths_b,
                                              const Stored<E>* __restrict__ q_np,
                                              const Stored<E>* __restrict__ k_np,
                                              const Stored<E>* __restrict__ v_np, Wide<E> scale2,
                                              Stored<E>* __restrict__ out_nc, Wide<E>* __restrict__ lse_hn) {
  using W = Wide<E>;
  using Scores = ct::tile<W, ct::shape<TQ, TK>>;
  const int b = ct::bid().z, h = ct::bid().y;
  const int tile = ct::num_blocks().x - 1 - ct::bid().x;
  const int start = starts_b[b], length = lengths_b[b];
  const int slot = (b + 1 < batch ? starts_b[b + 1] : rows) - start;
  if (tile * TQ >= slot) return;

  const auto q = head_of<TQ, D, Bulk>(q_np, start, h, length, head_dim, row_stride);
  const auto k = head_of<TK, D, Bulk>(k_np, start, h / (heads / kv_heads), length, head_dim, row_stride);
  const auto v = head_of<TK, D, Bulk>(v_np, start, h / (heads / kv_heads), length, head_dim, row_stride);
  const KeyTiles keys = visible_keys<TQ, TK>(tile * TQ, length, causal);
  const auto t = column_of_indices<TQ>(tile * TQ);

  auto m_q = ct::full<ct::tile<W, ct::shape<TQ, 1>>>(static_cast<W>(kMaskValue));
  auto l_q = ct::zeros<ct::tile<W, ct::shape<TQ, 1>>>();
  auto out_qd = ct::zeros<ct::tile<W, ct::shape<TQ, D>>>();
  const auto q_qd = ct::element_cast<Operand<E>>(q.load_masked(tile, 0));
  for (int j : ct::irange(0, keys.whole)) {
    const auto k_dk = ct::transpose(ct::element_cast<Operand<E>>(k.load_masked(j, 0)));
    online_softmax<E, TQ, TK, D>(ct::mma(q_qd, k_dk, ct::zeros<Scores>()), v.load_masked(j, 0), scale2, m_q,
                                 l_q, out_qd);
  }
  for (int j : ct::irange(keys.whole, keys.all)) {
    const auto k_dk = ct::transpose(ct::element_cast<Operand<E>>(k.load_masked(j, 0)));
    const auto s = row_of_indices<TK>(j * TK);
    const auto visible = (s < length) && (s <= t || !causal);
    const auto score = ct::select(visible, ct::mma(q_qd, k_dk, ct::zeros<Scores>()),
                                  ct::full<Scores>(static_cast<W>(kMaskValue)));
    online_softmax<E, TQ, TK, D>(score, v.load_masked(j, 0), scale2, m_q, l_q, out_qd);
  }

  // Rows behind the sequence's end have seen no key of their own: zeros, and the log-sum-exp of nothing.
  const auto inside = t < length;
  const auto sum = ct::select(inside && l_q > W(0), l_q, ct::ones<ct::tile<W, ct::shape<TQ, 1>>>());
  const auto out = ct::select(inside, out_qd / sum, ct::zeros<ct::tile<W, ct::shape<TQ, D>>>());
  const auto lse = ct::select(inside, (m_q + ct::log2(sum)) * static_cast<W>(kLn2),
                              ct::full<ct::tile<W, ct::shape<TQ, 1>>>(static_cast<W>(kMaskValue)));
  head_of<TQ, D, Bulk>(out_nc, start, h, slot, head_dim, heads * head_dim)
      .store_masked(ct::element_cast<Stored<E>>(out), tile, 0);
  statistic_of<TQ>(lse_hn, start, h, slot, rows).store_masked(ct::reshape<ct::shape<TQ>>(lse), tile);
}

// ---- backward ---------------------------------------------------------------------------------------------
//
// out[t] = sum_s p[t, s] v[s], so dp[t, s] = dout[t] . v[s] and dv[s] = sum_t p[t, s] dout[t].
// p = softmax(score), so dscore = p (dp - sum_s p dp), and the sum is delta[t] = dout[t] . out[t].
// score[t, s] = scale q[t] . k[s], so dq[t] = scale sum_s dscore k[s] and dk[s] = scale sum_t dscore q[t].
// dq is a sum over keys, dk and dv are sums over queries: two kernels, each owning its sums, and no atomics.

// Computes: delta_hn[h, n] = dout[n, h] . out[n, h]
// Shapes:   dout_nc, out_nc [N, H, D] -> delta_hn [H, N]
// Map:      one block owns TN rows of one head
// Traffic:  reads 2 N C elements, writes N H
// FLOPs:    2 N C
// Bound:    memory
// Differs from the previous rung: a row of a head is a row of a tile, and its sum is one operation
template <class T, int TN, int D>
__tile_global__ void attention_delta_kernel(int rows, int heads, int head_dim, const T* __restrict__ dout_nc,
                                            const T* __restrict__ out_nc, Wide<T>* __restrict__ delta_hn) {
  const int h = ct::bid().y, tile = ct::bid().x;
  const auto dout =
      head_of<TN, D, false>(dout_nc, 0, h, rows, head_dim, heads * head_dim).load_masked(tile, 0);
  const auto out = head_of<TN, D, false>(out_nc, 0, h, rows, head_dim, heads * head_dim).load_masked(tile, 0);
  const auto delta = ct::sum<1>(ct::element_cast<Wide<T>>(dout) * ct::element_cast<Wide<T>>(out));
  statistic_of<TN>(delta_hn, 0, h, rows, rows).store_masked(ct::reshape<ct::shape<TN>>(delta), tile);
}

// Computes: dk[s] = scale sum_t dscore[t, s] q[t], dv[s] = sum_t p[t, s] dout[t], over the query heads of a
//           key/value head
// Shapes:   q, dout_nc [N, H, D], k, v [N, K, D], lse_hn, delta_hn [H, N] -> dk, dv [N, K, D] in rows of P
// Map:      one block owns TK keys of one key/value head and walks along the queries that see them, from the
//           diagonal on when causal, for each query head of the group in turn. Scores stand transposed, keys
//           by queries, so that both sums are plain products
// Traffic:  reads k, v once and q, dout, lse, delta once for every TK keys; writes dk and dv
// FLOPs:    8 D a pair
// Bound:    the tensor cores
// Differs from the previous rung: the scores are made again instead of read
template <class E, int TQ, int TK, int D, bool Bulk>
__tile_global__ void attention_backward_key_value_kernel(
    int batch, int rows, int heads, int kv_heads, int head_dim, bool causal, int row_stride,
    const std::int32_t* __restrict__ starts_b, const std::int32_t* __restrict__ lengths_b,
    const Stored<E>* __restrict__ q_np, const Stored<E>* __restrict__ k_np,
    const Stored<E>* __restrict__ v_np, const Stored<E>* __restrict__ dout_nc,
    const Wide<E>* __restrict__ lse_hn, const Wide<E>* __restrict__ delta_hn, Wide<E> scale, Wide<E> scale2,
    Stored<E>* __restrict__ dk_np, Stored<E>* __restrict__ dv_np) {
  using W = Wide<E>;
  using Scores = ct::tile<W, ct::shape<TK, TQ>>;
  const int b = ct::bid().z, kv = ct::bid().y, tile = ct::bid().x;
  const int start = starts_b[b], length = lengths_b[b];
  const int slot = (b + 1 < batch ? starts_b[b + 1] : rows) - start;
  if (tile * TK >= slot) return;

  const auto k = head_of<TK, D, Bulk>(k_np, start, kv, length, head_dim, row_stride);
  const auto v = head_of<TK, D, Bulk>(v_np, start, kv, length, head_dim, row_stride);
  const auto k_kd = ct::element_cast<Operand<E>>(k.load_masked(tile, 0));
  const auto v_kd = ct::element_cast<Operand<E>>(v.load_masked(tile, 0));
  const auto s = column_of_indices<TK>(tile * TK);
  const int first = causal ? tile * TK / TQ : 0;
  const int end = tile * TK < length ? tiles_for(length, TQ) : first;

  auto dk_kd = ct::zeros<ct::tile<W, ct::shape<TK, D>>>();
  auto dv_kd = ct::zeros<ct::tile<W, ct::shape<TK, D>>>();
  const int group = heads / kv_heads;
  for (int h : ct::irange(kv * group, (kv + 1) * group)) {
    const auto q = head_of<TQ, D, Bulk>(q_np, start, h, length, head_dim, row_stride);
    const auto dout = head_of<TQ, D, Bulk>(dout_nc, start, h, length, head_dim, heads * head_dim);
    const auto lse = statistic_of<TQ>(lse_hn, start, h, length, rows);
    const auto delta = statistic_of<TQ>(delta_hn, start, h, length, rows);
    for (int i : ct::irange(first, end)) {
      const auto q_qd = ct::element_cast<Operand<E>>(q.load_masked(i, 0));
      const auto dout_qd = ct::element_cast<Operand<E>>(dout.load_masked(i, 0));
      const auto lse_q = ct::reshape<ct::shape<1, TQ>>(lse.load_masked(i));
      const auto delta_q = ct::reshape<ct::shape<1, TQ>>(delta.load_masked(i));
      const auto t = row_of_indices<TQ>(i * TQ);
      const auto visible = (s < length) && (t < length) && (s <= t || !causal);
      const auto score_kq = ct::mma(k_kd, ct::transpose(q_qd), ct::zeros<Scores>());
      const auto p_kq = ct::select(visible, ct::exp2(score_kq * scale2 - lse_q * static_cast<W>(kLog2E)),
                                   ct::zeros<Scores>());
      dv_kd = ct::mma(ct::element_cast<Operand<E>>(p_kq), dout_qd, dv_kd);
      const auto dp_kq = ct::mma(v_kd, ct::transpose(dout_qd), ct::zeros<Scores>());
      dk_kd = ct::mma(ct::element_cast<Operand<E>>(p_kq * (dp_kq - delta_q)), q_qd, dk_kd);
    }
  }
  head_of<TK, D, Bulk>(dk_np, start, kv, slot, head_dim, row_stride)
      .store_masked(ct::element_cast<Stored<E>>(dk_kd * scale), tile, 0);
  head_of<TK, D, Bulk>(dv_np, start, kv, slot, head_dim, row_stride)
      .store_masked(ct::element_cast<Stored<E>>(dv_kd), tile, 0);
}

// Computes: dq[t] = scale sum_s dscore[t, s] k[s]
// Shapes:   q, dout_nc [N, H, D], k, v [N, K, D], lse_hn, delta_hn [H, N] -> dq [N, H, D] in rows of P
// Map:      one block owns TQ queries of one head and walks along their keys, as the forward kernel
// Traffic:  reads q, dout, lse, delta once and k, v once for every TQ queries; writes dq
// FLOPs:    6 D a pair
// Bound:    the tensor cores
// Differs from the previous rung: the scores are made again instead of read
template <class E, int TQ, int TK, int D, bool Bulk>
__tile_global__ void attention_backward_query_kernel(
    int batch, int rows, int heads, int kv_heads, int head_dim, bool causal, int row_stride,
    const std::int32_t* __restrict__ starts_b, const std::int32_t* __restrict__ lengths_b,
    const Stored<E>* __restrict__ q_np, const Stored<E>* __restrict__ k_np,
    const Stored<E>* __restrict__ v_np, const Stored<E>* __restrict__ dout_nc,
    const Wide<E>* __restrict__ lse_hn, const Wide<E>* __restrict__ delta_hn, Wide<E> scale, Wide<E> scale2,
    Stored<E>* __restrict__ dq_np) {
  using W = Wide<E>;
  using Scores = ct::tile<W, ct::shape<TQ, TK>>;
  const int b = ct::bid().z, h = ct::bid().y;
  const int tile = ct::num_blocks().x - 1 - ct::bid().x;
  const int start = starts_b[b], length = lengths_b[b];
  const int slot = (b + 1 < batch ? starts_b[b + 1] : rows) - start;
  if (tile * TQ >= slot) return;

  const auto k = head_of<TK, D, Bulk>(k_np, start, h / (heads / kv_heads), length, head_dim, row_stride);
  const auto v = head_of<TK, D, Bulk>(v_np, start, h / (heads / kv_heads), length, head_dim, row_stride);
  const auto q_qd = ct::element_cast<Operand<E>>(
      head_of<TQ, D, Bulk>(q_np, start, h, length, head_dim, row_stride).load_masked(tile, 0));
  const auto dout_qd = ct::element_cast<Operand<E>>(
      head_of<TQ, D, Bulk>(dout_nc, start, h, length, head_dim, heads * head_dim).load_masked(tile, 0));
  const auto lse_q =
      ct::reshape<ct::shape<TQ, 1>>(statistic_of<TQ>(lse_hn, start, h, length, rows).load_masked(tile));
  const auto delta_q =
      ct::reshape<ct::shape<TQ, 1>>(statistic_of<TQ>(delta_hn, start, h, length, rows).load_masked(tile));
  const auto t = column_of_indices<TQ>(tile * TQ);
  const KeyTiles keys = visible_keys<TQ, TK>(tile * TQ, length, causal);

  auto dq_qd = ct::zeros<ct::tile<W, ct::shape<TQ, D>>>();
  for (int j : ct::irange(0, keys.all)) {
    const auto k_kd = ct::element_cast<Operand<E>>(k.load_masked(j, 0));
    const auto v_dk = ct::transpose(ct::element_cast<Operand<E>>(v.load_masked(j, 0)));
    const auto s = row_of_indices<TK>(j * TK);
    const auto visible = (s < length) && (t < length) && (s <= t || !causal);
    const auto score_qk = ct::mma(q_qd, ct::transpose(k_kd), ct::zeros<Scores>());
    const auto p_qk = ct::select(visible, ct::exp2(score_qk * scale2 - lse_q * static_cast<W>(kLog2E)),
                                 ct::zeros<Scores>());
    const auto dp_qk = ct::mma(dout_qd, v_dk, ct::zeros<Scores>());
    dq_qd = ct::mma(ct::element_cast<Operand<E>>(p_qk * (dp_qk - delta_q)), k_kd, dq_qd);
  }
  head_of<TQ, D, Bulk>(dq_np, start, h, slot, head_dim, row_stride)
      .store_masked(ct::element_cast<Stored<E>>(dq_qd * scale), tile, 0);
}

// ---- launchers --------------------------------------------------------------------------------------------

inline Cost cost(const AttentionForward& args) {
  const double queries = 1.0 * args.batch.rows * args.heads, keys = 1.0 * args.batch.rows * args.kv_heads;
  const double pairs = attention_pairs(args);
  return {.bytes = args.head_dim * (2 * queries + 2 * keys) * size_of(args.out_nc.dtype) +
                   queries * size_of(args.lse_hn.dtype),
          .flops = pairs * (4.0 * args.head_dim + 5)};
}

inline void launch_attention_forward(const AttentionForward& args, Stream& stream) {
  require_pointers("attention_forward", {pointer("q", args.q), pointer("k", args.k), pointer("v", args.v),
                                         pointer("out_nc", args.out_nc), pointer("lse_hn", args.lse_hn)});
  const BatchView& batch = args.batch;
  const bool bulk = attention_bulk(args, {args.q.data, args.k.data, args.v.data, args.out_nc.data});
  with_attention_tiles(args, bulk, [&]<class E, int TQ, int TK, int D, bool Bulk>() {
    launch(stream, attention_forward_kernel<E, TQ, TK, D, Bulk>,
           {"attention_forward", attention_grid(batch, TQ, args.heads)}, batch.batch, batch.rows, args.heads,
           args.kv_heads, args.head_dim, args.causal, args.row_stride, batch.starts_b, batch.lengths_b,
           args.q.as<Stored<E>>(), args.k.as<Stored<E>>(), args.v.as<Stored<E>>(),
           static_cast<Wide<E>>(attention_scale(args) * kLog2E), args.out_nc.as<Stored<E>>(),
           args.lse_hn.as<Wide<E>>());
  });
}

inline Cost cost(const AttentionBackward& args) {
  const double queries = 1.0 * args.batch.rows * args.heads, keys = 1.0 * args.batch.rows * args.kv_heads;
  return {.bytes = args.head_dim * (6 * queries + 6 * keys) * size_of(args.out_nc.dtype) +
                   6 * queries * size_of(args.lse_hn.dtype),
          .flops = attention_pairs(args) * (14.0 * args.head_dim + 8) + 2 * queries * args.head_dim};
}

inline void launch_attention_backward(const AttentionBackward& args, Stream& stream) {
  require_pointers("attention_backward", {pointer("q", args.q), pointer("k", args.k), pointer("v", args.v),
                                          pointer("out_nc", args.out_nc), pointer("dout_nc", args.dout_nc),
                                          pointer("lse_hn", args.lse_hn), pointer("dq", args.dq),
                                          pointer("dk", args.dk), pointer("dv", args.dv)});
  const BatchView& batch = args.batch;
  const bool bulk = attention_bulk(args, {args.q.data, args.k.data, args.v.data, args.dout_nc.data,
                                          args.dq.data, args.dk.data, args.dv.data});
  with_attention_tiles(args, bulk, [&]<class E, int TQ, int TK, int D, bool Bulk>() {
    using T = Stored<E>;
    using W = Wide<E>;
    const W scale = static_cast<W>(attention_scale(args)),
            scale2 = static_cast<W>(attention_scale(args) * kLog2E);
    const W* lse_hn = args.lse_hn.as<W>();
    W* delta_hn = static_cast<W*>(stream.workspace(sizeof(W) * static_cast<std::size_t>(batch.rows) *
                                                   static_cast<std::size_t>(args.heads)));
    launch(
        stream, attention_delta_kernel<T, table::kDeltaRows, D>,
        {"attention_delta", {blocks_for(batch.rows, table::kDeltaRows), static_cast<unsigned>(args.heads)}},
        batch.rows, args.heads, args.head_dim, args.dout_nc.as<T>(), args.out_nc.as<T>(), delta_hn);
    launch(stream, attention_backward_key_value_kernel<E, TQ, TK, D, Bulk>,
           {"attention_backward_key_value", attention_grid(batch, TK, args.kv_heads)}, batch.batch,
           batch.rows, args.heads, args.kv_heads, args.head_dim, args.causal, args.row_stride, batch.starts_b,
           batch.lengths_b, args.q.as<T>(), args.k.as<T>(), args.v.as<T>(), args.dout_nc.as<T>(), lse_hn,
           delta_hn, scale, scale2, args.dk.as<T>(), args.dv.as<T>());
    launch(stream, attention_backward_query_kernel<E, TQ, TK, D, Bulk>,
           {"attention_backward_query", attention_grid(batch, TQ, args.heads)}, batch.batch, batch.rows,
           args.heads, args.kv_heads, args.head_dim, args.causal, args.row_stride, batch.starts_b,
           batch.lengths_b, args.q.as<T>(), args.k.as<T>(), args.v.as<T>(), args.dout_nc.as<T>(), lse_hn,
           delta_hn, scale, scale2, args.dq.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
