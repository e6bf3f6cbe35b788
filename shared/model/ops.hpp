// The Ops contract: what a stage must be able to compute. One argument struct an operation.
//
// Stages 1 to 4 share the model text (microgpt.cpp) and supply an Ops each: they re-implement every operation, the
// memory and the optimizer step. Chosen at run time, so that Eigen, CUDA and tile headers never meet in one translation
// unit; decorators over Ops give profiling and a NaN guard. What GPT-2 needs besides (LayerNorm, GELU, bias, dropout)
// will be a list of its own beside this one.
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
#include <string_view>
#include <vector>

#include "shared/base/dtype.hpp"
#include "shared/model/batch.hpp"
#include "shared/model/operation_list.hpp"
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
  double scale;  ///< 1 / (sequences of all micro-batches of the step)
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

/// AdamW. For every element, with g = grad * clip_factor(step->clip, squares), or grad itself where `squares` is empty:
///   m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; master *= 1 - lr weight_decay, if `decays`;
///   master -= lr (m / correction1) / (sqrt(v / correction2) + eps); param = master rounded to its type.
/// One call for each run of neighbours that decay alike. `step` points into the stage's memory, so that a
/// captured graph sees each step's values. Where parameters need no master copy (fp64, fp32), master is
/// the same memory as param.
struct Adam {
  static constexpr std::string_view kName = "adam";
  std::size_t count;
  const StepConstants* step;
  bool decays;
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

/// What distinguishes one captured step from another: same key, same launches with the same pointers.
struct StepKey {
  int batch, rows, max_length, micro_batches;
  bool full = false;   ///< as in every BatchView of the step
  bool clips = false;  ///< the gradient's norm is taken before the update
  bool operator==(const StepKey&) const = default;
};

/// The operations of microGPT, each once: the contract, its decorators and a stage's dispatch
/// are made from these lists.
using PlainOperations =
    TypeList<EmbeddingForward, EmbeddingBackward, RmsNormForward, RmsNormBackward, LinearForward,
             LinearBackwardInput, LinearBackwardWeight, AttentionForward, AttentionBackward, ReluForward,
             ReluBackward, ResidualForward, CrossEntropy, GradientSquares, Adam>;
using FusedOperations =
    TypeList<RmsNormLinearForward, RmsNormLinearBackward, LinearResidualForward, LinearBackwardInputRelu>;
using Operations = Joined<PlainOperations, FusedOperations>;

class Ops : public Runs<Operations> {
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

  /// Calls work(queue) in its place among the launches, for what is not an operation: `queue` is the stage's stream
  /// (a cudaStream_t), null where operations are done when they return. Not called while launches are only counted.
  virtual void in_order(const std::function<void(void* queue)>& work) { work(nullptr); }

  /// Runs `body`, the launches of one step. A stage may record them once per key and replay them afterwards.
  virtual void run_step(const StepKey& key, const std::function<void()>& body) {
    (void)key;
    body();
  }

  // The plain operations are a stage's own. The fused ones have compositions of them here (ops.cpp), which a stage
  // overrides where it can do better.
  using Runs<Operations>::run;
  void run(const RmsNormLinearForward& args) override;
  void run(const RmsNormLinearBackward& args) override;
  void run(const LinearResidualForward& args) override;
  void run(const LinearBackwardInputRelu& args) override;
};

/// RMSNorm's epsilon, the constant of the original.
inline constexpr double kRmsNormEpsilon = 1e-5;
/// Where the sum of a row's squares overflows (fp32: beyond 2^128), x times this power of two is squared instead, which
/// rounds nothing; epsilon is then too small to count.
inline constexpr double kRmsNormRescue = 0x1p-80;
/// The log-sum-exp of an empty row; applied in fp32 or wider. No stage's kernel masks scores by it, since real ones
/// may be lower; the rungs of stage 3's attention ladder, written before that was seen, still do.
inline constexpr double kMaskValue = -1e20;

}  // namespace ladder
