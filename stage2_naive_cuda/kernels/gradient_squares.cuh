// The square of the norm of all gradients together, for clipping: a sum over everything, in three launches.
#pragma once

#include "stage2_naive_cuda/kernels/sums.cuh"

namespace ladder::LADDER_SIDE::stage2 {

// Computes: sums_j[j] = g[j]^2 + g[j + J]^2 + g[j + 2 J]^2 + ...
// Shapes:   grad: `count` elements -> sums_j [J]
// Map:      one thread owns one strand and adds it in order
// Traffic:  reads `count` elements, neighbours beside neighbours, writes J
// FLOPs:    2 an element
// Bound:    memory, while there are enough strands to fill the GPU
// Differs from the previous rung: stage 1 adds in double, part by part; here a strand is short enough for its own type
template <class T>
__global__ void square_strands_kernel(std::size_t count, int strands, const T* grad, T* sums_j) {
  const std::size_t j = line_index();
  if (j >= static_cast<std::size_t>(strands)) return;
  T sum = 0;
  for (std::size_t i = j; i < count; i += static_cast<std::size_t>(strands)) sum += grad[i] * grad[i];
  sums_j[j] = sum;
}

inline Cost naive_cost(const GradientSquares& args) {
  return {.bytes = static_cast<double>(args.count) * static_cast<double>(size_of(args.grad.dtype)),
          .flops = cost(args).flops};
}

inline void launch_gradient_squares(const GradientSquares& args, Stream& stream) {
  constexpr int kStrands = 65536, kFewer = 256;
  with_element_type(args.grad.dtype, [&](auto zero) {
    using T = decltype(zero);
    T* many = static_cast<T*>(stream.workspace(sizeof(T) * (kStrands + kFewer)));
    T* few = many + kStrands;
    launch(stream, line("square_strands", kStrands), square_strands_kernel<T>, args.count, kStrands,
           args.grad.as<T>(), many);
    launch(stream, line("sum_strands", kFewer), sum_strands_kernel<T>, kStrands, kFewer,
           static_cast<const T*>(many), few);
    launch(stream, line("sum_all", 1), sum_all_kernel<T>, kFewer, static_cast<const T*>(few), false,
           args.squares.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage2
