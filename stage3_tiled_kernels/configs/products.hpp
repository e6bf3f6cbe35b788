// Tiles of the matrix products.
#pragma once

#include "shared/dtype.hpp"

namespace ladder::table {

/// C (rows x columns) is one block's; it walks along the inner dimension in steps of `inner`.
struct ProductTiles {
  int rows, columns, inner;
  bool operator==(const ProductTiles&) const = default;
};

/// Products: `masked` takes any shape and pointer; `bulk` only rows that the bulk copy engine can take (16
/// bytes), and pays only when the matrix has at least one whole tile. Where an element type has no faster
/// tile, both are the same.
struct ProductRow {
  ProductTiles masked, bulk;
};

/// What limits a tile: fp32 has no tensor core, so its products run on the ordinary units out of registers,
/// and 64x64 already spills; fp64 has one, but each element is two registers; the narrow types want at least
/// 32x16.
constexpr ProductRow product_tiles(int architecture, Dtype dtype) {
  switch (dtype) {
    case Dtype::fp64:
      return {{16, 16, 16}, {16, 16, 16}};
    case Dtype::fp32:
      return {{16, 16, 16}, {32, 32, 32}};
    case Dtype::tf32:
      return {{32, 32, 32}, {32, 32, 32}};
    case Dtype::bf16:
      return {{32, 32, 32}, architecture == 120 ? ProductTiles{64, 64, 64} : ProductTiles{128, 128, 64}};
    case Dtype::fp16:
      return {{32, 32, 32}, {32, 32, 32}};
  }
  return {};
}

/// Blocks of rows that the grouped order of products walks through before it moves on.
inline constexpr int kGroup = 8;

}  // namespace ladder::table
