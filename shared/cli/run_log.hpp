// --json-lines: a run as one JSON object a line, written while it goes on, for programs that draw or watch runs.
#pragma once

#include <string>

#include "shared/base/json.hpp"
#include "shared/train/train.hpp"

namespace ladder::cli {

/// {"kind": "run", ...} first, then {"kind": "step", "step", "loss", "ms", "tokens_per_second", "learning_rate", and
/// where the step has them "gradient_norm", "loss_scale"} and {"kind": "evaluation", "step", "training", "held_out",
/// "best"}. A number that is not finite, such as an overflowing norm of fp16, is text: "inf". Each line is handed to the
/// system before the next step begins. Where one cannot be written a notice says so, and no further one is tried: the
/// run goes on. A reader that takes nothing more holds the run up, until a signal ends it.
class RunLog {
 public:
  /// Without a path nothing is written. `append`: behind what is there, as a resumed run does; steps that an
  /// interrupted run took after its last checkpoint then come twice, and the later line counts. Throws InputError where
  /// the file cannot be opened.
  RunLog(const std::string& path, bool append);
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;
  ~RunLog();

  void run(const Json& config);
  void step(const StepReport& report);
  void evaluation(const Evaluation& evaluation, bool best);

  /// Why the file is not complete; empty where it is.
  const std::string& failure() const { return failure_; }

 private:
  void write(const Json& json);

  std::string path_, failure_;
  int descriptor_ = -1;
};

}  // namespace ladder::cli
