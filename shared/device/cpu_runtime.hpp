// Runtime for the CPU model: memory, copies and steps as the GPU's Runtime has them, in host memory.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <vector>

#include "shared/base/checked_size.hpp"
#include "shared/device/device_ops.hpp"
#include "shared/device/memory_watch.hpp"
#include "shared/device/stream.hpp"
#include "shared/device/worker_pool.hpp"

namespace ladder::on_cpu {

/// Bytes that a program may still take on this machine; 0 where the system does not say.
inline std::size_t available_bytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string key; file >> key;) {
    std::size_t kibibytes = 0;
    if (key == "MemAvailable:" && file >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

/// What an Ops needs of a machine. Everything in order on one stream; see the GPU's
/// Runtime for the other side.
class Runtime {
 public:
  static constexpr bool kEmulated = true;

  explicit Runtime(const CudaOptions& options) : workers_(options.threads) {
    stream_.workers = &workers_;
    stream_.allocate = [this](std::size_t bytes) { return allocate(bytes); };
    stream_.lent = [](const void* data, std::size_t bytes) {
      if (memory_watch != nullptr) memory_watch->lent(data, bytes);
    };
  }

  Stream& stream() { return stream_; }
  const Stream& stream() const { return stream_; }
  std::size_t allocations() const { return blocks_.size(); }
  std::size_t free_bytes() const { return available_bytes(); }
  std::size_t allocated_bytes() const { return allocated_bytes_; }
  std::size_t graphs() const { return 0; }

  /// Zeroed, 256-byte aligned, released with the Runtime.
  void* allocate(std::size_t bytes) {
    const std::size_t size = std::max<std::size_t>(256, checked_round_up(bytes, 256, "a block of memory"));
    const std::size_t available = available_bytes();
    void* data = available != 0 && size > available ? nullptr : std::aligned_alloc(256, size);
    if (data == nullptr)
      throw MachineError(
          fmt::format("out of memory: {:.1f} MiB asked for, {:.1f} MiB available, {:.1f} MiB in use here",
                      mebibytes(size), mebibytes(available), mebibytes(allocated_bytes_)));
    blocks_.emplace_back(data);
    allocated_bytes_ += size;
    std::memset(data, 0, size);
    if (memory_watch != nullptr) memory_watch->allocated(data, bytes);
    return data;
  }

  void synchronize() {}  // a launch is done when it returns
  void upload(void* destination, const void* host, std::size_t bytes) {
    if (bytes > 0) std::memcpy(destination, host, bytes);
    if (memory_watch != nullptr) memory_watch->written(destination, bytes);
  }
  void download(void* host, const void* source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(host, source, bytes);
  }
  void zero(void* destination, std::size_t bytes) {
    if (stream_.dry || bytes == 0) return;
    std::memset(destination, 0, bytes);
    if (memory_watch != nullptr) memory_watch->written(destination, bytes);
  }

  /// Walks the body dry when its shape is new, then runs it. There is nothing to record on a CPU.
  void run_step(const StepKey& key, const std::function<void()>& body) {
    if (std::find(seen_.begin(), seen_.end(), key) == seen_.end()) {
      const DryWalk walk(stream_);
      body();
      seen_.push_back(key);
    }
    body();
  }

 private:
  struct Free {
    void operator()(void* data) const {
      if (memory_watch != nullptr) memory_watch->released(data);
      std::free(data);
    }
  };

  static double mebibytes(std::size_t bytes) { return static_cast<double>(bytes) / 1048576.0; }

  WorkerPool workers_;
  Stream stream_;
  std::vector<std::unique_ptr<void, Free>> blocks_;
  std::size_t allocated_bytes_ = 0;
  std::vector<StepKey> seen_;
};

}  // namespace ladder::on_cpu
