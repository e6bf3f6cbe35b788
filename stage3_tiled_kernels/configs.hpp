// The one table of configurations: which tiles each architecture uses. Nothing else in this stage holds a
// tile size.
//
// A row is for one architecture; a launcher takes the row of the card it runs on, or the nearest when there
// is none (nearest(), which the stage's Ops reports). A tile that several rows share is one instantiation,
// since kernels are templates over the numbers and not over the row.
#pragma once

#include <array>
#include <cstddef>

#include "shared/dtype.hpp"

namespace ladder::table {

/// Architectures with rows in the table. The CPU model counts as the middle one.
inline constexpr std::array kArchitectures = {80, 90, 100, 120};
inline constexpr int kModelArchitecture = 90;

/// The architecture among `rows` (ascending) to use on a card of compute capability `card` (90 for 9.0): the
/// newest that is not newer than the card, since tiles that fit an older card fit; the oldest for a card
/// older than all.
template <std::size_t N>
constexpr int nearest(int card, const std::array<int, N>& rows) {
  int found = rows.front();
  for (int architecture : rows)
    if (architecture <= card) found = architecture;
  return found;
}

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

/// FMHA: one block owns `queries` queries (or `keys` keys) of a head.
struct AttentionTiles {
  int queries, keys;
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

/// Head sizes round up to a class, the extent of the tile that holds a head; 0 where no class holds them.
/// Every type has 16 and 64; only the two types that models are trained in have 128.
constexpr int head_class(int head_dim, Dtype dtype) {
  if (head_dim <= 16) return 16;
  if (head_dim <= 64) return 64;
  const bool wide = dtype == Dtype::fp32 || dtype == Dtype::bf16;
  return head_dim <= 128 && wide ? 128 : 0;
}

constexpr AttentionTiles attention_tiles(int /*architecture*/, Dtype dtype, int head) {
  const bool half = dtype == Dtype::bf16 || dtype == Dtype::fp16;
  if (head == 16) return half ? AttentionTiles{32, 32} : AttentionTiles{16, 16};
  return half || dtype == Dtype::tf32 ? AttentionTiles{64, 64} : AttentionTiles{16, 16};
}

/// Rows of a tile of the row sums that the backward pass begins with.
inline constexpr int kDeltaRows = 16;

/// Rows x channels of a tile of the row-wise kernels.
inline constexpr int kNormRows = 8, kNormChannels = 128;
inline constexpr int kEmbeddingRows = 16, kEmbeddingChannels = 32;
inline constexpr int kLossRows = 8, kLossColumns = 128;
/// Elements of a tile of the element-wise kernels.
inline constexpr int kLine = 1024;
/// Blocks of rows that the grouped order of products walks through before it moves on.
inline constexpr int kGroup = 8;

}  // namespace ladder::table
