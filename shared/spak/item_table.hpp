// Block `items OPERATION ID ID...`: some items side by side, with what the compiler reported of their kernels.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "shared/base/text_table.hpp"
#include "shared/spak/ladder_tables.hpp"

namespace ladder {

/// How a block begins that asks for items.
constexpr std::string_view kItemsBlock = "items ";

/// One line an item, in the order of `ids`: its rung or configuration, then registers, stack, shared memory and threads
/// of its largest kernel, and its rate. Throws InputError for an id that is not there.
Cells item_cells(const KnowledgeItems& items, const std::vector<std::string>& ids);

/// The table that `block` names, from knowledge/items/OPERATION.jsonl.
std::string render_items(const std::string& block, const std::filesystem::path& folder);

}  // namespace ladder
