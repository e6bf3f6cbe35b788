#include "shared/device/ceilings.hpp"

#include "shared/base/error.hpp"
#include "shared/device/gpu.hpp"

namespace ladder {

GpuCeilings measure_gpu_ceilings([[maybe_unused]] Dtype dtype, int ordinal) {
  if (!gpu_report(ordinal).usable) throw MachineError(gpu_report(ordinal).reason);
#ifdef LADDER_CUDA
  return on_gpu::ceilings(dtype, ordinal);
#else
  return {};  // not reached: gpu_report() says that this build has no GPU code
#endif
}

}  // namespace ladder
