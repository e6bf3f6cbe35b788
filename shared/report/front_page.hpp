// What the first page shows: the ladder, each stage on the machine that it is made for; one picture of it; and how long
// the first build takes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "shared/base/text_table.hpp"
#include "shared/records/records.hpp"

namespace ladder {

/// Where the picture lies, from the source folder.
constexpr const char* kPicture = "shared/report/ladder.svg";

/// The records that the picture is made of. Pointers to committed records; none is null.
struct FrontRecords {
  const Record* cpu;     ///< "speedup-micro": the interpreter and stages 0 and 1 on a processor
  const Record* gpu;     ///< "speedup-small-gpu": stages 1 and up on a machine with a GPU
  const Record* curves;  ///< "loss-curves": the losses of every stage
};

/// One line a stage: its lesson, a document's time on a processor, and on a machine with a GPU. Emulated rows are left
/// out: they say nothing of a GPU. `folder` decides which rows are stale. Throws InputError naming record, row and
/// field where a row does not say its stage, type, variant or parameters (see record_rows() in shared/speed/chain.hpp).
Cells ladder_cells_of(const Record& cpu, const Record& gpu, const std::filesystem::path& folder);
/// The same with its captions.
std::string render_front_ladder(const Record& cpu, const Record& gpu, const std::filesystem::path& folder);

/// The curves over each other, then a document's time as bars: an SVG that stands alone, readable in light and dark.
std::string front_picture(const FrontRecords& records, const std::filesystem::path& folder);
/// The line of Markdown that shows it.
std::string render_picture(const FrontRecords& records);

/// A sentence out of the record "first-build". Throws InputError when it lacks the seconds of first_build.py.
std::string render_first_build(const Record& record);

}  // namespace ladder
