// Stage 2's Ops: naive CUDA kernels, on the GPU or on the CPU model of its threads.
#pragma once

#include <memory>

#include "shared/device/device_ops.hpp"

namespace ladder {

/// Throws InputError for a dtype other than fp32 and fp64, MachineError with gpu_report().reason when
/// options.device is gpu and there is none. With Device::automatic the kernels run on the GPU when it is
/// usable and else on the CPU model.
std::unique_ptr<DeviceOps> make_cuda_ops(const CudaOptions& options);

/// The short form for the table of stages.
inline std::unique_ptr<Ops> make_cuda_ops(Dtype dtype, Device device, int threads) {
  return make_cuda_ops(CudaOptions{dtype, device, threads, true});
}

// One of each side, from the same text (ops_cuda.cu); make_cuda_ops chooses.
namespace on_cpu::stage2 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options);
}
namespace on_gpu::stage2 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options);
}

}  // namespace ladder
