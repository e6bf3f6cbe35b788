// The Ops contract: what a stage must be able to compute. One argument struct an operation.
//
// Stages 1 to 4 share the model text (microgpt.cpp) and supply an Ops each: they re-implement every operation, the
// memory and the optimizer step. Chosen at run time, so that Eigen, CUDA and tile headers never meet in one
// translation unit; decorators over Ops give profiling, a NaN guard and the list of what ran.
//
// Shape legend, used as a suffix of every tensor name (d in front means the gradient of the loss by it):
//   b  sequence of the batch (B)             n  row: one position of one sequence (N rows, see batch.hpp)
//   c  channel of the residual stream (C)    v  vocabulary entry (V)
//   h  query head (H)    k  key/value head (K)    d  channel of a head (D)
//   t  position, or key position (T)         p  packed query, key, value channel (P = (H + 2K) * D)
//   i  input channel, o  output channel of a linear layer: y_no = x_ni W_oi^T
//   f  hidden channel of the MLP (F = 4C)
// All matrices are row-major and dense unless a row stride is named.
//
// Rules for every implementation: outputs are overwritten unless the comment says "+="; padding rows (sequence -1)
// get zeros; no floating-point atomics, so the same call gives the same bits on the same machine.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "shared/base/dtype.hpp"
#include "shared/model/batch.hpp"
#include "shared/model/optimizer.hpp"

namespace ladder {

/// A pointer into a stage's memory with its element type. The role makes it a type of its own: an activation cannot
/// be passed where a gradient of a parameter is meant.
template <class Role>
struct Ref {
  void* data = nullptr;
  Dtype dtype = Dtype::fp32;

  explicit operator bool() const { return data != nullptr; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  /// The same tensor from element `offset` on.
  Ref at(std::size_t offset) const {
    return {static_cast<std::byte*>(data) + offset * size_of(dtype), dtype};
  }
};

using Act = Ref<struct ActivationRole>;   ///< activations and their gradients
using Param = Ref<struct ParameterRole>;  ///< parameters as the kernels read them
using Grad = Ref<struct GradientRole>;    ///< gradients of parameters
using Master = Ref<struct MasterRole>;    ///< master weights and Adam's moments
using Stat = Ref<struct StatisticRole>;   ///< per-row statistics and losses: fp32, or fp64 for fp64

// ---- embedding -----------------------------------------------------------------------------------------------

/// x_nc[n] = wte_vc[token(n)] + wpe_tc[position(n)]
struct EmbeddingForward {
  BatchView batch;
  int channels;
  Param wte_vc, wpe_tc;
  Act x_nc;
};

/// dwte_vc[v] += sum of dx_nc over the rows whose token is v; dwpe_tc[t] += sum over the rows at position t.
struct EmbeddingBackward {
  BatchView batch;
  int channels, vocabulary, block_size;
  Act dx_nc;
  Grad dwte_vc, dwpe_tc;
};

// ---- RMSNorm -------------------------------------------------------------------------------------------------

/// rstd_n = (mean_c x^2 + 1e-5)^-1/2;  y_nc = x_nc * rstd_n. Padding rows: x = 0 gives y = 0.
struct RmsNormForward {
  int rows, channels;
  Act x_nc, y_nc;
  Stat rstd_n;
};

/// dx_nc = dresidual_nc + rstd_n * (dy_nc - x_nc * rstd_n^2 * mean_c(dy * x)); dresidual_nc may be empty (zero).
/// dx_nc must not be one of the inputs.
struct RmsNormBackward {
  int rows, channels;
  Act dy_nc, x_nc, dresidual_nc;
  Stat rstd_n;
  Act dx_nc;
};

// ---- linear --------------------------------------------------------------------------------------------------

/// y_no = x_ni W_oi^T
struct LinearForward {
  int rows, in, out;
  Act x_ni;
  Param w_oi;
  Act y_no;
};

/// dx_ni = dy_no W_oi
struct LinearBackwardInput {
  int rows, in, out;
  Act dy_no;
  Param w_oi;
  Act dx_ni;
};

/// dW_oi += dy_no^T x_ni
struct LinearBackwardWeight {
  int rows, in, out;
  Act dy_no, x_ni;
  Grad dw_oi;
};

// ---- attention -----------------------------------------------------------------------------------------------

/// For each sequence, head h and position t, with key/value head k = h / (heads / kv_heads):
///   score[t,s] = q[t,h] . k[s,k] / sqrt(D), over s <= t when causal, over all s < length otherwise;
///   out[t,h] = sum_s softmax(score)[t,s] v[s,k];  lse_hn[h,n] = log sum_s exp(score).
/// q, k and v are read out of rows of `row_stride` elements (the packed row: P). A sequence of length 0 writes nothing
/// but its padding rows: out 0, lse -1e20. `scratch` holds what the backward pass wants to find again
/// (attention_scratch_bytes); a stage that needs none leaves it alone.
struct AttentionForward {
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
  std::size_t count;
  Act x, y;
};

/// dx = dy where y > 0, else 0; dx may be dy. Takes the output y, which is positive exactly where the input was.
struct ReluBackward {
  std::size_t count;
  Act dy, y, dx;
};

/// y = a + b; y may be a or b.
struct ResidualForward {
  std::size_t count;
  Act a, b, y;
};

// ---- loss and optimizer --------------------------------------------------------------------------------------

/// Softmax cross-entropy, forward and backward in one. With weight(n) = scale / length of n's sequence:
///   loss_n[n] = weight * (log sum_v exp(logits) - logits[target]);  loss += sum_n loss_n;
///   dlogits_nv = weight * (softmax(logits) - onehot(target)), written over logits when with_gradient.
/// Padding rows give loss 0 and gradient 0. `loss` is one element that begin_step sets to zero.
struct CrossEntropy {
  BatchView batch;
  int vocabulary;
  double scale;  ///< 1 / (sequences of all micro-batches of the step)
  bool with_gradient;
  Act logits_nv;
  Stat loss_n, loss;
};

/// For every element: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
/// master -= lr (m / correction1) / (sqrt(v / correction2) + eps); param = master rounded to its type.
/// All parameters in one call. `step` points into the stage's memory, so that a captured graph sees each step's values.
/// Where parameters need no master copy (fp64, fp32), master is the same memory as param.
struct Adam {
  std::size_t count;
  const AdamStep* step;
  Grad grad;
  Master m, v, master;
  Param param;
};

// ---- fused operations, with default compositions of the ones above --------------------------------------------

/// y_no = rmsnorm(x_ni) W_oi^T, then ReLU if `relu`. normed_ni receives rmsnorm(x) for the backward pass; a stage that
/// folds rstd into the product's load may leave it unwritten, if its rmsnorm_linear_backward does without.
struct RmsNormLinearForward {
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
  int rows, in, out;
  Act x_ni;
  Param w_oi;
  Act residual_no, y_no;
};

/// dx_ni = (dy_no W_oi) where relu_ni > 0, else 0: the input gradient of a linear layer that follows a ReLU.
struct LinearBackwardInputRelu {
  int rows, in, out;
  Act dy_no;
  Param w_oi;
  Act relu_ni, dx_ni;
};

// ---------------------------------------------------------------------------------------------------------------

/// What distinguishes one captured step from another: same key, same launches with the same pointers.
struct StepKey {
  int batch, rows, max_length, micro_batches;
  bool full = false;  ///< as in every BatchView of the step
  bool operator==(const StepKey&) const = default;
};

class Ops {
 public:
  Ops() = default;
  Ops(const Ops&) = delete;
  Ops& operator=(const Ops&) = delete;
  virtual ~Ops() = default;

  virtual std::string name() const = 0;  ///< "eigen", "cuda", "tile", ...
  virtual Dtype dtype() const = 0;
  virtual Layout layout() const = 0;
  virtual bool emulated() const { return false; }
  virtual std::vector<std::string> kernels_launched() const { return {}; }

  // Memory. The model asks once, before the first step; a step allocates nothing.
  /// 256-byte aligned, zeroed, released with the Ops. Throws MachineError saying how much was asked for and is free.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void upload(void* destination, const void* host, std::size_t bytes) = 0;
  /// Waits for all earlier work, then copies.
  virtual void download(void* host, const void* source, std::size_t bytes) = 0;
  virtual void zero(void* destination, std::size_t bytes) = 0;
  /// Waits for all earlier work; nothing to do where operations return when they are done.
  virtual void synchronize() {}
  /// Bytes that all kernels so far have asked memory for, repeats included; 0 where a stage does not count them.
  virtual double bytes_requested() const { return 0.0; }
  /// Bytes of AttentionForward::scratch for one layer at the largest batch; 0 where none is needed.
  virtual std::size_t attention_scratch_bytes(int rows, int heads, int max_length) const = 0;

  /// Runs `body`, the launches of one step. A stage may record them once per key and replay them afterwards.
  virtual void run_step(const StepKey& key, const std::function<void()>& body) {
    (void)key;
    body();
  }

  virtual void run(const EmbeddingForward& args) = 0;
  virtual void run(const EmbeddingBackward& args) = 0;
  virtual void run(const RmsNormForward& args) = 0;
  virtual void run(const RmsNormBackward& args) = 0;
  virtual void run(const LinearForward& args) = 0;
  virtual void run(const LinearBackwardInput& args) = 0;
  virtual void run(const LinearBackwardWeight& args) = 0;
  virtual void run(const AttentionForward& args) = 0;
  virtual void run(const AttentionBackward& args) = 0;
  virtual void run(const ReluForward& args) = 0;
  virtual void run(const ReluBackward& args) = 0;
  virtual void run(const ResidualForward& args) = 0;
  virtual void run(const CrossEntropy& args) = 0;
  virtual void run(const Adam& args) = 0;

  virtual void run(const RmsNormLinearForward& args);
  virtual void run(const RmsNormLinearBackward& args);
  virtual void run(const LinearResidualForward& args);
  virtual void run(const LinearBackwardInputRelu& args);
};

/// RMSNorm's epsilon, the constant of the original.
inline constexpr double kRmsNormEpsilon = 1e-5;
/// The log-sum-exp of an empty row, and the score of a masked one; applied in fp32 or wider.
inline constexpr double kMaskValue = -1e20;

}  // namespace ladder
