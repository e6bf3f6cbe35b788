#include "stage3_tiled_kernels/one_launch/train.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ladder {
namespace {

/// The step before which the launch that begins with `first` ends.
std::int64_t launch_end(std::int64_t first, std::int64_t steps, std::int64_t cut_every) {
  const std::int64_t longest = std::min(steps, first + kStepsPerLaunch);
  return cut_every == 0 ? longest : std::min(longest, (first / cut_every + 1) * cut_every);
}

/// Hands the losses of one launch on, step by step; `result` and the hooks see no step that is not finite.
void report(const std::vector<double>& losses, double ms, const TrainConfig& train, const TrainHooks& hooks,
            TrainResult& result) {
  for (const double loss : losses) {
    require_finite_loss(loss, result.steps_done(), train);
    result.loss.push_back(loss);
    result.ms.push_back(ms);
    if (hooks.on_step) hooks.on_step(result.steps_done(), loss, ms);
  }
}

}  // namespace

TrainResult train_one_launch(OneLaunch& model, Engine& engine, const TokenSource& source,
                             const TrainConfig& train, std::int64_t cut_every, const TrainHooks& hooks,
                             std::vector<double> earlier_loss) {
  TrainResult result;
  result.loss = std::move(earlier_loss);
  result.token_hash = source.token_hash();
  model.load(engine.parameters(), engine.moments());
  while (result.steps_done() < train.steps) {
    if (hooks.should_stop && hooks.should_stop()) {
      result.stopped = true;
      break;
    }
    const auto start = std::chrono::steady_clock::now();
    const std::int64_t first = result.steps_done();
    const std::int64_t count = launch_end(first, train.steps, cut_every) - first;
    const std::vector<double> losses = model.run(source, train, first, count);
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    report(losses, elapsed.count() / static_cast<double>(count), train, hooks, result);
    engine.load_parameters(model.parameters());
    engine.load_moments(model.moments());
    if (hooks.after_step) hooks.after_step(result);
  }
  return result;
}

}  // namespace ladder
