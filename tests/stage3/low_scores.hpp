// Parameters whose scores, or logits, are all below the value that masked ones were once given, -1e20.
#pragma once

#include "shared/model/parameters.hpp"

namespace ladder::testing {

/// Microgpt's parameters with keys that are minus their queries, both large: a position's score with itself is below
/// -1e21. What masks give to keys behind it must be less.
inline TensorList with_low_scores(const GptConfig& model, const TensorList& parameters) {
  const ParameterIndex index(parameter_specs(model));
  TensorList low = parameters;
  for (int i = 0; i < model.n_layer; ++i) {
    const std::string layer = fmt::format("layer{}.", i);
    NamedTensor& query = low[index.position(layer + "attn_wq")];
    NamedTensor& key = low[index.position(layer + "attn_wk")];
    for (std::size_t k = 0; k < key.size(); ++k) {
      query.set(k, query[k] * 0x1p40);
      key.set(k, -query[k]);
    }
  }
  return low;
}

/// Microgpt's parameters with a residual stream that is the same everywhere and, for every logit, the same large negative
/// multiple of its first channel alone, which no order of sums can round in another way: a loss of log(vocabulary).
inline TensorList with_low_logits(const GptConfig& model, const TensorList& parameters) {
  const ParameterIndex index(parameter_specs(model));
  TensorList low = parameters;
  const auto fill = [&](const std::string& name, double value) {
    NamedTensor& tensor = low[index.position(name)];
    for (std::size_t k = 0; k < tensor.size(); ++k) tensor.set(k, value);
  };
  fill("wte", 1.0);
  fill("wpe", 1.0);
  for (int i = 0; i < model.n_layer; ++i) {
    fill(fmt::format("layer{}.attn_wo", i), 0.0);
    fill(fmt::format("layer{}.mlp_fc2", i), 0.0);
  }
  NamedTensor& head = low[index.position("lm_head")];
  for (std::size_t k = 0; k < head.size(); ++k)
    head.set(k, k % static_cast<std::size_t>(head.shape[1]) == 0 ? -0x1p70 : 0.0);
  return low;
}

}  // namespace ladder::testing
