// Where two stages part: a walk in lockstep, one step at a time from equal weights.
//
// After hundreds of steps two correct stages differ by grown rounding, so comparing tensors at the step where the loss
// left its budget would blame an innocent one. Here every step starts from the lower stage's weights and moments on
// both sides; what differs after it was made by that step.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "shared/base/error.hpp"
#include "shared/parity/parity.hpp"
#include "shared/parity/rounding.hpp"

namespace ladder {
namespace {

/// Adds the findings of `part` that fail; true when there is one.
bool add_first_failure(const ParityReport& part, ParityReport& report) {
  const Finding* failed = part.divergence();
  if (failed == nullptr) return false;
  report.findings.push_back(*failed);
  report.findings.back().level = "located";
  return true;
}

void compare_lists(const TensorList& upper, const TensorList& lower, const std::string& prefix,
                   std::int64_t step, const Tolerance& row, ParityReport& part) {
  for (std::size_t i = 0; i < lower.size(); ++i)
    part.findings.push_back({"step", prefix + lower[i].name, step, lower[i].shape, row.what, row.limit(),
                             compare(upper.at(i).values(), lower[i].values(), row)});
}

/// What AdamW makes of `before` with moments m and v, in double.
std::vector<double> updated(const std::vector<double>& before, const std::vector<double>& m,
                            const std::vector<double>& v, bool decays, const StepConstants& adam) {
  const double kept = decays ? 1.0 - adam.learning_rate * adam.weight_decay : 1.0;
  std::vector<double> after(before.size());
  for (std::size_t i = 0; i < before.size(); ++i)
    after[i] = before[i] * kept - adam.learning_rate * (m[i] / adam.correction1) /
                                      (std::sqrt(v[i] / adam.correction2) + adam.eps);
  return after;
}

/// The gradient of the step's loss in double: a probe's is of the mean over its own sequences.
std::vector<std::vector<double>> gradient_of(Engine& engine, std::vector<Batch> micro_batches,
                                             const StepConstants& adam) {
  double sequences = 0.0;
  std::vector<std::vector<double>> sum;
  for (Batch& batch : micro_batches) {
    batch.step = adam;
    batch.step->first_sequence = static_cast<std::int64_t>(sequences);
    sequences += batch.batch();
  }
  for (const Batch& batch : micro_batches) {
    const TensorList part = engine.probe(batch).gradients;
    sum.resize(part.size());
    for (std::size_t t = 0; t < part.size(); ++t) {
      sum[t].resize(part[t].size());
      for (std::size_t i = 0; i < part[t].size(); ++i)
        sum[t][i] += part[t][i] * batch.batch() / std::max(sequences, 1.0);
    }
  }
  return sum;
}

/// What AdamW makes of the engine's moments with its own gradients of this step, in double.
Moments next_moments(Engine& engine, const std::vector<Batch>& micro_batches, const StepConstants& adam) {
  const std::vector<std::vector<double>> gradient = gradient_of(engine, micro_batches, adam);
  double squares = 0.0;
  for (const std::vector<double>& part : gradient)
    squares = std::inner_product(part.begin(), part.end(), part.begin(), squares);
  const double factor = clip_factor(adam.clip, squares);
  const auto wide = [](TensorList tensors) {
    for (NamedTensor& tensor : tensors) tensor = tensor.in(Dtype::fp64);
    return tensors;
  };
  Moments moments = engine.moments();
  moments = {wide(std::move(moments.m)), wide(std::move(moments.v))};
  for (std::size_t t = 0; t < moments.m.size(); ++t)
    for (std::size_t i = 0; i < gradient[t].size(); ++i) {
      const double g = gradient[t][i] * factor;
      moments.m[t].set(i, adam.beta1 * moments.m[t][i] + (1.0 - adam.beta1) * g);
      moments.v[t].set(i, adam.beta2 * moments.v[t][i] + (1.0 - adam.beta2) * g * g);
    }
  return moments;
}

/// The upper stage's own update, from its own moments: a gradient near zero may change sign by rounding, and Adam then
/// moves the weight the other way by a full step, so the two stages' weights themselves need not be near.
void compare_update(const TensorList& before, Engine& upper, const StepConstants& adam, std::int64_t step,
                    ParityReport& part) {
  const Moments moments = upper.moments();
  const TensorList after = upper.parameters();
  const Tolerance& row = find_tolerance("update", upper.dtype());
  const ParameterSpecs specs = parameter_specs(upper.config());
  for (std::size_t i = 0; i < after.size(); ++i) {
    const std::vector<double> want =
        updated(before[i].values(), moments.m[i].values(), moments.v[i].values(), specs[i].decays, adam);
    part.findings.push_back({"step", "update of " + after[i].name, step, after[i].shape, row.what,
                             row.limit(), compare(after[i].values(), want, row)});
  }
}

}  // namespace

ParityReport compare_step(Engine& upper, Engine& lower, const Run& run, std::int64_t step) {
  ParityReport part;
  upper.load_parameters(lower.parameters());
  upper.load_moments(lower.moments());
  const TensorList before = upper.parameters();  // rounded to the upper one's type
  lower.load_parameters(before);
  const Moments moments_before = upper.moments();
  lower.load_moments(moments_before);
  compare_from_equal_weights(upper, lower, run, step, {false, true, true, false}, part);
  const auto upper_batches = run.source->step(step, upper.layout());
  const auto lower_batches = run.source->step(step, lower.layout());
  upper.load_parameters(before);
  lower.load_parameters(before);
  const StepConstants adam = step_constants(run.train, step);
  const bool narrow = upper.dtype() != Dtype::fp64 && upper.dtype() != Dtype::fp32;
  std::optional<Moments> own;
  if (narrow) own = next_moments(upper, upper_batches, adam);
  const double upper_loss = upper.train_step(upper_batches, adam);
  const double lower_loss = lower.train_step(lower_batches, adam);
  const Tolerance& losses = find_tolerance("losses", upper.dtype());
  const double limit = loss_limit(losses, run.model);
  part.findings.push_back(
      {"step",
       "loss of this step from equal weights",
       step,
       {1},
       losses.what,
       limit,
       compare(std::span(&upper_loss, 1), std::span(&lower_loss, 1), limit, losses.rule)});
  const Tolerance& moments = find_tolerance("moments", upper.dtype());
  const Moments got = upper.moments(), want = own ? *own : lower.moments();
  const std::size_t first = part.findings.size();
  compare_lists(got.m, want.m, "first moment of ", step, moments, part);
  compare_lists(got.v, want.v, "second moment of ", step, moments, part);
  if (!own)
    allow_for_rounding({run.model, before, moments_before, run.source->step(step, Layout::packed), adam}, got,
                       want, upper.dtype(), first, part);
  compare_update(before, upper, adam, step, part);
  return part;
}

void locate(const Side& upper, const Side& lower, const Run& run, std::int64_t last, ParityReport& report) {
  const auto upper_engine = upper.make(run.model, run.train.batch_size);
  const auto lower_engine = lower.make(run.model, run.train.batch_size);
  restart(*lower_engine, run);
  for (std::int64_t step = 0; step <= last; ++step)
    if (add_first_failure(compare_step(*upper_engine, *lower_engine, run, step), report)) return;
  report.notes.push_back(fmt::format(
      "each of the first {} steps alone stays within its limits: rounding, or a difference that builds up",
      last + 1));
}

}  // namespace ladder
