// The Engine of stages 1 to 4: a model's text over a stage's Ops.
#pragma once

#include <memory>

#include "shared/device/communicator.hpp"
#include "shared/model/model.hpp"
#include "shared/model/ops.hpp"
#include "shared/train/engine.hpp"

namespace ladder {

/// Takes all memory of a run from `ops` now, for micro-batches of up to `max_batch` sequences.
///
/// A step uploads, per micro-batch, one block of integers with the step's numbers in front, into a slot of its own
/// whose address never changes; then all micro-batches run in ONE Ops::run_step, so that a stage may capture the whole
/// step. Its key counts sequences and rows of all micro-batches together; for the key to name one list of launches, a
/// stage with the padded layout takes only micro-batches with equally many sequences. Slots beyond the first are
/// allocated by the first step that accumulates that many micro-batches. The loss is read once, after the step.
///
/// With a communicator of several ranks every rank has an engine of its own and trains on its own part of the step, as
/// many sequences as each other one; gradients are added up over the ranks part by part while the backward pass of the
/// last micro-batch runs, and train_step() returns the loss over all ranks.
///
/// `config` is a valid shape (see validate()). Throws InputError for a batch that is larger than max_batch or holds a
/// token outside the vocabulary, and MachineError from Ops::allocate when the memory is not there.
std::unique_ptr<Engine> make_ops_engine(const GptConfig& config, std::unique_ptr<Ops> ops, int max_batch,
                                        std::shared_ptr<Communicator> communicator = single_rank(),
                                        ModelMaker maker = make_model);

}  // namespace ladder
