// Tiles of attention with dropout, where the bulk copy engine feeds it; elsewhere stage 3's are taken.
#pragma once

#include "stage3_tiled_kernels/configs/attention.hpp"

namespace ladder::table {

/// Stage 3's, but for what a draw's words need of registers. sm_90: the forward kernel with stage 3's tiles would spill, by
/// the compiler's report. The kernel that owns queries never ends once two blocks shall fit a multiprocessor: eight of
/// eight tiles that asked for it hung on Hopper (toolkit 13.5), none of the seven that did not.
constexpr AttentionTiles dropout_attention_tiles(int architecture, int head, AttentionPart part) {
  if (architecture == 90 && part == AttentionPart::forward)
    return head == 64 ? AttentionTiles{64, 64, 4, 3, 2, 5} : AttentionTiles{64, 64, 4, 2};
  if (architecture == 90 && part == AttentionPart::query)
    return head == 64 ? AttentionTiles{128, 64, 8, 1, 1, 1} : AttentionTiles{64, 64, 4, 1};
  return bulk_attention_tiles(architecture, head, part);
}

}  // namespace ladder::table
