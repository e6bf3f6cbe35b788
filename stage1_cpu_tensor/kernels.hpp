// The operations of stage 1 as function templates over the element type, instantiated for float and double in
// the .cpp of their family. ops_eigen.cpp dispatches to them.
#pragma once

#include "shared/device/worker_pool.hpp"
#include "shared/model/ops.hpp"

namespace ladder::eigen {

// linear.cpp
template <class T>
void linear_forward(const LinearForward& a, WorkerPool& pool);
template <class T>
void linear_backward_input(const LinearBackwardInput& a, WorkerPool& pool);
template <class T>
void linear_backward_weight(const LinearBackwardWeight& a, WorkerPool& pool);

// attention.cpp
template <class T>
std::size_t attention_scratch_bytes(int rows, int heads, int max_length);
template <class T>
void attention_forward(const AttentionForward& a, WorkerPool& pool);
template <class T>
void attention_backward(const AttentionBackward& a, WorkerPool& pool);
template <class T>
void dropout_attention_forward(const DropoutAttentionForward& a, WorkerPool& pool);
template <class T>
void dropout_attention_backward(const DropoutAttentionBackward& a, WorkerPool& pool);

// elementwise.cpp
template <class T>
void embedding_forward(const EmbeddingForward& a);
template <class T>
void embedding_backward(const EmbeddingBackward& a);
template <class T>
void rmsnorm_forward(const RmsNormForward& a);
template <class T>
void rmsnorm_backward(const RmsNormBackward& a);
template <class T>
void relu_forward(const ReluForward& a);
template <class T>
void relu_backward(const ReluBackward& a);
template <class T>
void residual_forward(const ResidualForward& a);

// loss.cpp
template <class T>
void cross_entropy(const CrossEntropy& a);
template <class T>
void gradient_squares(const GradientSquares& a);
template <class T>
void adam(const Adam& a);

// gpt2_norm.cpp
template <class T>
void layer_norm_forward(const LayerNormForward& a, WorkerPool& pool);
template <class T>
void layer_norm_backward(const LayerNormBackward& a, WorkerPool& pool);
template <class T>
void residual_layer_norm_forward(const ResidualLayerNormForward& a, WorkerPool& pool);

// gpt2_linear.cpp
template <class T>
void linear_bias_forward(const LinearBiasForward& a, WorkerPool& pool);
template <class T>
void linear_gelu_forward(const LinearGeluForward& a, WorkerPool& pool);
template <class T>
void linear_backward_input_gelu(const LinearBackwardInputGelu& a, WorkerPool& pool);
template <class T>
void bias_backward(const BiasBackward& a, WorkerPool& pool);

// dropout.cpp
template <class T>
void apply_dropout(const ApplyDropout& a, WorkerPool& pool);

}  // namespace ladder::eigen
