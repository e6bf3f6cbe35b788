// The steps of the checklist, each by itself; what checklist.hpp says of them.
#pragma once

#include <optional>

#include "shared/checklist/checklist.hpp"

namespace ladder {

/// What the steps share: the settings, the run, and what the two trainings left. `other` is empty where none was trained.
struct ChecklistState {
  ChecklistSettings settings;
  Run run;
  TemporaryFolder folder;
  std::optional<Trained> own, other;
  std::string why_no_other;
  bool other_is_pytorch = false;
  Progress progress;
};

/// Trains both sides. Throws CheckError where the stage's own run ends in a loss that is no number.
void train_both(ChecklistState& state);

ChecklistStep check_parity(const ChecklistState& state);
ChecklistStep check_trained_weights(const ChecklistState& state);
ChecklistStep check_imported_weights(const ChecklistState& state);
ChecklistStep check_training(const ChecklistState& state);
ChecklistStep check_side_by_side(const ChecklistState& state, std::vector<SamplePair>& samples);

}  // namespace ladder
