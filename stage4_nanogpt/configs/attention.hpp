// Tiles of attention with dropout, where the bulk copy engine feeds it; elsewhere stage 3's are taken.
#pragma once

#include "stage3_tiled_kernels/configs/attention.hpp"

namespace ladder::table {

/// Stage 3's, but for what a draw's words need of registers. sm_90, static, by the compiler's report: the forward kernel
/// with stage 3's tiles would spill, and the one that owns queries does not compile with three blocks a multiprocessor.
constexpr AttentionTiles dropout_attention_tiles(int architecture, int head, AttentionPart part) {
  if (architecture == 90 && part == AttentionPart::forward)
    return head == 64 ? AttentionTiles{64, 64, 4, 3, 2, 5} : AttentionTiles{64, 64, 4, 2};
  if (architecture == 90 && part == AttentionPart::query) return {64, 64, 4, head == 64 ? 2 : 1};
  return bulk_attention_tiles(architecture, head, part);
}

}  // namespace ladder::table
