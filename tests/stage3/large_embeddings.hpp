// Parameters whose embeddings are too large for the squares of fp32: the first RMSNorm brings them back.
#pragma once

#include "shared/model/parameters.hpp"

namespace ladder::testing {

/// Microgpt's parameters in fp32, with embeddings around 1e23, so that their squares are above fp32 and that
/// of the norm's factor is below it. `all`: of every token, else of every other one, so that ordinary rows
/// stand beside large ones.
inline TensorList with_large_embeddings(const GptConfig& model, const TensorList& parameters, bool all) {
  const ParameterSpecs specs = parameter_specs(model);
  TensorList large;
  for (const NamedTensor& tensor : parameters) large.push_back(tensor.in(Dtype::fp32));
  const auto enlarge = [&](const char* name, std::size_t every) {
    NamedTensor& tensor = large[ParameterIndex(specs).position(name)];
    const auto width = static_cast<std::size_t>(tensor.shape[1]);
    for (std::size_t i = 0; i < tensor.size(); ++i)
      if (i / width % every == 0) tensor.set(i, tensor[i] * 1e24);
  };
  enlarge("wte", all ? 1 : 2);
  if (all) enlarge("wpe", 1);
  return large;
}

}  // namespace ladder::testing
