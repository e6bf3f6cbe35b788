// Which device the tests of the stages with GPU kernels run on: the environment's LADDER_DEVICE is one of the
// words of --device:
//   cpu (or unset)  the CPU model
//   gpu, gpu:N      that GPU; a test fails where it is not usable
//   auto            the first GPU where it is usable, else the CPU model
// or one of them with "-or-skip" behind it (gpu-or-skip is what ctest's label `gpu` uses): where the GPU is not
// usable, a test says SKIPPED.
#pragma once

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "shared/device/device_ops.hpp"
#include "shared/train/ops_engine.hpp"

namespace ladder::testing {

struct DeviceWish {
  Device device;
  bool or_skip;
};

inline DeviceWish device_wish() {
  const char* variable = std::getenv("LADDER_DEVICE");
  std::string word = variable == nullptr ? "cpu" : variable;
  const bool or_skip = word.ends_with("-or-skip");
  if (or_skip) word.resize(word.size() - std::string("-or-skip").size());
  return {parse_device(word), or_skip};
}

/// The CPU or a GPU, never automatic.
inline Device test_device() {
  const Device device = device_wish().device;
  if (device != Device::automatic) return device;
  return runs_on_gpu(device) ? Device::gpu : Device::cpu;
}

/// True, with a line that ctest knows, when the tests of this run cannot be made on this machine.
inline bool skipped() {
  const auto [device, or_skip] = device_wish();
  if (!or_skip || !device.is_gpu() || gpu_report(device.ordinal).usable) return false;
  std::cout << "SKIPPED: " << gpu_report(device.ordinal).reason << "\n";
  return true;
}

using MakeDeviceOps = std::unique_ptr<DeviceOps> (*)(const CudaOptions&);

inline std::unique_ptr<DeviceOps> ops_on_device(MakeDeviceOps make, Dtype dtype, int threads, bool graphs) {
  return make(CudaOptions{dtype, test_device(), threads, graphs});
}

/// An engine together with its Ops, which the engine owns.
struct EngineOnDevice {
  DeviceOps* ops;
  std::unique_ptr<Engine> engine;
};

inline EngineOnDevice engine_on_device(MakeDeviceOps make, const GptConfig& config, Dtype dtype,
                                       int max_batch, int threads, bool graphs) {
  std::unique_ptr<DeviceOps> ops = ops_on_device(make, dtype, threads, graphs);
  DeviceOps* raw = ops.get();
  return {raw, make_ops_engine(config, std::move(ops), max_batch)};
}

}  // namespace ladder::testing
