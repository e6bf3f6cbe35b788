// Asks CUDA what there is; gpu.cpp decides what it means.
#include "shared/device/cuda_runtime.hpp"
#include "shared/device/gpu.hpp"

namespace ladder::on_gpu {
namespace {

/// Any kernel: built for the same architectures as all the others.
__global__ void probe_kernel() {}

std::string message(const char* call, cudaError_t code) {
  return fmt::format("{}: {}", call, cudaGetErrorString(code));
}

}  // namespace

GpuFacts probe() {
  GpuFacts facts;
  facts.built_for = LADDER_CUDA_ARCHITECTURES;
  cudaDriverGetVersion(&facts.driver);                           // stays 0 where there is no driver at all
  const cudaError_t found = cudaGetDeviceCount(&facts.devices);  // leaves its argument alone when it fails
  if (found != cudaSuccess && found != cudaErrorNoDevice && found != cudaErrorInsufficientDriver)
    facts.error = message("no CUDA device", found);
  if (found != cudaSuccess || facts.devices == 0) return facts;
  cudaDeviceProp properties;
  const cudaError_t asked = cudaGetDeviceProperties(&properties, 0);
  if (asked != cudaSuccess) {
    facts.error = message("cudaGetDeviceProperties", asked);
    return facts;
  }
  facts.name = properties.name;
  facts.capability = 10 * properties.major + properties.minor;
  cudaFuncAttributes attributes;
  const cudaError_t loaded = cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(probe_kernel));
  cudaGetLastError();
  facts.has_code = loaded == cudaSuccess;
  if (!facts.has_code && loaded != cudaErrorNoKernelImageForDevice &&
      loaded != cudaErrorInvalidDeviceFunction)
    facts.error = message(facts.name.c_str(), loaded);
  return facts;
}

}  // namespace ladder::on_gpu
