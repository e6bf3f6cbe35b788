// The interpreter baseline: shared/baseline/microgpt.py, run by this machine's python3 on the same data and settings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/train/run.hpp"

namespace ladder {

/// The text of microgpt.py, compiled into the program, so that an installed program needs no source folder.
extern const std::string_view interpreter_script;

struct InterpreterResult {
  std::string not_run;           ///< the reason, in a few words; empty when it ran
  std::string version;           ///< "CPython 3.11.7"
  std::vector<double> loss, ms;  ///< one per step
  std::vector<std::string> samples;

  bool ran() const { return not_run.empty(); }
};

/// Why this run is none for the interpreter (no python3, windows of a stream, batches, clipping, grouped-query
/// attention); empty when it can be run.
std::string interpreter_refuses(const Run& run);

/// The first `steps` steps of the run in a process of its own, which takes about 0.1 to 0.2 s a step at preset micro;
/// then `samples` texts. Never throws for a python3 that is missing or fails: that is in `not_run`.
InterpreterResult run_interpreter(const Run& run, std::int64_t steps, int samples);

}  // namespace ladder
