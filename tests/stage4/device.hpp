// Stage 4 on the device that the tests of this run are for (see tests/support/device.hpp).
#pragma once

#include "stage4_nanogpt/ops_nano.hpp"
#include "tests/support/device.hpp"

namespace ladder::testing {

inline std::unique_ptr<DeviceOps> stage4_ops(Dtype dtype, int threads = 0, bool graphs = true) {
  return ops_on_device(make_nano_ops, dtype, threads, graphs);
}

}  // namespace ladder::testing
