// What a GPU of this machine can do at most, measured: the 100% of `ladder profile`.
#pragma once

#include "shared/base/dtype.hpp"

namespace ladder {

/// The most that a GPU did when asked for nothing else: a copy of 1 GiB (bytes read plus written), and
/// multiply-adds on registers in fp32 or fp64.
struct GpuCeilings {
  double bytes_per_second, flops_per_second;
};

/// Measures one GPU; takes some tenths of a second. Throws MachineError where it is not usable.
GpuCeilings measure_gpu_ceilings(Dtype dtype, int ordinal);

namespace on_gpu {
/// Only in programs with GPU code (ceilings.cu).
GpuCeilings ceilings(Dtype dtype, int ordinal);
}  // namespace on_gpu

}  // namespace ladder
