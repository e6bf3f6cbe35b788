// Chooses between the GPU and the CPU model of stage 3.
#include <cstdlib>
#include <string_view>

#include "stage3_tiled_kernels/ops_tile.hpp"

namespace ladder {

std::unique_ptr<DeviceOps> make_tile_ops(const CudaOptions& options) {
  const bool gpu =
      options.device == Device::gpu || (options.device == Device::automatic && gpu_report().usable);
  if (!gpu) return on_cpu::stage3::make_ops(options);
  if (!gpu_report().usable) throw MachineError(gpu_report().reason);
#ifdef LADDER_CUDA
  CudaOptions settled = options;
  const char* graphs = std::getenv("LADDER_GRAPHS");
  if (graphs != nullptr && std::string_view(graphs) == "0") settled.graphs = false;
  return on_gpu::stage3::make_ops(settled);
#else
  throw MachineError("this build has no GPU code for stage 3; --device cpu runs the same kernels on the CPU");
#endif
}

}  // namespace ladder
