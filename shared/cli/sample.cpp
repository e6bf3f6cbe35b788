// ladder sample: text from a checkpoint or a safetensors file.
#include "shared/train/sample.hpp"
#include "shared/base/json.hpp"

#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/settings.hpp"
#include "shared/train/checkpoint.hpp"

namespace ladder::cli {
namespace {

struct SampleFlags {
  PlaceFlags place;
  std::string weights, prompt, json;
  std::vector<std::int32_t> tokens;
  SampleOptions options;
  std::optional<int> top_k, max_tokens;
  int count = 1;
  std::int64_t seed = 42;
};

void validate_flags(SampleFlags& flags) {
  require(flags.count > 0, "--num-samples is {}: it must be 1 or more", flags.count);
  require(!flags.top_k || *flags.top_k > 0, "--top-k is {}: it must be 1 or more", flags.top_k.value_or(0));
  require(!flags.max_tokens || *flags.max_tokens > 0, "--max-tokens is {}: it must be 1 or more",
          flags.max_tokens.value_or(0));
  require(flags.seed >= 0 && flags.seed <= 0xffffffffLL, "--seed is {}: it must be from 0 to 4294967295",
          flags.seed);
  flags.options.top_k = flags.top_k.value_or(0);
  flags.options.max_tokens = flags.max_tokens.value_or(0);
  validate(flags.options);
}

/// The prompt's tokens: as given, or those of the text of --prompt. The start token is put before them where it marks
/// the beginning of a text, and stands alone for an empty prompt.
std::vector<std::int32_t> prompt_tokens(const SampleFlags& flags, const Tokenizer& tokenizer) {
  if (!flags.tokens.empty()) return flags.tokens;
  std::vector<std::int32_t> tokens;
  const std::u32string prompt = decode_utf8(flags.prompt, "--prompt");
  if (tokenizer.has_bos() || prompt.empty()) tokens.push_back(tokenizer.start_token());
  const std::vector<std::int32_t> ids = tokenizer.encode(prompt);
  tokens.insert(tokens.end(), ids.begin(), ids.end());
  return tokens;
}

void run_sample(SampleFlags& flags) {
  validate_flags(flags);
  const Place place = resolve_place(flags.place);
  require_distinct_outputs({model_file(flags.weights)}, {flags.json});
  require_writable_file(flags.json);
  const SavedModel saved = load_model(flags.weights);
  const std::unique_ptr<Engine> engine = make_engine(place.stage, saved.model, place.options);
  engine->load_parameters(saved.parameters);
  const std::vector<std::int32_t> prompt = prompt_tokens(flags, *saved.tokenizer);
  Random random(static_cast<std::uint64_t>(flags.seed));
  Json samples = Json::array();
  for (int i = 0; i < flags.count; ++i) {
    const auto tokens = sample_tokens(*engine, prompt, saved.tokenizer->end(), flags.options, random);
    const std::string start = flags.tokens.empty() ? flags.prompt : saved.tokenizer->decode(flags.tokens);
    const std::string text = readable_utf8(start + saved.tokenizer->decode(tokens));
    fmt::print("{}\n", text);
    samples.push_back({{"text", text}, {"tokens", tokens}});
  }
  if (flags.json.empty()) return;
  Json json = {{"stage", place.stage},         {"dtype", std::string(name_of(place.options.dtype))},
               {"prompt_tokens", prompt},      {"temperature", flags.options.temperature},
               {"top_k", flags.options.top_k}, {"greedy", flags.options.greedy},
               {"seed", flags.seed},           {"samples", samples}};
  write_file(flags.json, sorted(std::move(json)).dump(1) + "\n");
}

}  // namespace

void add_sample(CLI::App& app) {
  const auto flags = std::make_shared<SampleFlags>();
  add_text(app, "--weights", flags->weights,
           "a checkpoint, its folder, or a safetensors file of ladder train")
      .type("FILE")
      .required();
  add_place_flags(app, flags->place);
  const Flag prompt = add_text(app, "--prompt", flags->prompt, "text to go on from").type("TEXT");
  add_numbers(app, "--tokens", flags->tokens, "token numbers to go on from, nothing added: 1,2,3")
      .excludes(prompt);
  add_number(app, "--temperature", flags->options.temperature, "below 1: more likely tokens (default 0.5)");
  add_number(app, "--top-k", flags->top_k, "draw from the k most likely tokens only");
  add_switch(app, "--greedy", flags->options.greedy, "always the most likely token");
  add_number(app, "--max-tokens", flags->max_tokens, "new tokens (default: until the block is full)");
  add_number(app, "--num-samples", flags->count, "texts (default 1)");
  add_number(app, "--seed", flags->seed, "0 to 4294967295 (default 42)");
  add_text(app, "--json", flags->json, "write texts and tokens as JSON").type("FILE");
  set_action(app, [flags] { run_sample(*flags); });
}

}  // namespace ladder::cli
