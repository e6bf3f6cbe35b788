// Runtime for the GPU: memory, copies, launches and recorded steps, every CUDA call checked.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "shared/base/checked_size.hpp"
#include "shared/device/device_ops.hpp"
#include "shared/device/stream.hpp"

/// In front of a loop: asks the compiler to have eight loads under way at a time.
#define LADDER_UNROLL_8 _Pragma("unroll 8")

namespace ladder::on_gpu {

/// Throws MachineError "CALL: what CUDA says" unless `code` is success.
inline void check(cudaError_t code, const std::string& call) {
  if (code != cudaSuccess) throw MachineError(fmt::format("{}: {}", call, cudaGetErrorString(code)));
}

/// Starts one kernel; launch() in launch.hpp is the call to use.
template <class... Parameters, class... Arguments>
void start(Stream& stream, const char* name, dim3 grid, dim3 block, void (*kernel)(Parameters...),
           const Arguments&... arguments) {
  kernel<<<grid, block, 0, static_cast<cudaStream_t>(stream.handle)>>>(static_cast<Parameters>(arguments)...);
  const cudaError_t code = cudaGetLastError();
  if (code != cudaSuccess)
    throw MachineError(fmt::format("kernel {}: grid ({}, {}, {}) of blocks ({}, {}, {}): {}", name, grid.x,
                                   grid.y, grid.z, block.x, block.y, block.z, cudaGetErrorString(code)));
}

/// What an Ops needs of a machine: one arena, one stream, and steps that are recorded once and replayed.
///
/// CUDA keeps a current GPU for every thread, and a stream takes launches only while its own GPU is current. So
/// whatever may reach CUDA, stream() included, first makes this Runtime's GPU the calling thread's current one:
/// two Runtimes on two GPUs may take turns on one thread, and a Runtime may be used from any thread.
///
/// A step of a small model is some fifty kernels of a few microseconds each, and starting a kernel costs the
/// CPU about as much. A CUDA graph records the launches of one step and starts them all with one call. A
/// graph holds pointers and sizes, not data, so it stays right as long as the step has the same StepKey.
class Runtime {
 public:
  static constexpr bool kEmulated = false;

  explicit Runtime(const CudaOptions& options) : ordinal_(options.device.ordinal), record_(options.graphs) {
    make_current();
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
    stream_.handle = stream;
    stream_.allocate = [this](std::size_t bytes) { return allocate(bytes); };
  }
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime() {
    cudaSetDevice(ordinal_);
    forget_graphs();
    for (void* chunk : chunks_) cudaFree(chunk);
    cudaStreamDestroy(handle());
  }

  Stream& stream() {
    make_current();
    return stream_;
  }
  const Stream& stream() const { return stream_; }
  std::size_t allocations() const { return chunks_.size(); }
  std::size_t allocated_bytes() const { return allocated_bytes_; }
  std::size_t graphs() const { return recorded_.size(); }

  std::size_t free_bytes() const {
    make_current();
    std::size_t free_bytes = 0, total_bytes = 0;
    check(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
    return free_bytes;
  }

  /// Zeroed, 256-byte aligned, released with the Runtime. Small requests share a chunk.
  void* allocate(std::size_t bytes) {
    const std::size_t size = std::max<std::size_t>(256, checked_round_up(bytes, 256, "a block of memory"));
    if (size > chunk_left_) {
      const std::size_t chunk = std::max(size, kChunk);
      // may throw: what is left of the last one stays usable
      chunk_next_ = static_cast<std::byte*>(new_chunk(chunk));
      chunk_left_ = chunk;
    }
    void* result = chunk_next_;
    chunk_next_ += size;
    chunk_left_ -= size;
    return result;
  }

  /// Waits for all earlier work.
  void synchronize() {
    make_current();
    check(cudaStreamSynchronize(handle()),
          fmt::format("cudaStreamSynchronize after kernel {}", stream_.last()));
  }

  void upload(void* destination, const void* host, std::size_t bytes) {
    make_current();
    check(cudaMemcpyAsync(destination, host, bytes, cudaMemcpyHostToDevice, handle()),
          fmt::format("cudaMemcpyAsync of {} bytes to the GPU, after kernel {}", bytes, stream_.last()));
  }
  void download(void* host, const void* source, std::size_t bytes) {
    make_current();
    const std::string call =
        fmt::format("cudaMemcpyAsync of {} bytes from the GPU, after kernel {}", bytes, stream_.last());
    check(cudaMemcpyAsync(host, source, bytes, cudaMemcpyDeviceToHost, handle()), call);
    check(cudaStreamSynchronize(handle()), call);
  }
  void zero(void* destination, std::size_t bytes) {
    if (stream_.dry) return;
    make_current();
    check(cudaMemsetAsync(destination, 0, bytes, handle()),
          fmt::format("cudaMemsetAsync of {} bytes", bytes));
  }

  void run_step(const StepKey& key, const std::function<void()>& body) {
    make_current();
    auto found =
        std::find_if(recorded_.begin(), recorded_.end(), [&](const Recorded& r) { return r.key == key; });
    if (found == recorded_.end()) {
      {
        const DryWalk walk(stream_);
        body();
      }
      if (recorded_.size() == kMaxGraphs) forget_graphs();
      recorded_.push_back({key, record_ ? record(body) : nullptr});
      found = std::prev(recorded_.end());
    }
    if (record_)
      check(cudaGraphLaunch(found->graph, handle()), "cudaGraphLaunch of a training step");
    else
      body();
  }

 private:
  struct Recorded {
    StepKey key;
    cudaGraphExec_t graph;
  };
  static constexpr std::size_t kChunk = std::size_t{8} << 20;
  static constexpr std::size_t kMaxGraphs = 256;

  cudaStream_t handle() const { return static_cast<cudaStream_t>(stream_.handle); }

  void make_current() const {
    int current = 0;
    check(cudaGetDevice(&current), "cudaGetDevice");
    if (current != ordinal_) check(cudaSetDevice(ordinal_), fmt::format("cudaSetDevice({})", ordinal_));
  }

  void* new_chunk(std::size_t bytes) {
    make_current();
    void* data = nullptr;
    const cudaError_t code = cudaMalloc(&data, bytes);
    if (code == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // not sticky: the next check must not find it again
      std::size_t free_bytes = 0;
      std::size_t total_bytes = 0;
      cudaMemGetInfo(&free_bytes, &total_bytes);
      constexpr double kMebi = 1048576.0;
      throw MachineError(fmt::format(
          "out of GPU memory: {:.1f} MiB asked for, {:.1f} MiB free of {:.1f} MiB, {:.1f} MiB in use here",
          static_cast<double>(bytes) / kMebi, static_cast<double>(free_bytes) / kMebi,
          static_cast<double>(total_bytes) / kMebi, static_cast<double>(allocated_bytes_) / kMebi));
    }
    check(code, fmt::format("cudaMalloc of {} bytes", bytes));
    chunks_.push_back(data);
    allocated_bytes_ += bytes;
    check(cudaMemsetAsync(data, 0, bytes, handle()), fmt::format("cudaMemsetAsync of {} bytes", bytes));
    return data;
  }

  cudaGraphExec_t record(const std::function<void()>& body) {
    check(cudaStreamBeginCapture(handle(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    cudaGraph_t graph = nullptr;
    try {
      body();
    } catch (...) {
      cudaStreamEndCapture(handle(), &graph);
      if (graph != nullptr) cudaGraphDestroy(graph);
      throw;
    }
    check(cudaStreamEndCapture(handle(), &graph), "cudaStreamEndCapture");
    cudaGraphExec_t ready = nullptr;
    const cudaError_t code = cudaGraphInstantiate(&ready, graph, 0);
    cudaGraphDestroy(graph);
    check(code, "cudaGraphInstantiate of a training step");
    return ready;
  }

  void forget_graphs() {
    cudaStreamSynchronize(handle());
    for (const Recorded& recorded : recorded_)
      if (recorded.graph != nullptr) cudaGraphExecDestroy(recorded.graph);
    recorded_.clear();
  }

  int ordinal_;
  bool record_;
  Stream stream_;
  std::vector<void*> chunks_;
  std::byte* chunk_next_ = nullptr;
  std::size_t chunk_left_ = 0, allocated_bytes_ = 0;
  std::vector<Recorded> recorded_;
};

}  // namespace ladder::on_gpu
