// Stage 2 on the device that the tests of this run are for (see tests/support/device.hpp).
#pragma once

#include "stage2_naive_cuda/ops_cuda.hpp"
#include "tests/support/device.hpp"

namespace ladder::testing {

using Stage2 = EngineOnDevice;

inline std::unique_ptr<DeviceOps> stage2_ops(Dtype dtype, int threads = 0, bool graphs = true) {
  return ops_on_device(make_cuda_ops, dtype, threads, graphs);
}

inline Stage2 stage2_engine(const GptConfig& config, Dtype dtype, int max_batch, int threads = 0,
                            bool graphs = true) {
  return engine_on_device(make_cuda_ops, config, dtype, max_batch, threads, graphs);
}

}  // namespace ladder::testing
