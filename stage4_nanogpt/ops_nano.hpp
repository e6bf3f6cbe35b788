// Stage 4's Ops: stage 3's tile kernels and GPT-2's, on the GPU or on the CPU model of its tiles.
#pragma once

#include <memory>

#include "shared/device/device_ops.hpp"

namespace ladder {

/// As make_tile_ops (stage 3), for any element type and both model texts.
std::unique_ptr<DeviceOps> make_nano_ops(const CudaOptions& options);

/// The short form for the table of stages.
inline std::unique_ptr<Ops> make_nano_ops(Dtype dtype, Device device, int threads) {
  return make_nano_ops(CudaOptions{dtype, device, threads, true});
}

// One of each side, from the same text (ops_nano.cu); make_nano_ops chooses.
namespace on_cpu::stage4 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options);
}
namespace on_gpu::stage4 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options);
}

}  // namespace ladder
