// GPT-2 over the abstract Ops, as nanoGPT has it: MODEL, LOSS and GRADIENTS, one operation per line.
//
// A second text beside microgpt.cpp: LayerNorm for RMSNorm, GELU for ReLU, biases, dropout, and a head that is the
// token embedding read the other way.
#pragma once

#include <memory>

#include "shared/model/model.hpp"

namespace ladder {

/// Columns of the logits: the vocabulary, rounded up to what the bulk copy engine and the tensor cores like (50,257 to
/// 50,304). The columns behind the vocabulary never win and never train.
int gpt2_logit_columns(int vocab_size);

/// The activations of a GPT-2 with room for `max_rows` rows, the largest padded batch.
ActivationPlan plan_gpt2_activations(const GptConfig& config, const Ops& ops, int max_rows);

/// A ModelMaker. Throws InputError, or MachineError when the memory is not there.
std::unique_ptr<Model> make_gpt2(const GptConfig& config, Ops& ops, int max_rows);

}  // namespace ladder
