// AdamW: every parameter on its own, all of them in one launch.
#pragma once

#include "stage3_tiled_kernels/kernels/elementwise.hpp"

namespace ladder::LADDER_SIDE::stage3 {

// StepConstants as the kernel reads it: doubles in order, since a tile program takes numbers and pointers only.
static_assert(offsetof(StepConstants, correction2) == 5 * sizeof(double) &&
              offsetof(StepConstants, clip) == 7 * sizeof(double) &&
              offsetof(StepConstants, loss_scale) == 8 * sizeof(double));

// Computes: g = grad / loss_scale, times min(1, clip / (its norm + 1e-6)) where there are squares;
//           m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  master *= 1 - lr weight_decay, from decays_from on;
//           master -= lr (m / correction1) / (sqrt(v / correction2) + eps);  param = master rounded to its type
// Shapes:   step [9]; grad, m, v, master, param: `count` elements; squares [1]
// Map:      one block owns a tile of 1024 parameters with their moments
// Traffic:  reads 4 `count` elements (g, m, v, master), writes 3, one more where param is a copy
// FLOPs:    16 an element
// Bound:    memory
// Differs from the previous rung: tiles instead of threads; 16-bit parameters keep a master copy that small
//           updates reach
template <class W, class T>
__tile_global__ void adam_kernel(std::int64_t count, const double* step, std::int64_t decays_from,
                                 bool with_squares, const W* grad, const W* squares, W* m, W* v, W* master,
                                 T* param, bool copy) {
  using Line = ct::tile<W, ct::shape<table::kLine>>;
  const int i = ct::bid().x;
  const double rate = step[0], beta1 = step[1], beta2 = step[2], eps = step[3];
  const W correction1 = static_cast<W>(step[4]), correction2 = static_cast<W>(step[5]);
  // 1 - beta in double: in fp32, 1 - 0.99f has lost five of its digits
  const W keep1 = static_cast<W>(beta1), take1 = static_cast<W>(1.0 - beta1);
  const W keep2 = static_cast<W>(beta2), take2 = static_cast<W>(1.0 - beta2);
  const W loss_scale = static_cast<W>(step[8]);
  W factor = W(1);
  if (with_squares) {
    const W norm = static_cast<W>(ct::sqrt(vector<1>(squares, 1).load_masked(0))) / loss_scale;
    // A gradient is no finite number: the step is left out. (What is no number is not below infinity.)
    if (!(norm < -kBelowAll<W>)) return;
    const W wanted = static_cast<W>(step[7]) / (norm + W(1e-6));
    factor = step[7] > 0.0 && wanted < W(1) ? wanted : W(1);
  }
  const auto g = line(grad, count).load_masked(i) * (factor / loss_scale);
  const auto mean = line(m, count).load_masked(i) * keep1 + g * take1;
  const auto square = line(v, count).load_masked(i) * keep2 + g * take2 * g;
  line(m, count).store_masked(mean, i);
  line(v, count).store_masked(square, i);
  const auto spread = ct::sqrt(square / correction2) + static_cast<W>(eps);
  const auto element = ct::iota<ct::tile<int, ct::shape<table::kLine>>>();
  const auto begin = decays_from - static_cast<std::int64_t>(i) * table::kLine;
  const auto keep = ct::select(ct::element_cast<std::int64_t>(element) < begin, ct::full<Line>(W(1)),
                               ct::full<Line>(static_cast<W>(1.0 - rate * step[6])));
  const auto updated =
      line(master, count).load_masked(i) * keep - (mean / correction1) * static_cast<W>(rate) / spread;
  line(master, count).store_masked(updated, i);
  if (copy) line(param, count).store_masked(ct::element_cast<T>(updated), i);
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
           static_cast<std::int64_t>(args.decays_from), static_cast<bool>(args.squares), args.grad.as<W>(),
           args.squares.as<W>(), args.m.as<W>(), args.v.as<W>(), args.master.as<W>(), args.param.as<T>(),
           args.param.data != args.master.data);
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
