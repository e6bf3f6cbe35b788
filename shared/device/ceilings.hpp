// What this machine's GPU can do at most, measured: the 100% of `ladder profile`.
#pragma once

#include "shared/base/dtype.hpp"

namespace ladder {

/// The most that this GPU did when asked for nothing else: a copy of 1 GiB (bytes read plus written), and
/// multiply-adds on registers in fp32 or fp64.
struct GpuCeilings {
  double bytes_per_second, flops_per_second;
};

/// Measures; takes some tenths of a second. Throws MachineError where no GPU is usable.
GpuCeilings measure_gpu_ceilings(Dtype dtype);

namespace on_gpu {
/// Only in programs with GPU code (ceilings.cu).
GpuCeilings ceilings(Dtype dtype);
}  // namespace on_gpu

}  // namespace ladder
