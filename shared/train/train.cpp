#include "shared/train/train.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/train/bad_tensor.hpp"
#include "shared/train/batch_prefetcher.hpp"
#include "shared/train/evaluate.hpp"

namespace ladder {
namespace {

constexpr std::string_view kLoss = "loss";

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// The last step up to which those can be taken together that begin at `first`, where `every` cuts them; 0: nowhere.
std::int64_t cut(std::int64_t first, std::int64_t end, std::int64_t every) {
  return every == 0 ? end : std::min(end, (first / every + 1) * every);
}

std::int64_t tokens_of(const StepInput& step) {
  std::int64_t tokens = 0;
  for (const Batch& batch : step.micro_batches)
    tokens = std::accumulate(batch.lengths_b.begin(), batch.lengths_b.end(), tokens);
  return tokens;
}

/// One run, step by step.
class Loop {
 public:
  Loop(Engine& engine, const TokenSource& source, const TrainConfig& train, const TrainHooks& hooks,
       TrainHistory earlier)
      : engine_(engine),
        source_(source),
        train_(train),
        hooks_(hooks),
        scales_(train.dtype == Dtype::fp16 && engine.scales_loss()) {
    static_cast<TrainHistory&>(result_) = std::move(earlier);
    result_.token_hash = source.token_hash();
  }

  TrainResult run() {
    require_held_out(source_, train_);
    try {
      take_all_steps();
    } catch (const Interrupted&) {  // within a step or an evaluation, which then have changed nothing
      result_.stopped = true;
    }
    return std::move(result_);
  }

 private:
  void take_all_steps() {
    BatchPrefetcher batches(source_, engine_.layout(), engine_.ranks(), result_.steps_done(), train_.steps);
    evaluate_if_due();
    while (result_.steps_done() < train_.steps) {
      if (hooks_.should_stop && hooks_.should_stop()) {
        result_.stopped = true;
        break;
      }
      take_steps(batches);
      evaluate_if_due();
      if (hooks_.after_step) hooks_.after_step(result_);
    }
  }

  StepConstants constants(std::int64_t s) const {
    StepConstants step = step_constants(train_, s, scales_ ? result_.scale.left_out : 0);
    if (scales_) step.loss_scale = result_.scale.value;
    return step;
  }

  void take_steps(BatchPrefetcher& batches) {
    const auto start = std::chrono::steady_clock::now();
    const std::int64_t first = result_.steps_done();
    const std::int64_t longest = std::min(train_.steps, first + engine_.steps_at_a_time());
    const std::int64_t end = cut(first, cut(first, longest, hooks_.cut_every), train_.eval_every);
    std::vector<StepInput> steps;
    for (std::int64_t s = first; s < end; ++s) steps.push_back({batches.next(), constants(s)});
    const std::vector<double> losses = engine_.train_steps(steps);
    const std::optional<double> norm = engine_.gradient_norm();
    const double ms = milliseconds_since(start) / static_cast<double>(end - first);
    for (std::size_t i = 0; i < losses.size(); ++i) take_step(steps[i], losses[i], norm, ms);
  }

  void take_step(const StepInput& step, double loss, std::optional<double> norm, double ms) {
    if (!std::isfinite(loss)) fail(step, kLoss, loss);
    const double scale = result_.scale.value;  // that the step was taken with
    if (scales_ && norm) {
      if (!result_.scale.take(std::isfinite(*norm)))
        fail(step, "gradients' norm, at a loss scale of 2,", *norm);
    } else if (norm && !std::isfinite(*norm)) {
      fail(step, "gradients' norm", *norm);
    }
    result_.loss.push_back(loss);
    result_.ms.push_back(ms);
    if (norm) result_.gradient_norm.push_back(*norm);
    if (hooks_.on_step)
      hooks_.on_step({result_.steps_done(), loss, ms, tokens_of(step), step.adam.learning_rate, norm,
                      scales_ ? std::optional(scale) : std::nullopt});
  }

  /// Evaluations stand at multiples of eval_every and at the run's end; what a resumed run has, it does not repeat.
  void evaluate_if_due() {
    const std::int64_t done = result_.steps_done();
    if (train_.eval_every == 0 || (done % train_.eval_every != 0 && done != train_.steps)) return;
    if (!result_.evaluations.empty() && result_.evaluations.back().step >= done) return;
    const int sequences = train_.eval_batches * train_.batch_size;
    const Evaluation now{done, mean_loss(engine_, source_, DataPart::training, sequences, train_.batch_size),
                         mean_loss(engine_, source_, DataPart::held_out, sequences, train_.batch_size)};
    for (const double loss : {now.training, now.held_out})
      if (!std::isfinite(loss))
        throw CheckError(
            fmt::format("the loss of an evaluation after step {} is {}: training stopped there; try a "
                        "smaller --lr than {}",
                        done, printable(loss), train_.learning_rate));
    const Evaluation* best = result_.best();
    const bool is_best = best == nullptr || now.held_out < best->held_out;
    result_.evaluations.push_back(now);
    if (hooks_.on_evaluation) hooks_.on_evaluation(result_, now, is_best);
  }

  [[noreturn]] void fail(const StepInput& step, std::string_view what, double value) {
    // An infinite loss says itself what happened, and its step has spoilt every weight.
    const bool explained = what == kLoss && std::isinf(value);
    const std::string bad = explained ? "" : first_bad_tensor(engine_, step);
    throw CheckError(
        fmt::format("the {} of step {} of {} is {}: training stopped there{}; try a smaller --lr than {}",
                    what, result_.steps_done() + 1, train_.steps,
                    explained ? loss_words(value) : fmt::format("{}", printable(value)),
                    bad.empty() ? "" : ", the first tensor that is not all finite numbers is " + bad,
                    train_.learning_rate));
  }

  Engine& engine_;
  const TokenSource& source_;
  const TrainConfig& train_;
  const TrainHooks& hooks_;
  const bool scales_;
  TrainResult result_;
};

}  // namespace

double TrainResult::median_ms() const {
  if (ms.empty()) return 0.0;
  std::vector<double> values = ms;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void require_held_out(const TokenSource& source, const TrainConfig& train) {
  require(train.eval_every == 0 || source.held_out_sequences() > 0,
          "--eval-every {}: nothing is held out of these data: give a stream of text, or token files with a "
          "val.bin",
          train.eval_every);
  require(std::int64_t{train.eval_batches} * train.batch_size <= std::numeric_limits<std::int32_t>::max(),
          "--eval-batches {} times --batch-size {}: an evaluation has at most 2^31-1 sequences",
          train.eval_batches, train.batch_size);
}

TrainResult train(Engine& engine, const TokenSource& source, const TrainConfig& train,
                  const TrainHooks& hooks, TrainHistory earlier) {
  return Loop(engine, source, train, hooks, std::move(earlier)).run();
}

}  // namespace ladder
