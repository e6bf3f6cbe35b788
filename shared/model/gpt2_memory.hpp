// GPT-2's tensors, found by name: what gpt2.cpp computes with.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "shared/model/model.hpp"

namespace ladder::gpt2 {

/// A linear layer or a LayerNorm; Reference is Param or Grad. No bias: an empty one.
template <class Reference>
struct Affine {
  Reference weight, bias;
};

template <class Reference>
struct LayerWeights {
  Affine<Reference> ln_1, c_attn, attn_proj, ln_2, c_fc, mlp_proj;
};

template <class Reference>
struct Weights {
  Reference wte_vc, wpe_tc;
  std::vector<LayerWeights<Reference>> layers;
  Affine<Reference> ln_f;
};

/// What a LayerNorm leaves for the backward pass.
struct Normed {
  Act y_nc;
  Stat mean_n, rstd_n;
};

/// What the forward pass of one layer leaves for the backward pass: attn_nc and mlp_nc are the residual stream after
/// each half.
struct LayerActivations {
  Normed norm_1, norm_2;
  Act qkv_np, mix_nc, attn_nc, before_nf, hidden_nf, mlp_nc;
  Stat lse_hn;
  void* attention_scratch;
};

struct Activations {
  Act embed_nc, branch_nc, logits_nv;
  Stat loss_n;
  std::vector<LayerActivations> layers;
  Normed norm_f;
  /// Gradient of the residual stream: each half block reads one and writes the other.
  std::array<Act, 2> dstream_nc;
  Act dbranch_nc, dnormed_nc, dmix_nc, dqkv_np, dhidden_nf;
};

std::string layer_name(int i);

/// `find(name, must)` gives the tensor in a flat buffer, or an empty one where there is none and it need not be.
template <class Reference, class Find>
Weights<Reference> bind_weights(int n_layer, const Find& find) {
  const auto affine = [&](const std::string& name) {
    return Affine<Reference>{find(name + ".weight", true), find(name + ".bias", false)};
  };
  Weights<Reference> weights;
  for (int i = 0; i < n_layer; ++i) {
    const std::string layer = layer_name(i) + ".";
    weights.layers.push_back({affine(layer + "ln_1"), affine(layer + "attn.c_attn"),
                              affine(layer + "attn.c_proj"), affine(layer + "ln_2"),
                              affine(layer + "mlp.c_fc"), affine(layer + "mlp.c_proj")});
  }
  weights.ln_f = affine("transformer.ln_f");
  weights.wpe_tc = find("transformer.wpe.weight", true);
  weights.wte_vc = find("transformer.wte.weight", true);
  return weights;
}

Activations bind_activations(const Model& model);

}  // namespace ladder::gpt2
