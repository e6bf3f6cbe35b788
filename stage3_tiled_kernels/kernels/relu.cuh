// ReLU on its own, for stages of the model that have no product to join it to.
#pragma once

#include "stage3_tiled_kernels/kernels/elementwise.hpp"

namespace ladder::LADDER_SIDE::stage3 {

// Computes: y = max(x, 0); NaN stays NaN
// Shapes:   x, y: `count` elements; y may be x
// Map:      one block owns a tile of 1024 elements
// Traffic:  reads and writes `count` elements
// FLOPs:    1 an element
// Bound:    memory
// Differs from the previous rung: a block says what happens to 1024 elements; the compiler deals them out
template <class T>
__tile_global__ void relu_forward_kernel(std::int64_t count, const T* x, T* y) {
  const int i = ct::bid().x;
  const auto value = line(x, count).load_masked(i);
  line(y, count).store_masked(
      ct::max(value, ct::zeros<ct::tile<T, ct::shape<table::kLine>>>(), ct::propagate_nan_t{}), i);
}

inline void launch_relu_forward(const ReluForward& args, Stream& stream) {
  require_pointers("relu_forward", {pointer("x", args.x), pointer("y", args.y)});
  with_stored_type(args.x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, relu_forward_kernel<T>, {"relu_forward", line_grid(args.count)}, args.count,
           args.x.as<T>(), args.y.as<T>());
  });
}

// Computes: dx = dy where y > 0, else 0
// Shapes:   dy, y, dx: `count` elements; dx may be dy
// Map:      one block owns a tile of 1024 elements
// Traffic:  reads 2 `count` elements, writes `count`
// FLOPs:    1 an element
// Bound:    memory
// Differs from the previous rung: tiles instead of threads
template <class T>
__tile_global__ void relu_backward_kernel(std::int64_t count, const T* dy, const T* y, T* dx) {
  const int i = ct::bid().x;
  const auto zero = ct::zeros<ct::tile<T, ct::shape<table::kLine>>>();
  const auto passed = ct::select(line(y, count).load_masked(i) > zero, line(dy, count).load_masked(i), zero);
  line(dx, count).store_masked(passed, i);
}

inline void launch_relu_backward(const ReluBackward& args, Stream& stream) {
  require_pointers("relu_backward", {pointer("dy", args.dy), pointer("y", args.y), pointer("dx", args.dx)});
  with_stored_type(args.dx.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, relu_backward_kernel<T>, {"relu_backward", line_grid(args.count)}, args.count,
           args.dy.as<T>(), args.y.as<T>(), args.dx.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
