// Which device the tests of stage 2 run on: the environment's LADDER_DEVICE is
//   cpu (or unset)  the CPU model
//   gpu             the GPU; a test fails where there is none
//   gpu-or-skip     the GPU; a test says SKIPPED where there is none (what ctest's label `gpu` uses)
#pragma once

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "shared/train/ops_engine.hpp"
#include "stage2_naive_cuda/ops_cuda.hpp"

namespace ladder::testing {

inline std::string device_wish() {
  const char* wish = std::getenv("LADDER_DEVICE");
  return wish == nullptr ? "cpu" : wish;
}

inline Device test_device() {
  const std::string wish = device_wish();
  require(wish == "cpu" || wish == "gpu" || wish == "gpu-or-skip",
          "LADDER_DEVICE is '{}': valid are cpu, gpu, gpu-or-skip", wish);
  return wish == "cpu" ? Device::cpu : Device::gpu;
}

/// True, with a line that ctest knows, when the tests of this run cannot be made on this machine.
inline bool skipped() {
  if (device_wish() != "gpu-or-skip" || gpu_report().usable) return false;
  std::cout << "SKIPPED: " << gpu_report().reason << "\n";
  return true;
}

inline std::unique_ptr<DeviceOps> stage2_ops(Dtype dtype, int threads = 0, bool graphs = true) {
  return make_cuda_ops(CudaOptions{dtype, test_device(), threads, graphs});
}

/// An engine together with its Ops, which the engine owns.
struct Stage2 {
  DeviceOps* ops;
  std::unique_ptr<Engine> engine;
};

inline Stage2 stage2_engine(const GptConfig& config, Dtype dtype, int max_batch, int threads = 0,
                            bool graphs = true) {
  std::unique_ptr<DeviceOps> ops = stage2_ops(dtype, threads, graphs);
  DeviceOps* raw = ops.get();
  return {raw, make_ops_engine(config, std::move(ops), max_batch)};
}

}  // namespace ladder::testing
