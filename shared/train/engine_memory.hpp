// How much memory a model takes on a stage, told before any of it is taken.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "shared/model/config.hpp"
#include "shared/model/ops.hpp"

namespace ladder {

/// Rows of the largest micro-batch. Throws InputError where they cannot be counted in an int.
int most_rows(const GptConfig& config, int max_batch);

/// About what an engine takes of its memory, in bytes, never more.
struct MemoryPlan {
  std::size_t parameters = 0;   ///< as they are computed with
  std::size_t gradients = 0;    ///< of all of them
  std::size_t optimizer = 0;    ///< AdamW's two moments and, of narrow parameters, the master weights
  std::size_t activations = 0;  ///< of one micro-batch, and their gradients
  std::size_t batches = 0;      ///< the integers of each micro-batch of a step

  /// Throws MachineError where it is more than can be addressed.
  std::size_t total() const;
};

/// Of make_ops_engine's engine. Throws InputError where the rows of a micro-batch are too many.
MemoryPlan plan_memory(const GptConfig& config, const Ops& ops, int max_batch, int grad_accum);

/// Of stage 0's, whose activations are the tape of one sequence, and whose batches are the host's own.
MemoryPlan plan_scalar_memory(const GptConfig& config, int max_batch, int grad_accum);

/// The largest max_batch whose plan takes no more than `bytes`; 0 where not even 1 does.
int largest_batch(const GptConfig& config, const std::function<MemoryPlan(int max_batch)>& plan,
                  std::size_t bytes);

/// What the batches of a step take of the host's memory, and of the next step's where a thread makes them ahead.
std::size_t step_batches_bytes(const GptConfig& config, int max_batch, int grad_accum);

/// What an Engine is going to take of its memory, the GPU's or the host's.
struct EngineNeeds {
  bool emulated = false;  ///< a GPU stage on the CPU model
  bool on_host = false;
  MemoryPlan plan;
  std::size_t available = 0;  ///< of that memory; 0 where the machine does not say
  bool host_batches = false;  ///< plan.batches are the ones that the host makes, not copies of them
};

inline constexpr const char* kSmaller = "choose a smaller model, batch or block";

/// Throws MachineError "out of memory: WHAT needs about 31.2 GiB, 20.1 GiB are available: CURE" where the host has no
/// memory for `beside` bytes and those of these engines that lie there, or the GPU has none for the others, all at once.
/// A machine that does not say what it has has enough.
void require_room(std::span<const EngineNeeds> engines, std::size_t beside, const std::string& what,
                  const std::string& cure = kSmaller);
/// The same without an engine.
void require_host_memory(std::size_t bytes, const std::string& what);

}  // namespace ladder
