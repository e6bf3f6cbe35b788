#include "shared/device/gpu.hpp"

#include "shared/base/error.hpp"

namespace ladder {
namespace {

/// "13.0" for 13000.
std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

/// Empty when usable.
std::string why_not(const GpuFacts& facts) {
  if (!facts.built) return "this build has no GPU code: configure with -DLADDER_CUDA=ON where nvcc is found";
  if (facts.driver == 0) return "no CUDA device: no NVIDIA driver (libcuda) is installed";
  if (facts.driver < kOldestDriver)
    return fmt::format(
        "the NVIDIA driver is too old: it knows CUDA {}, this build needs {} (driver r580) or newer",
        version_text(facts.driver), version_text(kOldestDriver));
  if (!facts.error.empty()) return facts.error;
  if (facts.devices == 0) return "no CUDA device: the driver sees no NVIDIA GPU";
  if (facts.has_code) return {};
  return fmt::format(
      "{} (sm_{}): this build has code for {} only; configure with -DCMAKE_CUDA_ARCHITECTURES={}-real",
      facts.name, facts.capability, facts.built_for, facts.capability);
}

}  // namespace

GpuReport judge(const GpuFacts& facts) {
  const std::string reason = why_not(facts);
  if (reason.empty()) return {true, fmt::format("{} (sm_{})", facts.name, facts.capability), ""};
  return {false, "", reason + "; --device cpu runs the same kernels on the CPU"};
}

const GpuReport& gpu_report() {
#ifdef LADDER_CUDA
  static const GpuReport report = judge(on_gpu::probe());
#else
  static const GpuReport report = judge({.built = false});
#endif
  return report;
}

}  // namespace ladder
