// The generated parts of the READMEs: every figure in them comes from a committed record or from the table of
// tolerances, between the lines `<!-- generated: NAME -->` and `<!-- /generated -->`.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "shared/base/text_table.hpp"
#include "shared/records/records.hpp"

namespace ladder {

/// The table of a record of `ladder speedup` (its rows as run_chain's record_row gives them). `stale` marks rows.
Cells speedup_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});
/// The table of a record of `ladder parity`: one line a pair of stages, one column a level.
Cells parity_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});
/// The table of tolerances: what, type, rule, ceiling, limit, measured, reason.
Cells tolerance_cells();
/// The table of a record of `ladder profile`.
Cells profile_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});
/// The table of a record of tile_resources: a line a kernel, a column an architecture. Kernels in bf16 where there are
/// such, otherwise in fp32; the last line counts all.
Cells resource_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});

/// What stands between the markers of block NAME. "tolerances" needs no record; "ladder-OP" shows items of knowledge (see ladder_tables.hpp); "speedup-*", "parity*", "profile-*",
/// "*-resources" are tables; any other record is a command and its output. Throws InputError when there is no record of that name.
std::string render_block(const std::string& name, const std::vector<Record>& records,
                         const std::filesystem::path& folder);

/// `text` with the inside of every block replaced by `render(name)`. Throws InputError naming `source` when a marker
/// is not closed, closed twice, or nested.
std::string replace_blocks(const std::string& text, const std::string& source,
                           const std::function<std::string(const std::string&)>& render);

struct TablesReport {
  std::vector<std::string> changed;  ///< files whose blocks differ from what the records give
  std::vector<std::string>
      missing;  ///< "README.md: block 'speedup-micro' has no record", and the block says so too
  std::vector<std::string> stale;  ///< "speedup-micro: row 'stage 0 fp64' timed other sources than these"

  bool clean() const { return changed.empty() && missing.empty() && stale.empty(); }
};

/// The README.md of `folder`, of each of its stage folders and of each kernel ladder, and shared/HACKING.md. Rewrites those that
/// differ if `write`.
TablesReport update_tables(const std::filesystem::path& folder, bool write);

}  // namespace ladder
