#include "shared/model/gpt2.hpp"

#include <utility>

#include "shared/model/gpt2_memory.hpp"

namespace ladder {
namespace {

using namespace gpt2;

/// Elements behind the embedding, where the head's rows behind the vocabulary lie.
std::size_t tail_of(const GptConfig& config) {
  return static_cast<std::size_t>(gpt2_logit_columns(config.vocab_size) - config.vocab_size) *
         static_cast<std::size_t>(config.n_embd);
}

class Gpt2 final : public Model {
 public:
  Gpt2(const GptConfig& config, Ops& ops, int max_rows)
      : Model(config, ops, parameter_specs(config), plan_gpt2_activations(config, ops, max_rows),
              tail_of(config)),
        weights_(bind_weights<Param>(config.n_layer,
                                     [this](const std::string& name, bool must) {
                                       return must || has(name) ? param(name) : Param{};
                                     })),
        dweights_(bind_weights<Grad>(
            config.n_layer,
            [this](const std::string& name, bool must) { return must || has(name) ? grad(name) : Grad{}; })),
        acts_(bind_activations(*this)) {
    for (int i = 0; i < config.n_layer; ++i) prefixes_.push_back(layer_name(i) + ".");
  }

  void forward(const BatchView& batch, LogitRows rows) override;
  void loss(const BatchView& batch, double scale, bool with_gradient) override;
  void backward(const BatchView& batch, const GradientsReady& ready) override;
  std::vector<Tap> taps() const override;
  /// GELU is smooth: nothing is cut.
  std::vector<Tap> branches() const override { return {}; }

 private:
  bool has(std::string_view name) const { return index().contains(name); }
  /// In a training step only.
  Dropout dropout(const BatchView& batch, int layer, DropoutSite site) const {
    return {batch.step == nullptr ? 0.0 : config().dropout, layer, site};
  }
  void attention(const BatchView& batch, int layer);
  void attention_backward(const BatchView& batch, int layer);
  /// The gradients of a linear layer, but for that of its input.
  void linear_backward(int rows, int in, int out, Act dy_no, Act x_ni, const Affine<Grad>& dweights);
  void backward_layer(const BatchView& batch, int layer, Act& dx_nc, Act& dnext_nc);

  Weights<Param> weights_;
  Weights<Grad> dweights_;
  Activations acts_;
  std::vector<std::string>
      prefixes_;  ///< of each layer's parameters; made once, since a step allocates nothing
};

// The operations' arguments follow the order of their structs: sizes, inputs, outputs.

void Gpt2::attention(const BatchView& batch, int layer) {
  const int H = config().n_head, K = config().kv_heads(), D = config().head_dim(), P = config().qkv_dim();
  const std::size_t k = static_cast<std::size_t>(config().n_embd),
                    v = k + static_cast<std::size_t>(config().kv_dim());
  const auto& a = acts_.layers[static_cast<std::size_t>(layer)];
  // Queries, keys and values are kept by position; everything else only as long as these rows need it.
  const Act q_new = a.qkv_np.at(static_cast<std::size_t>(batch.first) * static_cast<std::size_t>(P));
  const AttentionForward plain{batch,          H,        K,        D,
                               true,           P,        q_new,    a.qkv_np.at(k),
                               a.qkv_np.at(v), a.mix_nc, a.lse_hn, a.attention_scratch};
  const Dropout drop = dropout(batch, layer, DropoutSite::attention);
  drop ? ops().run(DropoutAttentionForward{plain, drop}) : ops().run(plain);
}

void Gpt2::forward(const BatchView& batch, LogitRows rows) {
  const int N = batch.rows, C = config().n_embd, F = 4 * C, P = config().qkv_dim();
  const std::size_t first = static_cast<std::size_t>(batch.first) * static_cast<std::size_t>(P);

  ops().run(EmbeddingForward{batch, C, weights_.wte_vc, weights_.wpe_tc, acts_.embed_nc});
  const Dropout drop = dropout(batch, 0, DropoutSite::embedding);
  if (drop) ops().run(ApplyDropout{batch, C, drop, acts_.embed_nc, acts_.embed_nc});

  const auto& ln_1 = weights_.layers.front().ln_1;
  const Normed& norm_1 = acts_.layers.front().norm_1;
  ops().run(LayerNormForward{N, C, acts_.embed_nc, ln_1.weight, ln_1.bias, norm_1.y_nc, norm_1.mean_n,
                             norm_1.rstd_n});
  Act x_nc = acts_.embed_nc;
  for (int i = 0; i < config().n_layer; ++i) {
    const auto& w = weights_.layers[static_cast<std::size_t>(i)];
    const auto& a = acts_.layers[static_cast<std::size_t>(i)];
    ops().run(LinearBiasForward{N, C, P, a.norm_1.y_nc, w.c_attn.weight, w.c_attn.bias, a.qkv_np.at(first)});
    attention(batch, i);
    ops().run(LinearBiasForward{N, C, C, a.mix_nc, w.attn_proj.weight, w.attn_proj.bias, acts_.branch_nc});
    ops().run(ResidualLayerNormForward{batch, C, dropout(batch, i, DropoutSite::attention_output), x_nc,
                                       acts_.branch_nc, w.ln_2.weight, w.ln_2.bias, a.attn_nc, a.norm_2.y_nc,
                                       a.norm_2.mean_n, a.norm_2.rstd_n});
    ops().run(LinearGeluForward{N, C, F, config().gelu, a.norm_2.y_nc, w.c_fc.weight, w.c_fc.bias,
                                a.before_nf, a.hidden_nf});
    ops().run(LinearBiasForward{N, F, C, a.hidden_nf, w.mlp_proj.weight, w.mlp_proj.bias, acts_.branch_nc});
    // The norm that follows is the next layer's first, or the last of all.
    const bool last = i + 1 == config().n_layer;
    const auto& ln = last ? weights_.ln_f : weights_.layers[static_cast<std::size_t>(i) + 1].ln_1;
    const Normed& norm = last ? acts_.norm_f : acts_.layers[static_cast<std::size_t>(i) + 1].norm_1;
    ops().run(ResidualLayerNormForward{batch, C, dropout(batch, i, DropoutSite::mlp_output), a.attn_nc,
                                       acts_.branch_nc, ln.weight, ln.bias, a.mlp_nc, norm.y_nc, norm.mean_n,
                                       norm.rstd_n});
    x_nc = a.mlp_nc;
  }
  const bool all = rows == LogitRows::all;
  const std::size_t last = static_cast<std::size_t>(N - 1) * static_cast<std::size_t>(C);
  ops().run(LinearForward{all ? N : 1, C, gpt2_logit_columns(config().vocab_size),
                          all ? acts_.norm_f.y_nc : acts_.norm_f.y_nc.at(last), weights_.wte_vc,
                          acts_.logits_nv});
}

void Gpt2::loss(const BatchView& batch, double scale, bool with_gradient) {
  const int V = config().vocab_size;
  ops().run(CrossEntropy{batch, V, gpt2_logit_columns(V), scale, with_gradient, acts_.logits_nv, acts_.loss_n,
                         buffers().loss});
}

void Gpt2::linear_backward(int rows, int in, int out, Act dy_no, Act x_ni, const Affine<Grad>& dweights) {
  if (dweights.bias) ops().run(BiasBackward{rows, out, dy_no, dweights.bias});
  ops().run(LinearBackwardWeight{rows, in, out, dy_no, x_ni, dweights.weight});
}

void Gpt2::attention_backward(const BatchView& batch, int layer) {
  const int H = config().n_head, K = config().kv_heads(), D = config().head_dim(), P = config().qkv_dim();
  const std::size_t k = static_cast<std::size_t>(config().n_embd),
                    v = k + static_cast<std::size_t>(config().kv_dim());
  const auto& a = acts_.layers[static_cast<std::size_t>(layer)];
  const Act qkv = a.qkv_np, dqkv = acts_.dqkv_np;
  const AttentionBackward plain{batch,
                                H,
                                K,
                                D,
                                true,
                                P,
                                qkv,
                                qkv.at(k),
                                qkv.at(v),
                                a.mix_nc,
                                acts_.dmix_nc,
                                a.lse_hn,
                                a.attention_scratch,
                                dqkv,
                                dqkv.at(k),
                                dqkv.at(v)};
  const Dropout drop = dropout(batch, layer, DropoutSite::attention);
  drop ? ops().run(DropoutAttentionBackward{plain, drop}) : ops().run(plain);
}

/// From the gradient dx_nc of layer `layer`'s result to that of its input, in dx_nc again. acts_.dbranch_nc holds the
/// gradient of the MLP's branch where dropout makes it another than dx_nc: before, that of this layer, afterwards that
/// of the one below.
void Gpt2::backward_layer(const BatchView& batch, int layer, Act& dx_nc, Act& dnext_nc) {
  const int N = batch.rows, C = config().n_embd, F = 4 * C, P = config().qkv_dim();
  const auto& w = weights_.layers[static_cast<std::size_t>(layer)];
  const auto& dw = dweights_.layers[static_cast<std::size_t>(layer)];
  const auto& a = acts_.layers[static_cast<std::size_t>(layer)];
  const bool drops = batch.step != nullptr && config().dropout > 0.0;

  // mlp = attn + dropout(c_proj(gelu(c_fc(ln_2(attn))))): dx goes into the branch, and around it as the residual
  Act dbranch_nc = drops ? acts_.dbranch_nc : dx_nc;
  linear_backward(N, F, C, dbranch_nc, a.hidden_nf, dw.mlp_proj);
  ops().run(LinearBackwardInputGelu{N, F, C, config().gelu, dbranch_nc, w.mlp_proj.weight, a.before_nf,
                                    acts_.dhidden_nf});
  linear_backward(N, C, F, acts_.dhidden_nf, a.norm_2.y_nc, dw.c_fc);
  ops().run(LinearBackwardInput{N, C, F, acts_.dhidden_nf, w.c_fc.weight, acts_.dnormed_nc});
  ops().run(ResidualLayerNormBackward{batch, C, dropout(batch, layer, DropoutSite::attention_output),
                                      acts_.dnormed_nc, a.attn_nc, w.ln_2.weight, a.norm_2.mean_n,
                                      a.norm_2.rstd_n, dx_nc, dnext_nc, acts_.dbranch_nc, dw.ln_2.weight,
                                      dw.ln_2.bias});
  std::swap(dx_nc, dnext_nc);

  // attn = x + dropout(c_proj(attention(c_attn(ln_1(x))))): the same twice over
  dbranch_nc = drops ? acts_.dbranch_nc : dx_nc;
  linear_backward(N, C, C, dbranch_nc, a.mix_nc, dw.attn_proj);
  ops().run(LinearBackwardInput{N, C, C, dbranch_nc, w.attn_proj.weight, acts_.dmix_nc});
  attention_backward(batch, layer);
  linear_backward(N, C, P, acts_.dqkv_np, a.norm_1.y_nc, dw.c_attn);
  ops().run(LinearBackwardInput{N, C, P, acts_.dqkv_np, w.c_attn.weight, acts_.dnormed_nc});
  if (layer > 0) {
    const Act x_nc = acts_.layers[static_cast<std::size_t>(layer) - 1].mlp_nc;
    ops().run(ResidualLayerNormBackward{
        batch, C, dropout(batch, layer - 1, DropoutSite::mlp_output), acts_.dnormed_nc, x_nc, w.ln_1.weight,
        a.norm_1.mean_n, a.norm_1.rstd_n, dx_nc, dnext_nc, acts_.dbranch_nc, dw.ln_1.weight, dw.ln_1.bias});
  } else {
    ops().run(LayerNormBackward{N, C, acts_.dnormed_nc, acts_.embed_nc, w.ln_1.weight, a.norm_1.mean_n,
                                a.norm_1.rstd_n, dx_nc, dnext_nc, dw.ln_1.weight, dw.ln_1.bias});
  }
  std::swap(dx_nc, dnext_nc);
}

void Gpt2::backward(const BatchView& batch, const GradientsReady& ready) {
  const int N = batch.rows, C = config().n_embd, V = config().vocab_size, columns = gpt2_logit_columns(V);
  auto [dx_nc, dnext_nc] = acts_.dstream_nc;

  const Act dlogits_nv = acts_.logits_nv;
  ops().run(LinearBackwardWeight{N, C, columns, dlogits_nv, acts_.norm_f.y_nc, dweights_.wte_vc});
  ops().run(LinearBackwardInput{N, C, columns, dlogits_nv, weights_.wte_vc, acts_.dnormed_nc});
  ops().run(ResidualLayerNormBackward{batch,
                                      C,
                                      dropout(batch, config().n_layer - 1, DropoutSite::mlp_output),
                                      acts_.dnormed_nc,
                                      acts_.layers.back().mlp_nc,
                                      weights_.ln_f.weight,
                                      acts_.norm_f.mean_n,
                                      acts_.norm_f.rstd_n,
                                      {},
                                      dx_nc,
                                      acts_.dbranch_nc,
                                      dweights_.ln_f.weight,
                                      dweights_.ln_f.bias});
  tell(ready, {"transformer.ln_f."});
  for (int i = config().n_layer - 1; i >= 0; --i) {
    backward_layer(batch, i, dx_nc, dnext_nc);
    tell(ready, {prefixes_[static_cast<std::size_t>(i)]});
  }
  const Dropout drop = dropout(batch, 0, DropoutSite::embedding);
  if (drop) ops().run(ApplyDropout{batch, C, drop, dx_nc, dx_nc});
  ops().run(EmbeddingBackward{batch, C, V, config().block_size, dx_nc, dweights_.wte_vc, dweights_.wpe_tc});
  tell(ready, {"transformer.wpe.", "transformer.wte."});
}

std::vector<Tap> Gpt2::taps() const {
  std::vector<Tap> taps = {{"embed", "embed"}};
  for (int i = 0; i < config().n_layer; ++i)
    for (const char* half : {"attn", "mlp"}) {
      const std::string name = fmt::format("layer{}.{}", i, half);
      taps.push_back({name, name});
    }
  taps.push_back({"logits", "logits", config().vocab_size});
  return taps;
}

}  // namespace

std::unique_ptr<Model> make_gpt2(const GptConfig& config, Ops& ops, int max_rows) {
  return std::make_unique<Gpt2>(config, ops, max_rows);
}

}  // namespace ladder
