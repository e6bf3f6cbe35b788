// The table of a kernel ladder: one line a rung, from the items that the sweep keeps under
// stage3_tiled_kernels/knowledge/items/. Block `ladder-OP` of a README shows OP_ladder.jsonl.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "shared/base/text_table.hpp"
#include "shared/spak/items.hpp"

namespace ladder {

/// How a block begins that asks for a kernel ladder's table.
constexpr std::string_view kLadderBlock = "ladder-";
/// "matmul" of the block name "ladder-matmul"; empty for any other block.
std::string ladder_of_block(const std::string& block);

/// "771 TFLOP/s" or "3.70 TB/s"; for an item without a rate what became of it.
std::string rate_of(const Json& item);

/// Rungs in the order of their names, lost ones last, three columns for each work: the rate of the newest item of
/// that rung and work, its share of the ceiling (the newest item of `ceilings` with the same unit and device), and
/// the ratio to each rival of the same race (above 1: faster than it). What did not run says so instead.
Cells ladder_cells(const KnowledgeItems& rungs, const KnowledgeItems& ceilings);

/// The table with its caption: device, driver, toolkit, the items it was made from, and what the ceiling is.
std::string render_ladder(const std::string& operation, const std::filesystem::path& folder);

}  // namespace ladder
