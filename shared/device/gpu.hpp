// Whether there is a GPU to use, and where a stage shall run.
#pragma once

#include <string>

namespace ladder {

/// automatic: a GPU stage uses the GPU where there is one and otherwise runs its own kernels on the CPU model.
enum class Device { automatic, cpu, gpu };

/// Whether this program can run kernels on a GPU here, and if not, in one line, why and what would work.
struct GpuReport {
  bool usable = false;
  std::string device;  ///< "NVIDIA H200 (sm_90)"; empty unless usable
  std::string reason;  ///< empty when usable
};

/// Asks the driver once; later calls return the same answer.
const GpuReport& gpu_report();

/// The oldest driver that runs tile kernels is r580, the first that knows CUDA 13.0
/// (in CUDA's way of numbering).
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
/// Asks CUDA; only in programs with GPU code (shared/device/probe.cu).
GpuFacts probe();
}  // namespace on_gpu

}  // namespace ladder
