// The training loop: batch -> forward -> loss -> backward -> Adam -> log, on any stage's Engine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "shared/data/data.hpp"
#include "shared/train/engine.hpp"

namespace ladder {

/// What one run leaves behind. `loss` is the whole history, also of the steps before a resume; `ms` are the steps of
/// this process only.
struct TrainResult {
  std::vector<double> loss;
  /// Wall-clock of one step, waiting for its batch included; its share where an engine takes many at a time.
  std::vector<double> ms;
  std::vector<std::string> samples;
  std::uint64_t token_hash = 0;
  bool stopped = false;  ///< should_stop ended the run before its last step

  std::int64_t steps_done() const { return static_cast<std::int64_t>(loss.size()); }
};

/// Called by train(); each may be empty.
struct TrainHooks {
  /// After each step: how many steps are done, of this one the loss and the milliseconds.
  std::function<void(std::int64_t done, double loss, double ms)> on_step;
  /// After on_step, with everything so far: the place to save a checkpoint. An engine that takes many steps at a time
  /// holds the parameters of the last of them, so this is called once for them all.
  std::function<void(const TrainResult& so_far)> after_step;
  /// Asked before each step (before the first of those taken at a time); true ends the run there.
  std::function<bool()> should_stop;
  /// Steps are not taken together across multiples of this, where after_step must be called; 0: anywhere.
  std::int64_t cut_every = 0;
};

/// Trains `engine`, which holds the parameters (and moments) to start from, from step earlier_loss.size() to
/// train.steps, Engine::steps_at_a_time() at a time. Throws CheckError naming the step when a loss is not finite; the
/// hooks have not seen that step, so a checkpoint on the disk stays the last good one.
TrainResult train(Engine& engine, const TokenSource& source, const TrainConfig& train,
                  const TrainHooks& hooks = {}, std::vector<double> earlier_loss = {});

}  // namespace ladder
