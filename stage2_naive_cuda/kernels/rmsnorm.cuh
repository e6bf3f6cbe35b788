// RMSNorm: every row divided by its root mean square.
#pragma once

#include "stage2_naive_cuda/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage2 {

// Computes: rstd_n = (mean_c x^2 + 1e-5)^-1/2;  y_nc = x_nc * rstd_n
// Shapes:   x_nc [N, C] -> y_nc [N, C], rstd_n [N]
// Map:      one thread owns one row: the sum over the row is then a plain loop
// Traffic:  reads 2 N C elements, writes N C + N; the 32 rows of a warp lie C elements apart, so one load of
//           a warp
//           touches 32 lines of memory and uses 4 bytes of each; the caches must keep them until the loop
//           comes back
// FLOPs:    3 N C
// Bound:    memory, far from its speed
// Differs from the previous rung: stage 1's loop over rows is gone, its loop over channels is still here
template <class T>
__global__ void rmsnorm_forward_kernel(int rows, int channels, const T* x_nc, T* y_nc, T* rstd_n) {
  const std::size_t n = line_index();
  if (n >= static_cast<std::size_t>(rows)) return;
  const T* x_c = x_nc + n * static_cast<std::size_t>(channels);
  T* y_c = y_nc + n * static_cast<std::size_t>(channels);
  T squares = 0;
  for (int c = 0; c < channels; ++c) squares += x_c[c] * x_c[c];
  T rstd = T(1) / sqrt(squares / static_cast<T>(channels) + static_cast<T>(kRmsNormEpsilon));
  if (!is_finite(squares)) {  // seldom, so the loop costs other rows nothing
    const T rescue = static_cast<T>(kRmsNormRescue);
    squares = 0;
    for (int c = 0; c < channels; ++c) squares += (x_c[c] * rescue) * (x_c[c] * rescue);
    rstd = rescue / sqrt(squares / static_cast<T>(channels));
  }
  for (int c = 0; c < channels; ++c) y_c[c] = x_c[c] * rstd;
  rstd_n[n] = rstd;
}

inline Cost naive_cost(const RmsNormForward& args) {
  const double elements = 1.0 * args.rows * args.channels;
  const double width = static_cast<double>(size_of(args.x_nc.dtype));
  return {.bytes = width * (3 * elements + args.rows), .flops = cost(args).flops};
}

inline void launch_rmsnorm_forward(const RmsNormForward& args, Stream& stream) {
  with_element_type(args.x_nc.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream, line("rmsnorm_forward", static_cast<std::size_t>(args.rows)), rmsnorm_forward_kernel<T>,
           args.rows, args.channels, args.x_nc.as<T>(), args.y_nc.as<T>(), args.rstd_n.as<T>());
  });
}

// Computes: dx_nc = dresidual_nc + rstd_n * (dy_nc - x_nc * rstd_n^2 * mean_c(dy * x))
//           With r = rstd: y_i = x_i r and dr/dx_j = -r^3 x_j / C, so dx_j = r dy_j - r^3 x_j sum_i(dy_i x_i)
//           / C.
// Shapes:   dy_nc, x_nc, dresidual_nc (or none) [N, C], rstd_n [N] -> dx_nc [N, C]
// Map:      one thread owns one row
// Traffic:  reads 4 N C elements, 5 N C with a residual, writes N C; strided like the forward pass
// FLOPs:    5 N C, 6 N C with a residual
// Bound:    memory, far from its speed
// Differs from the previous rung: stage 1's loop over rows is gone, its loop over channels is still here
template <class T>
__global__ void rmsnorm_backward_kernel(int rows, int channels, const T* dy_nc, const T* x_nc,
                                        const T* dresidual_nc, const T* rstd_n, T* dx_nc) {
  const std::size_t n = line_index();
  if (n >= static_cast<std::size_t>(rows)) return;
  const std::size_t row = n * static_cast<std::size_t>(channels);
  const T* dy_c = dy_nc + row;
  const T* x_c = x_nc + row;
  T dot = 0;
  for (int c = 0; c < channels; ++c) dot += dy_c[c] * x_c[c];
  const T rstd = rstd_n[n];
  const T pull = rstd * (rstd * dot / static_cast<T>(channels));  // rstd^2 alone may be too small a number
  for (int c = 0; c < channels; ++c) {
    const T dx = rstd * (dy_c[c] - x_c[c] * pull);
    dx_nc[row + c] = dresidual_nc == nullptr ? dx : dresidual_nc[row + c] + dx;
  }
}

inline Cost naive_cost(const RmsNormBackward& args) {
  const double elements = 1.0 * args.rows * args.channels;
  const double width = static_cast<double>(size_of(args.x_nc.dtype));
  const double residual = args.dresidual_nc ? 1.0 : 0.0;
  return {.bytes = width * ((5 + residual) * elements + args.rows), .flops = cost(args).flops};
}

inline void launch_rmsnorm_backward(const RmsNormBackward& args, Stream& stream) {
  with_element_type(args.x_nc.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream, line("rmsnorm_backward", static_cast<std::size_t>(args.rows)), rmsnorm_backward_kernel<T>,
           args.rows, args.channels, args.dy_nc.as<T>(), args.x_nc.as<T>(), args.dresidual_nc.as<T>(),
           args.rstd_n.as<T>(), args.dx_nc.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage2
