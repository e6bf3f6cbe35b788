#include "stage1_cpu_tensor/ops_eigen.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "shared/base/checked_size.hpp"
#include "shared/device/cpu_runtime.hpp"
#include "stage1_cpu_tensor/flush_denormals.hpp"
#include "stage1_cpu_tensor/kernels.hpp"

namespace ladder {
namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

/// A worker flushes denormals for as long as it lives, as run_step() does on the calling thread.
std::thread start_flushing(std::function<void()> serve) {
  return std::thread([serve = std::move(serve)] {
    const eigen::FlushDenormals flush;
    serve();
  });
}

template <class T>
class EigenOps final : public Ops {
 public:
  explicit EigenOps(int threads) : pool_(threads, start_flushing) {}

  std::string name() const override { return "eigen"; }
  Dtype dtype() const override { return sizeof(T) == 8 ? Dtype::fp64 : Dtype::fp32; }
  Layout layout() const override { return Layout::packed; }

  void* allocate(std::size_t bytes) override {
    constexpr std::size_t alignment = 256;
    const std::size_t size =
        checked_round_up(std::max<std::size_t>(bytes, 1), alignment, "a block of memory");
    const std::size_t available =
        on_cpu::available_bytes();  // the system promises more, and ends whoever takes it
    void* memory = available != 0 && size > available ? nullptr : std::aligned_alloc(alignment, size);
    if (memory == nullptr)
      throw MachineError(
          fmt::format("out of memory: asked for {} bytes, {} are available", bytes, available));
    blocks_.emplace_back(memory);
    std::memset(memory, 0, size);
    return memory;
  }
  std::size_t available_bytes() const override { return on_cpu::available_bytes(); }
  void upload(void* destination, const void* host, std::size_t bytes) override {
    copy(destination, host, bytes);
  }
  void download(void* host, const void* source, std::size_t bytes) override { copy(host, source, bytes); }
  void zero(void* destination, std::size_t bytes) override { std::memset(destination, 0, bytes); }
  std::size_t attention_scratch_bytes(int rows, int heads, int max_length) const override {
    return eigen::attention_scratch_bytes<T>(rows, heads, max_length);
  }

  void run_step(const StepKey&, const std::function<void()>& body) override {
    const eigen::FlushDenormals flush;
    body();
  }

  using Ops::run;  // the fused operations not overridden here keep their default compositions
  void run(const EmbeddingForward& a) override { eigen::embedding_forward<T>(a); }
  void run(const EmbeddingBackward& a) override { eigen::embedding_backward<T>(a); }
  void run(const RmsNormForward& a) override { eigen::rmsnorm_forward<T>(a); }
  void run(const RmsNormBackward& a) override { eigen::rmsnorm_backward<T>(a); }
  void run(const LinearForward& a) override { eigen::linear_forward<T>(a, pool_); }
  void run(const LinearBackwardInput& a) override { eigen::linear_backward_input<T>(a, pool_); }
  void run(const LinearBackwardWeight& a) override { eigen::linear_backward_weight<T>(a, pool_); }
  void run(const AttentionForward& a) override { eigen::attention_forward<T>(a, pool_); }
  void run(const AttentionBackward& a) override { eigen::attention_backward<T>(a, pool_); }
  void run(const ReluForward& a) override { eigen::relu_forward<T>(a); }
  void run(const ReluBackward& a) override { eigen::relu_backward<T>(a); }
  void run(const ResidualForward& a) override { eigen::residual_forward<T>(a); }
  void run(const CrossEntropy& a) override { eigen::cross_entropy<T>(a); }
  void run(const GradientSquares& a) override { eigen::gradient_squares<T>(a); }
  void run(const Adam& a) override {
    const eigen::FlushDenormals flush;  // also under a decorator, which goes around run_step
    eigen::adam<T>(a);
  }
  void run(const LayerNormForward& a) override { eigen::layer_norm_forward<T>(a, pool_); }
  void run(const LayerNormBackward& a) override { eigen::layer_norm_backward<T>(a, pool_); }
  void run(const LinearBiasForward& a) override { eigen::linear_bias_forward<T>(a, pool_); }
  void run(const LinearGeluForward& a) override { eigen::linear_gelu_forward<T>(a, pool_); }
  void run(const LinearBackwardInputGelu& a) override { eigen::linear_backward_input_gelu<T>(a, pool_); }
  void run(const BiasBackward& a) override { eigen::bias_backward<T>(a, pool_); }
  void run(const ApplyDropout& a) override { eigen::apply_dropout<T>(a, pool_); }
  void run(const DropoutAttentionForward& a) override { eigen::dropout_attention_forward<T>(a, pool_); }
  void run(const DropoutAttentionBackward& a) override { eigen::dropout_attention_backward<T>(a, pool_); }
  void run(const ResidualLayerNormForward& a) override { eigen::residual_layer_norm_forward<T>(a, pool_); }

 private:
  static void copy(void* destination, const void* source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(destination, source, bytes);
  }

  WorkerPool pool_;
  std::vector<std::unique_ptr<void, Free>> blocks_;
};

}  // namespace

std::unique_ptr<Ops> make_eigen_ops(Dtype dtype, int threads) {
  require(threads >= 0, "threads is {}: it must be 0 (all cores) or more", threads);
  if (dtype == Dtype::fp64) return std::make_unique<EigenOps<double>>(threads);
  require(dtype == Dtype::fp32, "stage 1 computes in fp32 or fp64, not {}", name_of(dtype));
  return std::make_unique<EigenOps<float>>(threads);
}

}  // namespace ladder
