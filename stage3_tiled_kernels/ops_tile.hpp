// Stage 3's Ops: tile kernels, on the GPU or on the CPU model of its tiles.
#pragma once

#include <memory>
#include <string>

#include "shared/device/device_ops.hpp"

namespace ladder {

/// As make_cuda_ops, for any element type: MachineError with gpu_report().reason when options.device is gpu
/// and there is none; with Device::automatic the CPU model where there is none. A card without rows in the
/// table of configurations gets the nearest, and one line on stderr says so.
std::unique_ptr<DeviceOps> make_tile_ops(const CudaOptions& options);

/// The short form for the table of stages.
inline std::unique_ptr<Ops> make_tile_ops(Dtype dtype, Device device, int threads) {
  return make_tile_ops(CudaOptions{dtype, device, threads, true});
}

/// What a card of compute capability `card` (90 for 9.0) is told when it uses the row of `architecture` in
/// the table of configurations: one line; nothing when the row is its own.
std::string configuration_note(int card, int architecture);

// One of each side, from the same text (ops_tile.cu); make_tile_ops chooses.
namespace on_cpu::stage3 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options);
}
namespace on_gpu::stage3 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options);
}

}  // namespace ladder
