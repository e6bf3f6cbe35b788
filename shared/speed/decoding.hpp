// What generating text costs: a prompt, the tokens after it one by one, and what a token would cost without kept keys
// and values.
#pragma once

#include <string>
#include <vector>

#include "shared/records/records.hpp"
#include "shared/train/engine.hpp"

namespace ladder {

struct DecodingRow {
  std::string name;
  int rows;        ///< positions that go through the model
  double seconds;  ///< median
};

/// Times an engine's decoder in `rounds` rounds (1 or more): a prompt of half the block, the next token, the block's
/// last token, and the whole block at once, which is what every token costs whose predecessors are computed again.
/// Throws InputError for a block of fewer than 4 positions.
std::vector<DecodingRow> measure_decoding(Engine& engine, int rounds);

/// As a record keeps them: "seconds", "rows" and "times_token", the time as a multiple of that of the next token.
std::vector<RecordRow> record_rows(const std::vector<DecodingRow>& rows, const std::string& sources,
                                   bool hashes);

}  // namespace ladder
