#include "shared/model/microgpt.hpp"

#include <utility>

#include "shared/model/parameters.hpp"

namespace ladder {
namespace {

ParameterBuffers allocate_buffers(Ops& ops, std::size_t count) {
  const Precision precision = Precision::of(ops.dtype());
  const auto buffer = [&](Dtype dtype, std::size_t elements) {
    return ops.allocate(elements * size_of(dtype));
  };
  ParameterBuffers buffers;
  buffers.param = {buffer(precision.parameter, count), precision.parameter};
  // Gradients and statistics have the same type, so the loss can be the element behind the last gradient.
  buffers.grad = {buffer(precision.gradient, count + 1), precision.gradient};
  buffers.loss = {buffers.grad.at(count).data, precision.statistic};
  buffers.m = {buffer(precision.master, count), precision.master};
  buffers.v = {buffer(precision.master, count), precision.master};
  const bool own_master = precision.master != precision.parameter && size_of(precision.parameter) == 2;
  buffers.master = {own_master ? buffer(precision.master, count) : buffers.param.data, precision.master};
  return buffers;
}

/// Cuts a flat buffer into the model's matrices, in the order of parameter_specs().
template <class Reference>
Weights<Reference> slice(const GptConfig& config, Reference flat) {
  std::size_t offset = 0;
  const auto next = [&](int rows, int columns) {
    const Reference matrix = flat.at(offset);
    offset += static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
    return matrix;
  };
  const int width = config.n_embd;
  Weights<Reference> weights;
  weights.wte_vc = next(config.vocab_size, width);
  weights.wpe_tc = next(config.block_size, width);
  weights.lm_head_vc = next(config.vocab_size, width);
  for (int i = 0; i < config.n_layer; ++i) {
    LayerWeights<Reference> layer;
    layer.qkv_pc = next(config.qkv_dim(), width);  // wq, wk, wv are neighbours: one matrix
    layer.wo_cc = next(width, width);
    layer.fc1_fc = next(4 * width, width);
    layer.fc2_cf = next(width, 4 * width);
    weights.layers.push_back(layer);
  }
  return weights;
}

LayerActivations bind_layer(const ActivationPlan& plan, void* arena, const std::string& layer) {
  const auto act = [&](const char* name) { return plan.in<Act>(arena, layer + name); };
  const auto stat = [&](const char* name) { return plan.in<Stat>(arena, layer + name); };
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

Activations bind(const ActivationPlan& plan, void* arena, int n_layer) {
  const auto act = [&](const char* name) { return plan.in<Act>(arena, name); };
  Activations acts;
  acts.embedded_nc = act("embedded");
  acts.embed_nc = act("embed");
  acts.logits_nv = act("logits");
  acts.rstd_embed_n = plan.in<Stat>(arena, "embed.rstd");
  acts.loss_n = plan.in<Stat>(arena, "loss_n");
  for (int i = 0; i < n_layer; ++i) acts.layers.push_back(bind_layer(plan, arena, fmt::format("layer{}", i)));
  acts.dstream_nc = {act("dstream.even"), act("dstream.odd")};
  acts.dnormed_nc = act("dnormed");
  acts.dmix_nc = act("dmix");
  acts.dqkv_np = act("dqkv");
  acts.dhidden_nf = act("dhidden");
  return acts;
}

}  // namespace

MicroGpt::MicroGpt(const GptConfig& config, Ops& ops, int max_rows)
    : config_(config),
      ops_(ops),
      plan_(plan_activations(config, ops, max_rows)),
      parameter_count_(parameter_count(config)),
      buffers_(allocate_buffers(ops, parameter_count_)),
      weights_(slice(config, buffers_.param)),
      dweights_(slice(config, buffers_.grad)),
      acts_(bind(plan_, ops.allocate(plan_.bytes()), config.n_layer)) {}

void MicroGpt::begin_step() {
  ops_.zero(buffers_.grad.data, (parameter_count_ + 1) * size_of(buffers_.grad.dtype));
}

// The operations' arguments follow the order of their structs in ops.hpp: sizes, inputs, outputs.

void MicroGpt::forward(const BatchView& batch) {
  const int N = batch.rows, C = config_.n_embd, F = 4 * C, P = config_.qkv_dim(), V = config_.vocab_size;
  const int H = config_.n_head, K = config_.kv_heads(), D = config_.head_dim();
  const std::size_t q = 0, k = static_cast<std::size_t>(C),
                    v = k + static_cast<std::size_t>(config_.kv_dim());

  ops_.run(EmbeddingForward{batch, C, weights_.wte_vc, weights_.wpe_tc, acts_.embedded_nc});
  ops_.run(RmsNormForward{N, C, acts_.embedded_nc, acts_.embed_nc, acts_.rstd_embed_n});
  Act x_nc = acts_.embed_nc;
  for (int i = 0; i < config_.n_layer; ++i) {
    const auto& w = weights_.layers[static_cast<std::size_t>(i)];
    const auto& a = acts_.layers[static_cast<std::size_t>(i)];
    const Act qkv = a.qkv_np;
    ops_.run(RmsNormLinearForward{N, C, P, false, x_nc, w.qkv_pc, a.normed_attn_nc, a.rstd_attn_n, qkv});
    ops_.run(AttentionForward{batch, H, K, D, true, P, qkv.at(q), qkv.at(k), qkv.at(v), a.mix_nc, a.lse_hn,
                              a.attention_scratch});
    ops_.run(LinearResidualForward{N, C, C, a.mix_nc, w.wo_cc, x_nc, a.attn_nc});
    ops_.run(
        RmsNormLinearForward{N, C, F, true, a.attn_nc, w.fc1_fc, a.normed_mlp_nc, a.rstd_mlp_n, a.hidden_nf});
    ops_.run(LinearResidualForward{N, F, C, a.hidden_nf, w.fc2_cf, a.attn_nc, a.mlp_nc});
    x_nc = a.mlp_nc;
  }
  ops_.run(LinearForward{N, C, V, x_nc, weights_.lm_head_vc, acts_.logits_nv});
}

void MicroGpt::loss(const BatchView& batch, double scale, bool with_gradient) {
  ops_.run(CrossEntropy{batch, config_.vocab_size, scale, with_gradient, acts_.logits_nv, acts_.loss_n,
                        buffers_.loss});
}

void MicroGpt::backward(const BatchView& batch) {
  const int N = batch.rows, C = config_.n_embd, F = 4 * C, P = config_.qkv_dim(), V = config_.vocab_size;
  const int H = config_.n_head, K = config_.kv_heads(), D = config_.head_dim();
  const std::size_t q = 0, k = static_cast<std::size_t>(C),
                    v = k + static_cast<std::size_t>(config_.kv_dim());
  auto [dx_nc, dnext_nc] = acts_.dstream_nc;

  const Act dlogits_nv = acts_.logits_nv;
  const Act last_nc = acts_.layers.back().mlp_nc;
  ops_.run(LinearBackwardWeight{N, C, V, dlogits_nv, last_nc, dweights_.lm_head_vc});
  ops_.run(LinearBackwardInput{N, C, V, dlogits_nv, weights_.lm_head_vc, dx_nc});
  for (int i = config_.n_layer - 1; i >= 0; --i) {
    const auto& w = weights_.layers[static_cast<std::size_t>(i)];
    const auto& dw = dweights_.layers[static_cast<std::size_t>(i)];
    const auto& a = acts_.layers[static_cast<std::size_t>(i)];
    const Act x_nc = i == 0 ? acts_.embed_nc : acts_.layers[static_cast<std::size_t>(i - 1)].mlp_nc;
    const Act qkv = a.qkv_np, dqkv = acts_.dqkv_np;

    // mlp = attn + fc2(relu(fc1(rmsnorm(attn)))): dx goes into the branch, and around it as the residual
    ops_.run(LinearBackwardWeight{N, F, C, dx_nc, a.hidden_nf, dw.fc2_cf});
    ops_.run(LinearBackwardInputRelu{N, F, C, dx_nc, w.fc2_cf, a.hidden_nf, acts_.dhidden_nf});
    ops_.run(RmsNormLinearBackward{N, C, F, acts_.dhidden_nf, w.fc1_fc, a.attn_nc, a.normed_mlp_nc,
                                   a.rstd_mlp_n, dx_nc, acts_.dnormed_nc, dw.fc1_fc, dnext_nc});
    std::swap(dx_nc, dnext_nc);

    // attn = x + wo(attention(qkv(rmsnorm(x)))): the same twice over
    ops_.run(LinearBackwardWeight{N, C, C, dx_nc, a.mix_nc, dw.wo_cc});
    ops_.run(LinearBackwardInput{N, C, C, dx_nc, w.wo_cc, acts_.dmix_nc});
    ops_.run(AttentionBackward{batch, H, K, D, true, P, qkv.at(q), qkv.at(k), qkv.at(v), a.mix_nc,
                               acts_.dmix_nc, a.lse_hn, a.attention_scratch, dqkv.at(q), dqkv.at(k),
                               dqkv.at(v)});
    ops_.run(RmsNormLinearBackward{N, C, P, dqkv, w.qkv_pc, x_nc, a.normed_attn_nc, a.rstd_attn_n, dx_nc,
                                   acts_.dnormed_nc, dw.qkv_pc, dnext_nc});
    std::swap(dx_nc, dnext_nc);
  }
  ops_.run(RmsNormBackward{N, C, dx_nc, acts_.embedded_nc, {}, acts_.rstd_embed_n, dnext_nc});
  ops_.run(EmbeddingBackward{batch, C, V, config_.block_size, dnext_nc, dweights_.wte_vc, dweights_.wpe_tc});
}

void MicroGpt::update(const AdamStep* step) {
  ops_.run(
      Adam{parameter_count_, step, buffers_.grad, buffers_.m, buffers_.v, buffers_.master, buffers_.param});
}

}  // namespace ladder
