// Evaluation: the loss of sequences, without an update and without dropout.
#pragma once

#include "shared/data/data.hpp"
#include "shared/train/engine.hpp"

namespace ladder {

/// Mean loss, in nats, over the first `sequences` evaluation sequences of `part`, in batches of at most `max_batch`; the
/// same sequences on every stage. The engine is not changed. Throws InputError unless the source holds that many out.
double mean_loss(Engine& engine, const TokenSource& source, DataPart part, int sequences, int max_batch);

}  // namespace ladder
