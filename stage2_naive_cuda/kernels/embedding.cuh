// Embedding: look up a row for each token and for each position, add them.
#pragma once

#include "stage2_naive_cuda/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage2 {

// Computes: x_nc[n] = wte_vc[token(n)] + wpe_tc[position(n)]; rows of no sequence get 0
// Shapes:   tokens_n [N], wte_vc [V, C], wpe_tc [T, C] -> x_nc [N, C]
// Map:      one thread owns one element of x_nc; a warp owns 32 neighbouring channels of one row
// Traffic:  reads 2 N C elements and 3 integers an element, writes N C elements
// FLOPs:    N C
// Bound:    memory
// Differs from the previous rung: stage 1 walks the rows in one loop; here no thread knows of another
template <class T>
__global__ void embedding_forward_kernel(BatchView batch, int channels, const T* wte_vc, const T* wpe_tc,
                                         T* x_nc) {
  const int c = column_index();
  const int n = row_index();
  if (n >= batch.rows || c >= channels) return;
  const int b = batch.sequence_n[n];
  T value = 0;
  if (b >= 0)
    value = wte_vc[at(batch.tokens_n[n], c, channels)] +
            wpe_tc[at(batch.first + n - batch.starts_b[b], c, channels)];
  x_nc[at(n, c, channels)] = value;
}

inline Cost naive_cost(const EmbeddingForward& args) {
  const double elements = 1.0 * args.batch.rows * args.channels;
  const double width = static_cast<double>(size_of(args.x_nc.dtype));
  return {.bytes = elements * (3 * width + 12), .flops = cost(args).flops};
}

inline void launch_embedding_forward(const EmbeddingForward& args, Stream& stream) {
  with_element_type(args.x_nc.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream, plane("embedding_forward", args.batch.rows, args.channels), embedding_forward_kernel<T>,
           args.batch, args.channels, args.wte_vc.as<T>(), args.wpe_tc.as<T>(), args.x_nc.as<T>());
  });
}

// Computes: dwte_vc[v] += sum of dx_nc over the rows whose token is v
// Shapes:   tokens_n [N], dx_nc [N, C] -> dwte_vc [V, C]
// Map:      one thread owns one element of dwte_vc, looks at every row for its token and adds in the order of
//           the rows:
//           no atomics, so the same bits on every run
// Traffic:  reads V C N tokens to find the N C gradients that are added; reads and writes the table
// FLOPs:    N C
// Bound:    latency: each thread does N comparisons one after the other
// Differs from the previous rung: stage 1 scatters each row into the table; threads that did so would race
template <class T>
__global__ void embedding_backward_token_kernel(BatchView batch, int channels, int vocabulary, const T* dx_nc,
                                                T* dwte_vc) {
  const int c = column_index();
  const int v = row_index();
  if (v >= vocabulary || c >= channels) return;
  T sum = dwte_vc[at(v, c, channels)];
  for (int n = 0; n < batch.rows; ++n)
    if (batch.tokens_n[n] == v) sum += dx_nc[at(n, c, channels)];
  dwte_vc[at(v, c, channels)] = sum;
}

// Computes: dwpe_tc[t] += sum of dx_nc over the rows at position t
// Shapes:   starts_b, lengths_b [B], dx_nc [N, C] -> dwpe_tc [T, C]
// Map:      one thread owns one element of dwpe_tc and goes through the sequences that are long enough
// Traffic:  reads 2 T C B integers and N C gradients; reads and writes the table
// FLOPs:    N C
// Bound:    latency
// Differs from the previous rung: as for the tokens: the owner collects, nothing is scattered
template <class T>
__global__ void embedding_backward_position_kernel(BatchView batch, int channels, int block_size,
                                                   const T* dx_nc, T* dwpe_tc) {
  const int c = column_index();
  const int t = row_index();
  if (t >= block_size || c >= channels) return;
  T sum = dwpe_tc[at(t, c, channels)];
  for (int b = 0; b < batch.batch; ++b)
    if (t < batch.lengths_b[b]) sum += dx_nc[at(batch.starts_b[b] + t, c, channels)];
  dwpe_tc[at(t, c, channels)] = sum;
}

inline Cost naive_cost(const EmbeddingBackward& args) {
  const double elements = 1.0 * args.batch.rows * args.channels;
  const double width = static_cast<double>(size_of(args.dx_nc.dtype));
  const double tokens = 4.0 * args.vocabulary * elements;
  const double lengths = 8.0 * args.block_size * args.channels * args.batch.batch;
  const double tables = 2.0 * width * args.channels * (args.vocabulary + args.block_size);
  return {.bytes = tokens + lengths + 2 * width * elements + tables, .flops = cost(args).flops};
}

inline void launch_embedding_backward(const EmbeddingBackward& args, Stream& stream) {
  with_element_type(args.dx_nc.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream, plane("embedding_backward_token", args.vocabulary, args.channels),
           embedding_backward_token_kernel<T>, args.batch, args.channels, args.vocabulary, args.dx_nc.as<T>(),
           args.dwte_vc.as<T>());
    launch(stream, plane("embedding_backward_position", args.block_size, args.channels),
           embedding_backward_position_kernel<T>, args.batch, args.channels, args.block_size,
           args.dx_nc.as<T>(), args.dwpe_tc.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage2
