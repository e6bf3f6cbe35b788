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

}  // namespace

void require_finite_loss(double loss, std::int64_t s, const TrainConfig& train) {
  if (std::isfinite(loss)) return;
  throw CheckError(
      fmt::format("the loss of step {} of {} is {}: training stopped there; try a smaller --lr than {}",
                  s + 1, train.steps, loss, train.learning_rate));
}

TrainResult train(Engine& engine, const TokenSource& source, const TrainConfig& train,
                  const TrainHooks& hooks, std::vector<double> earlier_loss) {
  TrainResult result;
  result.loss = std::move(earlier_loss);
  result.token_hash = source.token_hash();
  BatchPrefetcher batches(source, engine.layout(), result.steps_done(), train.steps);
  for (std::int64_t s = result.steps_done(); s < train.steps; ++s) {
    if (hooks.should_stop && hooks.should_stop()) {
      result.stopped = true;
      break;
    }
    const auto start = std::chrono::steady_clock::now();
    const std::vector<Batch> micro_batches = batches.next();
    const double loss = engine.train_step(micro_batches, adam_step(train, s));
    const double ms = milliseconds_since(start);
    require_finite_loss(loss, s, train);
    result.loss.push_back(loss);
    result.ms.push_back(ms);
    if (hooks.on_step) hooks.on_step(s + 1, loss, ms);
    if (hooks.after_step) hooks.after_step(result);
  }
  return result;
}

}  // namespace ladder
