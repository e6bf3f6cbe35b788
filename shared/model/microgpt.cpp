#include "shared/model/microgpt.hpp"

#include <array>
#include <utility>

namespace ladder {
namespace {

std::string layer_name(int i) { return fmt::format("layer{}", i); }

}  // namespace

ActivationPlan plan_activations(const GptConfig& config, const Ops& ops, int max_rows) {
  const Precision precision = Precision::of(ops.dtype());
  const auto rows = static_cast<std::size_t>(max_rows);
  const auto width = static_cast<std::size_t>(config.n_embd);
  const auto packed = static_cast<std::size_t>(config.qkv_dim());
  const auto vocabulary = static_cast<std::size_t>(config.vocab_size);
  const std::size_t scratch = ops.attention_scratch_bytes(max_rows, config.n_head, config.block_size);
  ActivationPlan plan;
  const auto activation = [&](std::string name, std::size_t columns) {
    plan.add(std::move(name), rows, columns, precision.activation);
  };
  const auto statistic = [&](std::string name) { plan.add(std::move(name), rows, 1, precision.statistic); };

  activation("embedded", width);
  statistic("embed.rstd");
  activation("embed", width);
  for (int i = 0; i < config.n_layer; ++i) {
    const std::string layer = layer_name(i) + ".";
    activation(layer + "attn.normed", width);
    statistic(layer + "attn.rstd");
    activation(layer + "attn.qkv", packed);
    activation(layer + "attn.mix", width);
    plan.add(layer + "attn.lse", static_cast<std::size_t>(config.n_head), rows, precision.statistic);
    // bytes: the stage decides what they hold
    plan.add(layer + "attn.scratch", (scratch + 7) / 8, 1, Dtype::fp64);
    activation(layer + "attn", width);
    activation(layer + "mlp.normed", width);
    statistic(layer + "mlp.rstd");
    activation(layer + "mlp.hidden", 4 * width);
    activation(layer + "mlp", width);
  }
  activation("logits", vocabulary);
  statistic("loss_n");

  activation("dstream.even", width);
  activation("dstream.odd", width);
  activation("dnormed", width);
  activation("dmix", width);
  activation("dqkv", packed);
  activation("dhidden", 4 * width);
  return plan;
}

namespace {

/// One layer's matrices in a flat buffer; Reference is Param or Grad.
template <class Reference>
struct LayerWeights {
  Reference qkv_pc, wo_cc, fc1_fc, fc2_cf;
};

template <class Reference>
struct Weights {
  Reference wte_vc, wpe_tc, lm_head_vc;
  std::vector<LayerWeights<Reference>> layers;
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
  /// Gradient of the residual stream: each half block reads one and writes the other.
  std::array<Act, 2> dstream_nc;
  Act dnormed_nc, dmix_nc, dqkv_np, dhidden_nf;
};

/// Binds the matrices by name; `matrix` finds one in a flat buffer.
template <class Reference, class Find>
Weights<Reference> bind_weights(int n_layer, const Find& matrix) {
  Weights<Reference> weights{matrix("wte"), matrix("wpe"), matrix("lm_head"), {}};
  for (int i = 0; i < n_layer; ++i) {
    const std::string layer = layer_name(i);
    weights.layers.push_back({matrix(layer + ".attn_wq"), matrix(layer + ".attn_wo"),
                              matrix(layer + ".mlp_fc1"), matrix(layer + ".mlp_fc2")});
  }
  return weights;
}

LayerActivations bind_layer(const Model& model, const std::string& layer) {
  const auto act = [&](const char* name) { return model.activation(layer + name); };
  const auto stat = [&](const char* name) { return model.statistic(layer + name); };
  return {.normed_attn_nc = act(".attn.normed"),
          .qkv_np = act(".attn.qkv"),
          .mix_nc = act(".attn.mix"),
          .attn_nc = act(".attn"),
          .normed_mlp_nc = act(".mlp.normed"),
          .hidden_nf = act(".mlp.hidden"),
          .mlp_nc = act(".mlp"),
          .rstd_attn_n = stat(".attn.rstd"),
          .lse_hn = stat(".attn.lse"),
          .rstd_mlp_n = stat(".mlp.rstd"),
          .attention_scratch = act(".attn.scratch").data};
}

Activations bind_activations(const Model& model) {
  const auto act = [&](const char* name) { return model.activation(name); };
  Activations acts;
  acts.embedded_nc = act("embedded");
  acts.embed_nc = act("embed");
  acts.logits_nv = act("logits");
  acts.rstd_embed_n = model.statistic("embed.rstd");
  acts.loss_n = model.statistic("loss_n");
  for (int i = 0; i < model.config().n_layer; ++i) acts.layers.push_back(bind_layer(model, layer_name(i)));
  acts.dstream_nc = {act("dstream.even"), act("dstream.odd")};
  acts.dnormed_nc = act("dnormed");
  acts.dmix_nc = act("dmix");
  acts.dqkv_np = act("dqkv");
  acts.dhidden_nf = act("dhidden");
  return acts;
}

class MicroGpt final : public Model {
 public:
  MicroGpt(const GptConfig& config, Ops& ops, int max_rows)
      : Model(config, ops, parameter_specs(config), plan_activations(config, ops, max_rows)),
        weights_(
            bind_weights<Param>(config.n_layer, [this](const std::string& name) { return param(name); })),
        dweights_(bind_weights<Grad>(config.n_layer, [this](const std::string& name) { return grad(name); })),
        acts_(bind_activations(*this)) {}

  void forward(const BatchView& batch, LogitRows rows) override;
  void loss(const BatchView& batch, double scale, bool with_gradient) override;
  void backward(const BatchView& batch, const GradientsReady& ready) override;
  std::vector<Tap> taps() const override;
  std::vector<Tap> branches() const override;

 private:
  Weights<Param> weights_;
  Weights<Grad> dweights_;
  Activations acts_;
};

// The operations' arguments follow the order of their structs in microgpt_ops.hpp: sizes, inputs, outputs.

void MicroGpt::forward(const BatchView& batch, LogitRows rows) {
  const int N = batch.rows, C = config().n_embd, F = 4 * C, P = config().qkv_dim(), V = config().vocab_size;
  const int H = config().n_head, K = config().kv_heads(), D = config().head_dim();
  // Queries, keys and values are kept by position; everything else only as long as these rows need it.
  const std::size_t first = static_cast<std::size_t>(batch.first) * static_cast<std::size_t>(P);
  const std::size_t q = 0, k = static_cast<std::size_t>(C),
                    v = k + static_cast<std::size_t>(config().kv_dim());

  ops().run(EmbeddingForward{batch, C, weights_.wte_vc, weights_.wpe_tc, acts_.embedded_nc});
  ops().run(RmsNormForward{N, C, acts_.embedded_nc, acts_.embed_nc, acts_.rstd_embed_n});
  Act x_nc = acts_.embed_nc;
  for (int i = 0; i < config().n_layer; ++i) {
    const auto& w = weights_.layers[static_cast<std::size_t>(i)];
    const auto& a = acts_.layers[static_cast<std::size_t>(i)];
    const Act qkv = a.qkv_np, qkv_new = qkv.at(first);
    ops().run(RmsNormLinearForward{N, C, P, false, x_nc, w.qkv_pc, a.normed_attn_nc, a.rstd_attn_n, qkv_new});
    ops().run(AttentionForward{batch, H, K, D, true, P, qkv_new.at(q), qkv.at(k), qkv.at(v), a.mix_nc,
                               a.lse_hn, a.attention_scratch});
    ops().run(LinearResidualForward{N, C, C, a.mix_nc, w.wo_cc, x_nc, a.attn_nc});
    ops().run(
        RmsNormLinearForward{N, C, F, true, a.attn_nc, w.fc1_fc, a.normed_mlp_nc, a.rstd_mlp_n, a.hidden_nf});
    ops().run(LinearResidualForward{N, F, C, a.hidden_nf, w.fc2_cf, a.attn_nc, a.mlp_nc});
    x_nc = a.mlp_nc;
  }
  const bool all = rows == LogitRows::all;
  const std::size_t last = static_cast<std::size_t>(N - 1) * static_cast<std::size_t>(C);
  ops().run(
      LinearForward{all ? N : 1, C, V, all ? x_nc : x_nc.at(last), weights_.lm_head_vc, acts_.logits_nv});
}

void MicroGpt::loss(const BatchView& batch, double scale, bool with_gradient) {
  const int V = config().vocab_size;
  ops().run(CrossEntropy{batch, V, V, scale, with_gradient, acts_.logits_nv, acts_.loss_n, buffers().loss});
}

void MicroGpt::backward(const BatchView& batch, const GradientsReady& ready) {
  const int N = batch.rows, C = config().n_embd, F = 4 * C, P = config().qkv_dim(), V = config().vocab_size;
  const int H = config().n_head, K = config().kv_heads(), D = config().head_dim();
  const std::size_t q = 0, k = static_cast<std::size_t>(C),
                    v = k + static_cast<std::size_t>(config().kv_dim());
  auto [dx_nc, dnext_nc] = acts_.dstream_nc;

  const Act dlogits_nv = acts_.logits_nv;
  const Act last_nc = acts_.layers.back().mlp_nc;
  ops().run(LinearBackwardWeight{N, C, V, dlogits_nv, last_nc, dweights_.lm_head_vc});
  ops().run(LinearBackwardInput{N, C, V, dlogits_nv, weights_.lm_head_vc, dx_nc});
  tell(ready, {"lm_head"});
  for (int i = config().n_layer - 1; i >= 0; --i) {
    const auto& w = weights_.layers[static_cast<std::size_t>(i)];
    const auto& dw = dweights_.layers[static_cast<std::size_t>(i)];
    const auto& a = acts_.layers[static_cast<std::size_t>(i)];
    const Act x_nc = i == 0 ? acts_.embed_nc : acts_.layers[static_cast<std::size_t>(i - 1)].mlp_nc;
    const Act qkv = a.qkv_np, dqkv = acts_.dqkv_np;

    // mlp = attn + fc2(relu(fc1(rmsnorm(attn)))): dx goes into the branch, and around it as the residual
    ops().run(LinearBackwardWeight{N, F, C, dx_nc, a.hidden_nf, dw.fc2_cf});
    ops().run(LinearBackwardInputRelu{N, F, C, dx_nc, w.fc2_cf, a.hidden_nf, acts_.dhidden_nf});
    ops().run(RmsNormLinearBackward{N, C, F, acts_.dhidden_nf, w.fc1_fc, a.attn_nc, a.normed_mlp_nc,
                                    a.rstd_mlp_n, dx_nc, acts_.dnormed_nc, dw.fc1_fc, dnext_nc});
    std::swap(dx_nc, dnext_nc);

    // attn = x + wo(attention(qkv(rmsnorm(x)))): the same twice over
    ops().run(LinearBackwardWeight{N, C, C, dx_nc, a.mix_nc, dw.wo_cc});
    ops().run(LinearBackwardInput{N, C, C, dx_nc, w.wo_cc, acts_.dmix_nc});
    ops().run(AttentionBackward{batch, H, K, D, true, P, qkv.at(q), qkv.at(k), qkv.at(v), a.mix_nc,
                                acts_.dmix_nc, a.lse_hn, a.attention_scratch, dqkv.at(q), dqkv.at(k),
                                dqkv.at(v)});
    ops().run(RmsNormLinearBackward{N, C, P, dqkv, w.qkv_pc, x_nc, a.normed_attn_nc, a.rstd_attn_n, dx_nc,
                                    acts_.dnormed_nc, dw.qkv_pc, dnext_nc});
    std::swap(dx_nc, dnext_nc);
    tell(ready, {layer_name(i) + "."});
  }
  ops().run(RmsNormBackward{N, C, dx_nc, acts_.embedded_nc, {}, acts_.rstd_embed_n, dnext_nc});
  ops().run(
      EmbeddingBackward{batch, C, V, config().block_size, dnext_nc, dweights_.wte_vc, dweights_.wpe_tc});
  tell(ready, {"wte", "wpe"});
}

std::vector<Tap> MicroGpt::taps() const {
  std::vector<Tap> taps = {{"embed", "embed"}};
  for (int i = 0; i < config().n_layer; ++i)
    for (const char* half : {".attn", ".mlp"}) taps.push_back({layer_name(i) + half, layer_name(i) + half});
  taps.push_back({"logits", "logits"});
  return taps;
}

std::vector<Tap> MicroGpt::branches() const {
  std::vector<Tap> taps;
  for (int i = 0; i < config().n_layer; ++i)
    taps.push_back({layer_name(i) + ".hidden", layer_name(i) + ".mlp.hidden"});
  return taps;
}

}  // namespace

std::unique_ptr<Model> make_microgpt(const GptConfig& config, Ops& ops, int max_rows) {
  return std::make_unique<MicroGpt>(config, ops, max_rows);
}

}  // namespace ladder
