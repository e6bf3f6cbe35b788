// Softmax cross-entropy, forward and backward in one: the gradient takes the place of the logits.
#pragma once

#include "stage2_naive_cuda/kernels/sums.cuh"

namespace ladder::LADDER_SIDE::stage2 {

// Computes: loss_n = weight * (log sum_v exp(logits) - logits[target]), weight = scale /
//           length of the row's sequence;
//           dlogits_nv = weight * (softmax(logits) - onehot(target)), over logits_nv when with_gradient
//           d/dz_v of log sum exp(z) is softmax(z)_v, and d/dz_v of -z_target is -1 at the target: their sum.
// Shapes:   logits_nv [N, V] in rows of `columns`, targets_n [N] -> loss_n [N], logits_nv
// Map:      one thread owns one row
// Traffic:  reads 3 N V elements, writes N V; a warp's 32 rows lie V elements apart
// FLOPs:    8 N V, counting exp as one
// Bound:    latency: N threads, each with three loops over V one after the other
// Differs from the previous rung: stage 1's loop over rows is gone
template <class T>
__global__ void cross_entropy_kernel(BatchView batch, int vocabulary, int columns, T scale,
                                     bool with_gradient, T* logits_nv, T* loss_n) {
  const std::size_t n = line_index();
  if (n >= static_cast<std::size_t>(batch.rows)) return;
  T* z_v = logits_nv + n * static_cast<std::size_t>(columns);
  const int b = batch.sequence_n[n];
  if (with_gradient)
    for (int v = vocabulary; v < columns; ++v) z_v[v] = 0;
  if (b < 0) {
    loss_n[n] = 0;
    if (with_gradient)
      for (int v = 0; v < vocabulary; ++v) z_v[v] = 0;
    return;
  }
  T largest = z_v[0];
  for (int v = 1; v < vocabulary; ++v) largest = z_v[v] > largest ? z_v[v] : largest;
  T sum = 0;
  for (int v = 0; v < vocabulary; ++v) sum += exp(z_v[v] - largest);
  const T weight = scale / static_cast<T>(batch.lengths_b[b]);
  const int target = batch.targets_n[n];
  loss_n[n] = weight * (log(sum) - (z_v[target] - largest));
  if (!with_gradient) return;
  const T factor = weight / sum;
  for (int v = 0; v < vocabulary; ++v) {
    const T probability = exp(z_v[v] - largest) * factor;
    z_v[v] = v == target ? probability - weight : probability;
  }
}

inline Cost naive_cost(const CrossEntropy& args) {
  const double elements = 1.0 * args.batch.rows * args.vocabulary;
  const double width = static_cast<double>(size_of(args.logits_nv.dtype));
  const double passes = args.with_gradient ? 4 : 2;
  return {.bytes = width * (passes * elements + 2.0 * args.batch.rows), .flops = cost(args).flops};
}

inline void launch_cross_entropy(const CrossEntropy& args, Stream& stream) {
  constexpr int kStrands = 256;
  with_element_type(args.logits_nv.dtype, [&](auto zero) {
    using T = decltype(zero);
    const int rows = args.batch.rows;
    T* loss_n = args.loss_n.as<T>();
    launch(stream, line("cross_entropy", static_cast<std::size_t>(rows)), cross_entropy_kernel<T>, args.batch,
           args.vocabulary, args.columns, static_cast<T>(args.scale), args.with_gradient,
           args.logits_nv.as<T>(), loss_n);
    // One thread would wait for N loads one after the other: with many rows, 256 threads
    // add strands of them first.
    const T* parts = loss_n;
    int count = rows;
    if (rows > kStrands) {
      T* sums_j = static_cast<T*>(stream.workspace(sizeof(T) * kStrands));
      launch(stream, line("loss_strands", kStrands), sum_strands_kernel<T>, rows, kStrands,
             static_cast<const T*>(loss_n), sums_j);
      parts = sums_j;
      count = kStrands;
    }
    launch(stream, line("loss_sum", 1), sum_all_kernel<T>, count, parts, true, args.loss.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage2
