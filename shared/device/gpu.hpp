// Whether there is a GPU to use, and where a stage shall run.
#pragma once

#include <string>
#include <string_view>

namespace ladder {

/// Where a stage runs. automatic: a GPU stage uses the GPU where there is one and otherwise runs its own
/// kernels on the CPU model.
struct Device {
  enum class Kind { automatic, cpu, gpu };

  Kind kind = Kind::automatic;
  int ordinal = 0;  ///< which GPU, as the driver counts them; automatic means the first

  static const Device automatic, cpu, gpu;  ///< gpu: the first

  bool is_gpu() const { return kind == Kind::gpu; }  ///< any of them: a GPU or an error
  bool is_cpu() const { return kind == Kind::cpu; }
  bool operator==(const Device&) const = default;
};

inline constexpr Device Device::automatic{Device::Kind::automatic};
inline constexpr Device Device::cpu{Device::Kind::cpu};
inline constexpr Device Device::gpu{Device::Kind::gpu};

/// "auto", "cpu", "gpu" (the first) or "gpu:N". Throws InputError with that list for anything else. Whether
/// there is such a GPU is gpu_report()'s answer.
Device parse_device(std::string_view text);
/// The same words: "gpu" for the first, "gpu:1" for the second.
std::string name_of(Device device);

/// Whether this program can run kernels on a GPU here, and if not, in one line, why and what would work.
struct GpuReport {
  bool usable = false;
  std::string device;  ///< "NVIDIA H200 (sm_90)"; empty unless usable
  std::string reason;  ///< empty when usable
};

/// Asks the driver once for each GPU; later calls return the same answer. A GPU that the driver does not see is
/// not usable, and its reason says how many there are.
const GpuReport& gpu_report(int ordinal);

/// How many GPUs the driver sees, usable or not; 0 without a driver or without GPU code in this build.
int gpu_count();

/// Whether a stage with GPU kernels runs on a GPU when asked for `device`. Throws MachineError with
/// gpu_report()'s reason when a GPU was asked for and is not usable.
bool runs_on_gpu(Device device);

/// The oldest driver that runs tile kernels is r580, the first that knows CUDA 13.0
/// (in CUDA's way of numbering).
inline constexpr int kOldestDriver = 13000;

/// What was learnt by asking CUDA, as plain values: the verdict on them needs no GPU, nor do its tests.
struct GpuFacts {
  bool built = true;      ///< this program has GPU code at all
  int driver = 0;         ///< the newest CUDA that the driver knows, 13010 for 13.1; 0: no driver
  int devices = 0;        ///< GPUs that the driver sees
  std::string error;      ///< what CUDA said where a call failed for another reason
  std::string name;       ///< of the GPU in question, "NVIDIA H200"
  int capability = 0;     ///< its compute capability, 90 for 9.0
  bool has_code = false;  ///< a kernel of this build can be loaded there
  std::string built_for;  ///< "sm_80 sm_90"
  int ordinal = 0;        ///< which GPU was asked about
};

/// Usable, or the first reason why not: no GPU code, no driver, a driver older than kOldestDriver, no GPU, no
/// GPU of that ordinal, another error, no code for this card.
GpuReport judge(const GpuFacts& facts);

namespace on_gpu {
/// Asks CUDA; only in programs with GPU code (shared/device/probe.cu).
GpuFacts probe(int ordinal);
}  // namespace on_gpu

}  // namespace ladder
