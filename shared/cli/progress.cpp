#include "shared/cli/progress.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

namespace ladder::cli {
namespace {

constexpr std::chrono::milliseconds kRefresh{100};
constexpr std::int64_t kLinesPerRun = 20;

std::string milliseconds(double ms) {
  return ms < 1000 ? fmt::format("{:.3g}", ms) : fmt::format("{:.0f}", ms);
}

/// "912", "75.1 k", "1.66 M".
std::string with_prefix(double number) {
  if (number < 1e3) return fmt::format("{:.3g}", number);
  return number < 1e6 ? fmt::format("{:.3g} k", number / 1e3) : fmt::format("{:.3g} M", number / 1e6);
}

}  // namespace

std::string hours_minutes_seconds(double seconds) {
  const auto total = static_cast<std::int64_t>(std::lround(std::min(seconds, 3.6e9)));
  return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

Progress::Progress(std::int64_t first_step, std::int64_t steps, std::optional<double> share_of_tokens)
    : steps_(steps),
      every_(std::max<std::int64_t>(1, (steps - first_step) / kLinesPerRun)),
      share_of_tokens_(share_of_tokens),
      terminal_(::isatty(STDOUT_FILENO) == 1) {}

bool Progress::is_due(std::int64_t done) const {
  if (done == steps_) return true;
  return terminal_ ? Clock::now() - last_print_ >= kRefresh : done % every_ == 0;
}

std::string Progress::line(const StepReport& report) const {
  const double mean = ms_sum_ / static_cast<double>(count_);
  const double tokens_per_second = 1000.0 * static_cast<double>(tokens_) / ms_sum_;
  std::string line = fmt::format("step {}/{}  loss {:.4f}  {} ms/step  {} tokens/s", report.done, steps_,
                                 report.loss, milliseconds(mean), with_prefix(tokens_per_second));
  if (share_of_tokens_)
    line += fmt::format("  {:.1f}% of peak", 100.0 * tokens_per_second * *share_of_tokens_);
  line += fmt::format("  lr {:.3g}", report.learning_rate);
  if (report.gradient_norm) line += fmt::format("  norm {:.3g}", *report.gradient_norm);
  if (report.loss_scale) line += fmt::format("  scale {:.0f}", *report.loss_scale);
  return line + "  ETA " + hours_minutes_seconds(mean * static_cast<double>(steps_ - report.done) / 1000.0);
}

void Progress::step(const StepReport& report) {
  ms_sum_ += report.ms;
  tokens_ += report.tokens;
  ++count_;
  if (!is_due(report.done)) return;
  fmt::print("{}{}{}", terminal_ ? "\r" : "", line(report), terminal_ ? "\x1b[K" : "\n");
  std::fflush(stdout);
  open_line_ = terminal_;
  last_print_ = Clock::now();
  ms_sum_ = 0.0;
  count_ = tokens_ = 0;
}

void Progress::evaluation(const Evaluation& evaluation, bool best) {
  finish();
  fmt::print("evaluated after step {}: training {:.4f}, held out {:.4f}{}\n", evaluation.step,
             evaluation.training, evaluation.held_out, best ? ", the best so far" : "");
  std::fflush(stdout);
}

void Progress::finish() {
  if (open_line_) fmt::print("\n");
  open_line_ = false;
  std::fflush(stdout);
}

}  // namespace ladder::cli
