// The progress line of a run.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "shared/train/train.hpp"

namespace ladder::cli {

/// "1:02:03".
std::string hours_minutes_seconds(double seconds);

/// "step 400/1000  loss 2.4031  0.213 ms/step  75.1 k tokens/s  lr 0.006  ETA 0:00:01" on stdout, with the gradients'
/// norm, fp16's loss scale and the share of the card's peak where they are known: one line that is rewritten on a
/// terminal (at most ten times a second), otherwise about twenty lines a run.
class Progress {
 public:
  /// `share_of_tokens`: what one token a second is of the card's peak; nothing where that is not known.
  Progress(std::int64_t first_step, std::int64_t steps, std::optional<double> share_of_tokens);
  void step(const StepReport& report);
  /// A line of its own.
  void evaluation(const Evaluation& evaluation, bool best);
  /// Ends a line that is being rewritten, so that what follows starts on its own.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  bool is_due(std::int64_t done) const;
  std::string line(const StepReport& report) const;

  std::int64_t steps_, every_;
  std::optional<double> share_of_tokens_;
  bool terminal_, open_line_ = false;
  Clock::time_point last_print_;
  // since the last print
  double ms_sum_ = 0.0;
  std::int64_t count_ = 0, tokens_ = 0;
};

}  // namespace ladder::cli
