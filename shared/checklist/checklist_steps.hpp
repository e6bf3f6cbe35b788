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

/// The stage that is checked, in a type; and stage 1 in double.
Side side_in(const ChecklistState& state, Dtype dtype);
Side reference_side(const ChecklistState& state);
/// Whether that is a GPU.
bool runs_on_gpu(const ChecklistSettings& settings);

/// Tokens that nobody trained on: the first of the data's held-out part.
std::vector<std::int32_t> held_out_tokens(const ChecklistState& state, std::size_t count);
inline constexpr std::size_t kPromptTokens = 8;  ///< of them, where a text is continued

void conclude(ChecklistStep& step, bool passed, std::string summary);

/// Trains both sides. Throws CheckError where the stage's own run ends in a loss that is no number.
void train_both(ChecklistState& state);

ChecklistStep check_parity(const ChecklistState& state);
ChecklistStep check_trained_weights(const ChecklistState& state);
ChecklistStep check_imported_weights(const ChecklistState& state);
ChecklistStep check_training(const ChecklistState& state);
ChecklistStep check_side_by_side(const ChecklistState& state, std::vector<SamplePair>& samples);

}  // namespace ladder
