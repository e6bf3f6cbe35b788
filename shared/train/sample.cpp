#include "shared/train/sample.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"
#include "shared/base/interrupt.hpp"

namespace ladder {
namespace {

/// The indices of the k largest logits, in ascending order; equals of the k-th are decided by the lower index.
std::vector<std::size_t> largest_indices(std::span<const double> logits, int k) {
  std::vector<std::size_t> indices(logits.size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  if (k == 0 || static_cast<std::size_t>(k) >= logits.size()) return indices;
  std::stable_sort(indices.begin(), indices.end(), [&](auto a, auto b) { return logits[a] > logits[b]; });
  indices.resize(static_cast<std::size_t>(k));
  std::sort(indices.begin(), indices.end());
  return indices;
}

/// Whether a temperature is 0, or so near to it that logits over it leave the range of numbers: the largest logit then
/// has all the probability.
bool is_cold(std::span<const double> logits, double temperature) {
  const double inverse = 1.0 / temperature;
  return std::ranges::any_of(logits, [=](double logit) { return !std::isfinite(logit * inverse); });
}

/// Logits for the position after all tokens fed so far. While they fit, a token costs one row. After that the window
/// slides: every position changes, so each further token costs a window.
class SlidingContext {
 public:
  explicit SlidingContext(Engine& engine) : engine_(engine), decoder_(engine.decoder()) {}

  std::vector<double> next(std::span<const std::int32_t> tokens) {
    const auto block_size = static_cast<std::size_t>(engine_.config().block_size);
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    if (tokens_.size() <= block_size) return decoder_->next(tokens);
    tokens_.erase(tokens_.begin(), tokens_.end() - static_cast<std::ptrdiff_t>(block_size));
    return engine_.decoder()->next(tokens_);
  }

 private:
  Engine& engine_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<std::int32_t> tokens_;
};

}  // namespace

SampleOptions default_sampling(const GptConfig& model) {
  SampleOptions options;
  if (model.architecture == Architecture::gpt2) {
    options.temperature = 0.8;
    options.top_k = 200;
  }
  return options;
}

void validate(const SampleOptions& options) {
  require(std::isfinite(options.temperature) && options.temperature >= 0,
          "--temperature is {}: it must be a positive number, or 0 for the most likely token always",
          options.temperature);
  require(options.top_k >= 0, "--top-k is {}: it must be 1 or more", options.top_k);
  require(options.max_tokens >= 0, "--max-tokens is {}: it must be 1 or more", options.max_tokens);
}

void require_samples(std::int64_t count, std::int64_t least, const char* flag) {
  require(count >= least && count <= kMostSamples, "{} is {}: it must be from {} to {}", flag, count, least,
          kMostSamples);
}

std::vector<double> softmax_probabilities(std::span<const double> logits, double temperature) {
  const double inverse_temperature = std::pow(temperature, -1.0);
  std::vector<double> values(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) values[i] = logits[i] * inverse_temperature;
  const double largest = *std::max_element(values.begin(), values.end());
  double total = 0.0;
  for (double& value : values) {
    value = std::exp(value - largest);
    total += value;
  }
  const double inverse_total = std::pow(total, -1.0);
  for (double& value : values) value *= inverse_total;
  return values;
}

int sample_token(std::span<const double> all_logits, const SampleOptions& options, Random& random) {
  const auto vocabulary = static_cast<std::size_t>(options.vocabulary);
  const auto logits =
      vocabulary > 0 && vocabulary < all_logits.size() ? all_logits.first(vocabulary) : all_logits;
  for (std::size_t v = 0; v < logits.size(); ++v)
    if (!std::isfinite(logits[v]))
      throw CheckError(
          fmt::format("the logit of token {} is {}: the weights are not usable", v, printable(logits[v])));
  if (options.greedy || is_cold(logits, options.temperature))
    return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  const std::vector<std::size_t> kept = largest_indices(logits, options.top_k);
  std::vector<double> kept_logits(kept.size());
  std::transform(kept.begin(), kept.end(), kept_logits.begin(), [&](std::size_t v) { return logits[v]; });
  const std::vector<double> weights = softmax_probabilities(kept_logits, options.temperature);
  return static_cast<int>(kept[random.choices(weights)]);
}

std::vector<std::int32_t> sample_tokens(Engine& engine, std::span<const std::int32_t> prompt, int stop_token,
                                        const SampleOptions& options, Random& random,
                                        const std::function<void(std::int32_t)>& told) {
  validate(options);
  const int block_size = engine.config().block_size;
  const int prompt_size = static_cast<int>(prompt.size());
  const bool is_cropped = engine.config().architecture == Architecture::gpt2;
  require(prompt_size > 0, "sampling needs at least one token to start from");
  require(prompt_size <= block_size || is_cropped, "the prompt has {} tokens: this model's block holds {}",
          prompt.size(), block_size);
  for (std::int32_t token : prompt)
    require(token >= 0 && token < engine.config().vocab_size,
            "token {} is not in the vocabulary: valid are 0 to {}", token, engine.config().vocab_size - 1);
  const int limit = options.max_tokens > 0 ? options.max_tokens : std::max(1, block_size - prompt_size + 1);

  SlidingContext context(engine);
  std::vector<std::int32_t> result;
  std::span<const std::int32_t> fed = prompt;
  while (static_cast<int>(result.size()) < limit) {
    stop_if_interrupted();
    const std::int32_t token = sample_token(context.next(fed), options, random);
    if (token == stop_token) break;
    result.push_back(token);
    if (told) told(token);
    fed = std::span(result).last(1);
  }
  return result;
}

std::vector<std::string> sample_texts(Engine& engine, const Tokenizer& tokenizer, int count,
                                      const SampleOptions& options, Random& random,
                                      std::u32string_view prompt) {
  // A stream model goes on from a prompt as if it stood in the middle of the text, so it needs no start.
  std::vector<std::int32_t> start;
  if (tokenizer.has_bos() || prompt.empty()) start.push_back(tokenizer.start_token());
  const std::vector<std::int32_t> ids = tokenizer.encode(prompt);
  start.insert(start.end(), ids.begin(), ids.end());
  std::vector<std::string> texts;
  texts.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i)
    texts.push_back(encode_utf8(prompt) + readable_utf8(tokenizer.decode(sample_tokens(
                                              engine, start, tokenizer.end(), options, random))));
  return texts;
}

}  // namespace ladder
