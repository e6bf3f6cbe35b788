// Parameters: names, shapes, order, initial values. The lists of microGPT's and GPT-2's, which every stage shares.
#pragma once

#include <functional>
#include <map>
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
  double deviation;        ///< initial values are gauss(mean, deviation); of deviation 0, nothing is drawn
  bool decays = false;     ///< AdamW's weight decay applies to it
  double mean = 0.0;

  std::size_t size() const { return element_count(shape); }
};

/// A model's parameters in the order in which they lie in memory, in files and in lists.
using ParameterSpecs = std::vector<ParameterSpec>;

/// Those of config.architecture. What uses a parameter asks for it by name (ParameterIndex): the order is written here only.
///
/// MicroGPT's, in the original's order: wte [V,C], wpe [T,C], lm_head [V,C], then for each layer i `layer{i}.attn_wq`
/// [C,C], `.attn_wk` and `.attn_wv` [K*D,C], `.attn_wo` [C,C], `.mlp_fc1` [4C,C], `.mlp_fc2` [C,4C]; gauss(0, 0.08),
/// and nothing decays.
///
/// GPT-2's have nanoGPT's names and shapes, and AdamW's order: first the vectors, which do not decay (of each layer
/// `transformer.h.{i}.ln_1.weight` [C], `.bias`, `.attn.c_attn.bias` [P], `.attn.c_proj.bias`, `.ln_2.weight`, `.bias`,
/// `.mlp.c_fc.bias` [4C], `.mlp.c_proj.bias`; `transformer.ln_f.weight`, `.bias`; without biases, the weights), then the
/// matrices, which do (`.attn.c_attn.weight` [P,C], `.attn.c_proj.weight` [C,C], `.mlp.c_fc.weight` [4C,C],
/// `.mlp.c_proj.weight` [C,4C]; `transformer.wpe.weight` [T,C], `transformer.wte.weight` [V,C], which is the head, too).
/// Weights of a LayerNorm begin at 1, biases at 0, matrices at gauss(0, 0.02), those that end in the residual stream
/// (c_proj) at gauss(0, 0.02 / sqrt(2 L)).
ParameterSpecs parameter_specs(const GptConfig& config);

/// Where each parameter stands, by its name, in a time that does not grow with the layers.
class ParameterIndex {
 public:
  explicit ParameterIndex(const ParameterSpecs& specs);

  bool contains(std::string_view name) const { return places_.contains(name); }
  // Throw InputError where there is no such parameter.
  std::size_t position(std::string_view name) const { return at(name).position; }  ///< in the list
  std::size_t offset(std::string_view name) const { return at(name).offset; }      ///< in scalars

 private:
  struct Place {
    std::size_t position, offset;
  };
  const Place& at(std::string_view name) const;

  std::map<std::string, Place, std::less<>> places_;
};

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
