// Larger shapes than the common cases have: every length, head size, width and kind of heads that the stage promises,
// so that each tile of the table is used with whole tiles, with tails, and across several blocks.
#pragma once

#include <functional>

#include "shared/check/cases.hpp"

namespace ladder::testing {

/// thinned: every value at least once, for the CPU model. full: every combination, for a GPU (minutes).
enum class Lists { thinned, full };

/// What the environment's LADDER_FULL says: 1 is full, 0 or nothing thinned.
Lists wanted_lists();

using CaseSink = std::function<void(const cases::OpCase&)>;

/// Attention, forward and backward in one: lengths 0, 1, 13, 17, 64, 127, 256, 257, 1024; head sizes 16, 32, 64, 128
/// (up to `most`); every head its own key/value head, groups, and all heads one; causal or not; scores to 1e4.
void for_each_wide_attention(Layout layout, int most, Lists lists, const CaseSink& sink);

/// Products, RMSNorm and both together: widths 16, 33, 48, 384, 768, rows as the lengths above; split-K; and for
/// persistent grids at least `persistent_rows` rows.
void for_each_wide_row_case(int persistent_rows, Lists lists, const CaseSink& sink);

/// Cross-entropy with logits of +-1e4, and over more columns than one tile has.
void for_each_wide_loss(Layout layout, Lists lists, const CaseSink& sink);

}  // namespace ladder::testing
