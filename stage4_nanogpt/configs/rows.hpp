// Tiles of the kernels that go through a matrix row by row or column by column: LayerNorm, dropout, sums over rows,
// the embedding's gradient.
#pragma once

#include <array>

#include "stage3_tiled_kernels/configs/rows.hpp"

namespace ladder::table {

/// LayerNorm with `rows` whole rows in registers: forward, and backward with the column sums beside.
struct LayerNormRow {
  Dtype dtype;
  NormTiles forward, backward;
};

// Widths up to 384 (shakespeare_char) and 768 (gpt2), in equal parts: one reduction for a row.
inline constexpr NormTiles kLayerNorm384{8, {128, 3, 0}, 4, 4, true, false, true};
inline constexpr NormTiles kLayerNorm768{8, {256, 3, 0}, 8, 3, true, false, true};
inline constexpr NormTiles kLayerNormBackward384{8, {128, 3, 0}, 4, 3, true, false, true};
inline constexpr NormTiles kLayerNormBackward768{4, {256, 3, 0}, 8, 2, true, false, true};

/// A launcher takes the first row whose parts hold the width; none: the kernels for any width.
inline constexpr std::array kLayerNorms = {
    // clang-format off
    // spak table: layer_norms
    LayerNormRow{Dtype::bf16, kLayerNorm768, kLayerNormBackward768},  // layer_norm_768
    LayerNormRow{Dtype::bf16, kLayerNorm384, kLayerNormBackward384},  // layer_norm_384
    // spak end
    // clang-format on
};

/// Rows x channels of a tile of LayerNorm for any width, and of dropout.
inline constexpr int kLayerNormRows = 8, kLayerNormChannels = 128, kLayerNormOccupancy = 4;
inline constexpr int kDropoutRows = 8, kDropoutChannels = 128;

/// Sums over rows: the tile that a block walks down with; the other fields as in NormTiles.
struct SumTiles {
  int rows, columns, warps, occupancy;
  bool bulk_load;
};
inline constexpr SumTiles kSums{32, 64, 4, 4, false};
/// Where every row begins at a multiple of 16 bytes, but in fp64 (column_sums-0021, -0043, -0065).
inline constexpr SumTiles kBulkSums{64, 128, 4, 2, true};
/// Partial sums x columns that the second kernel takes at once.
inline constexpr int kTotalParts = 16, kTotalColumns = 32;

/// The embedding's gradient: a block owns this many rows, in the order of their tokens, and channels of them. Wide types
/// multiply without tensor cores or with slow ones.
struct EmbeddingTiles {
  int rows, channels;
};
inline constexpr EmbeddingTiles kSortedNarrow{64, 64}, kSortedWide{16, 32};
/// Stretches whose sums of a token that goes on are taken at once.
inline constexpr int kSortedHeads = 16;

}  // namespace ladder::table
