// The square of the norm of all gradients together, for clipping.
#pragma once

#include "stage3_tiled_kernels/kernels/elementwise.hpp"

namespace ladder::LADDER_SIDE::stage3 {

// Computes: sums_j[j] = the sum of the squares in the tiles j, j + J, j + 2 J, ... of grad
// Shapes:   grad: `count` elements -> sums_j [J]
// Map:      one block of J adds its tiles element by element and then the sums of their columns: a fixed order
// Traffic:  reads `count` elements, writes J
// FLOPs:    2 an element
// Bound:    memory
// Differs from the previous rung: a block's tile is 1024 strands side by side, so that J blocks fill the card
template <class W>
__tile_global__ void square_sums_kernel(std::int64_t count, const W* __restrict__ grad,
                                        W* __restrict__ sums_j) {
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  const int tiles = static_cast<int>((count + table::kLine - 1) / table::kLine);
  const auto g = line(grad, count);
  auto sums = ct::zeros<ct::tile<W, ct::shape<table::kLine>>>();
  for (int i : ct::irange(first, tiles, blocks)) {
    const auto part = g.load_masked(i);
    sums = sums + part * part;
  }
  vector<1>(sums_j, blocks).store_masked(ct::sum<0>(sums), first);
}

// Computes: total = sum of x_n
// Shapes:   x_n [N] -> total [1]
// Map:      one block, as loss_sum_kernel
// Traffic:  reads N elements
// FLOPs:    N
// Bound:    latency
// Differs from the previous rung: 1024 sums at once
template <class W>
__tile_global__ void square_total_kernel(int count, const W* __restrict__ x_n, W* __restrict__ total) {
  const auto x = vector<table::kLine>(x_n, count);
  auto sums = ct::zeros<ct::tile<W, ct::shape<table::kLine>>>();
  for (int i : ct::irange(0, tiles_for(count, table::kLine))) sums = sums + x.load_masked(i);
  vector<1>(total, 1).store_masked(ct::sum<0>(sums), 0);
}

inline void launch_gradient_squares(const GradientSquares& args, Stream& stream) {
  require_pointers("gradient_squares", {pointer("grad", args.grad), pointer("squares", args.squares)});
  with_stored_type(args.grad.dtype, [&](auto type) {
    using W = typename decltype(type)::type;
    if constexpr (!std::is_same_v<W, Wide<W>>) {
      throw InputError(
          fmt::format("gradient_squares: gradients are fp32 or fp64, not {}", name_of(args.grad.dtype)));
    } else {
      const unsigned tiles = line_grid(args.count).x;
      const auto most = static_cast<unsigned>(4 * sm_count());
      const unsigned blocks = tiles < most ? tiles : most;
      W* sums_j = static_cast<W*>(stream.workspace(blocks * sizeof(W)));
      launch(stream, square_sums_kernel<W>, {"square_sums", {blocks}}, static_cast<std::int64_t>(args.count),
             args.grad.as<W>(), sums_j);
      launch(stream, square_total_kernel<W>, {"square_total", {1}}, static_cast<int>(blocks), sums_j,
             args.squares.as<W>());
    }
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
