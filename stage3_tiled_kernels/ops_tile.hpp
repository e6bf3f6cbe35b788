// Stage 3's Ops: tile kernels, on the GPU or on the CPU model of its tiles.
#pragma once

// DeviceOps, CudaOptions, gpu_report(): what both stages know of a device.
#include "stage2_naive_cuda/ops_cuda.hpp"

namespace ladder {

/// As make_cuda_ops, for any element type: MachineError with gpu_report().reason when options.device is gpu
/// and there is none; with Device::automatic the CPU model where there is none. A card without rows in the
/// table of configurations gets the nearest, and one line on stderr says so.
std::unique_ptr<DeviceOps> make_tile_ops(const CudaOptions& options);

/// The short form for the table of stages.
inline std::unique_ptr<Ops> make_tile_ops(Dtype dtype, Device device, int threads) {
  return make_tile_ops(CudaOptions{dtype, device, threads, true});
}

// One of each side, from the same text (ops_tile.cu); make_tile_ops chooses.
namespace on_cpu::stage3 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options);
}
namespace on_gpu::stage3 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options);
}

}  // namespace ladder
