// Attention with its scores in memory: att_hns holds one number for every head h, query row n and key
// position s.
//
// Forward, four launches: keys transposed, scores, softmax, mix of the values. Backward, six: the same walk
// the other way. A query at position t sees the keys s < visible: t + 1 of them when causal, else all of its
// sequence. Elements of att_hns beyond that are never written and never read, so padding rows own none.
#pragma once

#include "stage2_naive_cuda/kernels/transpose.cuh"

namespace ladder::LADDER_SIDE::stage2 {

/// The sizes that all kernels of attention share; T of att_hns are the most keys that a query of the batch sees.
struct AttentionShape {
  BatchView batch;
  int heads, kv_heads, head_dim;
  bool causal;

  /// Number of keys that row n sees; 0 for a padding row. `start` is set to the first row of its sequence.
  __device__ int visible(int n, int& start) const {
    const int b = batch.sequence_n[n];
    if (b < 0) return 0;
    start = batch.starts_b[b];
    return batch.first + (causal ? n - start + 1 : batch.lengths_b[b]);
  }
  /// Rows of keys and values: those of earlier calls stand before the batch's own.
  __host__ __device__ int key_rows() const { return batch.first + batch.rows; }
  __host__ __device__ int most_keys() const { return batch.first + batch.max_length; }
  /// The key/value head that query head h reads.
  __device__ int kv_head(int h) const { return h / (heads / kv_heads); }
  /// Where att_hns of head h and row n begins.
  __device__ std::size_t att(int h, int n) const { return at(h * batch.rows + n, 0, most_keys()); }
};

template <class Args>
AttentionShape shape_of(const Args& args) {
  return {args.batch, args.heads, args.kv_heads, args.head_dim, args.causal};
}

/// Bytes of AttentionForward::scratch: the probabilities, kept for the backward pass.
inline std::size_t attention_bytes(int rows, int heads, int max_length, Dtype dtype) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(heads) *
         static_cast<std::size_t>(max_length) * size_of(dtype);
}

/// Pairs of a query and a key that it sees, over all heads, when every sequence has max_length rows: what the
/// loops of attention do at most.
template <class Args>
double attention_pairs(const Args& args) {
  const double length = args.batch.max_length;
  return 1.0 * args.batch.batch * args.heads * length *
         (args.batch.first + (args.causal ? (length + 1) / 2 : length));
}

// ---- forward ----------------------------------------------------------------------------------------------

// Computes: score[t, s] = q[t, h] . k[s, kv(h)] / sqrt(D)
// Shapes:   q [N, H, D] in rows of P, k_kdn [K, D, N] (transposed) -> att_hns [H, N, T]
// Map:      one thread owns one score; a warp owns 32 neighbouring keys s of one query
// Traffic:  reads 2 D elements a score, writes 1; neighbours read neighbours of k_kdn and the same q
// FLOPs:    2 D a score
// Bound:    the load units: two loads for each multiply-add
// Differs from the previous rung: stage 1 makes the same matrix with one product a head
template <class T>
__global__ void attention_score_kernel(AttentionShape shape, int row_stride, T scale, const T* q,
                                       const T* k_kdn, T* att_hns) {
  const int s = column_index();
  const int n = row_index();
  const int h = static_cast<int>(blockIdx.z);
  if (n >= shape.batch.rows) return;
  int start = 0;
  if (s >= shape.visible(n, start)) return;
  const T* q_d = q + at(n, h * shape.head_dim, row_stride);
  const T* k_d = k_kdn + at(shape.kv_head(h) * shape.head_dim, start + s, shape.key_rows());
  T dot = 0;
  LADDER_UNROLL_8
  for (int d = 0; d < shape.head_dim; ++d) dot += q_d[d] * k_d[at(d, 0, shape.key_rows())];
  att_hns[shape.att(h, n) + s] = dot * scale;
}

// Computes: att[s] = exp(score[s] - lse), lse = log sum_s exp(score[s]); lse_hn = -1e20 for a padding row
// Shapes:   att_hns [H, N, T] in place, lse_hn [H, N]
// Map:      one thread owns one row of att_hns
// Traffic:  reads 3 and writes 2 elements a score; a warp's 32 rows lie T elements apart
// FLOPs:    5 a score, counting exp as one
// Bound:    memory, far from its speed
// Differs from the previous rung: stage 1's loop over rows is gone
template <class T>
__global__ void attention_softmax_kernel(AttentionShape shape, T* att_hns, T* lse_hn) {
  const std::size_t row = line_index();
  if (row >= static_cast<std::size_t>(shape.heads) * static_cast<std::size_t>(shape.batch.rows)) return;
  int start = 0;
  const int visible =
      shape.visible(static_cast<int>(row % static_cast<std::size_t>(shape.batch.rows)), start);
  if (visible == 0) {
    lse_hn[row] = static_cast<T>(kMaskValue);
    return;
  }
  T* att_s = att_hns + row * static_cast<std::size_t>(shape.most_keys());
  T largest = att_s[0];
  for (int s = 1; s < visible; ++s) largest = att_s[s] > largest ? att_s[s] : largest;
  T sum = 0;
  for (int s = 0; s < visible; ++s) {
    att_s[s] = exp(att_s[s] - largest);
    sum += att_s[s];
  }
  const T factor = T(1) / sum;
  for (int s = 0; s < visible; ++s) att_s[s] *= factor;
  lse_hn[row] = largest + log(sum);
}

// Computes: y[n, h, d] = sum_s weights[h, n, s] z[s, kv(h), d]: a row of weights over the visible keys mixes
//           rows of z.
//           out = mix(att, v) forward; dq = mix(dscore, k) backward
// Shapes:   weights_hns [H, N, T], z [N, K, D] in rows of z_stride -> y [N, H, D] in rows of y_stride
// Map:      one thread owns one element of y; a warp owns 32 neighbouring channels
// Traffic:  reads 2 T elements an element of y (half of that when causal), writes 1; neighbours read
//           neighbours of z
// FLOPs:    2 an element read of z
// Bound:    the load units: two loads for each multiply-add
// Differs from the previous rung: stage 1 makes it with one product a head
template <class T>
__global__ void attention_mix_kernel(AttentionShape shape, const T* weights_hns, int z_stride, const T* z,
                                     int y_stride, T* y) {
  const int channel = column_index();
  const int n = row_index();
  if (n >= shape.batch.rows || channel >= shape.heads * shape.head_dim) return;
  const int h = channel / shape.head_dim;
  int start = 0;
  const int visible = shape.visible(n, start);
  const T* weights_s = weights_hns + shape.att(h, n);
  const T* z_s = z + at(start, shape.kv_head(h) * shape.head_dim + channel % shape.head_dim, z_stride);
  T sum = 0;
  LADDER_UNROLL_8
  for (int s = 0; s < visible; ++s) sum += weights_s[s] * z_s[at(s, 0, z_stride)];
  y[at(n, channel, y_stride)] = sum;
}

inline Cost naive_cost(const AttentionForward& args) {
  const double pairs = attention_pairs(args);
  const double width = static_cast<double>(size_of(args.out_nc.dtype));
  const double rows = args.batch.rows;
  const double transposed = 2 * (args.batch.first + rows) * args.kv_heads * args.head_dim;
  const double mixed = rows * args.heads * args.head_dim;
  // scores: 2 D + 1, softmax: 5, mix: 2 D a pair
  return {.bytes = width * (pairs * (4.0 * args.head_dim + 6) + transposed + mixed + rows * args.heads),
          .flops = pairs * (4.0 * args.head_dim + 5)};
}

inline void launch_attention_forward(const AttentionForward& args, Stream& stream) {
  const AttentionShape shape = shape_of(args);
  const int rows = args.batch.rows;
  const int kv_width = args.kv_heads * args.head_dim;
  with_element_type(args.out_nc.dtype, [&](auto zero) {
    using T = decltype(zero);
    T* att_hns = static_cast<T*>(args.scratch);
    T* k_kdn = static_cast<T*>(stream.workspace(sizeof(T) * at(kv_width, 0, shape.key_rows())));
    launch_transpose("attention_transpose_key", shape.key_rows(), kv_width, args.row_stride, args.k.as<T>(),
                     k_kdn, stream);
    launch(stream, plane("attention_score", rows, shape.most_keys(), args.heads), attention_score_kernel<T>,
           shape, args.row_stride, static_cast<T>(1 / sqrt(static_cast<double>(args.head_dim))),
           args.q.as<T>(), static_cast<const T*>(k_kdn), att_hns);
    launch(stream, line("attention_softmax", at(args.heads, 0, rows)), attention_softmax_kernel<T>, shape,
           att_hns, args.lse_hn.as<T>());
    launch(stream, plane("attention_mix_value", rows, args.heads * args.head_dim), attention_mix_kernel<T>,
           shape, static_cast<const T*>(att_hns), args.row_stride, args.v.as<T>(), args.heads * args.head_dim,
           args.out_nc.as<T>());
  });
}

// ---- backward ---------------------------------------------------------------------------------------------
//
// out[t] = sum_s att[t, s] v[s], so datt[t, s] = dout[t] . v[s] and dv[s] = sum_t att[t, s] dout[t].
// att = softmax(score), so dscore = att (datt - sum_s att datt), and the sum is delta[t] = dout[t] . out[t].
// score[t, s] = scale q[t] . k[s], so dq[t] = scale sum_s dscore k[s] and dk[s] = scale sum_t dscore q[t].

// Computes: delta_hn[h, n] = dout[n, h] . out[n, h]
// Shapes:   dout_nc, out_nc [N, H, D] -> delta_hn [H, N]
// Map:      one thread owns one element of delta_hn
// Traffic:  reads 2 N C elements, writes N H; neighbours read C elements apart
// FLOPs:    2 N C
// Bound:    memory, far from its speed
// Differs from the previous rung: stage 1 sums over the scores; this form needs no pass over them
template <class T>
__global__ void attention_delta_kernel(AttentionShape shape, const T* dout_nc, const T* out_nc, T* delta_hn) {
  const std::size_t index = line_index();
  const std::size_t rows = static_cast<std::size_t>(shape.batch.rows);
  if (index >= static_cast<std::size_t>(shape.heads) * rows) return;
  const std::size_t first = (index % rows * static_cast<std::size_t>(shape.heads) + index / rows) *
                            static_cast<std::size_t>(shape.head_dim);
  T dot = 0;
  for (int d = 0; d < shape.head_dim; ++d) dot += dout_nc[first + d] * out_nc[first + d];
  delta_hn[index] = dot;
}

// Computes: dscore[t, s] = scale att[t, s] (dout[t] . v[s] - delta[t])
// Shapes:   att_hns, dout_nc [N, H, D], v_kdn [K, D, N] (transposed), delta_hn -> dscore_hns [H, N, T]
// Map:      one thread owns one element of dscore_hns; a warp owns 32 neighbouring keys s of one query
// Traffic:  reads 2 D + 1 elements a score, writes 1; neighbours read neighbours of v_kdn and the same dout
// FLOPs:    2 D + 3 a score
// Bound:    the load units: two loads for each multiply-add
// Differs from the previous rung: stage 1 makes datt with one product a head
template <class T>
__global__ void attention_dscore_kernel(AttentionShape shape, T scale, const T* att_hns, const T* dout_nc,
                                        const T* v_kdn, const T* delta_hn, T* dscore_hns) {
  const int s = column_index();
  const int n = row_index();
  const int h = static_cast<int>(blockIdx.z);
  if (n >= shape.batch.rows) return;
  int start = 0;
  if (s >= shape.visible(n, start)) return;
  const T* dout_d = dout_nc + at(n, h * shape.head_dim, shape.heads * shape.head_dim);
  const T* v_d = v_kdn + at(shape.kv_head(h) * shape.head_dim, start + s, shape.batch.rows);
  T datt = 0;
  LADDER_UNROLL_8
  for (int d = 0; d < shape.head_dim; ++d) datt += dout_d[d] * v_d[at(d, 0, shape.batch.rows)];
  const std::size_t here = shape.att(h, n) + s;
  dscore_hns[here] = scale * att_hns[here] * (datt - delta_hn[at(h, n, shape.batch.rows)]);
}

// Computes: y[s, kv, d] = sum over the query heads h of kv and over the queries t that see s of weights[h, t,
//           s] z[t, h, d]
//           dv = collect(att, dout); dk = collect(dscore, q)
// Shapes:   weights_hns [H, N, T], z [N, H, D] in rows of z_stride -> y [N, K, D] in rows of y_stride
// Map:      one thread owns one element of y, the key's gradient: it goes to every query that saw the key,
//           instead of
//           each query adding into it. So nothing races and the order of the sum is fixed
// Traffic:  reads 2 T H / K elements an element of y (half of that when causal), writes 1
// FLOPs:    2 an element read of z
// Bound:    the load units: two loads for each multiply-add
// Differs from the previous rung: stage 1 makes it with one product a head
template <class T>
__global__ void attention_collect_kernel(AttentionShape shape, const T* weights_hns, int z_stride, const T* z,
                                         int y_stride, T* y) {
  const int channel = column_index();
  const int n = row_index();
  if (n >= shape.batch.rows || channel >= shape.kv_heads * shape.head_dim) return;
  const int group = shape.heads / shape.kv_heads;
  const int b = shape.batch.sequence_n[n];
  T sum = 0;
  if (b >= 0) {
    const int start = shape.batch.starts_b[b];
    const int first = shape.causal ? n : start;
    const int end = start + shape.batch.lengths_b[b];
    for (int h = channel / shape.head_dim * group; h < (channel / shape.head_dim + 1) * group; ++h) {
      const T* weights_t = weights_hns + shape.att(h, 0) + (n - start);
      const T* z_t = z + h * shape.head_dim + channel % shape.head_dim;
      LADDER_UNROLL_8
      for (int t = first; t < end; ++t)
        sum += weights_t[at(t, 0, shape.batch.max_length)] * z_t[at(t, 0, z_stride)];
    }
  }
  y[at(n, channel, y_stride)] = sum;
}

inline Cost naive_cost(const AttentionBackward& args) {
  const double pairs = attention_pairs(args);
  const double width = static_cast<double>(size_of(args.out_nc.dtype));
  const double rows = args.batch.rows;
  const double queries = rows * args.heads * args.head_dim;
  const double keys = rows * args.kv_heads * args.head_dim;
  // dscore: 2 D + 2 a pair; dq, dk and dv: 2 D each. Then delta, v transposed, and the three results.
  return {
      .bytes = width * (pairs * (8.0 * args.head_dim + 2) + 3 * queries + 4 * keys + 2 * rows * args.heads),
      .flops = pairs * (8.0 * args.head_dim + 3) + 2 * queries};
}

inline void launch_attention_backward(const AttentionBackward& args, Stream& stream) {
  const AttentionShape shape = shape_of(args);
  const int rows = args.batch.rows;
  const int width = args.heads * args.head_dim;
  const int kv_width = args.kv_heads * args.head_dim;
  with_element_type(args.out_nc.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* att_hns = static_cast<const T*>(args.scratch);
    const std::size_t scores =
        attention_bytes(rows, args.heads, args.batch.max_length, args.out_nc.dtype) / sizeof(T);
    const std::size_t transposed = at(kv_width, 0, rows);
    T* dscore_hns =
        static_cast<T*>(stream.workspace(sizeof(T) * (scores + transposed + at(args.heads, 0, rows))));
    T* v_kdn = dscore_hns + scores;
    T* delta_hn = v_kdn + transposed;
    launch(stream, line("attention_delta", at(args.heads, 0, rows)), attention_delta_kernel<T>, shape,
           args.dout_nc.as<T>(), args.out_nc.as<T>(), delta_hn);
    launch_transpose("attention_transpose_value", rows, kv_width, args.row_stride, args.v.as<T>(), v_kdn,
                     stream);
    launch(stream, plane("attention_dscore", rows, args.batch.max_length, args.heads),
           attention_dscore_kernel<T>, shape, static_cast<T>(1 / sqrt(static_cast<double>(args.head_dim))),
           att_hns, args.dout_nc.as<T>(), static_cast<const T*>(v_kdn), static_cast<const T*>(delta_hn),
           dscore_hns);
    launch(stream, plane("attention_mix_key", rows, width), attention_mix_kernel<T>, shape,
           static_cast<const T*>(dscore_hns), args.row_stride, args.k.as<T>(), args.row_stride,
           args.dq.as<T>());
    launch(stream, plane("attention_collect_key", rows, kv_width), attention_collect_kernel<T>, shape,
           static_cast<const T*>(dscore_hns), args.row_stride, args.q.as<T>(), args.row_stride,
           args.dk.as<T>());
    launch(stream, plane("attention_collect_value", rows, kv_width), attention_collect_kernel<T>, shape,
           att_hns, width, args.dout_nc.as<T>(), args.row_stride, args.dv.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage2
