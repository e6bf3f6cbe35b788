#include "shared/model/gpt2_memory.hpp"

#include "shared/model/gpt2.hpp"

namespace ladder {
namespace gpt2 {

std::string layer_name(int i) { return fmt::format("transformer.h.{}", i); }

namespace {

/// In the plan, which parity reads, layers are called as in microGPT's.
std::string plan_name(int i) { return fmt::format("layer{}", i); }

Normed bind_norm(const Model& model, const std::string& name) {
  return {model.activation(name + ".normed"), model.statistic(name + ".mean"),
          model.statistic(name + ".rstd")};
}

LayerActivations bind_layer(const Model& model, const std::string& layer) {
  const auto act = [&](const char* name) { return model.activation(layer + name); };
  return {.norm_1 = bind_norm(model, layer + ".attn"),
          .norm_2 = bind_norm(model, layer + ".mlp"),
          .qkv_np = act(".attn.qkv"),
          .mix_nc = act(".attn.mix"),
          .attn_nc = act(".attn"),
          .before_nf = act(".mlp.before"),
          .hidden_nf = act(".mlp.hidden"),
          .mlp_nc = act(".mlp"),
          .lse_hn = model.statistic(layer + ".attn.lse"),
          .attention_scratch = act(".attn.scratch").data};
}

}  // namespace

Activations bind_activations(const Model& model) {
  const auto act = [&](const char* name) { return model.activation(name); };
  Activations acts;
  acts.embed_nc = act("embed");
  acts.branch_nc = act("branch");
  acts.logits_nv = act("logits");
  acts.loss_n = model.statistic("loss_n");
  for (int i = 0; i < model.config().n_layer; ++i) acts.layers.push_back(bind_layer(model, plan_name(i)));
  acts.norm_f = bind_norm(model, "final");
  acts.dstream_nc = {act("dstream.even"), act("dstream.odd")};
  acts.dbranch_nc = act("dbranch");
  acts.dnormed_nc = act("dnormed");
  acts.dmix_nc = act("dmix");
  acts.dqkv_np = act("dqkv");
  acts.dhidden_nf = act("dhidden");
  return acts;
}

}  // namespace gpt2

int gpt2_logit_columns(int vocab_size) {
  const int multiple = vocab_size < 1024 ? 16 : 128;
  return (vocab_size + multiple - 1) / multiple * multiple;
}

ActivationPlan plan_gpt2_activations(const GptConfig& config, const Ops& ops, int max_rows) {
  const Precision precision = Precision::of(ops.dtype());
  const auto rows = static_cast<std::size_t>(max_rows);
  const auto width = static_cast<std::size_t>(config.n_embd);
  const auto packed = static_cast<std::size_t>(config.qkv_dim());
  const std::size_t scratch = ops.attention_scratch_bytes(max_rows, config.n_head, config.block_size);
  ActivationPlan plan;
  const auto activation = [&](std::string name, std::size_t columns) {
    plan.add(std::move(name), rows, columns, precision.activation);
  };
  const auto statistic = [&](std::string name) { plan.add(std::move(name), rows, 1, precision.statistic); };
  const auto norm = [&](const std::string& name) {
    activation(name + ".normed", width);
    statistic(name + ".mean");
    statistic(name + ".rstd");
  };

  activation("embed", width);
  for (int i = 0; i < config.n_layer; ++i) {
    const std::string layer = gpt2::plan_name(i) + ".";
    norm(layer + "attn");
    activation(layer + "attn.qkv", packed);
    activation(layer + "attn.mix", width);
    plan.add(layer + "attn.lse", static_cast<std::size_t>(config.n_head), rows, precision.statistic);
    // bytes: the stage decides what they hold
    plan.add(layer + "attn.scratch", (scratch + 7) / 8, 1, Dtype::fp64);
    activation(layer + "attn", width);
    norm(layer + "mlp");
    activation(layer + "mlp.before", 4 * width);
    activation(layer + "mlp.hidden", 4 * width);
    activation(layer + "mlp", width);
  }
  norm("final");
  activation("logits", static_cast<std::size_t>(gpt2_logit_columns(config.vocab_size)));
  statistic("loss_n");

  activation("branch", width);
  activation("dstream.even", width);
  activation("dstream.odd", width);
  activation("dbranch", width);
  activation("dnormed", width);
  activation("dmix", width);
  activation("dqkv", packed);
  activation("dhidden", 4 * width);
  return plan;
}

}  // namespace ladder
