// Evaluation: the loss on sequences that no step trains on.
#pragma once

#include "shared/data/data.hpp"
#include "shared/train/engine.hpp"

namespace ladder {

/// Mean loss, in nats, over the first `sequences` held-out sequences of `source`, in batches of at most
/// `max_batch`; the same sequences on every stage. The engine is not changed. Throws InputError unless the
/// source holds that many out.
double held_out_loss(Engine& engine, const TokenSource& source, int sequences, int max_batch);

}  // namespace ladder
