#include "shared/model/parameters.hpp"

#include "shared/base/random.hpp"

namespace ladder {

std::vector<ParameterSpec> parameter_specs(const GptConfig& config) {
  const int width = config.n_embd;
  std::vector<ParameterSpec> specs = {{"wte", config.vocab_size, width},
                                      {"wpe", config.block_size, width},
                                      {"lm_head", config.vocab_size, width}};
  for (int layer = 0; layer < config.n_layer; ++layer) {
    const std::string prefix = fmt::format("layer{}.", layer);
    specs.push_back({prefix + "attn_wq", width, width});
    specs.push_back({prefix + "attn_wk", config.kv_dim(), width});
    specs.push_back({prefix + "attn_wv", config.kv_dim(), width});
    specs.push_back({prefix + "attn_wo", width, width});
    specs.push_back({prefix + "mlp_fc1", 4 * width, width});
    specs.push_back({prefix + "mlp_fc2", width, 4 * width});
  }
  return specs;
}

std::size_t parameter_count(const GptConfig& config) {
  std::size_t count = 0;
  for (const ParameterSpec& spec : parameter_specs(config)) count += spec.size();
  return count;
}

TensorList initial_parameters(const GptConfig& config, Random& random) {
  TensorList tensors;
  for (const ParameterSpec& spec : parameter_specs(config)) {
    NamedTensor tensor{spec.name, {spec.rows, spec.cols}, std::vector<double>(spec.size())};
    for (double& value : tensor.values) value = random.gauss(0.0, 0.08);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

void require_parameters(const TensorList& tensors, const GptConfig& config) {
  const std::vector<ParameterSpec> specs = parameter_specs(config);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    require(i < tensors.size(), "parameter '{}' is missing", specs[i].name);
    const NamedTensor& tensor = tensors[i];
    require(tensor.name == specs[i].name, "parameter {} is '{}': expected '{}'", i, tensor.name,
            specs[i].name);
    const bool same_shape = tensor.shape == std::vector<int>{specs[i].rows, specs[i].cols};
    require(same_shape && tensor.values.size() == specs[i].size(),
            "parameter '{}' has the wrong shape: this model needs [{}, {}]", tensor.name, specs[i].rows,
            specs[i].cols);
  }
  require(tensors.size() == specs.size(), "{} parameters given: this model has {}", tensors.size(),
          specs.size());
}

}  // namespace ladder
