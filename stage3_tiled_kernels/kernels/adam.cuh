// AdamW: every parameter on its own, all that decay alike in one launch.
#pragma once

#include "stage3_tiled_kernels/kernels/elementwise.hpp"

namespace ladder::LADDER_SIDE::stage3 {

// StepConstants as the kernel reads it: doubles in order, since a tile program takes numbers and pointers only.
static_assert(offsetof(StepConstants, correction2) == 5 * sizeof(double) &&
              offsetof(StepConstants, clip) == 7 * sizeof(double));

// Computes: g = grad min(1, clip / (sqrt(squares) + 1e-6)), or grad where `clips` is false;
//           m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  master *= 1 - lr weight_decay, if it decays;
//           master -= lr (m / correction1) / (sqrt(v / correction2) + eps);  param = master rounded to its type
// Shapes:   step [8]; grad, m, v, master, param: `count` elements, all that decay alike in one launch; squares [1]
// Map:      one block owns a tile of 1024 parameters with their moments
// Traffic:  reads 4 `count` elements (g, m, v, master), writes 3, one more where param is a copy
// FLOPs:    16 an element
// Bound:    memory
// Differs from the previous rung: tiles instead of threads; 16-bit parameters keep a master copy that small
//           updates reach
template <class W, class T>
__tile_global__ void adam_kernel(std::int64_t count, const double* step, bool decays, bool clips,
                                 const W* grad, const W* squares, W* m, W* v, W* master, T* param,
                                 bool copy) {
  const int i = ct::bid().x;
  const double rate = step[0], beta1 = step[1], beta2 = step[2], eps = step[3];
  const W correction1 = static_cast<W>(step[4]), correction2 = static_cast<W>(step[5]);
  // 1 - beta in double: in fp32, 1 - 0.99f has lost five of its digits
  const W keep1 = static_cast<W>(beta1), take1 = static_cast<W>(1.0 - beta1);
  const W keep2 = static_cast<W>(beta2), take2 = static_cast<W>(1.0 - beta2);
  const W keep = static_cast<W>(decays ? 1.0 - rate * step[6] : 1.0);
  W scale = W(1);
  if (clips && step[7] > 0.0) {
    const W norm = static_cast<W>(ct::sqrt(vector<1>(squares, 1).load_masked(0)));
    const W wanted = static_cast<W>(step[7]) / (norm + W(1e-6));
    scale = wanted < W(1) ? wanted : W(1);
  }
  const auto g = line(grad, count).load_masked(i) * scale;
  const auto mean = line(m, count).load_masked(i) * keep1 + g * take1;
  const auto square = line(v, count).load_masked(i) * keep2 + g * take2 * g;
  line(m, count).store_masked(mean, i);
  line(v, count).store_masked(square, i);
  const auto spread = ct::sqrt(square / correction2) + static_cast<W>(eps);
  const auto updated =
      line(master, count).load_masked(i) * keep - (mean / correction1) * static_cast<W>(rate) / spread;
  line(master, count).store_masked(updated, i);
  if (copy) line(param, count).store_masked(ct::element_cast<T>(updated), i);
}

inline Cost cost(const Adam& args) {
  const double elements = static_cast<double>(args.count);
  const bool copy = args.param.data != args.master.data;
  return {.bytes = elements * (7 * size_of(args.master.dtype) + (copy ? size_of(args.param.dtype) : 0)),
          .flops = 15 * elements};
}

inline void launch_adam(const Adam& args, Stream& stream) {
  require_pointers("adam", {pointer("grad", args.grad),
                            pointer("m", args.m),
                            pointer("v", args.v),
                            pointer("master", args.master),
                            pointer("param", args.param),
                            {"step", args.step, 8}});
  with_stored_type(args.param.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using W = Wide<T>;
    launch(stream, adam_kernel<W, T>, {"adam", line_grid(args.count)}, args.count, &args.step->learning_rate,
           args.decays, static_cast<bool>(args.squares), args.grad.as<W>(), args.squares.as<W>(),
           args.m.as<W>(), args.v.as<W>(), args.master.as<W>(), args.param.as<T>(),
           args.param.data != args.master.data);
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
