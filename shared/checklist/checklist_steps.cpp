#include "shared/checklist/checklist_steps.hpp"

namespace ladder {

Side side_in(const ChecklistState& state, Dtype dtype) {
  const ChecklistSettings& s = state.settings;
  return side_of(s.stage, dtype, s.device, s.threads);
}

Side reference_side(const ChecklistState& state) {
  return side_of(1, Dtype::fp64, Device::automatic, state.settings.threads);
}

bool runs_on_gpu(const ChecklistSettings& settings) {
  return find_stage(settings.stage).gpu && ladder::runs_on_gpu(settings.device);
}

std::vector<std::int32_t> held_out_tokens(const ChecklistState& state, std::size_t count) {
  std::vector<std::int32_t> tokens = state.run.source->evaluation_sequence(DataPart::held_out, 0).tokens;
  if (tokens.size() > count) tokens.resize(count);
  return tokens;
}

void conclude(ChecklistStep& step, bool passed, std::string summary) {
  step.outcome = passed ? ChecklistStep::Outcome::passed : ChecklistStep::Outcome::failed;
  step.summary = std::move(summary);
}

}  // namespace ladder
