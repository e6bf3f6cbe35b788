// The generated parts of the pages: every figure in them comes from a committed record, from items of knowledge or from
// the table of tolerances, between the lines `<!-- generated: BLOCK -->` and `<!-- /generated -->`.
//
// BLOCK is one of
//   RECORD                                 the table of a record ("speedup-*", "parity*", "pytorch-parity*",
//                                          "profile-*", "decode-*", "checklist-*", "run-*", "*-resources"), or the lines
//                                          that it holds, as output of its command
//   RECORD RECORD ...                      one table with the rows of all
//   if run RECORD RECORD ...               the same of those that are there: that one was not run is said, and no
//                                          fault; for what needs more than this program
//   rows RECORD: START | START ...         the table of a record, rows whose names begin so
//   excerpt RECORD: START | START ...      of a record's lines, in order the next one that begins so
//   curves RECORD: FILE                    the picture of a training run ("run-*"), drawn into FILE beside the page
//   sample RECORD: N                       the first text, or text N, that a training run's model wrote
//   times WORDS: RECORD | WORDS: RECORD    what each stage took on a GPU in one record beside the others
//   ladder, picture, first-build-time      for the first page: see front_page.hpp
//   tolerances                             the table of limits
//   speed, ladder-OP, items OP ID ID ...   items of knowledge: see shared/spak
//
// A RECORD that ends in "-gpu" is one of whichever card measured: see shared/records/find_record.hpp.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "shared/records/records.hpp"

namespace ladder {

/// What stands between the markers of `block`. Throws InputError when there is no record of that name, or none of its
/// rows or lines begins as the block asks.
std::string render_block(const std::string& block, const std::vector<Record>& records,
                         const std::filesystem::path& folder);

/// `text` with the inside of every block replaced by `render(block)`. Throws InputError naming `source` when a marker
/// is not closed, closed twice, or nested.
std::string replace_blocks(const std::string& text, const std::string& source,
                           const std::function<std::string(const std::string&)>& render);

struct TablesReport {
  /// Files that differ from what the records give: pages, and the picture of the first page.
  std::vector<std::string> changed;
  /// "README.md: block 'speedup-micro' has no record", and the block says so too.
  std::vector<std::string> missing;
  /// "speedup-micro: row 'stage 0 fp64' timed other sources than these".
  std::vector<std::string> stale;

  bool clean() const { return changed.empty() && missing.empty() && stale.empty(); }
};

/// Every README.md of `folder`, of shared/ and of the stages down to their kernel ladders, and shared/HACKING.md.
/// Rewrites those that differ if `write`.
TablesReport update_tables(const std::filesystem::path& folder, bool write);

}  // namespace ladder
