// Stage 2's Ops. nvcc compiles this text for the GPU; ops_simt.cpp includes it for the CPU model.
#include "stage2_naive_cuda/ops_cuda.hpp"

#include "stage2_naive_cuda/kernels/adam.cuh"
#include "stage2_naive_cuda/kernels/attention.cuh"
#include "stage2_naive_cuda/kernels/cross_entropy.cuh"
#include "stage2_naive_cuda/kernels/embedding.cuh"
#include "stage2_naive_cuda/kernels/linear.cuh"
#include "stage2_naive_cuda/kernels/relu.cuh"
#include "stage2_naive_cuda/kernels/residual.cuh"
#include "stage2_naive_cuda/kernels/rmsnorm.cuh"

namespace ladder::LADDER_SIDE::stage2 {
namespace {

class CudaOps final : public DeviceOps {
 public:
  explicit CudaOps(const CudaOptions& options) : dtype_(options.dtype), runtime_(options) {
    with_element_type(dtype_, [](auto) {});  // refuses other types before anything is allocated
  }

  std::string name() const override { return "cuda"; }
  Dtype dtype() const override { return dtype_; }
  /// Padded, so that steps of different documents have the same shape and one recorded graph serves them all.
  Layout layout() const override { return Layout::padded; }
  bool emulated() const override { return Runtime::kEmulated; }
  DeviceUse use() const override {
    return {runtime_.allocations(), runtime_.allocated_bytes(), runtime_.graphs()};
  }

  std::vector<std::string> kernels_launched() const override {
    std::vector<std::string> names = runtime_.stream().kernels();
    for (std::string& name : names) name.insert(0, "stage2.");
    return names;
  }

  void* allocate(std::size_t bytes) override { return runtime_.allocate(bytes); }
  void upload(void* destination, const void* host, std::size_t bytes) override {
    runtime_.upload(destination, host, bytes);
  }
  void download(void* host, const void* source, std::size_t bytes) override {
    runtime_.download(host, source, bytes);
  }
  void zero(void* destination, std::size_t bytes) override { runtime_.zero(destination, bytes); }
  void synchronize() override { runtime_.synchronize(); }
  double bytes_requested() const override { return bytes_requested_; }
  std::size_t attention_scratch_bytes(int rows, int heads, int max_length) const override {
    return attention_bytes(rows, heads, max_length, dtype_);
  }
  void run_step(const StepKey& key, const std::function<void()>& body) override {
    runtime_.run_step(key, body);
  }

  using Ops::run;  // the fused operations: their default compositions
  void run(const EmbeddingForward& args) override { counted(args, launch_embedding_forward); }
  void run(const EmbeddingBackward& args) override { counted(args, launch_embedding_backward); }
  void run(const RmsNormForward& args) override { counted(args, launch_rmsnorm_forward); }
  void run(const RmsNormBackward& args) override { counted(args, launch_rmsnorm_backward); }
  void run(const LinearForward& args) override { counted(args, launch_linear_forward); }
  void run(const LinearBackwardInput& args) override { counted(args, launch_linear_backward_input); }
  void run(const LinearBackwardWeight& args) override { counted(args, launch_linear_backward_weight); }
  void run(const AttentionForward& args) override { counted(args, launch_attention_forward); }
  void run(const AttentionBackward& args) override { counted(args, launch_attention_backward); }
  void run(const ReluForward& args) override { counted(args, launch_relu_forward); }
  void run(const ReluBackward& args) override { counted(args, launch_relu_backward); }
  void run(const ResidualForward& args) override { counted(args, launch_residual_forward); }
  void run(const CrossEntropy& args) override { counted(args, launch_cross_entropy); }
  void run(const Adam& args) override { counted(args, launch_adam); }

 private:
  /// Runs the launcher and adds what its kernels ask memory for.
  template <class Args>
  void counted(const Args& args, void (*launcher)(const Args&, Stream&)) {
    launcher(args, runtime_.stream());
    if (!runtime_.stream().dry) bytes_requested_ += naive_cost(args).bytes;
  }

  Dtype dtype_;
  Runtime runtime_;
  double bytes_requested_ = 0.0;  // of launches as they are recorded: a replayed graph adds nothing
};

}  // namespace

std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options) { return std::make_unique<CudaOps>(options); }

}  // namespace ladder::LADDER_SIDE::stage2
