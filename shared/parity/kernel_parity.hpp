// The kernel level of parity: every operation of a stage's Ops on awkward shapes.
#pragma once

#include "shared/parity/parity.hpp"

namespace ladder {

/// Adds one finding per output of every case of the operations that a model text has (shared/check/cases.hpp): `stage` in `dtype` against stage 1 in
/// fp64 from identically rounded inputs; stage 1 in fp64 itself against plain loops. Writes outside an output's bounds
/// and changed inputs fail too. Stage 0 has no operations on tensors: adds nothing.
void compare_kernels(int stage, Architecture architecture, const EngineOptions& options,
                     ParityReport& report);

}  // namespace ladder
