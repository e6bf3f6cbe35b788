// Larger shapes than the common cases have: every length, head size and width of the list at least once, so
// that each tile of the table is used with whole tiles, with tails, and across several blocks.
#pragma once

#include <vector>

#include "tests/ops/cases.hpp"

namespace ladder::testing {

/// Attention forward and backward at one shape; every head size class and every length of 0, 1, 13, 17, 64,
/// 127, 256, 257 and 1024 occurs. `most` leaves out heads that are wider.
std::vector<cases::OpCase> wide_attention_cases(Layout layout, int most);

/// Products and RMSNorm over widths 16, 33, 48, 384 and 768, with enough rows for split-K and persistent
/// grids.
std::vector<cases::OpCase> wide_row_cases();

/// Cross-entropy with logits of +-1e4, and over more columns than one tile has.
std::vector<cases::OpCase> wide_loss_cases(Layout layout);

}  // namespace ladder::testing
