// ladder compare: trained weights on two sides, file by file.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json.hpp"
#include "shared/base/shown.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/base/utf8.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/weights.hpp"
#include "shared/parity/model_walk.hpp"
#include "shared/train/safetensors.hpp"

namespace ladder::cli {
namespace {

struct CompareFlags {
  std::vector<std::string> files;
  Given<GptConfig> shape;
  std::optional<int> from, to;
  std::string dtype, with, prompt, json;
  Device device = Device::automatic;
  std::vector<std::int32_t> tokens;
  std::optional<double> temperature;
  std::optional<int> top_k;
  int threads = 0, max_tokens = 50, samples = 1;
  std::int64_t seed = 42;
};

void validate_flags(const CompareFlags& flags) {
  require(flags.max_tokens > 0, "--max-tokens is {}: it must be 1 or more", flags.max_tokens);
  require_samples(flags.samples, 0, "--samples");
  require(!flags.top_k || *flags.top_k > 0, "--top-k is {}: it must be 1 or more", flags.top_k.value_or(0));
  require(flags.seed >= 0 && flags.seed <= 0xffffffffLL, "--seed is {}: it must be from 0 to 4294967295",
          flags.seed);
  require_threads(flags.threads);
  SampleOptions options;
  options.temperature = flags.temperature.value_or(options.temperature);
  validate(options);
}

// ---- the two sides -------------------------------------------------------------------------------------------

bool runs(const StageInfo& stage, const GptConfig& model) {
  if (model.architecture == Architecture::gpt2) return stage.gpt2;
  return stage.number > 0 || model.kv_heads() == model.n_head;
}

Dtype widest(const StageInfo& stage) {
  const bool has_double = std::ranges::find(stage.dtypes, Dtype::fp64) != stage.dtypes.end();
  return has_double ? Dtype::fp64 : stage.dtypes.front();
}

/// What runs a model on either side.
struct TwoPlaces {
  Place upper, lower;
};

/// The lower side is --from in its widest type, the upper one --to in --dtype. Unless they are named: stage 1, and the
/// highest stage that runs the model here; one that would be emulated, which may take hours, must be asked for.
TwoPlaces places_of(const CompareFlags& flags, const GptConfig& model) {
  int highest = 1;
  for (const StageInfo& stage : stages())
    if (runs(stage, model) && (!stage.gpu || runs_on_gpu(flags.device))) highest = stage.number;
  const int upper = flags.to.value_or(std::max(highest, flags.from.value_or(0)));
  const StageInfo& lower_stage = find_stage(flags.from.value_or(std::min(1, upper)));
  const StageInfo& upper_stage = find_stage(upper);
  const Dtype dtype = flags.dtype.empty() ? upper_stage.dtypes.front() : parse_dtype(flags.dtype);
  const auto place = [&](const StageInfo& stage, Dtype type) {
    EngineOptions options;
    options.dtype = type;
    options.device = device_of(stage.number, flags.device);
    options.threads = flags.threads;
    return Place{stage.number, options};
  };
  return {place(upper_stage, dtype), place(lower_stage, widest(lower_stage))};
}

Side side_of(const Place& place) {
  return ladder::side_of(place.stage, place.options.dtype, place.options.device, place.options.threads);
}

WalkOptions walk_options(const CompareFlags& flags, const SavedModel& saved) {
  const Tokenizer& tokenizer = *saved.tokenizer;
  require_tokens(flags.tokens, saved.model);
  WalkOptions options;
  options.prompt = flags.tokens;
  if (options.prompt.empty()) options.prompt = tokenizer.encode(decode_prompt(flags.prompt));
  if (flags.tokens.empty() && (tokenizer.has_bos() || options.prompt.empty()))
    options.prompt.insert(options.prompt.begin(), tokenizer.start_token());
  require(saved.model.architecture == Architecture::gpt2 ||
              options.prompt.size() <= static_cast<std::size_t>(saved.model.block_size),
          "the prompt has {} tokens: this model's block holds {}", options.prompt.size(),
          saved.model.block_size);
  options.max_tokens = flags.max_tokens;
  options.samples = flags.samples;
  options.seed = static_cast<std::uint64_t>(flags.seed);
  options.sampling = default_sampling(saved.model);
  options.sampling.temperature = flags.temperature.value_or(options.sampling.temperature);
  options.sampling.top_k = flags.top_k.value_or(options.sampling.top_k);
  options.sampling.vocabulary = tokenizer.vocab_size();
  return options;
}

// ---- what is said of a file ----------------------------------------------------------------------------------

/// A text in lines of at most `width` characters.
std::vector<std::string> lines_of(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  std::u32string line;
  const auto end_line = [&] {
    lines.push_back(encode_utf8(line) + std::string(width - line.size(), ' '));
    line.clear();
  };
  for (const char32_t character : decode_utf8(shown_text(text), "a sample")) {
    if (character == U'\n' || line.size() == width) end_line();
    if (character != U'\n') line.push_back(character == U'\t' ? U' ' : character);
  }
  end_line();
  return lines;
}

/// Two texts in two columns.
std::string side_by_side(const std::string& left, const std::string& right) {
  constexpr std::size_t kWidth = 48;
  const std::vector<std::string> a = lines_of(left, kWidth), b = lines_of(right, kWidth);
  const std::string blank(kWidth, ' ');
  std::string text;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    text += fmt::format("  {} | {}", i < a.size() ? a[i] : blank, i < b.size() ? b[i] : blank);
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

void print_walk(const ModelWalk& walk, std::size_t prompt) {
  fmt::print("{}  greedy  {}\n", text_of(walk.report), describe(walk.greedy, prompt));
  for (std::size_t i = 0; i < walk.upper_samples.size(); ++i)
    fmt::print("{}{}",
               side_by_side(fmt::format("[sample {}: {}]", i + 1, walk.report.upper),
                            fmt::format("[{}]", walk.report.lower)),
               side_by_side(walk.upper_samples[i], walk.lower_samples[i]));
}

Json json_of(const ModelWalk& walk) {
  return {{"report", to_json(walk.report)},
          {"tokens", walk.tokens},
          {"greedy",
           {{"identical", walk.greedy.identical()},
            {"same", walk.greedy.same()},
            {"upper", walk.greedy.upper},
            {"lower", walk.greedy.lower}}},
          {"samples", {{"upper", walk.upper_samples}, {"lower", walk.lower_samples}}}};
}

/// What one file came to.
struct Outcome {
  std::string first_difference;  ///< "" where there is none
  Json json;
};

void judge(const ParityReport& report, Outcome& outcome) {
  if (report.passed() || !outcome.first_difference.empty()) return;
  outcome.first_difference = verdict_of(report);
}

/// The upper side against PyTorch, which continues the same prompt and looks at the same tokens.
void add_pytorch(const std::string& file, const Side& upper, const SavedModel& saved, const ModelWalk& walk,
                 const WalkOptions& options, Outcome& outcome) {
  const PytorchAnswer text =
      ask_pytorch(model_file(file), saved.model, options.prompt, options.max_tokens, walk.tokens);
  const GreedyPair greedy{walk.greedy.upper, text.greedy};
  const ParityReport report = compare_with_pytorch(upper, saved, text, walk.tokens, greedy);
  fmt::print("{}  greedy  {}\n", text_of(report), describe(greedy, options.prompt.size()));
  outcome.json["pytorch"] = {{"report", to_json(report)}, {"greedy", text.greedy}};
  judge(report, outcome);
}

Outcome compare_file(const std::string& file, const CompareFlags& flags) {
  TwoPlaces places{};
  const SavedModel saved = load_weights(file, flags.shape, [&](const GptConfig& model) {
    places = places_of(flags, model);
    require_places(model, std::array{places.upper, places.lower});
  });
  require(flags.with.empty() || saved.model.architecture == Architecture::gpt2,
          "--with pytorch: {} holds a microGPT, the script knows GPT-2", file);
  for (const Place& place : {places.upper, places.lower}) require_holds(place, saved.parameters, file);
  const Side upper = side_of(places.upper), lower = side_of(places.lower);
  const WalkOptions options = walk_options(flags, saved);
  fmt::print("{}: {}\n", escaped_name(file), describe(saved.model));
  std::fflush(stdout);
  const ModelWalk walk = naming_weights(file, [&] { return walk_model(upper, lower, saved, options); });
  print_walk(walk, options.prompt.size());
  Outcome outcome{"", json_of(walk)};
  outcome.json["file"] = escaped_name(file);
  judge(walk.report, outcome);
  if (!flags.with.empty()) add_pytorch(file, upper, saved, walk, options, outcome);
  return outcome;
}

/// Before the first file's work: what the last one holds.
void require_readable(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    std::error_code ignored;
    const std::filesystem::path model = model_file(file);
    // A folder without one is told of by the reader, who knows all the names that it might have.
    if (model == file || std::filesystem::exists(model, ignored)) const SafetensorsFile readable(model);
  }
}

void run_compare(const CompareFlags& flags) {
  validate_flags(flags);
  std::vector<std::filesystem::path> inputs;
  for (const std::string& file : flags.files)
    for (std::filesystem::path& input : model_files(file)) inputs.push_back(std::move(input));
  require_outputs(inputs, {flags.json}, {});
  require_temporary_folder();
  if (!flags.with.empty()) require_pytorch();
  require_readable(flags.files);
  Json files = Json::array();
  std::string difference;
  for (const std::string& file : flags.files) {
    Outcome outcome = compare_file(file, flags);
    if (difference.empty() && !outcome.first_difference.empty())
      difference = fmt::format("{}: {}", file, outcome.first_difference);
    files.push_back(std::move(outcome.json));
  }
  Outputs outputs;
  outputs.write_json(flags.json, [&] { return Json{{"format", "ladder-compare/1"}, {"files", files}}; });
  outputs.finish(difference);
}

}  // namespace

void add_compare(CLI::App& app) {
  const auto flags = std::make_shared<CompareFlags>();
  add_texts(app, "files", flags->files,
            "checkpoints, safetensors files of ladder train, GPT-2's weights, or folders with one of them")
      .type("FILE ...")
      .required();
  add_shape_flags(app, flags->shape);
  add_number(app, "--from", flags->from, "the reference: a stage, in its widest type (default 1)");
  add_number(app, "--to", flags->to,
             "the stage under test (default: the highest that runs the model, unless it would be emulated)");
  add_choice(app, "--dtype", flags->dtype, dtype_names(), "what the stage under test computes in");
  add_device(app, flags->device);
  add_number(app, "--threads", flags->threads, "CPU threads (default 0: all cores)");
  add_choice(app, "--with", flags->with, {"pytorch"},
             "compare GPT-2 with another program as well, run by python3");
  const Flag prompt =
      add_text(app, "--prompt", flags->prompt, "text that both sides continue").type("TEXT").may_be_empty();
  add_numbers(app, "--tokens", flags->tokens, "the same as token numbers: 1,2,3").excludes(prompt);
  add_number(app, "--max-tokens", flags->max_tokens, "new tokens of each text (default 50)");
  add_number(app, "--samples", flags->samples, "texts to draw on each side (default 1)");
  add_number(app, "--temperature", flags->temperature, "of those texts (default 0.5, of GPT-2 0.8)");
  add_number(app, "--top-k", flags->top_k, "of those texts (default all, of GPT-2 200)");
  add_number(app, "--seed", flags->seed, "of those texts (default 42)");
  add_text(app, "--json", flags->json, "write everything as JSON").type("FILE");
  set_footer(
      app,
      "For each file: the residual stream block by block, logits and gradients over the greedy text, "
      "whether both sides write the same one, and samples side by side. Exit code 1 where they differ.");
  set_action(app, [flags] { run_compare(*flags); });
}

}  // namespace ladder::cli
