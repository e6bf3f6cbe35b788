// Measures a GPU's copy and arithmetic.
#include "shared/device/ceilings.hpp"
#include "shared/device/cuda_runtime.hpp"

namespace ladder::on_gpu {
namespace {

constexpr int kChains = 8;        // independent multiply-adds a thread: enough to cover their latency
constexpr int kRounds = 1 << 14;  // of each chain

/// Multiply-adds on registers alone: 2 * kChains * kRounds FLOPs a thread. The result is written so that
/// nothing is left out, and multiplier and addend come from memory so that nothing is computed in advance.
template <class T>
__global__ void arithmetic_kernel(const T* factors, T* out) {
  const T multiply = factors[0];
  const T add = factors[1];
  T chain[kChains];
  for (int i = 0; i < kChains; ++i) chain[i] = static_cast<T>(threadIdx.x + i);
  for (int round = 0; round < kRounds; ++round)
    for (int i = 0; i < kChains; ++i) chain[i] = chain[i] * multiply + add;
  T sum = 0;
  for (int i = 0; i < kChains; ++i) sum += chain[i];
  out[static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x] = sum;
}

/// The fastest of some tries of `work`, in seconds, between two events on the stream.
template <class Work>
double fastest(cudaStream_t stream, Work&& work) {
  cudaEvent_t before = nullptr;
  cudaEvent_t after = nullptr;
  check(cudaEventCreate(&before), "cudaEventCreate");
  check(cudaEventCreate(&after), "cudaEventCreate");
  float best = 1e30F;
  for (int i = 0; i < 8; ++i) {
    check(cudaEventRecord(before, stream), "cudaEventRecord");
    work();
    check(cudaEventRecord(after, stream), "cudaEventRecord");
    check(cudaEventSynchronize(after), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, before, after), "cudaEventElapsedTime");
    best = std::min(best, milliseconds);
  }
  cudaEventDestroy(before);
  cudaEventDestroy(after);
  return best / 1e3;
}

template <class T>
double arithmetic_rate(Runtime& runtime) {
  constexpr unsigned kBlocks = 4096;
  constexpr unsigned kThreads = 256;
  const T host[2] = {static_cast<T>(0.9999), static_cast<T>(0.0001)};
  T* factors = static_cast<T*>(runtime.allocate(sizeof host));
  runtime.upload(factors, host, sizeof host);
  T* out = static_cast<T*>(runtime.allocate(sizeof(T) * kBlocks * kThreads));
  const double seconds = fastest(static_cast<cudaStream_t>(runtime.stream().handle), [&] {
    start(runtime.stream(), "arithmetic", dim3(kBlocks), dim3(kThreads), arithmetic_kernel<T>,
          static_cast<const T*>(factors), out);
  });
  return 2.0 * kChains * kRounds * kBlocks * kThreads / seconds;
}

}  // namespace

GpuCeilings ceilings(Dtype dtype, int ordinal) {
  constexpr std::size_t kBytes = std::size_t{1} << 30;  // far more than any cache
  Runtime runtime({dtype, {Device::Kind::gpu, ordinal}, 0, false});
  void* from = runtime.allocate(kBytes);
  void* to = runtime.allocate(kBytes);
  const auto stream = static_cast<cudaStream_t>(runtime.stream().handle);
  const double seconds = fastest(stream, [&] {
    check(cudaMemcpyAsync(to, from, kBytes, cudaMemcpyDeviceToDevice, stream), "cudaMemcpyAsync on the GPU");
  });
  const double flops =
      dtype == Dtype::fp64 ? arithmetic_rate<double>(runtime) : arithmetic_rate<float>(runtime);
  return {2.0 * kBytes / seconds, flops};
}

}  // namespace ladder::on_gpu
