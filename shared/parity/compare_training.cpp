// Two trainings beside each other: losses, as far as rounding lets them say anything, then samples.
#include "shared/parity/parity.hpp"
#include "shared/parity/rounding.hpp"

namespace ladder {
namespace {

void allow_for_rounded_run(const Run& run, const Training& got, const Training& want, Dtype dtype,
                           std::size_t first, ParityReport& report) {
  const std::vector<double> moved = moved_losses(run, dtype, want.loss.size());
  for (std::size_t i = first; i < report.findings.size(); ++i) {
    Finding& finding = report.findings[i];
    if (finding.comparison.verdict != Verdict::too_far) continue;
    finding.comparison = compare_rounded(got.loss, want.loss, find_tolerance(finding.what, dtype), moved);
    if (finding.comparison.passed())
      report.notes.push_back(
          fmt::format("{}: held against what rounding does to the reference alone, twice", finding.what));
  }
}

}  // namespace

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
    allow_for_rounded_run(run, got, want, upper.dtype, first, report);
    losses = report.findings[first].comparison.passed() ? report.findings.back().comparison
                                                        : report.findings[first].comparison;
  }
  compare_samples(got.samples, want.samples, upper.dtype, report);
  if (losses.verdict == Verdict::too_far)
    locate(upper, lower, run, static_cast<std::int64_t>(losses.first.index), report);
}

}  // namespace ladder
