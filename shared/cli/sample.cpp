// ladder sample: text from a checkpoint or a safetensors file.
#include "shared/train/sample.hpp"

#include <cstdio>
#include <memory>
#include <optional>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/standard_streams.hpp"
#include "shared/cli/weights.hpp"

namespace ladder::cli {
namespace {

struct SampleFlags {
  PlaceFlags place;
  WeightsFlags weights;
  std::string prompt, json;
  std::vector<std::int32_t> tokens;
  std::optional<double> temperature;
  std::optional<int> top_k, max_tokens;
  bool greedy = false;
  int count = 1;
  std::int64_t seed = 42;
};

/// The model's own way of sampling with the flags over it.
SampleOptions sampling_of(const SampleFlags& flags, const GptConfig& model) {
  SampleOptions options = default_sampling(model);
  options.temperature = flags.temperature.value_or(options.temperature);
  options.top_k = flags.top_k.value_or(options.top_k);
  options.max_tokens = flags.max_tokens.value_or(0);
  options.greedy = flags.greedy;
  return options;
}

/// Before a file is read: what is wrong whatever the model.
void validate_flags(const SampleFlags& flags) {
  require_samples(flags.count, 1, "--num-samples");
  require(!flags.top_k || *flags.top_k > 0, "--top-k is {}: it must be 1 or more", flags.top_k.value_or(0));
  require(!flags.max_tokens || *flags.max_tokens > 0, "--max-tokens is {}: it must be 1 or more",
          flags.max_tokens.value_or(0));
  require(flags.seed >= 0 && flags.seed <= 0xffffffffLL, "--seed is {}: it must be from 0 to 4294967295",
          flags.seed);
  validate(sampling_of(flags, {}));
}

/// The prompt's tokens: as given, or those of the text of --prompt. The start token is put before them where it marks
/// the beginning of a text, and stands alone for an empty prompt.
std::vector<std::int32_t> prompt_tokens(const SampleFlags& flags, const SavedModel& saved) {
  require_tokens(flags.tokens, saved.model);
  if (!flags.tokens.empty()) return flags.tokens;
  const Tokenizer& tokenizer = *saved.tokenizer;
  std::vector<std::int32_t> tokens;
  const std::u32string prompt = decode_prompt(flags.prompt);
  if (tokenizer.has_bos() || prompt.empty()) tokens.push_back(tokenizer.start_token());
  const std::vector<std::int32_t> ids = tokenizer.encode(prompt);
  tokens.insert(tokens.end(), ids.begin(), ids.end());
  return tokens;
}

/// A text on stdout as it grows, whole characters at a time.
class GrowingText {
 public:
  /// Where nobody can read on, it throws StdoutFailed, but for a text that is `kept` elsewhere.
  GrowingText(std::string start, bool kept) : pending_(std::move(start)), kept_(kept) {}

  void add(std::string_view part) {
    pending_ += part;
    const std::size_t whole = pending_.size() - unfinished_utf8(pending_);
    print(whole);
  }
  void end() {
    pending_ += '\n';
    print(pending_.size());
  }

 private:
  void print(std::size_t bytes) {
    fmt::print("{}", for_stdout(readable_utf8(std::string_view(pending_).substr(0, bytes))));
    std::fflush(stdout);
    if (stdout_failed() && !kept_) throw StdoutFailed();
    pending_.erase(0, bytes);
  }

  std::string pending_;
  bool kept_;
};

/// One text: printed while it is drawn, then as JSON. The prompt is printed with the first token, when nothing can be
/// wrong with it any more.
Json draw(Engine& engine, const SavedModel& saved, const std::vector<std::int32_t>& prompt,
          const std::string& start, const SampleOptions& options, Random& random, bool kept) {
  const Tokenizer& tokenizer = *saved.tokenizer;
  GrowingText text(start, kept);
  const auto tokens =
      sample_tokens(engine, prompt, tokenizer.end(), options, random,
                    [&](std::int32_t token) { text.add(tokenizer.decode(std::span(&token, 1))); });
  text.end();
  return {{"text", readable_utf8(start + tokenizer.decode(tokens))}, {"tokens", tokens}};
}

Json json_of(const SampleFlags& flags, const Place& place, const SampleOptions& options,
             const std::vector<std::int32_t>& prompt, const Json& samples) {
  std::vector<std::int32_t> first = prompt;
  for (const Json& token : samples[0]["tokens"]) first.push_back(token.get<std::int32_t>());
  return {{"stage", place.stage},    {"dtype", std::string(name_of(place.options.dtype))},
          {"prompt_tokens", prompt}, {"temperature", options.temperature},
          {"top_k", options.top_k},  {"greedy", options.greedy},
          {"seed", flags.seed},      {"samples", samples},
          {"tokens", first}};
}

void run_sample(const SampleFlags& flags) {
  validate_flags(flags);
  const Place place = resolve_place(flags.place);
  require_outputs(model_files(flags.weights.path), {flags.json}, {});
  SavedModel saved = load_weights(flags.weights, place);
  const std::unique_ptr<Engine> engine = make_engine(place.stage, saved.model, place.options);
  engine->load_parameters(saved.parameters);
  saved.parameters = {};  // a copy of the model that nothing reads again
  SampleOptions options = sampling_of(flags, saved.model);
  options.vocabulary = saved.tokenizer->vocab_size();
  const std::vector<std::int32_t> prompt = prompt_tokens(flags, saved);
  const std::string start = flags.tokens.empty() ? flags.prompt : saved.tokenizer->decode(flags.tokens);
  Random random(static_cast<std::uint64_t>(flags.seed));
  Json samples = Json::array();
  for (int i = 0; i < flags.count; ++i)
    samples.push_back(naming_weights(flags.weights.path, [&] {
      return draw(*engine, saved, prompt, start, options, random, !flags.json.empty());
    }));
  Outputs outputs;
  outputs.write_json(flags.json, [&] { return json_of(flags, place, options, prompt, samples); });
  outputs.finish();
}

}  // namespace

void add_sample(CLI::App& app) {
  const auto flags = std::make_shared<SampleFlags>();
  add_weights_flags(app, flags->weights);
  add_place_flags(app, flags->place);
  const Flag prompt =
      add_text(app, "--prompt", flags->prompt, "text to go on from").type("TEXT").may_be_empty();
  add_numbers(app, "--tokens", flags->tokens, "token numbers to go on from, nothing added: 1,2,3")
      .excludes(prompt);
  add_number(app, "--temperature", flags->temperature,
             "below 1: more likely tokens; 0: greedy (default 0.5, of GPT-2 0.8)");
  add_number(app, "--top-k", flags->top_k,
             "draw from the k most likely tokens only (default all, of GPT-2 200)");
  add_switch(app, "--greedy", flags->greedy, "always the most likely token");
  add_number(app, "--max-tokens", flags->max_tokens,
             "new tokens (default: until the block is full); beyond it each sees the last block");
  add_number(app, "--num-samples", flags->count, "texts, one after the other (default 1)");
  add_number(app, "--seed", flags->seed, "0 to 4294967295 (default 42)");
  add_text(app, "--json", flags->json, "write texts and tokens as JSON").type("FILE");
  set_action(app, [flags] { run_sample(*flags); });
}

}  // namespace ladder::cli
