#include "shared/device/device_ops.hpp"

#include <cstdlib>
#include <string_view>

namespace ladder {

CudaOptions with_environment(CudaOptions options) {
  const char* graphs = std::getenv("LADDER_GRAPHS");
  if (graphs != nullptr && std::string_view(graphs) == "0") options.graphs = false;
  return options;
}

}  // namespace ladder
