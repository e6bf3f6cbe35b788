// Tiles of attention.
#pragma once

#include "shared/dtype.hpp"

namespace ladder::table {

/// FMHA: one block owns `queries` queries (or `keys` keys) of a head.
struct AttentionTiles {
  int queries, keys;
};

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

}  // namespace ladder::table
