// Is there a GPU that this build has code for? If not: which of the reasons, and what would work.
#include "shared/simt/launch.hpp"
#include "stage2_naive_cuda/ops_cuda.hpp"

namespace ladder::on_gpu::stage2 {
namespace {

constexpr const char* kInstead = "--device cpu runs the same kernels on the CPU";

/// Any kernel: built for the same architectures as all the others.
__global__ void probe_kernel() {}

/// "13.0" for 13000, CUDA's way of numbering versions.
std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

GpuReport not_usable(const std::string& why) { return {false, "", fmt::format("{}; {}", why, kInstead)}; }

std::string why_no_device(cudaError_t code) {
  int driver = 0;  // 0 where there is no driver at all
  cudaDriverGetVersion(&driver);
  if (code == cudaErrorNoDevice) return "no CUDA device: the driver sees no NVIDIA GPU";
  if (code == cudaErrorInsufficientDriver && driver == 0)
    return "no CUDA device: no NVIDIA driver (libcuda) is installed";
  if (code == cudaErrorInsufficientDriver)
    return fmt::format("the NVIDIA driver is too old: it knows CUDA {}, this build needs {} or newer",
                       version_text(driver), version_text(CUDART_VERSION / 1000 * 1000));
  return fmt::format("no CUDA device: {}", cudaGetErrorString(code));
}

}  // namespace

GpuReport probe() {
  int count = 0;  // stays as it is when the call fails
  const cudaError_t found = cudaGetDeviceCount(&count);
  if (found != cudaSuccess || count == 0)
    return not_usable(why_no_device(found != cudaSuccess ? found : cudaErrorNoDevice));
  cudaDeviceProp properties;
  const cudaError_t asked = cudaGetDeviceProperties(&properties, 0);
  if (asked != cudaSuccess)
    return not_usable(fmt::format("cudaGetDeviceProperties: {}", cudaGetErrorString(asked)));
  const std::string device = fmt::format("{} (sm_{}{})", properties.name, properties.major, properties.minor);
  cudaFuncAttributes attributes;
  const cudaError_t loaded = cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(probe_kernel));
  cudaGetLastError();
  if (loaded == cudaErrorNoKernelImageForDevice || loaded == cudaErrorInvalidDeviceFunction)
    return not_usable(fmt::format(
        "{}: this build has code for {} only; configure with -DCMAKE_CUDA_ARCHITECTURES={}{}-real", device,
        LADDER_CUDA_ARCHITECTURES, properties.major, properties.minor));
  if (loaded != cudaSuccess) return not_usable(fmt::format("{}: {}", device, cudaGetErrorString(loaded)));
  return {true, device, ""};
}

}  // namespace ladder::on_gpu::stage2
