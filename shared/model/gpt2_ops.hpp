// What GPT-2 needs of a stage besides the operations of microGPT (microgpt_ops.hpp; ops.hpp has the legend of shapes):
// LayerNorm, bias, GELU, dropout. Linear layers, attention without dropout, the loss and AdamW are microGPT's.
//
// The rules for every implementation are those of ops.hpp: outputs are overwritten unless the comment says "+=",
// padding rows get zeros where nothing else is said, the same call gives the same bits.
//
// Operations with a Dropout read batch.step, which must be given when the probability is not 0.
#pragma once

#include <string_view>

#include "shared/model/batch.hpp"
#include "shared/model/dropout.hpp"
#include "shared/model/microgpt_ops.hpp"
#include "shared/model/operation_list.hpp"
#include "shared/model/ref.hpp"

namespace ladder {

// ---- LayerNorm -----------------------------------------------------------------------------------------------

/// mean_n = mean_c x;  rstd_n = (mean_c (x - mean)^2 + 1e-5)^-1/2;  y_nc = (x_nc - mean_n) rstd_n weight_c + bias_c.
/// bias_c may be empty. A padding row is a row like any other: its x is 0, so its y is the bias.
struct LayerNormForward {
  static constexpr std::string_view kName = "layer_norm_forward";
  int rows, channels;
  Act x_nc;
  Param weight_c, bias_c;
  Act y_nc;
  Stat mean_n, rstd_n;
};

/// With xhat = (x - mean) rstd and g = dy weight:
///   dx_nc = dresidual_nc + rstd_n (g - mean_c(g) - xhat mean_c(g xhat));  dweight_c += sum_n dy xhat;
///   dbias_c += sum_n dy.
/// dresidual_nc (zero) and dbias_c may be empty. dx_nc must not be one of the inputs.
struct LayerNormBackward {
  static constexpr std::string_view kName = "layer_norm_backward";
  int rows, channels;
  Act dy_nc, x_nc;
  Param weight_c;
  Stat mean_n, rstd_n;
  Act dresidual_nc, dx_nc;
  Grad dweight_c, dbias_c;
};

// ---- linear layers with bias and GELU -------------------------------------------------------------------------

/// y_no = x_ni W_oi^T + bias_o; bias_o may be empty.
struct LinearBiasForward {
  static constexpr std::string_view kName = "linear_bias_forward";
  int rows, in, out;
  Act x_ni;
  Param w_oi, bias_o;
  Act y_no;
};

/// before_no = x_ni W_oi^T + bias_o;  y_no = gelu(before_no). The GELU is of the sum before it is rounded to the type of
/// before_no, which the backward pass reads; bias_o may be empty.
struct LinearGeluForward {
  static constexpr std::string_view kName = "linear_gelu_forward";
  int rows, in, out;
  Gelu gelu;
  Act x_ni;
  Param w_oi, bias_o;
  Act before_no, y_no;
};

/// dx_ni = (dy_no W_oi) gelu'(before_ni): the input gradient of a linear layer that follows a GELU.
struct LinearBackwardInputGelu {
  static constexpr std::string_view kName = "linear_backward_input_gelu";
  int rows, in, out;
  Gelu gelu;
  Act dy_no;
  Param w_oi;
  Act before_ni, dx_ni;
};

/// dbias_o += sum_n dy_no.
struct BiasBackward {
  static constexpr std::string_view kName = "bias_backward";
  int rows, out;
  Act dy_no;
  Grad dbias_o;
};

// ---- dropout -------------------------------------------------------------------------------------------------

/// y_nc = x_nc keep_factor where element (sequence(n), position(n), c) survives, else 0; y may be x. Forward and
/// backward are the same. Padding rows get zeros.
struct ApplyDropout {
  static constexpr std::string_view kName = "apply_dropout";
  BatchView batch;
  int channels;
  Dropout dropout;
  Act x_nc, y_nc;
};

/// Attention whose weights softmax(score)[t,s] are multiplied by keep_factor where (sequence, position t, head h, key s)
/// survives, and by 0 elsewhere; the log-sum-exp is of all of them. `plain` is without dropout, its batch.first is 0;
/// the probability is not 0.
struct DropoutAttentionForward {
  static constexpr std::string_view kName = "dropout_attention_forward";
  AttentionForward plain;
  Dropout dropout;
};
struct DropoutAttentionBackward {
  static constexpr std::string_view kName = "dropout_attention_backward";
  AttentionBackward plain;
  Dropout dropout;
};

// ---- fused, with default compositions (ops.cpp) ---------------------------------------------------------------

/// sum_nc = residual_nc + dropout(branch_nc);  y_nc = layer_norm(sum_nc). sum must not be an input.
struct ResidualLayerNormForward {
  static constexpr std::string_view kName = "residual_layer_norm_forward";
  BatchView batch;
  int channels;
  Dropout dropout;  ///< may be none
  Act residual_nc, branch_nc;
  Param weight_c, bias_c;
  Act sum_nc, y_nc;
  Stat mean_n, rstd_n;
};

/// dx_nc = dresidual_nc + layer_norm_backward(dy_nc), the gradient of the sum;  dbranch_nc = dropout(dx_nc), which is not
/// written where there is no dropout: it is dx_nc then. dweight_c, dbias_c += as in LayerNormBackward.
struct ResidualLayerNormBackward {
  static constexpr std::string_view kName = "residual_layer_norm_backward";
  BatchView batch;
  int channels;
  Dropout dropout;
  Act dy_nc, x_nc;
  Param weight_c;
  Stat mean_n, rstd_n;
  Act dresidual_nc, dx_nc, dbranch_nc;
  Grad dweight_c, dbias_c;
};

// ---------------------------------------------------------------------------------------------------------------

using Gpt2Operations =
    TypeList<LayerNormForward, LayerNormBackward, LinearBiasForward, LinearGeluForward,
             LinearBackwardInputGelu, BiasBackward, ApplyDropout, DropoutAttentionForward,
             DropoutAttentionBackward, ResidualLayerNormForward, ResidualLayerNormBackward>;

}  // namespace ladder
