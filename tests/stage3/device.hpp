// Stage 3 on the device that the tests of this run are for (see tests/support/device.hpp).
#pragma once

#include "stage3_tiled_kernels/ops_tile.hpp"
#include "tests/support/device.hpp"

namespace ladder::testing {

using Stage3 = EngineOnDevice;

inline std::unique_ptr<DeviceOps> stage3_ops(Dtype dtype, int threads = 0, bool graphs = true) {
  return ops_on_device(make_tile_ops, dtype, threads, graphs);
}

inline Stage3 stage3_engine(const GptConfig& config, Dtype dtype, int max_batch, int threads = 0,
                            bool graphs = true) {
  return engine_on_device(make_tile_ops, config, dtype, max_batch, threads, graphs);
}

}  // namespace ladder::testing
