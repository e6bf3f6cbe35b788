// Tiles of the matrix products.
#pragma once

#include "shared/dtype.hpp"

namespace ladder::table {

/// C (rows x columns) is one block's; it walks along the inner dimension in steps of `inner`. The rest speaks to
/// the compiler and to the launcher; what is left out is the compiler's default.
struct ProductTiles {
  int rows, columns, inner;
  int warps = 4;       ///< warps that multiply; 8 are two groups, each with half of the accumulator
  int occupancy = 1;   ///< blocks that a multiprocessor must be able to hold: it limits registers
  int group = 8;       ///< rows of tiles that the grouped order goes down before the next column
  int persistent = 0;  ///< blocks of a multiprocessor that walk through the tiles; 0: a block for each tile
  bool bulk_store = true;  ///< whether the result may leave through the bulk copy engine
  int piece = 0;  ///< columns of the result that leave at once; 0: all, which need most shared memory
  bool operator==(const ProductTiles&) const = default;
};

/// Products: `masked` takes any shape and pointer; the others only rows that the bulk copy engine can take (16
/// bytes), and pay only when the matrix has at least one whole tile: `forward` for y = x W^T, `input` for dx = dy
/// W, `weight` for dW = dy^T x. Where an element type has no faster tile, all are the same.
struct ProductRow {
  ProductTiles masked, forward, input, weight;
};

/// What limits a tile: fp32 has no tensor core, so its products run on the ordinary units out of registers,
/// and 64x64 already spills; fp64 has one, but each element is two registers; the narrow types want at least
/// 32x16.
constexpr ProductRow product_tiles(int architecture, Dtype dtype) {
  constexpr ProductTiles k16{16, 16, 16}, k32{32, 32, 32}, k64{64, 64, 64}, k128{128, 128, 64};
  switch (dtype) {
    case Dtype::fp64:
      return {k16, k16, k16, k16};
    case Dtype::fp32:
      return {k16, k32, k32, k32};
    case Dtype::tf32:
    case Dtype::fp16:
      return {k32, k32, k32, k32};
    case Dtype::bf16:
      return architecture == 120 ? ProductRow{k32, k64, k64, k64} : ProductRow{k32, k128, k128, k128};
  }
  return {};
}

}  // namespace ladder::table
