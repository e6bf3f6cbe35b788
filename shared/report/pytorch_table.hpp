// The table of the comparison with PyTorch: records of tests/bench/pytorch_parity.py.
#pragma once

#include <vector>

#include "shared/base/text_table.hpp"
#include "shared/records/records.hpp"

namespace ladder {

/// A line a model, kind of weights and type; what the rows hold says tests/bench/pytorch_judgement.py. `stale` marks rows.
Cells pytorch_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});

}  // namespace ladder
