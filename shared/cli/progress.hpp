// The progress line of a run.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ladder::cli {

/// "1:02:03".
std::string hours_minutes_seconds(double seconds);

/// "step 400/1000  loss 2.4031  0.213 ms/step  ETA 0:00:01" on stdout: one line that is rewritten on a terminal (at
/// most ten times a second), otherwise about twenty lines a run.
class Progress {
 public:
  Progress(std::int64_t first_step, std::int64_t steps);
  void step(std::int64_t done, double loss, double ms);
  /// Ends a line that is being rewritten, so that what follows starts on its own.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  bool is_due(std::int64_t done) const;

  std::int64_t steps_, every_;
  bool terminal_, open_line_ = false;
  Clock::time_point last_print_;
  double ms_sum_ = 0.0;     ///< since the last print
  std::int64_t count_ = 0;  ///< likewise
};

}  // namespace ladder::cli
