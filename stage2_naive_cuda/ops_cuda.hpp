// Stage 2's Ops: naive CUDA kernels, on the GPU or on the CPU model of its threads.
#pragma once

#include <memory>
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
  Dtype dtype = Dtype::fp32;  ///< fp32 or fp64
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

/// Throws InputError for another dtype, MachineError with gpu_report().reason when options.device is gpu and
/// there is none. With Device::automatic the kernels run on the GPU when it is usable and else on the CPU
/// model.
std::unique_ptr<DeviceOps> make_cuda_ops(const CudaOptions& options);

/// The short form for the table of stages.
inline std::unique_ptr<Ops> make_cuda_ops(Dtype dtype, Device device, int threads) {
  return make_cuda_ops(CudaOptions{dtype, device, threads, true});
}

/// The most that this GPU did when asked for nothing else: a copy of 1 GiB (bytes read plus written), and
/// multiply-adds on registers in fp32 or fp64.
struct GpuCeilings {
  double bytes_per_second, flops_per_second;
};

/// Measures; takes some tenths of a second. Throws MachineError where no GPU is usable.
GpuCeilings measure_gpu_ceilings(Dtype dtype);

// One of each side, from the same text (ops_cuda.cu); make_cuda_ops chooses.
namespace on_cpu::stage2 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options);
}
namespace on_gpu::stage2 {
std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options);
GpuReport probe();
GpuCeilings ceilings(Dtype dtype);
}  // namespace on_gpu::stage2

}  // namespace ladder
