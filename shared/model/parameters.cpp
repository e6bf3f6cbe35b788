#include "shared/model/parameters.hpp"

#include <fmt/format.h>

#include <cmath>

#include "shared/base/random.hpp"

namespace ladder {

namespace {

ParameterSpecs microgpt_specs(const GptConfig& config) {
  const int width = config.n_embd;
  ParameterSpecs specs;
  const auto matrix = [&](std::string name, int rows, int columns) {
    specs.push_back({std::move(name), {rows, columns}, 0.08});
  };
  matrix("wte", config.vocab_size, width);
  matrix("wpe", config.block_size, width);
  matrix("lm_head", config.vocab_size, width);
  for (int i = 0; i < config.n_layer; ++i) {
    const std::string layer = fmt::format("layer{}.", i);
    matrix(layer + "attn_wq", width, width);
    matrix(layer + "attn_wk", config.kv_dim(), width);
    matrix(layer + "attn_wv", config.kv_dim(), width);
    matrix(layer + "attn_wo", width, width);
    matrix(layer + "mlp_fc1", 4 * width, width);
    matrix(layer + "mlp_fc2", width, 4 * width);
  }
  return specs;
}

ParameterSpecs gpt2_vectors(const GptConfig& config) {
  const int C = config.n_embd;
  ParameterSpecs specs;
  const auto bias = [&](const std::string& name, int size) {
    if (config.bias) specs.push_back({name + ".bias", {size}, 0.0});
  };
  const auto norm = [&](const std::string& name) {
    specs.push_back({name + ".weight", {C}, 0.0, false, 1.0});
    bias(name, C);
  };
  for (int i = 0; i < config.n_layer; ++i) {
    const std::string layer = fmt::format("transformer.h.{}.", i);
    norm(layer + "ln_1");
    bias(layer + "attn.c_attn", config.qkv_dim());
    bias(layer + "attn.c_proj", C);
    norm(layer + "ln_2");
    bias(layer + "mlp.c_fc", 4 * C);
    bias(layer + "mlp.c_proj", C);
  }
  norm("transformer.ln_f");
  return specs;
}

ParameterSpecs gpt2_specs(const GptConfig& config) {
  const int C = config.n_embd;
  const double deviation = 0.02, into_residual = deviation / std::sqrt(2.0 * config.n_layer);
  ParameterSpecs specs = gpt2_vectors(config);
  const auto matrix = [&](const std::string& name, int rows, int columns, double spread) {
    specs.push_back({name + ".weight", {rows, columns}, spread, true});
  };
  for (int i = 0; i < config.n_layer; ++i) {
    const std::string layer = fmt::format("transformer.h.{}.", i);
    matrix(layer + "attn.c_attn", config.qkv_dim(), C, deviation);
    matrix(layer + "attn.c_proj", C, C, into_residual);
    matrix(layer + "mlp.c_fc", 4 * C, C, deviation);
    matrix(layer + "mlp.c_proj", C, 4 * C, into_residual);
  }
  matrix("transformer.wpe", config.block_size, C, deviation);
  matrix("transformer.wte", config.vocab_size, C, deviation);
  return specs;
}

}  // namespace

ParameterSpecs parameter_specs(const GptConfig& config) {
  return config.architecture == Architecture::gpt2 ? gpt2_specs(config) : microgpt_specs(config);
}

ParameterIndex::ParameterIndex(const ParameterSpecs& specs) {
  std::size_t offset = 0;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    places_.emplace(specs[i].name, Place{i, offset});
    offset += specs[i].size();
  }
}

const ParameterIndex::Place& ParameterIndex::at(std::string_view name) const {
  const auto found = places_.find(name);
  require(found != places_.end(), "the model has no parameter '{}'", name);
  return found->second;
}

std::size_t parameter_count(const ParameterSpecs& specs) {
  std::size_t count = 0;
  for (const ParameterSpec& spec : specs) count += spec.size();
  return count;
}

std::size_t parameter_count(const GptConfig& config) { return parameter_count(parameter_specs(config)); }

TensorList initial_parameters(const ParameterSpecs& specs, Random& random, Dtype dtype) {
  TensorList tensors = zeros_of(specs, dtype);
  for (std::size_t i = 0; i < specs.size(); ++i)
    for (std::size_t k = 0; k < specs[i].size(); ++k)
      tensors[i].set(
          k, specs[i].deviation == 0.0 ? specs[i].mean : random.gauss(specs[i].mean, specs[i].deviation));
  return tensors;
}

TensorList zeros_of(const ParameterSpecs& specs, Dtype dtype) {
  TensorList tensors;
  for (const ParameterSpec& spec : specs) tensors.emplace_back(spec.name, spec.shape, dtype);
  return tensors;
}

void require_parameters(const TensorList& tensors, const ParameterSpecs& specs) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    require(i < tensors.size(), "parameter '{}' is missing", specs[i].name);
    const NamedTensor& tensor = tensors[i];
    require(tensor.name == specs[i].name, "parameter {} is '{}': expected '{}'", i, tensor.name,
            specs[i].name);
    require(tensor.shape == specs[i].shape && tensor.size() == specs[i].size(),
            "parameter '{}' has the wrong shape: this model needs [{}]", tensor.name,
            extents_of(specs[i].shape));
  }
  require(tensors.size() == specs.size(), "{} parameters given: this model has {}", tensors.size(),
          specs.size());
}

}  // namespace ladder
