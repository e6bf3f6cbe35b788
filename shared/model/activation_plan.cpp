#include "shared/model/activation_plan.hpp"

namespace ladder {

void ActivationPlan::add(std::string name, std::size_t rows, std::size_t width, Dtype dtype) {
  constexpr std::size_t alignment = 256;
  specs_.push_back({std::move(name), rows, width, dtype, bytes_});
  bytes_ += (specs_.back().bytes() + alignment - 1) / alignment * alignment;
}

const ActivationSpec& ActivationPlan::find(std::string_view name) const {
  for (const ActivationSpec& spec : specs_)
    if (spec.name == name) return spec;
  throw InputError(fmt::format("the activation plan has no tensor '{}'", name));
}

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
    const std::string layer = fmt::format("layer{}.", i);
    activation(layer + "attn.normed", width);
    statistic(layer + "attn.rstd");
    activation(layer + "attn.qkv", packed);
    activation(layer + "attn.mix", width);
    plan.add(layer + "attn.lse", static_cast<std::size_t>(config.n_head), rows, precision.statistic);
    plan.add(layer + "attn.scratch", (scratch + 7) / 8, 1,
             Dtype::fp64);  // bytes: the stage decides what they hold
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

}  // namespace ladder
