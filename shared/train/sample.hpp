// Logits -> temperature -> token.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "shared/base/random.hpp"
#include "shared/data/tokenizer.hpp"
#include "shared/train/engine.hpp"

namespace ladder {

struct SampleOptions {
  double temperature = 0.5;  ///< 0: greedy, and so is what is too near to it to divide by
  int top_k = 0;             ///< draw from the k largest logits only; 0: from all
  bool greedy = false;  ///< always the largest logit (the first of equals); draws nothing from the generator
  int max_tokens = 0;   ///< new tokens; 0: as many as fit into the block
  int vocabulary =
      0;  ///< draw from the tokens below this one; 0: from all, also those that round a vocabulary up
};

/// What a model is sampled with unless told otherwise: microGPT at temperature 0.5, GPT-2 at 0.8 from the 200 largest
/// logits, as nanoGPT.
SampleOptions default_sampling(const GptConfig& model);

/// Throws InputError naming the first setting that is out of range.
void validate(const SampleOptions& options);

/// Texts that one call draws, at most: they are kept until all are drawn.
inline constexpr int kMostSamples = 100000;
/// Throws InputError naming `flag` for fewer texts than `least` or more than kMostSamples.
void require_samples(std::int64_t count, std::int64_t least, const char* flag);

/// Probabilities exactly as the original computes them: logits * T^-1, minus their maximum, exp, total summed from
/// the left, times total^-1. Stage 0 relies on every rounding.
std::vector<double> softmax_probabilities(std::span<const double> logits, double temperature);

/// One token drawn from one position's logits.
int sample_token(std::span<const double> all_logits, const SampleOptions& options, Random& random);

/// Continues `prompt`, which must not be empty, until `stop_token` (not part of the result; -1: none) or max_tokens.
/// Documents fill the block at most. With more tokens asked for than fit, the window slides: each further token sees
/// the last block_size ones, and so does what follows a prompt of GPT-2 that is longer. The prompt is not part of the
/// result. `told`, if any, is called with each token of the result as soon as it is drawn. Throws InputError for tokens
/// outside the vocabulary.
std::vector<std::int32_t> sample_tokens(Engine& engine, std::span<const std::int32_t> prompt, int stop_token,
                                        const SampleOptions& options, Random& random,
                                        const std::function<void(std::int32_t)>& told = {});

/// `count` texts (UTF-8, the prompt included). Document models start from BOS and stop at it. Where a tokenizer of bytes
/// leaves a character unfinished, U+FFFD stands for it.
std::vector<std::string> sample_texts(Engine& engine, const Tokenizer& tokenizer, int count,
                                      const SampleOptions& options, Random& random,
                                      std::u32string_view prompt = {});

}  // namespace ladder
