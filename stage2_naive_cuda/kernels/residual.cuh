// Residual: the sum of a branch and what went around it. Its backward pass is a copy, which the model text
// does not even make: both sides read the same gradient.
#pragma once

#include "stage2_naive_cuda/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage2 {

// Computes: y = a + b
// Shapes:   a, b, y: `count` elements; y may be a or b
// Map:      one thread owns one element
// Traffic:  reads 2 `count` elements, writes `count`
// FLOPs:    1 an element
// Bound:    memory, and near its speed
// Differs from the previous rung: the loop is gone
template <class T>
__global__ void residual_forward_kernel(std::size_t count, const T* a, const T* b, T* y) {
  const std::size_t i = line_index();
  if (i < count) y[i] = a[i] + b[i];
}

inline Cost naive_cost(const ResidualForward& args) {
  const double elements = static_cast<double>(args.count);
  return {.bytes = 3 * elements * size_of(args.y.dtype), .flops = cost(args).flops};
}

inline void launch_residual_forward(const ResidualForward& args, Stream& stream) {
  with_element_type(args.y.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream, line("residual_forward", args.count), residual_forward_kernel<T>, args.count,
           args.a.as<T>(), args.b.as<T>(), args.y.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage2
