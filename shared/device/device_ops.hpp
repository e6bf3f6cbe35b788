// What the stages with GPU kernels share: an Ops on a device, and its options.
#pragma once

#include "shared/device/gpu.hpp"
#include "shared/model/ops.hpp"

namespace ladder {

/// What a run has used of the machine so far.
struct DeviceUse {
  std::size_t allocations;  ///< calls for memory; a step must not add to it
  std::size_t allocated_bytes;
  std::size_t graphs;  ///< recorded steps
};

/// An Ops whose kernels live on a device.
class DeviceOps : public Ops {
 public:
  virtual DeviceUse use() const = 0;
};

/// What a Runtime and the Ops on it are made with.
struct CudaOptions {
  Dtype dtype = Dtype::fp32;
  Device device = Device::automatic;
  int threads = 0;     ///< of the CPU model; 0: all cores
  bool graphs = true;  ///< record a step once and replay it; the environment's LADDER_GRAPHS=0 says no
};

/// The options with what the environment says about recording (LADDER_GRAPHS=0: do not).
CudaOptions with_environment(CudaOptions options);

}  // namespace ladder
