// Residual: the sum of a branch and what went around it. The fused operations add it
// inside the product instead.
#pragma once

#include "stage3_tiled_kernels/kernels/elementwise.hpp"

namespace ladder::LADDER_SIDE::stage3 {

// Computes: y = a + b
// Shapes:   a, b, y: `count` elements; y may be a or b
// Map:      one block owns a tile of 1024 elements
// Traffic:  reads 2 `count` elements, writes `count`
// FLOPs:    1 an element
// Bound:    memory
// Differs from the previous rung: tiles instead of threads
template <class T>
__tile_global__ void residual_forward_kernel(std::int64_t count, const T* a, const T* b, T* y) {
  const int i = ct::bid().x;
  line(y, count).store_masked(line(a, count).load_masked(i) + line(b, count).load_masked(i), i);
}

inline void launch_residual_forward(const ResidualForward& args, Stream& stream) {
  require_pointers("residual_forward", {pointer("a", args.a), pointer("b", args.b), pointer("y", args.y)});
  with_stored_type(args.y.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, residual_forward_kernel<T>, {"residual_forward", line_grid(args.count)}, args.count,
           args.a.as<T>(), args.b.as<T>(), args.y.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
