// Transpose: not an operation of the model; linear and attention use it so that neighbours read neighbours.
#pragma once

#include "stage2_naive_cuda/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage2 {

// Computes: out_cn = in_nc^T
// Shapes:   in_nc [N, C] with rows `stride` apart -> out_cn [C, N] dense
// Map:      one thread owns one element of out_cn, so neighbours write neighbours and read `stride` apart
// Traffic:  reads N C elements, 4 bytes of each line at a time, and writes N C
// FLOPs:    0
// Bound:    memory
// Differs from the previous rung: stage 1 has no copy: Eigen packs both factors of a product itself
template <class T>
__global__ void transpose_kernel(int rows, int columns, int stride, const T* in_nc, T* out_cn) {
  const int n = column_index();
  const int c = row_index();
  if (n < rows && c < columns) out_cn[at(c, n, rows)] = in_nc[at(n, c, stride)];
}

template <class T>
void launch_transpose(const char* name, int rows, int columns, int stride, const T* in_nc, T* out_cn,
                      Stream& stream) {
  launch(stream, plane(name, columns, rows), transpose_kernel<T>, rows, columns, stride, in_nc, out_cn);
}

}  // namespace ladder::LADDER_SIDE::stage2
