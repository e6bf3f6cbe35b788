// microGPT over the abstract Ops: MODEL, LOSS and GRADIENTS, one operation per line.
//
// This text is compiled once and runs on every stage from 1 on; a stage supplies only the operations.
// Parameters lie one after the other in one buffer in the order of parameter_specs(), so wq, wk and wv of a
// layer form one [P, C] matrix, the packed qkv linear. Gradients, Adam's moments and (for 16-bit parameters)
// master weights have buffers of the same order.
#pragma once

#include <array>
#include <vector>

#include "shared/model/activation_plan.hpp"
#include "shared/model/config.hpp"
#include "shared/model/ops.hpp"

namespace ladder {

/// One layer's slices of a flat buffer in parameter order; Reference is Param or Grad.
template <class Reference>
struct LayerWeights {
  Reference qkv_pc, wo_cc, fc1_fc, fc2_cf;
};

template <class Reference>
struct Weights {
  Reference wte_vc, wpe_tc, lm_head_vc;
  std::vector<LayerWeights<Reference>> layers;
};

/// The four or five flat buffers of parameter_count() elements. `master` is `param` where parameters are not
/// 16-bit. `loss` is one element behind `grad`, so that one zero() clears both.
struct ParameterBuffers {
  Param param;
  Grad grad;
  Master m, v, master;
  Stat loss;
};

/// What the forward pass of one layer leaves for the backward pass.
struct LayerActivations {
  Act normed_attn_nc, qkv_np, mix_nc, attn_nc, normed_mlp_nc, hidden_nf, mlp_nc;
  Stat rstd_attn_n, lse_hn, rstd_mlp_n;
  void* attention_scratch;
};

struct Activations {
  Act embedded_nc, embed_nc, logits_nv;
  Stat rstd_embed_n, loss_n;
  std::vector<LayerActivations> layers;
  std::array<Act, 2>
      dstream_nc;  ///< gradient of the residual stream: each half block reads one and writes the other
  Act dnormed_nc, dmix_nc, dqkv_np, dhidden_nf;
};

class MicroGpt {
 public:
  /// Takes all memory of training from `ops` (which must outlive this), for batches of up to `max_rows` rows.
  MicroGpt(const GptConfig& config, Ops& ops, int max_rows);

  /// Clears gradients and loss.
  void begin_step();
  /// MODEL: tokens to logits.
  void forward(const BatchView& batch);
  /// LOSS: adds scale * (sum over sequences of their mean cross-entropy); with_gradient turns logits into
  /// dlogits.
  void loss(const BatchView& batch, double scale, bool with_gradient);
  /// GRADIENTS: adds those of this batch, from the dlogits that loss() left.
  void backward(const BatchView& batch);
  /// OPTIMIZER: one Adam step over all parameters; `step` lies in the stage's memory.
  void update(const AdamStep* step);

  const GptConfig& config() const { return config_; }
  const ParameterBuffers& buffers() const { return buffers_; }
  const Activations& activations() const { return acts_; }
  const ActivationPlan& plan() const { return plan_; }

 private:
  GptConfig config_;
  Ops& ops_;
  ActivationPlan plan_;
  std::size_t parameter_count_;
  ParameterBuffers buffers_;
  Weights<Param> weights_;
  Weights<Grad> dweights_;
  Activations acts_;
};

}  // namespace ladder
