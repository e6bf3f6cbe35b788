// What the launchers cannot see: the integers of a batch, the settings of a step, tensors whose absence would mean "none".
#pragma once

#include "stage3_tiled_kernels/preconditions.hpp"

namespace ladder::stage4 {

using stage3::require_aligned;
using stage3::require_batch;
using stage3::require_given;

/// A dropout needs the numbers of a step.
inline void require_dropout(const char* operation, const BatchView& batch, const Dropout& dropout) {
  require(dropout.probability >= 0.0 && dropout.probability < 1.0, "{}: a dropout of {}", operation,
          dropout.probability);
  if (dropout) require_given(operation, "step", batch.step, alignof(StepConstants));
}

// One for every operation with something to check; the rest is the launchers'.
template <class Args>
void require_arguments(const Args&) {}
inline void require_arguments(const EmbeddingBackward& a) {
  require_batch("embedding_backward", a.batch);
  if (a.batch.rows > 0) require_given("embedding_backward", "order_n", a.batch.order_n, sizeof(std::int32_t));
}
inline void require_arguments(const LayerNormForward& a) {
  require_aligned("layer_norm_forward", "bias_c", a.bias_c);
}
inline void require_arguments(const LayerNormBackward& a) {
  require_aligned("layer_norm_backward", "dresidual_nc", a.dresidual_nc);
  require_aligned("layer_norm_backward", "dbias_c", a.dbias_c);
}
inline void require_arguments(const LinearBiasForward& a) {
  require_aligned("linear_bias_forward", "bias_o", a.bias_o);
}
inline void require_arguments(const LinearGeluForward& a) {
  require_aligned("linear_gelu_forward", "bias_o", a.bias_o);
}
inline void require_arguments(const ApplyDropout& a) {
  require_batch("apply_dropout", a.batch);
  require_dropout("apply_dropout", a.batch, a.dropout);
}
inline void require_arguments(const DropoutAttentionForward& a) {
  require_batch("dropout_attention_forward", a.plain.batch);
  require_dropout("dropout_attention_forward", a.plain.batch, a.dropout);
  require(a.plain.batch.first == 0, "dropout_attention_forward: {} positions before the batch",
          a.plain.batch.first);
}
inline void require_arguments(const DropoutAttentionBackward& a) {
  require_batch("dropout_attention_backward", a.plain.batch);
  require_dropout("dropout_attention_backward", a.plain.batch, a.dropout);
}
inline void require_arguments(const ResidualLayerNormForward& a) {
  require_batch("residual_layer_norm_forward", a.batch);
  require_dropout("residual_layer_norm_forward", a.batch, a.dropout);
  require_aligned("residual_layer_norm_forward", "bias_c", a.bias_c);
}
inline void require_arguments(const ResidualLayerNormBackward& a) {
  require_batch("residual_layer_norm_backward", a.batch);
  require_dropout("residual_layer_norm_backward", a.batch, a.dropout);
  require_aligned("residual_layer_norm_backward", "dresidual_nc", a.dresidual_nc);
  require_aligned("residual_layer_norm_backward", "dbias_c", a.dbias_c);
  if (a.dropout) require_given("residual_layer_norm_backward", "dbranch_nc", a.dbranch_nc);
}

}  // namespace ladder::stage4
