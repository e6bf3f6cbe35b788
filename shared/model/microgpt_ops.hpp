// The operations of microGPT: an argument struct each. The legend of shapes and the rules for every implementation
// stand in ops.hpp.
#pragma once

#include <cstddef>
#include <string_view>

#include "shared/model/batch.hpp"
#include "shared/model/operation_list.hpp"
#include "shared/model/optimizer.hpp"
#include "shared/model/ref.hpp"

namespace ladder {

// ---- embedding -----------------------------------------------------------------------------------------------

/// x_nc[n] = wte_vc[token(n)] + wpe_tc[position(n)]
struct EmbeddingForward {
  static constexpr std::string_view kName = "embedding_forward";
  BatchView batch;
  int channels;
  Param wte_vc, wpe_tc;
  Act x_nc;
};

/// dwte_vc[v] += sum of dx_nc over the rows whose token is v; dwpe_tc[t] += sum over the rows at position t.
struct EmbeddingBackward {
  static constexpr std::string_view kName = "embedding_backward";
  BatchView batch;
  int channels, vocabulary, block_size;
  Act dx_nc;
  Grad dwte_vc, dwpe_tc;
};

// ---- RMSNorm -------------------------------------------------------------------------------------------------

/// rstd_n = (mean_c x^2 + 1e-5)^-1/2;  y_nc = x_nc * rstd_n. Padding rows: x = 0 gives y = 0.
struct RmsNormForward {
  static constexpr std::string_view kName = "rmsnorm_forward";
  int rows, channels;
  Act x_nc, y_nc;
  Stat rstd_n;
};

/// dx_nc = dresidual_nc + rstd_n * (dy_nc - x_nc * rstd_n^2 * mean_c(dy * x)); dresidual_nc may be empty (zero).
/// dx_nc must not be one of the inputs.
struct RmsNormBackward {
  static constexpr std::string_view kName = "rmsnorm_backward";
  int rows, channels;
  Act dy_nc, x_nc, dresidual_nc;
  Stat rstd_n;
  Act dx_nc;
};

// ---- linear --------------------------------------------------------------------------------------------------

/// y_no = x_ni W_oi^T
struct LinearForward {
  static constexpr std::string_view kName = "linear_forward";
  int rows, in, out;
  Act x_ni;
  Param w_oi;
  Act y_no;
};

/// dx_ni = dy_no W_oi
struct LinearBackwardInput {
  static constexpr std::string_view kName = "linear_backward_input";
  int rows, in, out;
  Act dy_no;
  Param w_oi;
  Act dx_ni;
};

/// dW_oi += dy_no^T x_ni
struct LinearBackwardWeight {
  static constexpr std::string_view kName = "linear_backward_weight";
  int rows, in, out;
  Act dy_no, x_ni;
  Grad dw_oi;
};

// ---- attention -----------------------------------------------------------------------------------------------

/// For each sequence, head h and position t, with key/value head k = h / (heads / kv_heads):
///   score[t,s] = q[t,h] . k[s,k] / sqrt(D), over s <= t when causal, over all s < length otherwise;
///   out[t,h] = sum_s softmax(score)[t,s] v[s,k];  lse_hn[h,n] = log sum_s exp(score).
/// q, k and v are read out of rows of `row_stride` elements (the packed row: P). A key that a query does not see has
/// weight 0 by selection, however low the scores of those it sees. A sequence of length 0 writes nothing but its
/// padding rows: out 0, lse -1e20. `scratch` holds what the backward pass wants to find again
/// (attention_scratch_bytes); a stage that needs none leaves it alone.
/// With batch.first > 0 (one sequence, forward only) k and v begin `first` rows before q: at position 0.
struct AttentionForward {
  static constexpr std::string_view kName = "attention_forward";
  BatchView batch;
  int heads, kv_heads, head_dim;
  bool causal;
  int row_stride;
  Act q, k, v;
  Act out_nc;
  Stat lse_hn;
  void* scratch;
};

/// dq, dk, dv (rows of `row_stride`) from dout_nc and what the forward pass left behind. dk and dv of a key/value
/// head are sums over the query heads that share it.
struct AttentionBackward {
  static constexpr std::string_view kName = "attention_backward";
  BatchView batch;
  int heads, kv_heads, head_dim;
  bool causal;
  int row_stride;
  Act q, k, v;
  Act out_nc, dout_nc;
  Stat lse_hn;
  void* scratch;
  Act dq, dk, dv;
};

// ---- element-wise --------------------------------------------------------------------------------------------

/// y = max(x, 0); y may be x.
struct ReluForward {
  static constexpr std::string_view kName = "relu_forward";
  std::size_t count;
  Act x, y;
};

/// dx = dy where y > 0, else 0; dx may be dy. Takes the output y, which is positive exactly where the input was.
struct ReluBackward {
  static constexpr std::string_view kName = "relu_backward";
  std::size_t count;
  Act dy, y, dx;
};

/// y = a + b; y may be a or b.
struct ResidualForward {
  static constexpr std::string_view kName = "residual_forward";
  std::size_t count;
  Act a, b, y;
};

// ---- loss and optimizer --------------------------------------------------------------------------------------

/// Softmax cross-entropy, forward and backward in one. With weight(n) = scale / length of n's sequence:
///   loss_n[n] = weight * (log sum_v exp(logits) - logits[target]);  loss += sum_n loss_n;
///   dlogits_nv = weight * (softmax(logits) - onehot(target)), written over logits when with_gradient.
/// Rows of logits have `columns` elements, of which the first `vocabulary` are entries: what stands behind them (a head
/// padded to a size that the hardware likes) takes part in nothing and gets gradient 0.
/// Padding rows give loss 0 and gradient 0. `loss` is one element that begin_step sets to zero.
struct CrossEntropy {
  static constexpr std::string_view kName = "cross_entropy";
  BatchView batch;
  int vocabulary, columns;
  double scale;  ///< loss scale / (sequences of all micro-batches of the step)
  bool with_gradient;
  Act logits_nv;
  Stat loss_n, loss;
};

/// squares = sum of the squares of all elements of grad: the square of the gradient's norm, for clipping.
struct GradientSquares {
  static constexpr std::string_view kName = "gradient_squares";
  std::size_t count;
  Grad grad;
  Stat squares;
};

/// AdamW over all parameters. For element i, with g = gradient_factor(*step, squares) * grad (grad / step->loss_scale
/// where `squares` is empty):
///   m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; master *= 1 - lr weight_decay, if i >= decays_from;
///   master -= lr (m / correction1) / (sqrt(v / correction2) + eps); param = master rounded to its type.
/// Nothing changes where `squares` is no finite number: a gradient is none. `step` points into the stage's memory, so
/// that a captured graph sees each step's values. Where parameters need no master copy (fp64, fp32), master is the same
/// memory as param.
struct Adam {
  static constexpr std::string_view kName = "adam";
  std::size_t count;
  const StepConstants* step;
  std::size_t decays_from;  ///< the elements from this one on decay
  Grad grad;
  Stat squares;
  Master m, v, master;
  Param param;
};

// ---- fused operations, with default compositions of the ones above --------------------------------------------

/// y_no = rmsnorm(x_ni) W_oi^T, then ReLU if `relu`. normed_ni receives rmsnorm(x) for the backward pass; a stage that
/// folds rstd into the product's load may leave it unwritten, if its rmsnorm_linear_backward does without.
struct RmsNormLinearForward {
  static constexpr std::string_view kName = "rmsnorm_linear_forward";
  int rows, in, out;
  bool relu;
  Act x_ni;
  Param w_oi;
  Act normed_ni;
  Stat rstd_n;
  Act y_no;
};

/// The backward pass of RmsNormLinearForward (of its part after the ReLU's own backward):
/// dW_oi += dy_no^T normed_ni;  dx_ni = dresidual_ni + rmsnorm_backward(dy_no W_oi). dnormed_ni is scratch.
struct RmsNormLinearBackward {
  static constexpr std::string_view kName = "rmsnorm_linear_backward";
  int rows, in, out;
  Act dy_no;
  Param w_oi;
  Act x_ni, normed_ni;
  Stat rstd_n;
  Act dresidual_ni, dnormed_ni;
  Grad dw_oi;
  Act dx_ni;
};

/// y_no = residual_no + x_ni W_oi^T; y must not be residual.
struct LinearResidualForward {
  static constexpr std::string_view kName = "linear_residual_forward";
  int rows, in, out;
  Act x_ni;
  Param w_oi;
  Act residual_no, y_no;
};

/// dx_ni = (dy_no W_oi) where relu_ni > 0, else 0: the input gradient of a linear layer that follows a ReLU.
struct LinearBackwardInputRelu {
  static constexpr std::string_view kName = "linear_backward_input_relu";
  int rows, in, out;
  Act dy_no;
  Param w_oi;
  Act relu_ni, dx_ni;
};

// ---------------------------------------------------------------------------------------------------------------

/// The operations of microGPT, each once: the contract, its decorators and a stage's dispatch
/// are made from these lists.
using PlainOperations =
    TypeList<EmbeddingForward, EmbeddingBackward, RmsNormForward, RmsNormBackward, LinearForward,
             LinearBackwardInput, LinearBackwardWeight, AttentionForward, AttentionBackward, ReluForward,
             ReluBackward, ResidualForward, CrossEntropy, GradientSquares, Adam>;
using FusedOperations =
    TypeList<RmsNormLinearForward, RmsNormLinearBackward, LinearResidualForward, LinearBackwardInputRelu>;
using Operations = Joined<PlainOperations, FusedOperations>;

}  // namespace ladder
