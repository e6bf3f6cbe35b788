// microGPT over the abstract Ops: MODEL, LOSS and GRADIENTS, one operation per line.
//
// This text is compiled once and runs on every stage from 1 on; a stage supplies only the operations.
#pragma once

#include <memory>

#include "shared/model/model.hpp"

namespace ladder {

/// The activations of a microGPT with room for `max_rows` rows, the largest padded batch.
ActivationPlan plan_activations(const GptConfig& config, const Ops& ops, int max_rows);

/// A ModelMaker. wq, wk and wv of a layer are neighbours in memory, so they are used as one [P, C] matrix, the packed
/// qkv linear. Throws InputError, or MachineError when the memory is not there.
std::unique_ptr<Model> make_microgpt(const GptConfig& config, Ops& ops, int max_rows);

}  // namespace ladder
