// Compiles the kernels without a product of the model: LayerNorm, dropout, sums over rows, the embedding's gradient.
#include "stage4_nanogpt/kernels/column_sums.cuh"
#include "stage4_nanogpt/kernels/dropout.cuh"
#include "stage4_nanogpt/kernels/embedding_backward.cuh"
#include "stage4_nanogpt/kernels/layer_norm.cuh"
#include "stage4_nanogpt/launchers.hpp"

namespace ladder::LADDER_SIDE::stage4 {

void enqueue(const LayerNormForward& args, Stream& stream) { launch_layer_norm_forward(args, stream); }
void enqueue(const LayerNormBackward& args, Stream& stream) { launch_layer_norm_backward(args, stream); }
void enqueue(const ResidualLayerNormForward& args, Stream& stream) {
  launch_residual_layer_norm_forward(args, stream);
}
void enqueue(const ResidualLayerNormBackward& args, Stream& stream) {
  launch_residual_layer_norm_backward(args, stream);
}
void enqueue(const ApplyDropout& args, Stream& stream) { launch_apply_dropout(args, stream); }
void enqueue(const BiasBackward& args, Stream& stream) { launch_bias_backward(args, stream); }
void enqueue(const EmbeddingBackward& args, Stream& stream) { launch_embedding_backward(args, stream); }

}  // namespace ladder::LADDER_SIDE::stage4
