// Chooses between the GPU and the CPU model of stage 3.
#include "stage3_tiled_kernels/one_launch/fused_step.hpp"
#include "stage3_tiled_kernels/ops_tile.hpp"

namespace ladder {

#ifndef LADDER_CUDA
// Never called: gpu_report() says that this build has no GPU code.
namespace on_gpu::stage3 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options) {
  throw MachineError(gpu_report(options.device.ordinal).reason);
}
std::unique_ptr<OneLaunch> make_one_launch(const GptConfig&, const CudaOptions& options) {
  throw MachineError(gpu_report(options.device.ordinal).reason);
}
std::unique_ptr<FusedStep> make_fused_step(const GptConfig&, const CudaOptions& options, int) {
  throw MachineError(gpu_report(options.device.ordinal).reason);
}
}  // namespace on_gpu::stage3
#endif

std::string configuration_note(int card, int architecture) {
  if (card == architecture) return {};
  return fmt::format("note: no configurations for sm_{}: using those of sm_{}", card, architecture);
}

std::unique_ptr<DeviceOps> make_tile_ops(const CudaOptions& options) {
  return runs_on_gpu(options.device) ? on_gpu::stage3::make_ops(with_environment(options))
                                     : on_cpu::stage3::make_ops(options);
}

}  // namespace ladder
