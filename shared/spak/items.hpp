// Items of knowledge: what was measured, tried or found, one JSON object a line.
// stage3_tiled_kernels/knowledge/README.md says what is in them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "shared/base/json.hpp"

namespace ladder {

using KnowledgeItems = std::vector<Json>;

/// stage3_tiled_kernels/knowledge/items/NAME.jsonl
std::filesystem::path items_path(const std::filesystem::path& folder, const std::string& name);

/// One item a line. Throws InputError naming file and line when one is no JSON object, or names a
/// work and no configuration.
KnowledgeItems read_items(const std::filesystem::path& path);

/// What the item varies, by name: tiles, warps, or which rung of a ladder it is. Throws InputError naming the item when
/// it has no object "configuration".
const Json& configuration_of(const Json& item);

/// The item's "rung"; empty for one that belongs to no ladder.
std::string rung_of(const Json& item);

}  // namespace ladder
