#include "shared/train/bad_tensor.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "shared/base/finite.hpp"

namespace ladder {
namespace {

std::string first_bad(const TensorList& tensors, const char* kind) {
  for (const NamedTensor& tensor : tensors) {
    const std::vector<double> values = tensor.values();
    if (!std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); }))
      return fmt::format("{} '{}'", kind, tensor.name);
  }
  return {};
}

std::string first_bad(const Probe& probe) {
  const std::string bad = first_bad(probe.activations, "activation");
  return bad.empty() ? first_bad(probe.gradients, "the gradient of") : bad;
}

}  // namespace

std::string loss_words(double loss) {
  return fmt::format("{}{}", printable(loss),
                     std::isinf(loss)
                         ? ", since a token that came next had a probability so small that it counts as 0, "
                           "whose logarithm is minus infinity"
                         : "");
}

std::string first_bad_tensor(Engine& engine, const StepInput& step) {
  std::string bad = first_bad(engine.parameters(), "parameter");
  std::int64_t micro_batch = 0, sequences = 0;
  for (Batch batch : step.micro_batches) {
    if (!bad.empty()) break;
    batch.step = step.adam;
    batch.step->micro_batch = micro_batch++;
    batch.step->first_sequence = sequences;
    sequences += batch.batch();
    bad = first_bad(engine.probe(batch));
  }
  return bad;
}

}  // namespace ladder
