// Stage 2's Ops. nvcc compiles this text for the GPU; ops_simt.cpp includes it for the CPU model.
#include "stage2_naive_cuda/ops_cuda.hpp"

#include "shared/device/device_ops_on.hpp"
#include "stage2_naive_cuda/kernels/adam.cuh"
#include "stage2_naive_cuda/kernels/attention.cuh"
#include "stage2_naive_cuda/kernels/cross_entropy.cuh"
#include "stage2_naive_cuda/kernels/embedding.cuh"
#include "stage2_naive_cuda/kernels/gradient_squares.cuh"
#include "stage2_naive_cuda/kernels/linear.cuh"
#include "stage2_naive_cuda/kernels/relu.cuh"
#include "stage2_naive_cuda/kernels/residual.cuh"
#include "stage2_naive_cuda/kernels/rmsnorm.cuh"

namespace ladder::LADDER_SIDE::stage2 {
namespace {

void enqueue(const EmbeddingForward& args, Stream& stream) { launch_embedding_forward(args, stream); }
void enqueue(const EmbeddingBackward& args, Stream& stream) { launch_embedding_backward(args, stream); }
void enqueue(const RmsNormForward& args, Stream& stream) { launch_rmsnorm_forward(args, stream); }
void enqueue(const RmsNormBackward& args, Stream& stream) { launch_rmsnorm_backward(args, stream); }
void enqueue(const LinearForward& args, Stream& stream) { launch_linear_forward(args, stream); }
void enqueue(const LinearBackwardInput& args, Stream& stream) { launch_linear_backward_input(args, stream); }
void enqueue(const LinearBackwardWeight& args, Stream& stream) {
  launch_linear_backward_weight(args, stream);
}
void enqueue(const AttentionForward& args, Stream& stream) { launch_attention_forward(args, stream); }
void enqueue(const AttentionBackward& args, Stream& stream) { launch_attention_backward(args, stream); }
void enqueue(const ReluForward& args, Stream& stream) { launch_relu_forward(args, stream); }
void enqueue(const ReluBackward& args, Stream& stream) { launch_relu_backward(args, stream); }
void enqueue(const ResidualForward& args, Stream& stream) { launch_residual_forward(args, stream); }
void enqueue(const CrossEntropy& args, Stream& stream) { launch_cross_entropy(args, stream); }
void enqueue(const GradientSquares& args, Stream& stream) { launch_gradient_squares(args, stream); }
void enqueue(const Adam& args, Stream& stream) { launch_adam(args, stream); }

/// The fused operations keep their default compositions.
class CudaOps final : public DeviceOpsOn<CudaOps, PlainOperations> {
 public:
  explicit CudaOps(const CudaOptions& options) : DeviceOpsOn(options, "stage2.") {
    with_element_type(options.dtype, [](auto) {});  // refuses other types before anything is allocated
  }

  std::string name() const override { return "cuda"; }
  double bytes_requested() const override { return bytes_requested_; }
  std::size_t attention_scratch_bytes(int rows, int heads, int max_length) const override {
    return attention_bytes(rows, heads, max_length, dtype());
  }

  /// Starts the operation's kernels and adds what they ask memory for.
  template <class Args>
  void pass(const Args& args) {
    enqueue(args, stream());
    if (!stream().dry) bytes_requested_ += naive_cost(args).bytes;
  }

 private:
  double bytes_requested_ = 0.0;  // of launches as they are recorded: a replayed graph adds nothing
};

}  // namespace

std::unique_ptr<DeviceOps> make_ops(const CudaOptions& options) { return std::make_unique<CudaOps>(options); }

}  // namespace ladder::LADDER_SIDE::stage2
