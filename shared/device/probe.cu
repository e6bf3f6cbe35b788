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

/// Loads a kernel on that GPU and makes the one that was current so again: who asks about a card is not at
/// work on it.
cudaError_t load_there(int ordinal) {
  int current = 0;
  cudaGetDevice(&current);
  cudaError_t code = cudaSetDevice(ordinal);
  cudaFuncAttributes attributes;
  if (code == cudaSuccess)
    code = cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(probe_kernel));
  cudaGetLastError();
  if (current != ordinal) cudaSetDevice(current);
  return code;
}

}  // namespace

GpuFacts probe(int ordinal) {
  GpuFacts facts;
  facts.ordinal = ordinal;
  facts.built_for = LADDER_CUDA_ARCHITECTURES;
  cudaDriverGetVersion(&facts.driver);                           // stays 0 where there is no driver at all
  const cudaError_t found = cudaGetDeviceCount(&facts.devices);  // leaves its argument alone when it fails
  if (found != cudaSuccess && found != cudaErrorNoDevice && found != cudaErrorInsufficientDriver)
    facts.error = message("no CUDA device", found);
  if (found != cudaSuccess || ordinal >= facts.devices) return facts;
  cudaDeviceProp properties;
  const cudaError_t asked = cudaGetDeviceProperties(&properties, ordinal);
  if (asked != cudaSuccess) {
    facts.error = message("cudaGetDeviceProperties", asked);
    return facts;
  }
  facts.name = properties.name;
  facts.capability = 10 * properties.major + properties.minor;
  const cudaError_t loaded = load_there(ordinal);
  facts.has_code = loaded == cudaSuccess;
  if (!facts.has_code && loaded != cudaErrorNoKernelImageForDevice &&
      loaded != cudaErrorInvalidDeviceFunction)
    facts.error = message(facts.name.c_str(), loaded);
  return facts;
}

}  // namespace ladder::on_gpu
