// Two trainings beside each other: losses, as far as rounding lets them say anything, then samples.
#include <algorithm>
#include <cmath>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"
#include "shared/parity/parity.hpp"
#include "shared/parity/rounding.hpp"
#include "shared/train/bad_tensor.hpp"

namespace ladder {
namespace {

/// What of a training is not finite first, once it ended: a loss, or a weight; empty for nothing.
std::string first_not_finite_in(const std::vector<double>& loss, const Engine& engine) {
  for (std::size_t s = 0; s < loss.size(); ++s)
    if (!std::isfinite(loss[s])) return fmt::format("its loss of step {} is {}", s + 1, loss_words(loss[s]));
  for (const NamedTensor& tensor : engine.parameters())
    if (const std::string words = not_finite_words(tensor); !words.empty())
      return "after its last step " + words;
  return {};
}

/// Adds the judged curve to the findings.
void add(const JudgedCurve& curve, std::size_t losses, ParityReport& report) {
  for (const CurveLimit& part : curve.limits) {
    const bool cut = part.comparison.verdict == Verdict::wrong_length;
    const auto steps = static_cast<int>(cut ? losses : part.comparison.want_size);
    report.findings.push_back({"loss",
                               part.row.what,
                               steps,
                               {steps},
                               fmt::format("{} {}", part.row.what, name_of(part.row.dtype)),
                               part.limit,
                               part.comparison});
    if (!part.note.empty() && part.comparison.passed())
      report.notes.push_back(fmt::format("{}: held against {}", part.row.what, part.note));
  }
}

void add_divergence(const Training& got, const Training& want, const Run& run, ParityReport& report) {
  if (!want.diverged.empty())
    report.notes.push_back(
        fmt::format("{}, the reference, diverges, and nothing can be held against it from there: {}; try a "
                    "smaller --lr than {}",
                    report.lower, want.diverged, run.train.learning_rate));
  if (!got.diverged.empty())
    report.notes.push_back(fmt::format("{} diverges: {}", report.upper, got.diverged));
}

/// Of trainings that no samples could be drawn of, at least on one side.
void add_no_samples(std::size_t first, ParityReport& report) {
  const auto is_finite = [](const Finding& f) { return f.comparison.verdict != Verdict::not_finite; };
  if (!std::all_of(report.findings.begin() + static_cast<std::ptrdiff_t>(first), report.findings.end(),
                   is_finite))
    return;  // the losses say it
  Comparison none;
  none.verdict = Verdict::not_finite;
  none.max_error = HUGE_VAL;
  report.findings.push_back({"loss", "samples", 0, {}, "", 0.0, none});
}

}  // namespace

Training training_of(Engine& engine, const Run& run, const std::function<void(std::int64_t)>& before_step) {
  Training training;
  training.loss = train_curve(engine, run, run.train.steps, before_step);
  training.diverged = first_not_finite_in(training.loss, engine);
  if (!training.diverged.empty()) return training;
  try {
    training.samples = texts_after_training(engine, run);
  } catch (const CheckError& error) {  // weights so large that their logits overflow
    training.diverged = error.what();
  }
  return training;
}

void compare_training(const Side& upper, const Side& lower, const Run& run, const Training& got,
                      const Training& want, ParityReport& report) {
  const std::size_t first = report.findings.size();
  const JudgedCurve curve = judge_curve(got.loss, want.loss, upper.dtype, run);
  add(curve, want.loss.size(), report);
  add_divergence(got, want, run, report);
  if (curve.steady_steps > 0) {
    report.notes.push_back(
        fmt::format("losses compared over the first {} of {} steps: after them rounding alone may have grown "
                    "beyond a tenth of the limit; samples are not compared",
                    curve.steady_steps, want.loss.size()));
    return;
  }
  const Comparison& losses = curve.decisive().comparison;
  if (!got.diverged.empty() || !want.diverged.empty())
    add_no_samples(first, report);
  else
    compare_samples(got.samples, want.samples, upper.dtype, report);
  const bool lost = losses.verdict == Verdict::not_finite && std::isfinite(losses.first.want);
  if (losses.verdict == Verdict::too_far || lost)
    locate(upper, lower, run, static_cast<std::int64_t>(losses.first.index), report);
}

}  // namespace ladder
