// Chooses between the GPU and the CPU model of stage 2.
#include <cstdlib>
#include <string_view>

#include "stage2_naive_cuda/ops_cuda.hpp"

namespace ladder {

#ifndef LADDER_CUDA
namespace on_gpu::stage2 {

GpuReport probe() {
  return {false, "",
          "this build has no GPU code: configure with -DLADDER_CUDA=ON where nvcc is found, or use --device "
          "cpu, which "
          "runs the same kernels on the CPU"};
}

std::unique_ptr<DeviceOps> make_ops(const CudaOptions&) { throw MachineError(probe().reason); }
GpuCeilings ceilings(Dtype) { throw MachineError(probe().reason); }

}  // namespace on_gpu::stage2
#endif

const GpuReport& gpu_report() {
  static const GpuReport report = on_gpu::stage2::probe();
  return report;
}

GpuCeilings measure_gpu_ceilings(Dtype dtype) {
  if (!gpu_report().usable) throw MachineError(gpu_report().reason);
  return on_gpu::stage2::ceilings(dtype);
}

std::unique_ptr<DeviceOps> make_cuda_ops(const CudaOptions& options) {
  const bool gpu =
      options.device == Device::gpu || (options.device == Device::automatic && gpu_report().usable);
  if (!gpu) return on_cpu::stage2::make_ops(options);
  if (!gpu_report().usable) throw MachineError(gpu_report().reason);
  CudaOptions settled = options;
  const char* graphs = std::getenv("LADDER_GRAPHS");
  if (graphs != nullptr && std::string_view(graphs) == "0") settled.graphs = false;
  return on_gpu::stage2::make_ops(settled);
}

}  // namespace ladder
