#include "shared/parity/rounding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "shared/base/error.hpp"
#include "shared/parity/rounding_ops.hpp"
#include "shared/train/ops_engine.hpp"

namespace ladder {
namespace {

/// How often the reference is computed roughly: what one draw of signs hides, another shows.
constexpr std::uint32_t kDraws = 8;

const std::string kGradient = "gradient of ", kFirstMoment = "first moment of ",
                  kSecondMoment = "second moment of ";

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

std::unique_ptr<Engine> exact_engine(const GptConfig& config, int max_batch) {
  return make_engine(1, config, {Dtype::fp64, max_batch});
}

std::unique_ptr<Engine> rough_engine(const GptConfig& config, int max_batch, Dtype dtype,
                                     std::uint32_t draw) {
  auto ops = std::make_unique<RoundingOps>(make_ops(1, {Dtype::fp64, max_batch}), dtype, draw);
  return make_ops_engine(config, std::move(ops), max_batch);
}

/// One that stands at the start of the run, with rounded weights.
std::unique_ptr<Engine> rough_start(const Run& run, Dtype dtype, std::uint32_t draw) {
  auto engine = rough_engine(run.model, run.train.batch_size, dtype, draw);
  restart(*engine, run);
  engine->load_parameters(nudged(run.initial, dtype, draw));
  return engine;
}

std::vector<double> losses_from_here(Engine& engine, const Run& run, std::int64_t steps) {
  std::vector<double> losses;
  for (std::int64_t s = 0; s < steps; ++s)
    losses.push_back(engine.train_step(run.source->step(s, engine.layout()), step_constants(run.train, s)));
  return losses;
}

/// What `pass` of a rough engine differs by from that of an exact one, by tensor: the largest of some draws.
/// pass(engine, weights) returns tensors whose names findings have.
template <class Pass>
Moved moved_by_rounding(const GptConfig& config, int max_batch, Dtype dtype, const TensorList& weights,
                        const Pass& pass) {
  const auto exact = pass(*exact_engine(config, max_batch), weights);
  Moved moved;
  for (std::uint32_t draw = 1; draw <= kDraws; ++draw) {
    const auto rough = pass(*rough_engine(config, max_batch, dtype, draw), nudged(weights, dtype, draw));
    widen(moved, named(rough), named(exact));
  }
  return moved;
}

/// Raises `most` to `by`; to infinity, for good, by what is no number.
void raise(double& most, double by) {
  most = std::isfinite(by) ? std::max(most, by) : std::numeric_limits<double>::infinity();
}

bool any_failed(const ParityReport& report, std::size_t first) {
  return std::any_of(report.findings.begin() + static_cast<std::ptrdiff_t>(first), report.findings.end(),
                     [](const Finding& f) { return f.comparison.verdict == Verdict::too_far; });
}

}  // namespace

TensorList nudged(const TensorList& weights, Dtype dtype, std::uint32_t draw) {
  TensorList result = weights;
  const double nudge = unit_of(dtype);
  std::uint32_t signs = draw * 0x9e3779b9u;
  for (NamedTensor& tensor : result) {
    tensor = tensor.in(Dtype::fp64);
    for (std::size_t i = 0; i < tensor.size(); ++i) {
      signs = signs * 1664525u + 1013904223u;  // any signs without a pattern will do
      tensor.set(i, tensor[i] * (1.0 + ((signs >> 31) == 0 ? nudge : -nudge)));
    }
  }
  return result;
}

void widen(Moved& moved, const Named& rounded, const Named& exact) {
  for (const auto& [name, tensor] : rounded) {
    double& most = moved[name];
    const std::vector<double> x = tensor->values(), y = exact.at(name)->values();
    for (std::size_t i = 0; i < x.size(); ++i) raise(most, std::abs(x[i] - y[i]));
  }
}

void judge_again(const Named& upper, const Named& lower, const Moved& moved, std::size_t first,
                 ParityReport& report) {
  std::size_t allowed = 0;
  for (std::size_t i = first; i < report.findings.size(); ++i) {
    Finding& finding = report.findings[i];
    const auto by = moved.find(finding.what);
    if (finding.comparison.verdict != Verdict::too_far || finding.tolerance.empty() || by == moved.end() ||
        !std::isfinite(by->second))
      continue;
    const double terms = kAllowance * by->second / finding.limit;
    const Comparison again = compare(upper.at(finding.what)->values(), lower.at(finding.what)->values(),
                                     finding.limit, Rule::scaled, std::span(&terms, 1));
    finding.terms = terms;
    finding.comparison = again;
    allowed += again.passed() ? 1 : 0;
  }
  if (allowed > 0)
    report.notes.push_back(fmt::format(
        "{} tensors, which are what remains of larger terms, held against the size of these", allowed));
}

std::vector<double> RoundedCurves::moved() const {
  std::vector<double> most;
  double so_far = 0.0;
  for (std::size_t s = 0; s < exact.size(); ++s) {
    for (const std::vector<double>& curve : rounded) raise(so_far, std::abs(curve[s] - exact[s]));
    most.push_back(so_far);
  }
  return most;
}

RoundedCurves rounded_curves(const Run& run, Dtype dtype, std::int64_t steps) {
  RoundedCurves curves{train_curve(*exact_engine(run.model, run.train.batch_size), run, steps), {}};
  for (std::uint32_t draw = 1; draw <= kDraws; ++draw)
    curves.rounded.push_back(losses_from_here(*rough_start(run, dtype, draw), run, steps));
  return curves;
}

namespace {

/// How far rounding moves those of `steps` losses that the limits of a narrow type speak for.
std::vector<double> moved_losses(const Run& run, Dtype dtype, std::size_t steps) {
  const auto covered = static_cast<std::size_t>(find_tolerance("losses", dtype).steps);
  return rounded_curves(run, dtype, static_cast<std::int64_t>(std::min(covered, steps))).moved();
}

void allow_moved(CurveLimit& part, std::span<const double> got, std::span<const double> want,
                 const std::vector<double>& moved) {
  if (part.comparison.verdict != Verdict::too_far || moved.empty() || !std::isfinite(moved.back())) return;
  std::vector<double> terms = moved;
  for (double& term : terms) term *= 2.0 / part.limit;
  part.comparison =
      compare(got.first(moved.size()), want.first(moved.size()), part.limit, part.row.rule, terms);
  part.note = "what rounding does to the reference alone, twice";
}

/// Whether the curve keeps the limit, raised to loss_limit() if it must.
bool keeps_loss_limit(CurveLimit& part, std::span<const double> got, std::span<const double> want,
                      const Run& run) {
  if (const double limit = loss_limit(part.row, run.model); limit > part.limit) {
    part.limit = limit;
    part.comparison = compare(got, want, limit, part.row.rule);
    part.note = fmt::format("what a sum over {} tokens may be off by", run.model.vocab_size);
  }
  return part.comparison.passed();
}

}  // namespace

double loss_limit(const Tolerance& row, const GptConfig& model) {
  return row.rule == Rule::absolute ? std::max(row.limit(), model.vocab_size * unit_roundoff(row.dtype))
                                    : row.limit();
}

const CurveLimit& JudgedCurve::decisive() const {
  for (const CurveLimit& part : limits)
    if (!part.comparison.passed()) return part;
  return limits.front();
}

JudgedCurve judge_curve(std::span<const double> got, std::span<const double> want, Dtype dtype) {
  JudgedCurve curve;
  for (const Tolerance& row : curve_tolerances(dtype))
    curve.limits.push_back({row, row.limit(), compare(got, want, row)});
  return curve;
}

JudgedCurve judge_curve(std::span<const double> got, std::span<const double> want, Dtype dtype,
                        const Run& run) {
  JudgedCurve curve = judge_curve(got, want, dtype);
  if (curve.decisive().comparison.verdict != Verdict::too_far) return curve;
  if (is_narrow(dtype)) {
    const std::vector<double> moved = moved_losses(run, dtype, want.size());
    for (CurveLimit& part : curve.limits) allow_moved(part, got, want, moved);
    return curve;
  }
  CurveLimit& part = curve.limits.front();
  if (keeps_loss_limit(part, got, want, run)) return curve;
  const std::size_t steps = steady_steps(run, dtype, want.size(), part.limit);
  if (steps == 0 || part.comparison.first.index < steps) return curve;
  part.comparison = compare(got.first(steps), want.first(steps), part.limit, part.row.rule);
  curve.steady_steps = steps;
  return curve;
}

std::size_t steady_steps(const Run& run, Dtype dtype, std::size_t steps, double limit) {
  const auto exact = exact_engine(run.model, run.train.batch_size);
  std::vector<std::unique_ptr<Engine>> rough;
  restart(*exact, run);
  for (std::uint32_t draw = 1; draw <= kDraws; ++draw) rough.push_back(rough_start(run, dtype, draw));
  std::size_t s = 0;
  for (; s < steps; ++s) {
    const auto step = static_cast<std::int64_t>(s);
    const std::vector<Batch> batches = run.source->step(step, Layout::packed);
    const StepConstants adam = step_constants(run.train, step);
    const double want = exact->train_step(batches, adam);
    double moved = 0.0;
    for (const auto& engine : rough) raise(moved, std::abs(engine->train_step(batches, adam) - want));
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

}  // namespace ladder
