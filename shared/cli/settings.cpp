#include "shared/cli/settings.hpp"

#include <filesystem>
#include <type_traits>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/json.hpp"
#include "shared/cli/options.hpp"
#include "shared/model/config_json.hpp"
#include "shared/model/settings.hpp"

namespace ladder::cli {
namespace {

template <class Config>
void add_flags(CLI::App& app, Given<Config>& given, const std::set<std::string_view>* only) {
  visit_settings<Config>([&](const auto& row) {
    using Value = typename std::decay_t<decltype(row)>::Value;
    if constexpr (std::is_arithmetic_v<Value>) {
      if (row.flag[0] == '\0' || (only != nullptr && !only->contains(row.flag))) return;
      const auto take = [&given, row](Value value) {
        given.values.*row.member = value;
        given.flags.insert(row.flag);
      };
      if constexpr (std::is_same_v<Value, bool>)
        on_number<int>(
            app, row.flag,
            [take, row](int value) {
              require(value == 0 || value == 1, "{} is {}: it must be 1 (yes) or 0 (no)", row.flag, value);
              take(value == 1);
            },
            row.help);
      else
        on_number<Value>(app, row.flag, take, row.help);
    } else if constexpr (is_choice<Value>) {
      if (only != nullptr && !only->contains(row.flag)) return;
      std::vector<std::string> names(names_of_choice<Value>.begin(), names_of_choice<Value>.end());
      on_choice(
          app, row.flag, names,
          [&given, row](const std::string& name) {
            given.values.*row.member = parse_choice<Value>(name, row.flag);
            given.flags.insert(row.flag);
          },
          row.help);
    }
  });
}

/// Judges each value by itself, so that a 0 that was given is not taken for one that was left out.
template <class Config>
void apply(const Given<Config>& given, Config& config) {
  visit_settings<Config>([&](const auto& row) {
    if (!given.flags.contains(row.flag)) return;
    row.require_valid(given.values.*row.member);
    config.*row.member = given.values.*row.member;
  });
}

/// A microGPT has nothing of GPT-2's: of a preset it falls away, what was given is refused, even with the value that
/// stands for nothing.
void leave_out_gpt2(const Given<GptConfig>& given, GptConfig& model) {
  if (model.architecture == Architecture::gpt2) return;
  for (const char* flag : {"--bias", "--gelu", "--dropout"})
    require(!given.flags.contains(flag), "{} is GPT-2's: add --model gpt2, or leave it out", flag);
  const GptConfig plain;
  model.bias = plain.bias;
  model.gelu = plain.gelu;
  model.dropout = plain.dropout;
}

void apply(const RunFlags& flags, RunSettings& settings) {
  apply(flags.model, settings.model);
  apply(flags.train, settings.train);
  if (!flags.data.empty()) settings.data.path = flags.data;
}

/// As it stands behind a flag.
std::string text_of(const Json& value) {
  if (value.kind() == Json::Kind::boolean) return value.get<bool>() ? "1" : "0";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// The first setting in which two runs differ, as an error.
template <class Config>
void require_equal_settings(const Config& asked, const Config& saved) {
  const Json all = to_json(asked), kept = to_json(saved);
  visit_settings<Config>([&](const auto& row) {
    const Json &value = all.at(row.name), &other = kept.at(row.name);
    require(value == other,
            "--resume: {} {} was asked for, but the checkpoint was made with {}: leave it out",
            row.name == std::string_view("dtype") ? "--dtype" : row.flag_or_help(), text_of(value),
            text_of(other));
  });
}

/// "lr 0.01 falling to 0 over 1000 steps"; "lr 0.001 falling to 0.0001 by a cosine over 5000 steps, the first 100 rising".
std::string rate_words(const TrainConfig& train) {
  std::string words = fmt::format("lr {}", train.learning_rate);
  if (train.schedule != Schedule::constant)
    words += fmt::format(" falling to {}{} over {} steps", train.min_learning_rate,
                         train.schedule == Schedule::cosine ? " by a cosine" : "", train.decay_steps());
  if (train.warmup_steps > 0) words += fmt::format(", the first {} rising", train.warmup_steps);
  return words;
}

/// "GPT-2, GELU by erf, without biases, dropout 0.2: "; nothing of a microGPT, which has no choices.
std::string gpt2_words(const GptConfig& model) {
  if (model.architecture != Architecture::gpt2) return "";
  return fmt::format("GPT-2, GELU by {}, {} biases, {}: ", name_of(model.gelu),
                     model.bias ? "with" : "without",
                     model.dropout > 0.0 ? fmt::format("dropout {}", model.dropout) : "no dropout");
}

}  // namespace

void add_place_flags(CLI::App& app, PlaceFlags& flags) {
  add_number(app, "--stage", flags.stage,
             "0 scalar autograd, 1 CPU tensors, ... (default 1; ladder info lists them)");
  add_choice(app, "--dtype", flags.dtype, dtype_names(),
             "what to compute in (default fp64 at stage 0, else fp32)");
  add_device(app, flags.device);
  add_number(app, "--threads", flags.threads, "CPU threads (default 0: all cores)");
}

void require_threads(int threads) {
  require(threads >= 0 && threads <= 4096, "--threads is {}: it must be from 0 to 4096", threads);
}

void require_rounds(int rounds) {
  require(rounds > 0 && rounds <= 10000, "--rounds is {}: it must be from 1 to 10000", rounds);
}

Place resolve_place(const PlaceFlags& flags) {
  Place place{flags.stage.value_or(1), {}};
  const StageInfo& stage = find_stage(place.stage);
  require_threads(flags.threads);
  place.options.dtype = flags.dtype.empty() ? stage.dtypes.front() : parse_dtype(flags.dtype);
  place.options.threads = flags.threads;
  place.options.device = flags.device;
  return place;
}

std::string place_words(const std::string& dtype, Device device, int threads) {
  std::string words;
  if (!dtype.empty()) words += " --dtype " + dtype;
  if (device != Device::automatic) words += fmt::format(" --device {}", name_of(device));
  if (threads != 0) words += fmt::format(" --threads {}", threads);
  return words;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.push_back(preset.name);
  return names;
}

std::vector<std::string> dtype_names() {
  std::vector<std::string> names;
  for (Dtype dtype : kAllDtypes) names.emplace_back(name_of(dtype));
  return names;
}

std::string data_name(const std::string& data) {
  const std::filesystem::path path(data);
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

DataOptions without_folder(DataOptions data) {
  if (!data.path.empty()) data.path = data_name(data.path);
  return data;
}

void add_data_flag(CLI::App& app, std::string& path) {
  add_text(app, "--data", path,
           "a text, or token files: train.bin or its folder (default: the preset's embedded text: names, or "
           "the program's own source)")
      .type("FILE");
}

void add_run_flags(CLI::App& app, RunFlags& flags) {
  add_choice(app, "--preset", flags.preset, preset_names(), "where all settings start from (default micro)");
  add_data_flag(app, flags.data);
  add_flags(app, flags.model, nullptr);
  add_flags(app, flags.train, nullptr);
}

void add_setting_flags(CLI::App& app, RunFlags& flags, const std::set<std::string_view>& only) {
  add_flags(app, flags.model, &only);
  add_flags(app, flags.train, &only);
}

void add_setting_flags(CLI::App& app, Given<GptConfig>& model, const std::set<std::string_view>& only) {
  add_flags(app, model, &only);
}

template <class Config>
std::string Given<Config>::words() const {
  std::string words;
  visit_settings<Config>([&](const auto& row) {
    if (!flags.contains(row.flag)) return;
    using Value = typename std::decay_t<decltype(row)>::Value;
    const Value& value = values.*row.member;
    if constexpr (std::is_same_v<Value, bool>)
      words += fmt::format(" {} {}", row.flag, value ? 1 : 0);
    else if constexpr (std::is_arithmetic_v<Value>)
      words += fmt::format(" {} {}", row.flag, value);
    else if constexpr (is_choice<Value>)
      words += fmt::format(" {} {}", row.flag, name_of(value));
  });
  return words;
}

template struct Given<GptConfig>;
template struct Given<TrainConfig>;

std::string RunFlags::words() const {
  const std::string words = model.words() + train.words();
  return data.empty() ? words : words + " --data " + shell_word(data_name(data));
}

RunSettings resolve_run(const RunFlags& flags) {
  const Preset& preset = find_preset(flags.preset.empty() ? "micro" : flags.preset);
  RunSettings settings{
      preset.name, preset.model, preset.train, {"", preset.character_stream, preset.embedded}};
  apply(flags, settings);
  leave_out_gpt2(flags.model, settings.model);
  // A preset's warm-up is for its own length of run: of a shorter one it is a tenth.
  if (TrainConfig& train = settings.train;
      !flags.train.flags.contains("--warmup-steps") && train.warmup_steps > train.decay_steps())
    train.warmup_steps = train.decay_steps() / 10;
  return settings;
}

RunSettings resume_run(const RunFlags& flags, const PlaceFlags& place, const Checkpoint& checkpoint) {
  const RunSettings saved{"", checkpoint.model, checkpoint.train, checkpoint.data};
  RunSettings asked = flags.preset.empty() ? saved : resolve_run(flags);
  apply(flags, asked);
  asked.model.vocab_size = saved.model.vocab_size;
  asked.data.embedded = saved.data.embedded;  // of an earlier program the names, whatever the preset has now
  asked.train.dtype = place.dtype.empty() ? saved.train.dtype : parse_dtype(place.dtype);
  require(place.stage.value_or(checkpoint.stage) == checkpoint.stage,
          "--resume: stage {} was asked for, but the checkpoint was made by stage {}: leave it out",
          place.stage.value_or(0), checkpoint.stage);
  require(asked.data.character_stream == saved.data.character_stream,
          "--resume: the preset trains on another kind of data than the checkpoint: leave it out");
  require_equal_settings(asked.model, saved.model);
  require_equal_settings(asked.train, saved.train);
  return asked;
}

std::string describe(const Place& place) {
  return fmt::format("{} ({}), {}", place.stage, find_stage(place.stage).name, name_of(place.options.dtype));
}

std::string describe(const GptConfig& model) {
  const std::string kv =
      model.kv_heads() == model.n_head ? "" : fmt::format(" over {} key/value heads", model.kv_heads());
  return fmt::format("{}{} layer{}, width {}, {} head{}{}, {} positions, {} tokens: {} parameters",
                     gpt2_words(model), model.n_layer, model.n_layer == 1 ? "" : "s", model.n_embd,
                     model.n_head, model.n_head == 1 ? "" : "s", kv, model.block_size, model.vocab_size,
                     parameter_count(model));
}

std::string describe(const TrainConfig& train) {
  const std::string accumulated =
      train.grad_accum == 1 ? "" : fmt::format(" x {} micro-batches", train.grad_accum);
  std::string text = fmt::format("{} steps of {} sequence{}{}, {}, betas {} {}, eps {}, seed {}", train.steps,
                                 train.batch_size, train.batch_size == 1 ? "" : "s", accumulated,
                                 rate_words(train), train.beta1, train.beta2, train.eps, train.seed);
  visit_settings<TrainConfig>([&](const auto& row) {
    if constexpr (std::is_arithmetic_v<typename std::decay_t<decltype(row)>::Value>)
      if (train.*row.member != TrainConfig{}.*row.member)
        text += fmt::format(fmt::runtime(row.described), train.*row.member);
  });
  return text;
}

}  // namespace ladder::cli
