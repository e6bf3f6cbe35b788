// Where a run went wrong: what its loss says, and the first tensor that holds something other than finite numbers.
#pragma once

#include <string>

#include "shared/train/engine.hpp"

namespace ladder {

/// A loss that is not finite, in words: an infinite one says what became of a probability.
std::string loss_words(double loss);

/// Looks at the parameters, then at activations and gradients of the step's micro-batches, in the order in which they
/// are computed: "activation 'layer3.mlp'". Empty where all are finite numbers.
std::string first_bad_tensor(Engine& engine, const StepInput& step);

}  // namespace ladder
