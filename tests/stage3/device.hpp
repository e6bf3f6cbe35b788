// Stage 3 on the device that the tests of this run are for (see tests/stage2/device.hpp).
#pragma once

#include "stage3_tiled_kernels/ops_tile.hpp"
#include "tests/stage2/device.hpp"

namespace ladder::testing {

inline std::unique_ptr<DeviceOps> stage3_ops(Dtype dtype, int threads = 0, bool graphs = true) {
  return make_tile_ops(CudaOptions{dtype, test_device(), threads, graphs});
}

/// An engine together with its Ops, which the engine owns.
struct Stage3 {
  DeviceOps* ops;
  std::unique_ptr<Engine> engine;
};

inline Stage3 stage3_engine(const GptConfig& config, Dtype dtype, int max_batch, int threads = 0,
                            bool graphs = true) {
  std::unique_ptr<DeviceOps> ops = stage3_ops(dtype, threads, graphs);
  DeviceOps* raw = ops.get();
  return {raw, make_ops_engine(config, std::move(ops), max_batch)};
}

}  // namespace ladder::testing
