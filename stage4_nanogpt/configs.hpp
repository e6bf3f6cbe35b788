// The configurations that this stage adds to stage 3's table.
#pragma once

#include "stage3_tiled_kernels/configs.hpp"

namespace ladder::table {

/// Attention with dropout, where the bulk copy engine feeds it.
constexpr AttentionTiles dropout_attention_tiles(int architecture, int head, AttentionPart part) {
  return bulk_attention_tiles(architecture, head, part);
}

}  // namespace ladder::table
