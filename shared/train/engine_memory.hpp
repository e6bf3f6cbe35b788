// How much memory a model takes on a stage, told before any of it is taken.
#pragma once

#include <cstddef>

#include "shared/model/config.hpp"
#include "shared/model/ops.hpp"

namespace ladder {

/// Rows of the largest micro-batch. Throws InputError where they cannot be counted in an int.
int most_rows(const GptConfig& config, int max_batch);

/// About what make_ops_engine's engine takes of the memory of `ops`, in bytes, never more: the model, and a slot for
/// the integers of each micro-batch of a step. Throws InputError where the rows of one are too many.
std::size_t ops_engine_bytes(const GptConfig& config, const Ops& ops, int max_batch, int grad_accum);

/// What the batches of a step take of the host's memory, at least.
std::size_t step_batches_bytes(int max_batch, int grad_accum);

/// Throws MachineError "WHAT needs about 31.2 GiB of memory, 20.1 GiB are available: choose ..." where `bytes` are more
/// than the host has. Where the system does not say what it has, nothing happens.
void require_host_memory(std::size_t bytes, const char* what);

}  // namespace ladder
