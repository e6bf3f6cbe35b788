// How far rounding alone can carry the reference: what a failed limit is held against before it counts.
#include <algorithm>
#include <cmath>

#include "shared/base/error.hpp"
#include "shared/parity/parity.hpp"

namespace ladder {
namespace {

/// Times the reference's own sensitivity, as limits are ten times what was measured.
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

/// The tensor a finding of a probe is about; nullptr for other findings.
const NamedTensor* tensor_of(const Probe& probe, const std::string& what) {
  const std::string prefix = "gradient of ";
  const bool gradient = what.rfind(prefix, 0) == 0;
  const std::string name = gradient ? what.substr(prefix.size()) : what;
  for (const TensorList* list : {gradient ? &probe.gradients : &probe.activations, &probe.hidden})
    for (const NamedTensor& tensor : *list)
      if (tensor.name == name) return &tensor;
  return nullptr;
}

/// The number of steps before the reference, started from nudged weights, differs from itself by a tenth of the limit.
std::size_t steps_before_chaos(const Side& lower, const Run& run, const std::vector<double>& reference,
                               Dtype dtype, double limit) {
  const auto engine = lower.make(run.model, run.train.batch_size);
  engine->load_parameters(nudged(run.initial, dtype, 1.0));
  std::size_t s = 0;
  for (; s < reference.size(); ++s) {
    const auto step = static_cast<std::int64_t>(s);
    const double loss =
        engine->train_step(run.source->step(step, engine->layout()), step_constants(run.train, step));
    if (!(std::abs(loss - reference[s]) <= limit / kAllowance)) break;
  }
  return s;
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
    const bool excused = std::isfinite(allowance) && finding.comparison.max_error <= allowance;
    if (finding.comparison.verdict != Verdict::too_far || !excused) continue;
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

void allow_for_sensitivity(Engine& lower, const TensorList& weights, const Batch& batch,
                           const Probe& reference, const TensorList& branches, Dtype dtype, std::size_t first,
                           ParityReport& report) {
  const auto failed = [](const Finding& f) { return f.comparison.verdict == Verdict::too_far; };
  const auto begin = report.findings.begin() + static_cast<std::ptrdiff_t>(first);
  if (std::none_of(begin, report.findings.end(), failed)) return;
  lower.load_parameters(nudged(weights, dtype, 4.0));
  const Probe moved = lower.probe_along(batch, branches);
  lower.load_parameters(weights);
  std::size_t allowed = 0;
  for (auto finding = begin; finding != report.findings.end(); ++finding) {
    const NamedTensor *was = tensor_of(reference, finding->what), *is = tensor_of(moved, finding->what);
    if (!failed(*finding) || finding->tolerance.empty() || was == nullptr || is == nullptr) continue;
    const double allowance = kAllowance * compare(is->values(), was->values(), 0.0).max_error;
    if (!std::isfinite(allowance) || !(finding->comparison.max_error <= allowance)) continue;
    finding->comparison.verdict = Verdict::passed;
    finding->limit = allowance;
    ++allowed;
  }
  if (allowed > 0)
    report.notes.push_back(
        fmt::format("{} tensors beyond their limits, but within ten times what rounding does "
                    "to {} alone",
                    allowed, report.lower.empty() ? "the reference" : report.lower));
}

void compare_training(const Side& upper, const Side& lower, const Run& run, const Training& got,
                      const Training& want, ParityReport& report) {
  const std::size_t first = report.findings.size();
  Comparison losses = compare_losses(got.loss, want.loss, upper.dtype, report);
  const bool absolute = find_tolerance("losses", upper.dtype).rule == Rule::absolute;
  if (absolute && losses.verdict == Verdict::too_far) {
    const double limit = report.findings.back().limit;
    const std::size_t steps = steps_before_chaos(lower, run, want.loss, upper.dtype, limit);
    if (steps > 0 && losses.first.index >= steps) {
      report.findings.pop_back();
      compare_losses(std::span(got.loss).first(steps), std::span(want.loss).first(steps), upper.dtype,
                     report);
      report.notes.push_back(
          fmt::format("losses compared over the first {} of {} steps: after them this run makes one rounding "
                      "of the initial weights "
                      "grow beyond a tenth of the limit in {} alone; samples are not compared",
                      steps, want.loss.size(), lower.name));
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
