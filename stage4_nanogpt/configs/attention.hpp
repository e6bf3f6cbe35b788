// Tiles of attention with dropout, where the bulk copy engine feeds it; elsewhere stage 3's are taken.
#pragma once

#include "stage3_tiled_kernels/configs/attention.hpp"

namespace ladder::table {

constexpr AttentionTiles dropout_attention_tiles(int architecture, int head, AttentionPart part) {
  return bulk_attention_tiles(architecture, head, part);
}

}  // namespace ladder::table
