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
  std::vector<double> ms;  ///< wall-clock of one step, waiting for its batch included
  std::vector<std::string> samples;
  std::uint64_t token_hash = 0;
  bool stopped = false;  ///< should_stop ended the run before its last step

  std::int64_t steps_done() const { return static_cast<std::int64_t>(loss.size()); }
};

/// Called by train(); each may be empty.
struct TrainHooks {
  /// After each step: how many steps are done, of this one the loss and the milliseconds.
  std::function<void(std::int64_t done, double loss, double ms)> on_step;
  /// After on_step, with everything so far: the place to save a checkpoint.
  std::function<void(const TrainResult& so_far)> after_step;
  /// Asked before each step; true ends the run there.
  std::function<bool()> should_stop;
};

/// Throws CheckError for a loss of step `s` (from 0) that is not finite: the message of every training loop.
void require_finite_loss(double loss, std::int64_t s, const TrainConfig& train);

/// Trains `engine`, which holds the parameters (and moments) to start from, from step earlier_loss.size() to
/// train.steps. Throws CheckError naming the step when a loss is not finite; the hooks have not seen that step, so a
/// checkpoint on the disk stays the last good one.
TrainResult train(Engine& engine, const TokenSource& source, const TrainConfig& train,
                  const TrainHooks& hooks = {}, std::vector<double> earlier_loss = {});

}  // namespace ladder
