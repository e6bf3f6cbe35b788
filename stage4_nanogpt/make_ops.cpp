// Chooses between the GPU and the CPU model of stage 4.
#include "stage4_nanogpt/ops_nano.hpp"

namespace ladder {

#ifndef LADDER_CUDA
// Never called: gpu_report() says that this build has no GPU code.
namespace on_gpu::stage4 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options) {
  throw MachineError(gpu_report(options.device.ordinal).reason);
}
}  // namespace on_gpu::stage4
#endif

std::unique_ptr<DeviceOps> make_nano_ops(const CudaOptions& options) {
  return runs_on_gpu(options.device) ? on_gpu::stage4::make_ops(with_environment(options))
                                     : on_cpu::stage4::make_ops(options);
}

}  // namespace ladder
