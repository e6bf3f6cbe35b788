// Attention with 16 query positions side by side: lane i of every vector belongs to position t0 + i.
//
// Scores, softmax and mix of one head then need no horizontal sum: maximum and sum over key positions s run
// from vector to vector, and a key or value element is one broadcast number. Probabilities stay in scratch
// for the backward pass, as P[s][lane] for each (sequence, head, block of 16 query positions).
//
// Dropout marks them there: a weight that is dropped is kept as -P. So the backward pass, which needs both P and the
// mask, draws nothing and cannot draw another mask.
#include <algorithm>
#include <cmath>

#include "shared/base/checked_size.hpp"
#include "stage1_cpu_tensor/dropout_mask.hpp"
#include "stage1_cpu_tensor/kernels.hpp"
#include "stage1_cpu_tensor/lanes.hpp"

namespace ladder::eigen {
namespace {

constexpr int kChunk = 32;  // head channels, or key positions, held on the stack at a time

/// One head of one sequence: pointers to its first row in each tensor.
template <class T>
struct Head {
  const T *q, *k, *v;
  std::ptrdiff_t stride, out_stride;
  int length, first, head_dim;  ///< `first` keys stand before that of the first query
  bool causal;
  T scale;

  /// Key positions that some query position of the block at t0 sees.
  int keys(int t0) const { return first + (causal ? std::min(length, t0 + kLanes) : length); }
  int queries(int t0) const { return std::min(length - t0, kLanes); }
};

template <class T, class Args>
Head<T> head_of(const Args& a, int b, int h) {
  const std::ptrdiff_t row = a.batch.starts_b[b];
  const std::ptrdiff_t query = row * a.row_stride + h * a.head_dim;
  const std::ptrdiff_t key = row * a.row_stride + h / (a.heads / a.kv_heads) * a.head_dim;
  return {a.q.template as<T>() + query,
          a.k.template as<T>() + key,
          a.v.template as<T>() + key,
          a.row_stride,
          static_cast<std::ptrdiff_t>(a.heads) * a.head_dim,
          a.batch.lengths_b[b],
          a.batch.first,
          a.head_dim,
          a.causal,
          T(1) / std::sqrt(static_cast<T>(a.head_dim))};
}

/// Scratch holds, for every row of the batch and head, one probability for each possible key position.
template <class T, class Args>
Lane<T>* probabilities(const Args& a, int b, int h, int t0) {
  const int length = a.batch.lengths_b[b], keys = a.batch.first + length;
  const std::ptrdiff_t per_row = round_up_to_lanes(a.batch.max_length);
  T* of_sequence = static_cast<T*>(a.scratch) + a.batch.starts_b[b] * per_row * a.heads;
  return reinterpret_cast<Lane<T>*>(of_sequence) +
         static_cast<std::ptrdiff_t>(h) * (round_up_to_lanes(length) / kLanes) * keys +
         static_cast<std::ptrdiff_t>(t0 / kLanes) * keys;
}

/// weights[s] += sum_d columns[d] rows[s][d]: 16 query positions against each key position.
template <class T>
void add_products(const Lane<T>* columns, int channels, const T* rows, std::ptrdiff_t stride, int count,
                  Lane<T>* sums) {
  for (int s = 0; s < count; ++s) {
    Lane<T> sum = sums[s];
    const T* row = rows + s * stride;
    for (int d = 0; d < channels; ++d) sum += columns[d] * row[d];
    sums[s] = sum;
  }
}

/// softmax of the scores in p over s, where lane i sees s <= t0 + i; returns the log of the sum of exponentials. A
/// lane's unseen scores are replaced by its first, which every lane sees: they change no maximum, and their
/// exponentials, which are dropped, stay numbers.
template <class T>
Lane<T> masked_softmax(Lane<T>* p, int keys, int t0, bool causal) {
  Lane<T> maximum = p[0];  // position 0 is seen by all
  for (int s = 1; s < keys; ++s) {
    if (causal && s > t0) p[s] = (lane_mask<T>[s - t0] > T(0)).select(p[s], p[0]);
    maximum = maximum.max(p[s]);
  }
  Lane<T> sum = Lane<T>::Zero();
  for (int s = 0; s < keys; ++s) {
    Lane<T> e = bounded_exp<T>(p[s] - maximum);
    if (causal && s > t0) e *= lane_mask<T>[s - t0];
    sum += e;
    p[s] = e;
  }
  const Lane<T> factor = sum.inverse();
  for (int s = 0; s < keys; ++s) p[s] *= factor;
  return maximum + sum.log();
}

/// The weights of a plain call: used as they are.
struct Plain {
  template <class T>
  static const Lane<T>& kept(const Lane<T>& p) {
    return p;
  }
};

/// The weights of a call with dropout: P where they survive, -P where not. `factor` is what survivors are multiplied by.
template <class T>
struct Marked {
  T factor;
  Lane<T> kept(const Lane<T>& p) const { return p.max(T(0)) * factor; }
};

/// Marks the weights of query positions t0.. in sequence b that dropout drops.
template <class T>
void mark_dropped(const DropoutMask& mask, int b, int t0, int h, int keys, Lane<T>* p) {
  std::array<Lane<T>, 4> signs;
  for (int group = 0; group < keys; group += kMaskGroup)
    for (int s = group; s < std::min(keys, group + kLanes); ++s) {
      mask.keys(b, t0, h, s, signs);
      for (int k = 0; k < 4 && s + k * kLanes < keys; ++k)
        p[s + k * kLanes] *= signs[static_cast<std::size_t>(k)];
    }
}

/// Scores of query positions t0.., softmax.
template <class T>
void weigh_block(const Head<T>& head, int t0, Lane<T>* p, T* lse) {
  const int keys = head.keys(t0), queries = head.queries(t0);
  Lane<T> columns[kChunk];
  for (int s = 0; s < keys; ++s) p[s].setZero();
  for (int d0 = 0; d0 < head.head_dim; d0 += kChunk) {
    const int channels = std::min(kChunk, head.head_dim - d0);
    load_columns(head.q + t0 * head.stride + d0, head.stride, queries, channels, columns);
    for (int d = 0; d < channels; ++d) columns[d] *= head.scale;
    add_products(columns, channels, head.k + d0, head.stride, keys, p);
  }
  const Lane<T> sums = masked_softmax(p, keys, head.first + t0, head.causal);
  for (int i = 0; i < queries; ++i) lse[t0 + i] = sums[i];
}

template <class T, class Weights>
void mix_block(const Head<T>& head, int t0, const Lane<T>* p, const Weights& weights, T* out) {
  const int keys = head.keys(t0), queries = head.queries(t0);
  for (int d = 0; d < head.head_dim; ++d) {
    Lane<T> mix = Lane<T>::Zero();
    for (int s = 0; s < keys; ++s) mix += weights.kept(p[s]) * head.v[s * head.stride + d];
    for (int i = 0; i < queries; ++i) out[(t0 + i) * head.out_stride + d] = mix[i];
  }
}

/// row_d += sum_i weights[i] rows[i][d] for i in [first, last), Width channels at a time while they last.
template <int Width, class T>
int add_rows(int d, int channels, const Lane<T>& weights, int first, int last, const T* rows,
             std::ptrdiff_t stride, T* row) {
  using Part = Eigen::Array<T, Width, 1>;
  for (; d + Width <= channels; d += Width) {
    Part sum = Eigen::Map<Part>(row + d);
    for (int i = first; i < last; ++i) sum += weights[i] * Eigen::Map<const Part>(rows + i * stride + d);
    Eigen::Map<Part>(row + d) = sum;
  }
  return d;
}

template <class T>
void add_rows(int channels, const Lane<T>& weights, int first, int last, const T* rows, std::ptrdiff_t stride,
              T* row) {
  int d = add_rows<16>(0, channels, weights, first, last, rows, stride, row);
  d = add_rows<4>(d, channels, weights, first, last, rows, stride, row);
  add_rows<1>(d, channels, weights, first, last, rows, stride, row);
}

/// Gradients of one head; dk and dv are added to.
template <class T>
struct HeadGradients {
  const T* dout;
  T *dq, *dk, *dv;
};

/// dp[s] = dP of query positions t0.. against key positions s0 .. s0 + keys - 1.
template <class T>
void probability_gradients(const Head<T>& head, const HeadGradients<T>& g, int t0, int s0, int keys,
                           Lane<T>* dp) {
  Lane<T> columns[kChunk];
  for (int s = 0; s < keys; ++s) dp[s].setZero();
  for (int d0 = 0; d0 < head.head_dim; d0 += kChunk) {
    const int channels = std::min(kChunk, head.head_dim - d0);
    load_columns(g.dout + t0 * head.out_stride + d0, head.out_stride, head.queries(t0), channels, columns);
    add_products(columns, channels, head.v + s0 * head.stride + d0, head.stride, keys, dp);
  }
}

/// What one tile of scores adds to dq, dk and dv; dscore are the gradients of q_t . k_s.
template <class T>
void add_tile(const Head<T>& head, const HeadGradients<T>& g, int t0, int s0, int keys, const Lane<T>* p,
              const Lane<T>* dscore) {
  const int queries = head.queries(t0);
  for (int s = 0; s < keys; ++s) {
    const int first = head.causal ? std::max(0, s0 + s - t0) : 0;
    const std::ptrdiff_t key = (s0 + s) * head.stride;
    add_rows(head.head_dim, p[s], first, queries, g.dout + t0 * head.out_stride, head.out_stride, g.dv + key);
    add_rows(head.head_dim, dscore[s], first, queries, head.q + t0 * head.stride, head.stride, g.dk + key);
  }
  for (int d = 0; d < head.head_dim; ++d) {
    Lane<T> sum = Lane<T>::Zero();
    for (int s = 0; s < keys; ++s) sum += dscore[s] * head.k[(s0 + s) * head.stride + d];
    for (int i = 0; i < queries; ++i) {
      T& dq = g.dq[(t0 + i) * head.stride + d];
      dq = s0 == 0 ? sum[i] : dq + sum[i];
    }
  }
}

/// Two passes over the key positions, because every dscore needs the whole delta. dout . out
/// would give delta in one, but loses digits where the softmax is sharp. Short sequences are one
/// tile, whose dP is still there.
template <class T>
void backward_block(const Head<T>& head, const HeadGradients<T>& g, int t0, const Lane<T>* p, Plain) {
  const int all = head.keys(t0);
  Lane<T> dp[kChunk], delta = Lane<T>::Zero();
  for (int s0 = 0; s0 < all; s0 += kChunk) {
    const int keys = std::min(kChunk, all - s0);
    probability_gradients(head, g, t0, s0, keys, dp);
    for (int s = 0; s < keys; ++s) delta += p[s0 + s] * dp[s];
  }
  for (int s0 = 0; s0 < all; s0 += kChunk) {
    const int keys = std::min(kChunk, all - s0);
    if (all > kChunk) probability_gradients(head, g, t0, s0, keys, dp);
    for (int s = 0; s < keys; ++s) dp[s] = p[s0 + s] * (dp[s] - delta) * head.scale;
    add_tile(head, g, t0, s0, keys, p + s0, dp);
  }
}

/// The same with dropout's multipliers m: out_t = sum_s m_ts P_ts v_s, so the gradient of P is m dP, dP = dout . v,
/// and dv takes m P. What is marked is -P, so |p| is P and kept(p) is m P.
template <class T>
void backward_block(const Head<T>& head, const HeadGradients<T>& g, int t0, const Lane<T>* p,
                    const Marked<T>& weights) {
  const int all = head.keys(t0);
  Lane<T> dp[kChunk], kept[kChunk], delta = Lane<T>::Zero();
  for (int s0 = 0; s0 < all; s0 += kChunk) {
    const int keys = std::min(kChunk, all - s0);
    probability_gradients(head, g, t0, s0, keys, dp);
    for (int s = 0; s < keys; ++s) delta += weights.kept(p[s0 + s]) * dp[s];
  }
  for (int s0 = 0; s0 < all; s0 += kChunk) {
    const int keys = std::min(kChunk, all - s0);
    if (all > kChunk) probability_gradients(head, g, t0, s0, keys, dp);
    for (int s = 0; s < keys; ++s) {
      kept[s] = weights.kept(p[s0 + s]);
      dp[s] = (kept[s] * dp[s] - p[s0 + s].abs() * delta) * head.scale;
    }
    add_tile(head, g, t0, s0, keys, kept, dp);
  }
}

template <class T>
void clear_rows(T* rows, std::ptrdiff_t stride, int count, int channels) {
  for (int n = 0; n < count; ++n) std::fill_n(rows + n * stride, channels, T(0));
}

/// Calls clear(n) for every padding row.
template <class Clear>
void for_each_padding_row(const BatchView& batch, const Clear& clear) {
  for (int n = 0; n < batch.rows; ++n)
    if (batch.sequence_n[n] < 0) clear(static_cast<std::ptrdiff_t>(n));
}

/// Pieces of work are (sequence, key/value head): no two write to the same place.
/// Small calls stay on one thread.
template <class Args, class Work>
void for_each_piece(const Args& a, WorkerPool& pool, const Work& work) {
  const double work_size = static_cast<double>(a.batch.rows) * a.batch.max_length * a.heads * a.head_dim;
  const int pieces = a.batch.batch * a.kv_heads;
  const auto piece = [&](int i) { work(i / a.kv_heads, i % a.kv_heads); };
  if (work_size < 1e6)
    for (int i = 0; i < pieces; ++i) piece(i);
  else
    pool.for_each(pieces, piece);
}

/// mix(head, b, h, t0, p, out) makes the result of 16 query positions out of their weights.
template <class T, class Mix>
void forward_heads(const AttentionForward& a, WorkerPool& pool, const Mix& mix) {
  const std::ptrdiff_t C = static_cast<std::ptrdiff_t>(a.heads) * a.head_dim, N = a.batch.rows;
  for_each_padding_row(a.batch, [&](std::ptrdiff_t n) {
    clear_rows(a.out_nc.as<T>() + n * C, C, 1, static_cast<int>(C));
    for (int h = 0; h < a.heads; ++h) a.lse_hn.as<T>()[h * N + n] = static_cast<T>(kMaskValue);
  });
  for_each_piece(a, pool, [&](int b, int k) {
    const std::ptrdiff_t start = a.batch.starts_b[b];
    const int group = a.heads / a.kv_heads;
    for (int h = k * group; h < (k + 1) * group; ++h) {
      const Head<T> head = head_of<T>(a, b, h);
      T* out = a.out_nc.as<T>() + start * C + h * a.head_dim;
      T* lse = a.lse_hn.as<T>() + h * N + start;
      for (int t0 = 0; t0 < head.length; t0 += kLanes) {
        Lane<T>* p = probabilities<T>(a, b, h, t0);
        weigh_block(head, t0, p, lse);
        mix(head, b, h, t0, p, out);
      }
    }
  });
}

// out_t = sum_s P_ts v_s and P_t = softmax(score_t), so with dP_ts = dout_t . v_s:
//   dv_s = sum_t P_ts dout_t,
// and the softmax turns dP into
//   dscore_ts = P_ts (dP_ts - delta_t), delta_t = sum_s P_ts dP_ts.
// score_ts = q_t . k_s / sqrt(D) then gives
//   dq_t = sum_s dscore_ts k_s / sqrt(D) and dk_s = sum_t dscore_ts q_t / sqrt(D).
template <class T, class Weights>
void backward_heads(const AttentionBackward& a, WorkerPool& pool, const Weights& weights) {
  const std::ptrdiff_t C = static_cast<std::ptrdiff_t>(a.heads) * a.head_dim, stride = a.row_stride;
  for_each_padding_row(a.batch, [&](std::ptrdiff_t n) {
    clear_rows(a.dq.as<T>() + n * stride, stride, 1, static_cast<int>(C));
    clear_rows(a.dk.as<T>() + n * stride, stride, 1, a.kv_heads * a.head_dim);
    clear_rows(a.dv.as<T>() + n * stride, stride, 1, a.kv_heads * a.head_dim);
  });
  for_each_piece(a, pool, [&](int b, int k) {
    const std::ptrdiff_t start = a.batch.starts_b[b];
    const int group = a.heads / a.kv_heads;
    T* dk = a.dk.as<T>() + start * stride + k * a.head_dim;
    T* dv = a.dv.as<T>() + start * stride + k * a.head_dim;
    clear_rows(dk, stride, a.batch.lengths_b[b], a.head_dim);
    clear_rows(dv, stride, a.batch.lengths_b[b], a.head_dim);
    for (int h = k * group; h < (k + 1) * group; ++h) {
      const Head<T> head = head_of<T>(a, b, h);
      const std::ptrdiff_t mixed = start * C + h * a.head_dim;
      const HeadGradients<T> g{a.dout_nc.as<T>() + mixed, a.dq.as<T>() + start * stride + h * a.head_dim, dk,
                               dv};
      for (int t0 = 0; t0 < head.length; t0 += kLanes)
        backward_block(head, g, t0, probabilities<T>(a, b, h, t0), weights);
    }
  });
}

}  // namespace

template <class T>
std::size_t attention_scratch_bytes(int rows, int heads, int max_length) {
  return checked_product({sizeof(T), static_cast<std::size_t>(rows), static_cast<std::size_t>(heads),
                          static_cast<std::size_t>(round_up_to_lanes(max_length))},
                         "attention's probabilities");
}

template <class T>
void attention_forward(const AttentionForward& a, WorkerPool& pool) {
  forward_heads<T>(a, pool, [](const Head<T>& head, int, int, int t0, const Lane<T>* p, T* out) {
    mix_block(head, t0, p, Plain{}, out);
  });
}

template <class T>
void attention_backward(const AttentionBackward& a, WorkerPool& pool) {
  backward_heads<T>(a, pool, Plain{});
}

template <class T>
void dropout_attention_forward(const DropoutAttentionForward& a, WorkerPool& pool) {
  const DropoutMask mask(a.dropout, *a.plain.batch.step);
  const Marked<T> weights{static_cast<T>(a.dropout.keep_factor())};
  forward_heads<T>(a.plain, pool, [&](const Head<T>& head, int b, int h, int t0, Lane<T>* p, T* out) {
    mark_dropped(mask, b, t0, h, head.keys(t0), p);
    mix_block(head, t0, p, weights, out);
  });
}

template <class T>
void dropout_attention_backward(const DropoutAttentionBackward& a, WorkerPool& pool) {
  backward_heads<T>(a.plain, pool, Marked<T>{static_cast<T>(a.dropout.keep_factor())});
}

#define LADDER_INSTANTIATE(T)                                                              \
  template std::size_t attention_scratch_bytes<T>(int, int, int);                          \
  template void attention_forward<T>(const AttentionForward&, WorkerPool&);                \
  template void attention_backward<T>(const AttentionBackward&, WorkerPool&);              \
  template void dropout_attention_forward<T>(const DropoutAttentionForward&, WorkerPool&); \
  template void dropout_attention_backward<T>(const DropoutAttentionBackward&, WorkerPool&);
LADDER_INSTANTIATE(float)
LADDER_INSTANTIATE(double)

}  // namespace ladder::eigen
