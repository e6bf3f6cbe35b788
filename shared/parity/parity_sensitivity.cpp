// How far rounding alone can carry the reference: what a failed limit is held against before it counts.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "shared/base/error.hpp"
#include "shared/parity/parity.hpp"
#include "shared/parity/rounding_ops.hpp"
#include "shared/train/ops_engine.hpp"

namespace ladder {
namespace {

/// Times what rounding does to the reference, as limits are ten times what was measured.
constexpr double kAllowance = 10.0;

/// One unit in the last place of 1.
double unit_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::fp64:
      return 0x1p-52;
    case Dtype::fp32:
      return 0x1p-23;
    case Dtype::tf32:
    case Dtype::fp16:
      return 0x1p-10;
    case Dtype::bf16:
      return 0x1p-7;
  }
  return 0x1p-52;
}

/// How often the reference is computed roughly: what one draw of signs hides, another shows.
constexpr std::uint32_t kDraws = 8;

const std::string kGradient = "gradient of ", kFirstMoment = "first moment of ",
                  kSecondMoment = "second moment of ";

/// The tensors of a pass by the names that findings have, each with a prefix.
using Named = std::map<std::string, const NamedTensor*>;

void add_named(Named& named, const std::string& prefix, const TensorList& tensors) {
  for (const NamedTensor& tensor : tensors) named[prefix + tensor.name] = &tensor;
}

Named named(const Probe& probe) {
  Named result;
  add_named(result, "", probe.activations);
  add_named(result, "", probe.hidden);
  add_named(result, kGradient, probe.gradients);
  return result;
}

Named named(const Moments& moments) {
  Named result;
  add_named(result, kFirstMoment, moments.m);
  add_named(result, kSecondMoment, moments.v);
  return result;
}

/// The largest |a - b| of each tensor, if that is more than was known; infinity where one is no number.
void raise(std::map<std::string, double>& largest, const Named& a, const Named& b) {
  for (const auto& [name, tensor] : a) {
    double& most = largest[name];
    const std::vector<double> x = tensor->values(), y = b.at(name)->values();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double moved = std::abs(x[i] - y[i]);
      most = std::isfinite(moved) ? std::max(most, moved) : std::numeric_limits<double>::infinity();
    }
  }
}

std::unique_ptr<Engine> exact_engine(const GptConfig& config, int max_batch) {
  return make_engine(1, config, {Dtype::fp64, max_batch, Device::automatic, 1});
}

std::unique_ptr<Engine> rough_engine(const GptConfig& config, int max_batch, double unit,
                                     std::uint32_t draw) {
  EngineOptions options{Dtype::fp64, max_batch, Device::automatic, 1};
  return make_ops_engine(config, std::make_unique<RoundingOps>(make_ops(1, options), unit, draw), max_batch);
}

/// What `pass` of a rough engine differs by from that of an exact one, by tensor: the largest of some draws.
/// pass(engine, weights) returns tensors whose names findings have.
template <class Pass>
std::map<std::string, double> moved_by_rounding(const GptConfig& config, int max_batch, Dtype dtype,
                                                const TensorList& weights, const Pass& pass) {
  const auto exact = pass(*exact_engine(config, max_batch), weights);
  std::map<std::string, double> largest;
  for (std::uint32_t draw = 1; draw <= kDraws; ++draw) {
    const auto rough =
        pass(*rough_engine(config, max_batch, unit_of(dtype), draw), nudged(weights, dtype, 1.0));
    raise(largest, named(rough), named(exact));
  }
  return largest;
}

/// Judges the failed findings from `first` on again, each with the size of its terms.
void judge_again(const Named& upper, const Named& lower, const std::map<std::string, double>& moved,
                 std::size_t first, ParityReport& report) {
  std::size_t allowed = 0;
  for (std::size_t i = first; i < report.findings.size(); ++i) {
    Finding& finding = report.findings[i];
    const auto by = moved.find(finding.what);
    if (finding.comparison.verdict != Verdict::too_far || finding.tolerance.empty() || by == moved.end() ||
        !std::isfinite(by->second))
      continue;
    const double terms = kAllowance * by->second / finding.limit;
    const Comparison again = compare(upper.at(finding.what)->values(), lower.at(finding.what)->values(),
                                     finding.limit, Rule::scaled, terms);
    finding.terms = terms;
    finding.comparison = again;
    allowed += again.passed() ? 1 : 0;
  }
  if (allowed > 0)
    report.notes.push_back(fmt::format(
        "{} tensors, which are what remains of larger terms, held against the size of these", allowed));
}

bool any_failed(const ParityReport& report, std::size_t first) {
  return std::any_of(report.findings.begin() + static_cast<std::ptrdiff_t>(first), report.findings.end(),
                     [](const Finding& f) { return f.comparison.verdict == Verdict::too_far; });
}

/// Curves of losses in narrow types, whose limits are on the first steps: what is within twice of what one
/// rounding of the initial weights does to the lower side alone cannot be told from rounding.
void allow_for_rounded_start(const Side& lower, const Run& run, const std::vector<double>& reference,
                             Dtype dtype, std::size_t first, ParityReport& report) {
  const auto steps = static_cast<std::size_t>(find_tolerance("losses", dtype).steps);
  const auto want = std::span(reference).first(std::min(steps, reference.size()));
  const auto engine = lower.make(run.model, run.train.batch_size);
  engine->load_parameters(nudged(run.initial, dtype, 1.0));
  std::vector<double> moved;
  for (std::int64_t s = 0; s < static_cast<std::int64_t>(want.size()); ++s)
    moved.push_back(engine->train_step(run.source->step(s, engine->layout()), step_constants(run.train, s)));
  for (std::size_t i = first; i < report.findings.size(); ++i) {
    Finding& finding = report.findings[i];
    const Rule rule = find_tolerance(finding.what, dtype).rule;
    const double allowance = 2.0 * compare(moved, want, 0.0, rule).max_error;
    if (finding.comparison.verdict != Verdict::too_far || !(finding.comparison.max_error <= allowance))
      continue;
    finding.comparison.verdict = Verdict::passed;
    finding.limit = allowance;
    report.notes.push_back(fmt::format(
        "{}: beyond the limit, but within twice what one rounding of the initial weights does to {} alone",
        finding.what, lower.name));
  }
}

}  // namespace

TensorList nudged(const TensorList& weights, Dtype dtype, double units) {
  TensorList result = weights;
  const double nudge = units * unit_of(dtype);
  std::uint32_t draw = 1;
  for (NamedTensor& tensor : result) {
    tensor = tensor.in(Dtype::fp64);
    for (std::size_t i = 0; i < tensor.size(); ++i) {
      draw = draw * 1664525u + 1013904223u;  // any signs without a pattern will do
      tensor.set(i, tensor[i] * (1.0 + ((draw >> 31) == 0 ? nudge : -nudge)));
    }
  }
  return result;
}

std::size_t steady_steps(const Run& run, Dtype dtype, std::size_t steps, double limit) {
  const auto exact = exact_engine(run.model, run.train.batch_size);
  std::vector<std::unique_ptr<Engine>> rough;
  restart(*exact, run);
  for (std::uint32_t draw = 1; draw <= kDraws; ++draw) {
    rough.push_back(rough_engine(run.model, run.train.batch_size, unit_of(dtype), draw));
    restart(*rough.back(), run);
    rough.back()->load_parameters(nudged(run.initial, dtype, 1.0));
  }
  std::size_t s = 0;
  for (; s < steps; ++s) {
    const auto step = static_cast<std::int64_t>(s);
    const std::vector<Batch> batches = run.source->step(step, Layout::packed);
    const StepConstants adam = step_constants(run.train, step);
    const double want = exact->train_step(batches, adam);
    double moved = 0.0;
    for (const auto& engine : rough) {
      const double by = std::abs(engine->train_step(batches, adam) - want);
      moved = std::isfinite(by) ? std::max(moved, by) : std::numeric_limits<double>::infinity();
    }
    if (moved > limit / kAllowance) break;
  }
  return s;
}

void allow_for_rounding(const Pass& pass, const Probe& upper, const Probe& lower, Dtype dtype,
                        std::size_t first, ParityReport& report) {
  if (!any_failed(report, first)) return;
  const auto moved = moved_by_rounding(pass.config, pass.batch.batch(), dtype, pass.weights,
                                       [&](Engine& engine, const TensorList& weights) {
                                         engine.load_parameters(weights);
                                         return engine.probe_along(pass.batch, upper.hidden);
                                       });
  judge_again(named(upper), named(lower), moved, first, report);
}

void allow_for_rounding(const StepStart& start, const Moments& upper, const Moments& lower, Dtype dtype,
                        std::size_t first, ParityReport& report) {
  if (!any_failed(report, first)) return;
  const auto moved = moved_by_rounding(start.config, start.micro_batches.front().batch(), dtype,
                                       start.weights, [&](Engine& engine, const TensorList& weights) {
                                         engine.load_parameters(weights);
                                         engine.load_moments(start.moments);
                                         engine.train_step(start.micro_batches, start.adam);
                                         return engine.moments();
                                       });
  judge_again(named(upper), named(lower), moved, first, report);
}

void compare_training(const Side& upper, const Side& lower, const Run& run, const Training& got,
                      const Training& want, ParityReport& report) {
  const std::size_t first = report.findings.size();
  Comparison losses = compare_losses(got.loss, want.loss, upper.dtype, report);
  const bool absolute = find_tolerance("losses", upper.dtype).rule == Rule::absolute;
  if (absolute && losses.verdict == Verdict::too_far) {
    const double limit = report.findings.back().limit;
    const std::size_t steps = steady_steps(run, upper.dtype, want.loss.size(), limit);
    if (steps > 0 && losses.first.index >= steps) {
      report.findings.pop_back();
      compare_losses(std::span(got.loss).first(steps), std::span(want.loss).first(steps), upper.dtype,
                     report);
      report.notes.push_back(fmt::format(
          "losses compared over the first {} of {} steps: after them rounding alone may have grown "
          "beyond a tenth of the limit; samples are not compared",
          steps, want.loss.size()));
      return;
    }
  }
  if (!absolute && losses.verdict == Verdict::too_far) {
    allow_for_rounded_start(lower, run, want.loss, upper.dtype, first, report);
    losses = report.findings[first].comparison.passed() ? report.findings.back().comparison
                                                        : report.findings[first].comparison;
  }
  compare_samples(got.samples, want.samples, upper.dtype, report);
  if (losses.verdict == Verdict::too_far)
    locate(upper, lower, run, static_cast<std::int64_t>(losses.first.index), report);
}

}  // namespace ladder
