#include "shared/device/ceilings.hpp"

#include "shared/base/error.hpp"
#include "shared/device/gpu.hpp"

namespace ladder {

GpuCeilings measure_gpu_ceilings([[maybe_unused]] Dtype dtype) {
  if (!gpu_report().usable) throw MachineError(gpu_report().reason);
#ifdef LADDER_CUDA
  return on_gpu::ceilings(dtype);
#else
  return {};  // not reached: gpu_report() says that this build has no GPU code
#endif
}

}  // namespace ladder
