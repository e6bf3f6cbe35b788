#include "shared/train/engine.hpp"

namespace ladder {

std::vector<double> Engine::train_steps(std::span<const StepInput> steps) {
  std::vector<double> losses;
  for (const StepInput& step : steps) losses.push_back(train_step(step.micro_batches, step.adam));
  return losses;
}

Probe Engine::probe_along(const Batch& batch, const TensorList& /*hidden*/) { return probe(batch); }

}  // namespace ladder
