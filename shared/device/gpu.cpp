#include "shared/device/gpu.hpp"

#include <charconv>
#include <map>
#include <mutex>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

/// "13.0" for 13000.
std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

std::string no_such_gpu(const GpuFacts& facts) {
  const std::string valid =
      facts.devices == 1 ? "1 NVIDIA GPU: gpu:0"
                         : fmt::format("{} NVIDIA GPUs: gpu:0 to gpu:{}", facts.devices, facts.devices - 1);
  return fmt::format("there is no gpu:{}: the driver sees {}", facts.ordinal, valid);
}

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
  if (facts.ordinal >= facts.devices) return no_such_gpu(facts);
  if (facts.has_code) return {};
  return fmt::format(
      "{} (sm_{}): this build has code for {} only; configure with -DCMAKE_CUDA_ARCHITECTURES={}-real",
      facts.name, facts.capability, facts.built_for, facts.capability);
}

/// What is known of one GPU.
struct Known {
  GpuFacts facts;
  GpuReport report;
};

const Known& known(int ordinal) {
  static std::mutex mutex;
  static std::map<int, Known> all;  // its elements stay where they are
  const std::lock_guard lock(mutex);
  const auto found = all.find(ordinal);
  if (found != all.end()) return found->second;
#ifdef LADDER_CUDA
  const GpuFacts facts = on_gpu::probe(ordinal);
#else
  GpuFacts facts;
  facts.built = false;
#endif
  return all.emplace(ordinal, Known{facts, judge(facts)}).first->second;
}

}  // namespace

Device parse_device(std::string_view text) {
  if (text == "auto") return Device::automatic;
  if (text == "cpu") return Device::cpu;
  if (text == "gpu") return Device::gpu;
  int ordinal = -1;
  const std::string_view prefix = "gpu:";
  if (text.substr(0, prefix.size()) == prefix) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + prefix.size(), end, ordinal);
    if (parsed.ec != std::errc() || parsed.ptr != end) ordinal = -1;
  }
  require(ordinal >= 0, "'{}' is not a device: valid are auto, cpu, gpu and gpu:N, N from 0", text);
  return {Device::Kind::gpu, ordinal};
}

std::string name_of(Device device) {
  if (!device.is_gpu()) return device.is_cpu() ? "cpu" : "auto";
  return device.ordinal == 0 ? "gpu" : fmt::format("gpu:{}", device.ordinal);
}

GpuReport judge(const GpuFacts& facts) {
  const std::string reason = why_not(facts);
  if (reason.empty()) return {true, fmt::format("{} (sm_{})", facts.name, facts.capability), ""};
  return {false, "", reason + "; --device cpu runs the same kernels on the CPU"};
}

const GpuReport& gpu_report(int ordinal) { return known(ordinal).report; }

int gpu_count() { return known(0).facts.devices; }

bool runs_on_gpu(Device device) {
  if (device.is_cpu()) return false;
  const GpuReport& report = gpu_report(device.ordinal);
  if (device.is_gpu() && !report.usable) throw MachineError(report.reason);
  return report.usable;
}

}  // namespace ladder
