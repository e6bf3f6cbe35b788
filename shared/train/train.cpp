#include "shared/train/train.hpp"

#include <chrono>
#include <cmath>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/train/batch_prefetcher.hpp"

namespace ladder {
namespace {

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// The step before which those end that are taken together with step `first`.
std::int64_t group_end(std::int64_t first, std::int64_t steps, const Engine& engine, std::int64_t cut_every) {
  const std::int64_t longest = std::min(steps, first + engine.steps_at_a_time());
  return cut_every == 0 ? longest : std::min(longest, (first / cut_every + 1) * cut_every);
}

/// Throws CheckError for a loss of step `s` (from 0) that is not finite.
void require_finite_loss(double loss, std::int64_t s, const TrainConfig& train) {
  if (std::isfinite(loss)) return;
  throw CheckError(
      fmt::format("the loss of step {} of {} is {}: training stopped there; try a smaller --lr than {}",
                  s + 1, train.steps, loss, train.learning_rate));
}

}  // namespace

TrainResult train(Engine& engine, const TokenSource& source, const TrainConfig& train,
                  const TrainHooks& hooks, std::vector<double> earlier_loss) {
  TrainResult result;
  result.loss = std::move(earlier_loss);
  result.token_hash = source.token_hash();
  BatchPrefetcher batches(source, engine.layout(), engine.ranks(), result.steps_done(), train.steps);
  while (result.steps_done() < train.steps) {
    if (hooks.should_stop && hooks.should_stop()) {
      result.stopped = true;
      break;
    }
    const auto start = std::chrono::steady_clock::now();
    const std::int64_t first = result.steps_done();
    const std::int64_t end = group_end(first, train.steps, engine, hooks.cut_every);
    std::vector<StepInput> steps;
    for (std::int64_t s = first; s < end; ++s) steps.push_back({batches.next(), step_constants(train, s)});
    const std::vector<double> losses = engine.train_steps(steps);
    const double ms = milliseconds_since(start) / static_cast<double>(end - first);
    for (const double loss : losses) {
      require_finite_loss(loss, result.steps_done(), train);
      result.loss.push_back(loss);
      result.ms.push_back(ms);
      if (hooks.on_step) hooks.on_step(result.steps_done(), loss, ms);
    }
    if (hooks.after_step) hooks.after_step(result);
  }
  return result;
}

}  // namespace ladder
