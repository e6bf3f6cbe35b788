// Records and tolerances as tables, for the terminal, for the HTML report and for the pages (blocks.hpp).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "shared/base/text_table.hpp"
#include "shared/records/records.hpp"

namespace ladder {

/// A row's name as tables show it: with what it ran on where the row says so, and whether it is stale.
std::string marked_name(const RecordRow& row, bool stale);

/// The table of a record of `ladder speedup` (its rows as record_rows of shared/speed/chain.hpp gives them). `stale` marks rows. How
/// fast an emulated stage is says nothing of its kernels, so such a row is compared with no stage below it.
Cells speedup_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});
/// The table of a record of `ladder parity`: one line a pair of stages, one column a level.
Cells parity_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});
/// The table of tolerances: what, type, compared with, rule, measured, limit, ceiling, why.
Cells tolerance_cells();
/// The table of a record of `ladder profile`.
Cells profile_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});
/// The table of a record of `ladder checklist`.
Cells checklist_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});
/// What generating text costs, and each time as a multiple of the next token's.
Cells decode_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});
/// The table of a record of tile_resources: a line a kernel, a column an architecture. Kernels in bf16 where there are
/// such, otherwise in fp32; the last line counts all.
Cells resource_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});

/// "Made by `command`: work. machine; build; date." of records that one table is made of. Where all did the same work
/// by the same call, that is said once; otherwise each has a paragraph.
std::string caption(const std::vector<const Record*>& records);

/// Whether a row's sources have changed since it was measured.
bool any_stale(const Record& record, const std::filesystem::path& folder);

}  // namespace ladder
