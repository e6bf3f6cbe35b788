// DeviceOpsOn: all of a device stage's Ops but its operations. The same text for both sides, like the kernels.
#pragma once

#include <string>
#include <vector>

#include "shared/device/device_ops.hpp"

#ifdef __CUDACC__
#include "shared/device/cuda_runtime.hpp"
#else
#include "shared/device/cpu_runtime.hpp"
#endif

#ifndef LADDER_SIDE
#ifdef __CUDACC__
#define LADDER_SIDE on_gpu
#else
#define LADDER_SIDE on_cpu
#endif
#endif

namespace ladder::LADDER_SIDE {

/// Memory, copies, recorded steps and the list of kernels, by the side's Runtime. What is left to a stage: name(),
/// attention_scratch_bytes(), and pass(args), which gets the operations of `List`.
template <class Stage, class List>
class DeviceOpsOn : public PassesOn<Stage, DeviceOps, List> {
 public:
  /// `kernels`: what stands before the name of each kernel, "stage2.".
  DeviceOpsOn(const CudaOptions& options, std::string kernels)
      : dtype_(options.dtype), runtime_(options), prefix_(std::move(kernels)) {}

  Dtype dtype() const override { return dtype_; }
  /// Padded, so that steps of different documents have the same shape and one recorded graph serves them all.
  Layout layout() const override { return Layout::padded; }
  bool emulated() const override { return Runtime::kEmulated; }
  DeviceUse use() const override {
    return {runtime_.allocations(), runtime_.allocated_bytes(), runtime_.graphs()};
  }
  std::vector<std::string> kernels_launched() const override {
    std::vector<std::string> names = runtime_.stream().kernels();
    for (std::string& name : names) name.insert(0, prefix_);
    return names;
  }

  void* allocate(std::size_t bytes) override { return runtime_.allocate(bytes); }
  std::size_t available_bytes() const override { return runtime_.free_bytes(); }
  void upload(void* destination, const void* host, std::size_t bytes) override {
    runtime_.upload(destination, host, bytes);
  }
  void download(void* host, const void* source, std::size_t bytes) override {
    runtime_.download(host, source, bytes);
  }
  void zero(void* destination, std::size_t bytes) override { runtime_.zero(destination, bytes); }
  void synchronize() override { runtime_.synchronize(); }
  void in_order(const std::function<void(void* queue)>& work) override {
    if (!stream().dry) work(stream().handle);
  }
  void run_step(const StepKey& key, const std::function<void()>& body) override {
    runtime_.run_step(key, body);
  }

 protected:
  Stream& stream() { return runtime_.stream(); }

 private:
  Dtype dtype_;
  Runtime runtime_;
  std::string prefix_;
};

}  // namespace ladder::LADDER_SIDE
