// Tiles of the kernels that go through a matrix row by row: norm, embedding, loss, element-wise.
#pragma once

#include <array>

#include "shared/base/dtype.hpp"

namespace ladder::table {

/// A whole row as tiles: `parts` of `part` columns and, where rest > 0, one of `rest`, which divides `part`.
struct RowParts {
  int part, parts, rest;
  constexpr int count() const { return parts + (rest > 0 ? 1 : 0); }
  constexpr int width(int i) const { return i < parts ? part : rest; }
  /// Which tile of its width part i is.
  constexpr int index(int i) const { return i < parts ? i : part * parts / rest; }
  constexpr int capacity() const { return part * parts + rest; }
  bool operator==(const RowParts&) const = default;
};

/// RMSNorm with `rows` whole rows in registers.
struct NormTiles {
  int rows;
  RowParts row;
  int warps, occupancy;        ///< of a block; blocks of a multiprocessor, which limits registers
  bool bulk_load, bulk_store;  ///< whether the bulk copy engine may fetch and store
  /// A grid of `occupancy` blocks for each multiprocessor that walk through the rows.
  bool persistent = false;
  bool operator==(const NormTiles&) const = default;
};

/// Cross-entropy with a whole row of logits in registers; the fields as in NormTiles.
struct LossTiles {
  RowParts row;
  int warps, occupancy;
  bool bulk_load, bulk_store;
  bool persistent = false;
  bool operator==(const LossTiles&) const = default;
};

/// Tiles of RMSNorm for one architecture and type, and the items (knowledge/items) that they come from. A
/// launcher takes the first row whose parts hold the width.
struct NormRow {
  int architecture;
  Dtype dtype;
  NormTiles forward, backward;
  const char *forward_evidence, *backward_evidence;
};

struct LossRow {
  int architecture;
  Dtype dtype;
  LossTiles tiles;
  const char* evidence;
};

/// The evidence of a row that was never measured; the compiler's report is all that is known of it.
inline constexpr const char* kNotRun = "static: sm_90's tiles; not run on hardware";

/// Widths from 513 to 768. A row in equal parts needs one reduction; 512 + 256 needs two.
inline constexpr NormTiles kNorm768{8, {256, 3, 0}, 8, 3, true, false, true};
inline constexpr std::array kNorms = {
    // clang-format off
    // spak table: norms
    NormRow{80, Dtype::bf16, kNorm768, kNorm768, kNotRun, kNotRun},  // rmsnorm_bf16_sm_80
    NormRow{90, Dtype::bf16, kNorm768, kNorm768, "rmsnorm-0156", "rmsnorm-0130"},  // rmsnorm_bf16_sm_90
    NormRow{100, Dtype::bf16, kNorm768, kNorm768, kNotRun, kNotRun},  // rmsnorm_bf16_sm_100
    NormRow{120, Dtype::bf16, kNorm768, kNorm768, kNotRun, kNotRun},  // rmsnorm_bf16_sm_120
    // spak end
    // clang-format on
};

/// Vocabularies from 49,153 to 51,200, GPT-2's padded one among them. In small parts the row stays bf16 and two blocks
/// fit a multiprocessor; parts of 4096 spill.
inline constexpr LossTiles kLoss50304{{2048, 24, 2048}, 8, 2, false, false, false};
inline constexpr std::array kLosses = {
    // clang-format off
    // spak table: losses
    LossRow{80, Dtype::bf16, kLoss50304, kNotRun},  // cross_entropy_bf16_sm_80
    LossRow{90, Dtype::bf16, kLoss50304, "cross_entropy-0044"},  // cross_entropy_bf16_sm_90
    LossRow{100, Dtype::bf16, kLoss50304, kNotRun},  // cross_entropy_bf16_sm_100
    LossRow{120, Dtype::bf16, kLoss50304, kNotRun},  // cross_entropy_bf16_sm_120
    // spak end
    // clang-format on
};

/// Rows x channels of a tile of the row-wise kernels.
inline constexpr int kNormRows = 8, kNormChannels = 128;
inline constexpr int kEmbeddingRows = 16, kEmbeddingChannels = 32;
inline constexpr int kLossRows = 8, kLossColumns = 128;
/// Elements of a tile of the element-wise kernels.
inline constexpr int kLine = 1024;

}  // namespace ladder::table
