// AdamW: every parameter on its own.
#pragma once

#include "stage2_naive_cuda/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage2 {

/// gradient_factor() of the step, the same for every thread; without squares only the loss scale is undone.
template <class T>
__device__ T gradient_scale(const StepConstants& step, const T* squares) {
  double factor = 1.0;
  if (squares != nullptr && step.clip > 0.0) {
    const double norm = sqrt(static_cast<double>(*squares)) / step.loss_scale;
    factor = step.clip / (norm + 1e-6) < 1.0 ? step.clip / (norm + 1e-6) : 1.0;
  }
  return static_cast<T>(factor / step.loss_scale);
}

/// Whether some gradient is no finite number: then the step is left out.
template <class T>
__device__ bool overflowed(const T* squares) {
  return squares != nullptr && !isfinite(*squares);
}

// Computes: g = grad / loss_scale, times min(1, clip / (its norm + 1e-6)) where there are squares;
//           m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  master *= 1 - lr weight_decay, from decays_from on;
//           master -= lr (m / correction1) / (sqrt(v / correction2) + eps);  param = master
// Shapes:   grad, m, v, master, param: `count` elements; squares: one or none
// Map:      one thread owns one parameter with its two moments
// Traffic:  reads 4 `count` elements (g, m, v, master), writes 3 (m, v, master), one more where
//           param is a copy
// FLOPs:    16 an element
// Bound:    memory, and near its speed
// Differs from the previous rung: the loop is gone; the step's numbers are read from memory, because a
//           recorded launch keeps its arguments
template <class T>
__global__ void adam_kernel(std::size_t count, const StepConstants* step, std::size_t decays_from,
                            const T* grad, const T* squares, T* m, T* v, T* master, T* param) {
  const std::size_t i = line_index();
  if (i >= count || overflowed(squares)) return;
  // 1 - beta in double: in fp32, 1 - 0.99f has lost five of its digits
  const T keep1 = static_cast<T>(step->beta1), take1 = static_cast<T>(1.0 - step->beta1);
  const T keep2 = static_cast<T>(step->beta2), take2 = static_cast<T>(1.0 - step->beta2);
  const T g = grad[i] * gradient_scale(*step, squares);
  m[i] = keep1 * m[i] + take1 * g;
  v[i] = keep2 * v[i] + take2 * g * g;
  const T mean = m[i] / static_cast<T>(step->correction1);
  const T spread = sqrt(v[i] / static_cast<T>(step->correction2)) + static_cast<T>(step->eps);
  const T kept = i < decays_from ? T(1) : static_cast<T>(1.0 - step->learning_rate * step->weight_decay);
  const T updated = master[i] * kept - static_cast<T>(step->learning_rate) * mean / spread;
  master[i] = updated;
  if (param != master) param[i] = updated;
}

inline Cost naive_cost(const Adam& args) {
  const double elements = static_cast<double>(args.count);
  const double passes = args.param.data == args.master.data ? 7 : 8;
  return {.bytes = passes * elements * size_of(args.grad.dtype), .flops = cost(args).flops};
}

inline void launch_adam(const Adam& args, Stream& stream) {
  with_element_type(args.grad.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(stream, line("adam", args.count), adam_kernel<T>, args.count, args.step, args.decays_from,
           args.grad.as<T>(), args.squares.as<T>(), args.m.as<T>(), args.v.as<T>(), args.master.as<T>(),
           args.param.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage2
