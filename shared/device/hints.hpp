// Hints: what a launch asks of NVIDIA's tile compiler. In a kernel they stand as attributes, which a host compiler
// cannot read; so the launch repeats the numbers, and what records launches can show them.
#pragma once

namespace ladder {

/// May be a template parameter: template <Hints H>. 0 leaves the choice to the compiler.
struct Hints {
  int worker_warps = 0;  ///< num_worker_warps_per_cta: warps that compute
  int occupancy = 0;     ///< blocks that a multiprocessor should hold at once, which caps the registers
  bool operator==(const Hints&) const = default;
};

}  // namespace ladder
