// Small models, their parameters and sequences, and the comparison of their tensors, for the tests of every stage.
#pragma once

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "shared/check/cases.hpp"
#include "shared/check/tolerances.hpp"
#include "shared/model/batch.hpp"
#include "shared/model/config.hpp"
#include "shared/model/parameters.hpp"

namespace ladder::testing {

/// Of 27 tokens, as the embedded names have.
inline GptConfig model_of(int layers, int width, int heads, int kv_heads, int block_size) {
  GptConfig config;
  config.vocab_size = 27;
  config.n_layer = layers;
  config.n_embd = width;
  config.n_head = heads;
  config.n_kv_head = kv_heads;
  config.block_size = block_size;
  return config;
}

/// GPT-2 of 27 tokens, without biases and dropout: its logits have 32 columns.
inline GptConfig gpt2_of(int layers, int width, int heads, int kv_heads, int block_size) {
  GptConfig config = model_of(layers, width, heads, kv_heads, block_size);
  config.architecture = Architecture::gpt2;
  return config;
}

/// Every parameter random, up to `largest` in absolute value: none is zero, so each has a say in the loss.
inline TensorList random_parameters(const GptConfig& config, double largest) {
  TensorList tensors;
  for (const ParameterSpec& spec : parameter_specs(config))
    tensors.emplace_back(spec.name, spec.shape, cases::random_values(spec.name, spec.size(), largest));
  return tensors;
}

inline std::vector<Sequence> sequences(const std::vector<int>& lengths) {
  std::vector<Sequence> all;
  for (const int length : lengths) {
    Sequence sequence;
    for (int i = 0; i < length; ++i) {
      sequence.tokens.push_back((i * 7 + length) % 27);
      sequence.targets.push_back((i * 5 + 3 * length) % 27);
    }
    all.push_back(sequence);
  }
  return all;
}

/// Compares two lists of tensors, prints the largest error.
inline void check_tensors(const TensorList& got, const TensorList& want, const Tolerance& tolerance,
                          const char* title) {
  REQUIRE(got.size() == want.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const Comparison comparison = compare(got[i].values(), want[i].values(), tolerance);
    INFO(title << ": " << want[i].name << ": " << comparison.describe());
    CHECK(got[i].name == want[i].name);
    CHECK(comparison.passed());
    worst = std::max(worst, comparison.max_error);
  }
  std::printf("%s %s: largest error %.2e\n", std::string(name_of(tolerance.dtype)).c_str(), title, worst);
}

}  // namespace ladder::testing
