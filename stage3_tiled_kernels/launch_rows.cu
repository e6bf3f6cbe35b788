// Compiles the kernels without a product of the model: embedding, loss, optimizer, element-wise.
#include "stage3_tiled_kernels/kernels/adam.cuh"
#include "stage3_tiled_kernels/kernels/cross_entropy.cuh"
#include "stage3_tiled_kernels/kernels/embedding.cuh"
#include "stage3_tiled_kernels/kernels/gradient_squares.cuh"
#include "stage3_tiled_kernels/kernels/relu.cuh"
#include "stage3_tiled_kernels/kernels/residual.cuh"
#include "stage3_tiled_kernels/launchers.hpp"

namespace ladder::LADDER_SIDE::stage3 {

void enqueue(const EmbeddingForward& args, Stream& stream) { launch_embedding_forward(args, stream); }
void enqueue(const EmbeddingBackward& args, Stream& stream) { launch_embedding_backward(args, stream); }
void enqueue(const ReluForward& args, Stream& stream) { launch_relu_forward(args, stream); }
void enqueue(const ReluBackward& args, Stream& stream) { launch_relu_backward(args, stream); }
void enqueue(const ResidualForward& args, Stream& stream) { launch_residual_forward(args, stream); }
void enqueue(const CrossEntropy& args, Stream& stream) { launch_cross_entropy(args, stream); }
void enqueue(const GradientSquares& args, Stream& stream) { launch_gradient_squares(args, stream); }
void enqueue(const Adam& args, Stream& stream) { launch_adam(args, stream); }

}  // namespace ladder::LADDER_SIDE::stage3
