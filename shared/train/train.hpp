// The training loop: batch -> forward -> loss -> backward -> Adam -> log, on any stage's Engine.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shared/data/data.hpp"
#include "shared/train/engine.hpp"
#include "shared/train/history.hpp"

namespace ladder {

/// What one run leaves behind: its whole history, also of the steps before a resume. The rest is of this process only.
struct TrainResult : TrainHistory {
  /// Wall-clock of one step, waiting for its batch included; its share where an engine takes many at a time.
  std::vector<double> ms;
  std::vector<double> gradient_norm;  ///< of each step, before clipping; empty where steps do not measure it
  std::vector<std::string> samples;
  std::uint64_t token_hash = 0;
  bool stopped = false;  ///< should_stop, or a signal, ended the run before its last step or evaluation

  double median_ms() const;  ///< 0 where no step was timed
};

/// One step, as it is logged.
struct StepReport {
  std::int64_t done;  ///< steps, this one included
  double loss, ms;
  std::int64_t tokens;  ///< positions that it trained on
  double learning_rate;
  std::optional<double> gradient_norm;  ///< before clipping; nothing where the step does not measure it
  std::optional<double> loss_scale;     ///< of fp16
};

/// Called by train(); each may be empty.
struct TrainHooks {
  std::function<void(const StepReport&)> on_step;
  /// Every TrainConfig::eval_every steps, before the first and after the last one: `best` says that no earlier one had
  /// a lower held-out loss. The engine holds the parameters that were evaluated.
  std::function<void(const TrainResult& so_far, const Evaluation&, bool best)> on_evaluation;
  /// After on_step, with everything so far: the place to save a checkpoint. An engine that takes many steps at a time
  /// holds the parameters of the last of them, so this is called once for them all.
  std::function<void(const TrainResult& so_far)> after_step;
  /// Asked before each step (before the first of those taken at a time); true ends the run there.
  std::function<bool()> should_stop;
  /// Steps are not taken together across multiples of this, where after_step must be called; 0: anywhere.
  std::int64_t cut_every = 0;
};

/// Throws InputError where evaluations are asked for and nothing is held out.
void require_held_out(const TokenSource& source, const TrainConfig& train);

/// Trains `engine`, which holds the parameters (and moments) to start from, from step earlier.steps_done() to
/// train.steps, Engine::steps_at_a_time() at a time. In fp16 the loss is scaled (loss_scale.hpp), where the engine knows
/// how. Throws CheckError naming the step, and the first tensor that holds something else, when a loss or the norm of
/// the gradients is no finite number; the hooks have not seen that step, so a checkpoint on the disk stays the last good
/// one. InputError as require_held_out().
TrainResult train(Engine& engine, const TokenSource& source, const TrainConfig& train,
                  const TrainHooks& hooks = {}, TrainHistory earlier = {});

}  // namespace ladder
