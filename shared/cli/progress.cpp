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

}  // namespace

std::string hours_minutes_seconds(double seconds) {
  const auto total = static_cast<std::int64_t>(std::lround(std::min(seconds, 3.6e9)));
  return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

Progress::Progress(std::int64_t first_step, std::int64_t steps)
    : steps_(steps),
      every_(std::max<std::int64_t>(1, (steps - first_step) / kLinesPerRun)),
      terminal_(::isatty(STDOUT_FILENO) == 1) {}

bool Progress::is_due(std::int64_t done) const {
  if (done == steps_) return true;
  return terminal_ ? Clock::now() - last_print_ >= kRefresh : done % every_ == 0;
}

void Progress::step(std::int64_t done, double loss, double ms) {
  ms_sum_ += ms;
  ++count_;
  if (!is_due(done)) return;
  const double mean = ms_sum_ / static_cast<double>(count_);
  const double left = mean * static_cast<double>(steps_ - done) / 1000.0;
  fmt::print("{}step {}/{}  loss {:.4f}  {} ms/step  ETA {}{}", terminal_ ? "\r" : "", done, steps_, loss,
             milliseconds(mean), hours_minutes_seconds(left), terminal_ ? "\x1b[K" : "\n");
  std::fflush(stdout);
  open_line_ = terminal_;
  last_print_ = Clock::now();
  ms_sum_ = 0.0;
  count_ = 0;
}

void Progress::finish() {
  if (open_line_) fmt::print("\n");
  open_line_ = false;
  std::fflush(stdout);
}

}  // namespace ladder::cli
