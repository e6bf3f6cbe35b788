// Engine: one GPT on one stage, as the rest of the program sees it.
//
// Stage 0 implements it over its tape of Values; stages 1 to 4 share one implementation (ops_engine.hpp) over the
// abstract Ops. Tensors cross this line as the bytes that a stage keeps, with their type (base/tensor.hpp): every type
// widens exactly into double, so any two stages can be compared and weights can move between any two of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shared/model/batch.hpp"
#include "shared/model/optimizer.hpp"
#include "shared/model/parameters.hpp"

namespace ladder {

/// Everything that parity compares for one batch. Activations in the order they are computed:
/// "embed" (after the first rmsnorm), for each layer i "layer{i}.attn" and "layer{i}.mlp" (the residual stream
/// after each half block), "logits". Each has shape [N', width] where N' counts the rows that belong to sequences,
/// in order of sequence and position (no padding).
struct Probe {
  double loss = 0.0;
  TensorList activations;
  TensorList gradients;  ///< in the order of parameter_specs()
  /// "layer{i}.hidden" [N', 4C], the MLP after its ReLU; empty where a stage does not tell.
  TensorList hidden;
};

/// Adam's first and second moments, in the order of parameter_specs().
struct Moments {
  TensorList m, v;
};

/// What one training step reads; see Engine::train_step.
struct StepInput {
  std::vector<Batch> micro_batches;
  StepConstants adam;
};

/// Generates token by token. Feeding more than block_size tokens throws InputError.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Appends `tokens` (at least one) at the next positions; returns the logits [V] that predict the token after the
  /// last. A token after the first call costs one row: keys and values of earlier positions are kept.
  virtual std::vector<double> next(std::span<const std::int32_t> tokens) = 0;
};

/// Which of the programs that train one model together this is; see device/communicator.hpp.
struct Ranks {
  int rank = 0, ranks = 1;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual const GptConfig& config() const = 0;
  virtual Dtype dtype() const = 0;
  /// The layout this engine wants its batches in.
  virtual Layout layout() const { return Layout::packed; }
  /// Whose part of each step this engine trains on; its gradients are those of all ranks.
  virtual Ranks ranks() const { return {}; }

  /// Of any type: rounded to what the stage keeps.
  virtual void load_parameters(const TensorList& parameters) = 0;
  /// In the type of the stage's master weights.
  virtual TensorList parameters() const = 0;
  virtual void load_moments(const Moments& moments) = 0;
  virtual Moments moments() const = 0;

  /// Forward, backward and Adam over the micro-batches of one step. The loss is the mean over all sequences of each
  /// sequence's mean cross-entropy, as a number before the update; gradients are those of that loss, scaled by
  /// clip_factor() where adam.clip is set.
  virtual double train_step(std::span<const Batch> micro_batches, const StepConstants& adam) = 0;

  /// How many steps the training loop hands to train_steps(), at most: an engine that starts many at once says so.
  virtual std::int64_t steps_at_a_time() const { return 1; }

  /// Steps in their order; the loss of each, as of train_step. Default: train_step on one after the other.
  virtual std::vector<double> train_steps(std::span<const StepInput> steps);

  /// The norm of the last step's gradients, before clipping and without the loss scale; no finite number where one of
  /// them is none, and the step then changed nothing. Nothing where the step did not measure it: with neither
  /// adam.clip nor a loss scale.
  virtual std::optional<double> gradient_norm() const { return {}; }
  /// Whether train_step() knows StepConstants::loss_scale.
  virtual bool scales_loss() const { return false; }

  /// The same loss without gradients or update.
  virtual double loss(const Batch& batch) = 0;

  /// Forward and backward of one batch without an update, with the dropout of batch.step where it has one; see Probe.
  virtual Probe probe(const Batch& batch) = 0;

  /// The same, with gradients along the branches that another stage took at its ReLUs, given by its Probe::hidden
  /// (same batch, same weights): a value within rounding of 0 may be positive on one stage and 0 on the other, and
  /// their gradients then differ by as much as that position contributes. Returns this stage's own hidden and
  /// activations. Default: probe(batch).
  virtual Probe probe_along(const Batch& batch, const TensorList& hidden);

  /// Logits of every position of one sequence, row-major [tokens.size(), V].
  virtual std::vector<double> logits(std::span<const std::int32_t> tokens) = 0;

  /// A decoder at position 0, of the parameters as they are now: once they have changed, it may refuse to go on. It
  /// must not outlive the engine; several may take turns.
  virtual std::unique_ptr<Decoder> decoder() = 0;

  /// The stage's own kernels that have been launched so far, sorted, each once; empty where a stage has none.
  virtual std::vector<std::string> kernels_launched() const { return {}; }

  /// True when a GPU stage runs its kernels on the CPU model.
  virtual bool emulated() const { return false; }
};

}  // namespace ladder
