// What the stages with GPU kernels share: an Ops on a device, its options, and whether there is a GPU to use.
#pragma once

#include <string>

#include "shared/ops.hpp"
#include "shared/stages.hpp"

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

struct CudaOptions {
  Dtype dtype = Dtype::fp32;
  Device device = Device::automatic;
  int threads = 0;     ///< of the CPU model; 0: all cores
  bool graphs = true;  ///< record a step once and replay it; the environment's LADDER_GRAPHS=0 says no
};

/// Whether this program can run kernels on a GPU here, and if not, in one line, why and what would work.
struct GpuReport {
  bool usable = false;
  std::string device;  ///< "NVIDIA H200 (sm_90)"; empty unless usable
  std::string reason;  ///< empty when usable
};

/// Asks the driver once; later calls return the same answer.
const GpuReport& gpu_report();

/// Whether an Ops of these options runs on the GPU. Throws MachineError with gpu_report().reason when
/// options.device is gpu and there is none.
bool runs_on_gpu(const CudaOptions& options);

/// The options with what the environment says about recording (LADDER_GRAPHS=0: do not).
CudaOptions with_environment(CudaOptions options);

/// The oldest driver that runs tile kernels is r580, the first that knows CUDA 13.0 (in CUDA's way of
/// numbering).
inline constexpr int kOldestDriver = 13000;

/// What was learnt by asking CUDA, as plain values: the verdict on them needs no GPU, nor do its tests.
struct GpuFacts {
  bool built = true;      ///< this program has GPU code at all
  int driver = 0;         ///< the newest CUDA that the driver knows, 13010 for 13.1; 0: no driver
  int devices = 0;        ///< GPUs that the driver sees
  std::string error;      ///< what CUDA said where a call failed for another reason
  std::string name;       ///< of the first GPU, "NVIDIA H200"
  int capability = 0;     ///< its compute capability, 90 for 9.0
  bool has_code = false;  ///< a kernel of this build can be loaded there
  std::string built_for;  ///< "sm_80 sm_90"
};

/// Usable, or the first reason why not: no GPU code, no driver, a driver older than kOldestDriver, no GPU,
/// another error, no code for this card.
GpuReport judge(const GpuFacts& facts);

namespace on_gpu {
/// Asks CUDA; only in programs with GPU code (shared/probe.cu).
GpuFacts probe();
}  // namespace on_gpu

}  // namespace ladder
