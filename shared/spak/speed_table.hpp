// Block `speed` of stage 3's README: each goal of knowledge/targets.json beside what was measured for it.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "shared/records/records.hpp"
#include "shared/spak/ladder_tables.hpp"

namespace ladder {

/// The label that a sweep gives the items of the speed table (sweep.py run --label).
inline constexpr const char* kSpeedLabel = "speed table";
/// The label of items that count for their time at the power limit only: a card that comes from a minute of full load
/// is no longer as fast as one that rested.
inline constexpr const char* kPowerLabel = "power limit";

/// One goal beside the item that newest_for() found for it; `item` is null where there is none yet.
/// `sustained` is the item for the last column.
std::vector<std::string> speed_cells(const Json& goal, const Json& item, const Json& sustained);

/// The newest measured item of `items` for `work` that has kPowerLabel; null when there is none.
Json sustained_for(const KnowledgeItems& items, const std::string& work);

/// The newest measured item of `items` for `work` that has kSpeedLabel; without one, the newest whose id is in
/// `evidence`, what the tables name that the kernels are launched by; null when there is none either.
Json newest_for(const KnowledgeItems& items, const std::string& work,
                const std::set<std::string>& evidence = {});

/// A goal that is a ratio of two rows of a record of `ladder speedup`. Throws InputError when the record lacks one.
/// `folder` holds the sources: a row that was measured with others is marked.
std::vector<std::string> record_cells(const Json& goal, const Record& record,
                                      const std::filesystem::path& folder);

/// The whole table with its caption; `evidence` as for newest_for(). Throws InputError when the file
/// of goals cannot be read.
std::string render_speed(const std::filesystem::path& folder, const std::set<std::string>& evidence);

}  // namespace ladder
