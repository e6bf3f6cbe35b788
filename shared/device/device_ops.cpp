#include "shared/device/device_ops.hpp"

#include <cstdlib>
#include <string_view>

#include "shared/base/error.hpp"

namespace ladder {

bool runs_on_gpu(const CudaOptions& options) {
  if (options.device == Device::gpu && !gpu_report().usable) throw MachineError(gpu_report().reason);
  return options.device != Device::cpu && gpu_report().usable;
}

CudaOptions with_environment(CudaOptions options) {
  const char* graphs = std::getenv("LADDER_GRAPHS");
  if (graphs != nullptr && std::string_view(graphs) == "0") options.graphs = false;
  return options;
}

}  // namespace ladder
