// The parameters of microGPT: names, shapes, order, initial values. The one list that every stage shares.
#pragma once

#include <string>
#include <vector>

#include "shared/base/tensor.hpp"
#include "shared/model/config.hpp"

namespace ladder {

class Random;

struct ParameterSpec {
  std::string name;
  int rows, cols;  ///< [n_out, n_in]
  std::size_t size() const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols); }
};

/// In the original's order: wte [V,C], wpe [T,C], lm_head [V,C], then for each layer i `layer{i}.attn_wq` [C,C],
/// `.attn_wk` and `.attn_wv` [K*D,C], `.attn_wo` [C,C], `.mlp_fc1` [4C,C], `.mlp_fc2` [C,4C].
std::vector<ParameterSpec> parameter_specs(const GptConfig& config);

/// Number of scalars in all parameters together.
std::size_t parameter_count(const GptConfig& config);

/// gauss(0, 0.08) from `random`, row-major, in the order above: the same draws as the original program.
TensorList initial_parameters(const GptConfig& config, Random& random);

/// Throws InputError naming the first tensor that is missing, extra or of another shape than `config` asks for.
void require_parameters(const TensorList& tensors, const GptConfig& config);

}  // namespace ladder
