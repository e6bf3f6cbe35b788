// Chooses between the GPU and the CPU model of stage 2.
#include "stage2_naive_cuda/ops_cuda.hpp"

namespace ladder {

#ifndef LADDER_CUDA
// Never called: gpu_report() says that this build has no GPU code.
namespace on_gpu::stage2 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options) {
  throw MachineError(gpu_report(options.device.ordinal).reason);
}
}  // namespace on_gpu::stage2
#endif

std::unique_ptr<DeviceOps> make_cuda_ops(const CudaOptions& options) {
  return runs_on_gpu(options.device) ? on_gpu::stage2::make_ops(with_environment(options))
                                     : on_cpu::stage2::make_ops(options);
}

}  // namespace ladder
