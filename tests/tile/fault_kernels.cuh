// Kernels with one mistake each, of the kind that a GPU lets pass. They compile for a GPU like any other.
#pragma once

#include "shared/tile/launch.hpp"

namespace ladder::LADDER_SIDE {

namespace ct = cuda::tiles;
using namespace ct::literals;

/// Adds one to 8 elements a block, through pointers, without a mask for what lies past `count`.
__tile_global__ void add_one_unmasked(const float* x, float* y) {
  auto i = ct::iota<ct::tile<int, ct::shape<8>>>() + static_cast<int>(ct::bid().x) * 8;
  ct::store(y + i, ct::load(x + i) + 1.0F);
}

/// The same with a mask.
__tile_global__ void add_one_masked(const float* x, float* y, int count) {
  auto i = ct::iota<ct::tile<int, ct::shape<8>>>() + static_cast<int>(ct::bid().x) * 8;
  ct::store_masked(y + i, ct::load_masked(x + i, i < count, 0.0F) + 1.0F, i < count);
}

/// A view that claims one row more than its tensor has.
__tile_global__ void one_row_too_many(const float* x, float* y, int rows) {
  auto from = ct::partition_view{ct::tensor_span{x, ct::extents{rows + 1, 4_ic}}, ct::shape<1, 4>{}};
  auto to = ct::partition_view{ct::tensor_span{y, ct::extents{rows, 4_ic}}, ct::shape<1, 4>{}};
  to.store(from.load(static_cast<int>(ct::bid().x) + 1, 0), static_cast<int>(ct::bid().x), 0);
}

/// A tile that hangs over the end of its tensor, loaded without a mask.
__tile_global__ void unmasked_tail_load(const float* x, float* y, int count) {
  auto from = ct::partition_view{ct::tensor_span{x, ct::extents{count}}, ct::shape<8>{}};
  auto to = ct::partition_view{ct::tensor_span{y, ct::extents{count}}, ct::shape<8>{}};
  to.store_masked(from.load(ct::bid().x), ct::bid().x);
}

/// The sum of a tensor whose last tile is loaded without a mask, so that it adds what lies behind the end.
__tile_global__ void unmasked_tail_sum(const float* x, float* y, int count) {
  auto from = ct::partition_view{ct::tensor_span{x, ct::extents{count}}, ct::shape<8>{}};
  ct::store(y, static_cast<float>(ct::sum<0>(from.load(0))));
}

/// The same, stored without a mask.
__tile_global__ void unmasked_tail_store(const float* x, float* y, int count) {
  auto from = ct::partition_view{ct::tensor_span{x, ct::extents{count}}, ct::shape<8>{}};
  auto to = ct::partition_view{ct::tensor_span{y, ct::extents{count}}, ct::shape<8>{}};
  to.store(from.load_masked(ct::bid().x), ct::bid().x);
}

/// Reads or writes one pair of elements as one of twice the size, block after block.
__tile_global__ void read_pairs(const double* x, double* y) {
  const int pair = ct::bid().x;
  ct::store(y + pair, ct::load(x + pair));
}

/// Reads element `element` of x, then writes x as its block's number: what blocks before it have read is written.
__tile_global__ void read_then_write(float* x, float* y, int write) {
  const int block = ct::bid().x;
  ct::store(y + block, ct::load(x));
  if (block == write) ct::store(x, 1.0F);
}

/// Every block writes its sum to the same element.
__tile_global__ void all_write_one(const float* x, float* total) {
  auto i = ct::iota<ct::tile<int, ct::shape<8>>>() + static_cast<int>(ct::bid().x) * 8;
  ct::store(total, static_cast<float>(ct::sum<0>(ct::load(x + i))));
}

/// In place, each block reads its right neighbour's elements, which that block writes.
__tile_global__ void shift_in_place(float* x) {
  auto i = ct::iota<ct::tile<int, ct::shape<8>>>() + static_cast<int>(ct::bid().x) * 8;
  ct::store(x + i, ct::load(x + (i + 1)));
}

/// Reads its output's old contents, which nothing has written.
__tile_global__ void accumulate_onto_nothing(const float* x, float* y) {
  auto i = ct::iota<ct::tile<int, ct::shape<8>>>();
  ct::store(y + i, ct::load(y + i) + ct::load(x + i));
}

/// Promises alignment of a pointer that is one element past it.
__tile_global__ void false_alignment(const float* x, float* y) {
  auto from = ct::assume_aligned<16>(x + 1);
  auto i = ct::iota<ct::tile<int, ct::shape<4>>>();
  ct::store(y + i, ct::load(from + i));
}

/// Promises that the row length is a multiple of 8.
__tile_global__ void false_divisibility(const float* x, float* y, int columns_) {
  const int columns = ct::assume_divisible<8>(columns_);
  auto from = ct::partition_view{ct::tensor_span{x, ct::extents{2_ic, columns}}, ct::shape<2, 8>{}};
  auto to = ct::partition_view{ct::tensor_span{y, ct::extents{2_ic, columns}}, ct::shape<2, 8>{}};
  to.store_masked(from.load_masked(0, 0), 0, 0);
}

}  // namespace ladder::LADDER_SIDE
