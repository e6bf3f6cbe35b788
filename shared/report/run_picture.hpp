// The record of a training run at length ("run-*"): its table and its picture.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/text_table.hpp"
#include "shared/records/records.hpp"
#include "shared/train/history.hpp"

namespace ladder {

/// A training run, as it is shown.
struct TrainedRun {
  std::string name;       ///< who trained: "stage 4 bf16"
  bool emulated = false;  ///< by kernels of a GPU on the CPU
  std::vector<double> loss;
  std::vector<Evaluation> evaluations;  ///< NaN for a loss that was not measured
  std::vector<std::string> samples;
  double median_ms = 0.0;  ///< a step; 0 where it was not measured
  std::int64_t parameters = 0, tokens_a_step = 0;
  std::int64_t resumed_after = 0;              ///< steps; 0 for a run in one piece
  std::optional<double> share_of_tokens = {};  ///< of the card's peak, that one token a second is
};

/// A row's values of a record "run-*": "steps", "parameters", "resumed_after", "samples", "loss" (means over "steps_each"
/// steps), "evaluations" (triples of step, loss of the training part or null, held-out loss), and where they are known
/// "best_held_out", "best_step", "median_ms", "tokens_per_second", "share_of_peak".
Json run_values(const TrainedRun& run);

/// The table of such a record.
Cells run_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale = {});

/// The losses of training and, between evaluations, of what is held out, as a picture that stands alone. Throws InputError
/// where the record has no losses.
std::string run_picture(const Record& record);

}  // namespace ladder
