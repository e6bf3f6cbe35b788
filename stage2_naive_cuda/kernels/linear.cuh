// Linear layers y = x W^T: the product and its two gradients, one thread an element of the result.
//
// Three triple loops that differ in one thing: which of their reads are neighbours for neighbouring threads.
// A warp reads memory in lines of 128 bytes; 32 threads that read 32 neighbouring floats need one line, 32
// threads that read down a column need 32 lines for the same 128 bytes.
#pragma once

#include "stage2_naive_cuda/kernels/transpose.cuh"

namespace ladder::LADDER_SIDE::stage2 {

/// From this many rows on, the forward pass makes a transposed copy of W first: the copy costs two passes
/// over W, the strided reads that it saves cost 32 lines a load in each of `rows` passes.
inline constexpr int kTransposeFromRows = 64;

/// Bytes and FLOPs of rows x inner x columns multiply-adds that fetch both factors from memory each time.
inline Cost product_traffic(double rows, double inner, double columns, Dtype dtype) {
  const double width = static_cast<double>(size_of(dtype));
  return {.bytes = width * (2 * rows * inner * columns + rows * columns),
          .flops = 2 * rows * inner * columns};
}

// Computes: y_no = x_ni W_oi^T
// Shapes:   x_ni [N, I], w_oi [O, I] -> y_no [N, O]
// Map:      one thread owns one element of y_no; a warp owns 32 neighbouring outputs o of one row n
// Traffic:  reads 2 N I O elements, writes N O. Neighbours read W rows I elements apart: 32 lines a load
// FLOPs:    2 N I O
// Bound:    the load units of the multiprocessor: 32 lines for 32 multiply-adds
// Differs from the previous rung: stage 1 calls a blocked product that keeps tiles of both factors in cache
template <class T>
__global__ void linear_forward_direct_kernel(int rows, int in, int out, const T* x_ni, const T* w_oi,
                                             T* y_no) {
  const int o = column_index();
  const int n = row_index();
  if (n >= rows || o >= out) return;
  T sum = 0;
  for (int i = 0; i < in; ++i) sum += x_ni[at(n, i, in)] * w_oi[at(o, i, in)];
  y_no[at(n, o, out)] = sum;
}

// Computes: y_nj = a_nk b_kj, rows of a times a matrix whose rows run along the result
// Shapes:   a_nk [N, K], b_kj [K, J] -> y_nj [N, J]
// Map:      one thread owns one element of y_nj; a warp owns 32 neighbouring columns j of one row n
// Traffic:  reads 2 N K J elements, writes N J. Neighbours read neighbours of b (one line a load) and the
//           same a
// FLOPs:    2 N K J
// Bound:    the load units: two loads for each multiply-add, whatever the caches do
// Differs from the previous rung: as linear_forward_direct; beside it, one index is swapped and W is read
//           along rows
template <class T>
__global__ void rows_times_matrix_kernel(int rows, int inner, int columns, const T* a_nk, const T* b_kj,
                                         T* y_nj) {
  const int j = column_index();
  const int n = row_index();
  if (n >= rows || j >= columns) return;
  const T* a_k = a_nk + at(n, 0, inner);
  const T* b_k = b_kj + j;
  T sum = 0;
  LADDER_UNROLL_8
  for (int k = 0; k < inner; ++k) sum += a_k[k] * b_k[at(k, 0, columns)];
  y_nj[at(n, j, columns)] = sum;
}

inline Cost naive_cost(const LinearForward& args) {
  Cost total = product_traffic(args.rows, args.in, args.out, args.y_no.dtype);
  if (args.rows >= kTransposeFromRows) total.bytes += 2.0 * args.in * args.out * size_of(args.y_no.dtype);
  return total;
}

/// y = x W^T with strided reads of W.
inline void launch_linear_forward_direct(const LinearForward& args, Stream& stream) {
  with_element_type(args.y_no.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream, plane("linear_forward_direct", args.rows, args.out), linear_forward_direct_kernel<T>,
           args.rows, args.in, args.out, args.x_ni.as<T>(), args.w_oi.as<T>(), args.y_no.as<T>());
  });
}

/// y = x W^T through a transposed copy of W in the stream's workspace, made anew each time: it cannot be out
/// of date.
inline void launch_linear_forward_transposed(const LinearForward& args, Stream& stream) {
  with_element_type(args.y_no.dtype, [&](auto zero) {
    using T = decltype(zero);
    T* w_io = static_cast<T*>(stream.workspace(sizeof(T) * at(args.in, 0, args.out)));
    launch_transpose("linear_transpose_weight", args.out, args.in, args.in, args.w_oi.as<T>(), w_io, stream);
    launch(stream, plane("linear_forward", args.rows, args.out), rows_times_matrix_kernel<T>, args.rows,
           args.in, args.out, args.x_ni.as<T>(), static_cast<const T*>(w_io), args.y_no.as<T>());
  });
}

inline void launch_linear_forward(const LinearForward& args, Stream& stream) {
  if (args.rows >= kTransposeFromRows)
    launch_linear_forward_transposed(args, stream);
  else
    launch_linear_forward_direct(args, stream);
}

inline Cost naive_cost(const LinearBackwardInput& args) {
  return product_traffic(args.rows, args.out, args.in, args.dx_ni.dtype);
}

/// dx_ni = dy_no W_oi: rows_times_matrix as it stands, because W's rows run along i already.
inline void launch_linear_backward_input(const LinearBackwardInput& args, Stream& stream) {
  with_element_type(args.dx_ni.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream, plane("linear_backward_input", args.rows, args.in), rows_times_matrix_kernel<T>, args.rows,
           args.out, args.in, args.dy_no.as<T>(), args.w_oi.as<T>(), args.dx_ni.as<T>());
  });
}

// Computes: dW_oi += dy_no^T x_ni
//           y_no = sum_i x_ni W_oi, so dL/dW_oi = sum_n dy_no x_ni.
// Shapes:   dy_no [N, O], x_ni [N, I] -> dw_oi [O, I]
// Map:      one thread owns one element of dw_oi and walks down all rows n; a warp owns 32 neighbouring
//           inputs i
// Traffic:  reads 2 N I O elements, reads and writes I O. Neighbours read neighbours of x and the
//           same dy
// FLOPs:    2 N I O
// Bound:    the load units, and too few threads when W is small: I x O threads,
//           whatever N is
// Differs from the previous rung: stage 1 transposes dy on the fly in a blocked product
template <class T>
__global__ void linear_backward_weight_kernel(int rows, int in, int out, const T* dy_no, const T* x_ni,
                                              T* dw_oi) {
  const int i = column_index();
  const int o = row_index();
  if (o >= out || i >= in) return;
  const T* dy_n = dy_no + o;
  const T* x_n = x_ni + i;
  T sum = 0;
  LADDER_UNROLL_8
  for (int n = 0; n < rows; ++n) sum += dy_n[at(n, 0, out)] * x_n[at(n, 0, in)];
  dw_oi[at(o, i, in)] += sum;
}

inline Cost naive_cost(const LinearBackwardWeight& args) {
  Cost total = product_traffic(args.out, args.rows, args.in, args.dw_oi.dtype);
  total.bytes += 1.0 * args.out * args.in * size_of(args.dw_oi.dtype);
  return total;
}

inline void launch_linear_backward_weight(const LinearBackwardWeight& args, Stream& stream) {
  with_element_type(args.dw_oi.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream, plane("linear_backward_weight", args.out, args.in), linear_backward_weight_kernel<T>,
           args.rows, args.in, args.out, args.dy_no.as<T>(), args.x_ni.as<T>(), args.dw_oi.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage2
