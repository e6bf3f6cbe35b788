// Parameters: names, shapes, order, initial values. The list of microGPT's, which every stage shares.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/tensor.hpp"
#include "shared/model/config.hpp"

namespace ladder {

class Random;

struct ParameterSpec {
  std::string name;
  std::vector<int> shape;  ///< a matrix: [n_out, n_in]
  double deviation;        ///< initial values are gauss(0, deviation)
  bool decays = false;     ///< AdamW's weight decay applies to it

  std::size_t size() const { return element_count(shape); }
};

/// A model's parameters in the order in which they lie in memory, in files and in lists.
using ParameterSpecs = std::vector<ParameterSpec>;

/// MicroGPT's, in the original's order: wte [V,C], wpe [T,C], lm_head [V,C], then for each layer i `layer{i}.attn_wq`
/// [C,C], `.attn_wk` and `.attn_wv` [K*D,C], `.attn_wo` [C,C], `.mlp_fc1` [4C,C], `.mlp_fc2` [C,4C]; gauss(0, 0.08),
/// and nothing decays. What uses a parameter asks for it by name (position_of): the order is written here only.
ParameterSpecs parameter_specs(const GptConfig& config);

/// Index of the parameter `name`; throws InputError when there is none.
std::size_t position_of(const ParameterSpecs& specs, std::string_view name);

/// Number of scalars in all parameters together.
std::size_t parameter_count(const ParameterSpecs& specs);
std::size_t parameter_count(const GptConfig& config);

/// Drawn from `random`, row-major, in order: microGPT's are the same draws as the original
/// program's. Rounded to `dtype`.
TensorList initial_parameters(const ParameterSpecs& specs, Random& random, Dtype dtype = Dtype::fp64);

/// Zeros in the shapes of the parameters.
TensorList zeros_of(const ParameterSpecs& specs, Dtype dtype = Dtype::fp64);

/// Throws InputError naming the first tensor that is missing, extra or of another shape than `specs` ask for.
void require_parameters(const TensorList& tensors, const ParameterSpecs& specs);

}  // namespace ladder
