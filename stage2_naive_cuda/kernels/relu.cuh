// ReLU: the element-wise kernel, the simplest map there is.
#pragma once

#include "stage2_naive_cuda/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage2 {

// Computes: y = max(x, 0)
// Shapes:   x, y: `count` elements; y may be x
// Map:      one thread owns one element
// Traffic:  reads and writes `count` elements, neighbours beside neighbours
// FLOPs:    1 an element
// Bound:    memory, and near its speed
// Differs from the previous rung: the loop is gone
template <class T>
__global__ void relu_forward_kernel(std::size_t count, const T* x, T* y) {
  const std::size_t i = line_index();
  if (i < count) y[i] = x[i] < 0 ? T(0) : x[i];  // this way round NaN stays NaN
}

inline Cost naive_cost(const ReluForward& args) {
  const double elements = static_cast<double>(args.count);
  return {.bytes = 2 * elements * size_of(args.x.dtype), .flops = cost(args).flops};
}

inline void launch_relu_forward(const ReluForward& args, Stream& stream) {
  with_element_type(args.x.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream, line("relu_forward", args.count), relu_forward_kernel<T>, args.count, args.x.as<T>(),
           args.y.as<T>());
  });
}

// Computes: dx = dy where y > 0, else 0
// Shapes:   dy, y, dx: `count` elements; dx may be dy
// Map:      one thread owns one element
// Traffic:  reads 2 `count` elements, writes `count`
// FLOPs:    1 an element
// Bound:    memory, and near its speed
// Differs from the previous rung: the loop is gone
template <class T>
__global__ void relu_backward_kernel(std::size_t count, const T* dy, const T* y, T* dx) {
  const std::size_t i = line_index();
  if (i < count) dx[i] = y[i] > 0 ? dy[i] : T(0);
}

inline Cost naive_cost(const ReluBackward& args) {
  const double elements = static_cast<double>(args.count);
  return {.bytes = 3 * elements * size_of(args.dx.dtype), .flops = cost(args).flops};
}

inline void launch_relu_backward(const ReluBackward& args, Stream& stream) {
  with_element_type(args.dx.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream, line("relu_backward", args.count), relu_backward_kernel<T>, args.count, args.dy.as<T>(),
           args.y.as<T>(), args.dx.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage2
