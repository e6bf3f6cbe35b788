#include "shared/cli/settings.hpp"

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"
#include "shared/cli/options.hpp"
#include "shared/model/config_json.hpp"

namespace ladder::cli {
namespace {

std::vector<std::string> dtype_names() {
  std::vector<std::string> names;
  for (Dtype dtype : kAllDtypes) names.emplace_back(name_of(dtype));
  return names;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.push_back(preset.name);
  return names;
}

template <class T>
void override_with(T& value, const std::optional<T>& flag) {
  if (flag) value = *flag;
}

void apply(const RunFlags& flags, RunSettings& settings) {
  require(!flags.n_kv_head || *flags.n_kv_head > 0, "--n-kv-head is {}: it must be 1 or more",
          flags.n_kv_head.value_or(0));
  override_with(settings.model.n_layer, flags.n_layer);
  override_with(settings.model.n_embd, flags.n_embd);
  override_with(settings.model.n_head, flags.n_head);
  override_with(settings.model.n_kv_head, flags.n_kv_head);
  override_with(settings.model.block_size, flags.block_size);
  override_with(settings.train.batch_size, flags.batch_size);
  override_with(settings.train.grad_accum, flags.grad_accum);
  override_with(settings.train.steps, flags.steps);
  override_with(settings.train.schedule_steps, flags.schedule_steps);
  override_with(settings.train.seed, flags.seed);
  override_with(settings.train.learning_rate, flags.learning_rate);
  override_with(settings.train.beta1, flags.beta1);
  override_with(settings.train.beta2, flags.beta2);
  override_with(settings.train.eps, flags.eps);
  if (!flags.data.empty()) settings.data.path = flags.data;
}

/// The first setting in which two runs differ, as an error.
void require_equal_settings(const Json& asked, const Json& saved) {
  for (const auto& [name, value] : saved.items())
    require(asked.at(name) == value,
            "--resume: {} {} was asked for, but the checkpoint was made with {}: leave it out", name,
            asked.at(name).dump(), value.dump());
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

Place resolve_place(const PlaceFlags& flags) {
  Place place{flags.stage.value_or(1), {}};
  const StageInfo& stage = find_stage(place.stage);
  require(flags.threads >= 0 && flags.threads <= 4096, "--threads is {}: it must be from 0 to 4096",
          flags.threads);
  place.options.dtype = flags.dtype.empty() ? stage.dtypes.front() : parse_dtype(flags.dtype);
  place.options.threads = flags.threads;
  place.options.device = flags.device;
  return place;
}

void add_run_flags(CLI::App& app, RunFlags& flags) {
  add_choice(app, "--preset", flags.preset, preset_names(), "where all settings start from (default micro)");
  add_text(app, "--data", flags.data, "text file to train on (default: the embedded names)").type("FILE");
  add_number(app, "--n-layer", flags.n_layer, "layers");
  add_number(app, "--n-embd", flags.n_embd, "width of the residual stream");
  add_number(app, "--n-head", flags.n_head, "attention heads; divides the width");
  add_number(app, "--n-kv-head", flags.n_kv_head,
             "key/value heads, stage 1 and up; divides the heads (default: equal)");
  add_number(app, "--block-size", flags.block_size, "positions the model sees");
  add_number(app, "--steps", flags.steps, "training steps");
  add_number(app, "--schedule-steps", flags.schedule_steps,
             "length of the learning rate's fall to 0 (default: steps)");
  add_number(app, "--batch-size", flags.batch_size, "sequences in a micro-batch");
  add_number(app, "--grad-accum", flags.grad_accum, "micro-batches in a step");
  add_number(app, "--lr", flags.learning_rate, "learning rate of step 0");
  add_number(app, "--beta1", flags.beta1, "Adam's decay of the mean gradient");
  add_number(app, "--beta2", flags.beta2, "Adam's decay of the mean squared gradient");
  add_number(app, "--eps", flags.eps, "Adam's epsilon");
  add_number(app, "--seed", flags.seed, "0 to 4294967295, as random.seed of the original");
}

RunSettings resolve_run(const RunFlags& flags) {
  const Preset& preset = find_preset(flags.preset.empty() ? "micro" : flags.preset);
  RunSettings settings{preset.name, preset.model, preset.train, {"", preset.character_stream}};
  apply(flags, settings);
  return settings;
}

RunSettings resume_run(const RunFlags& flags, const PlaceFlags& place, const Checkpoint& checkpoint) {
  const RunSettings saved{"", checkpoint.model, checkpoint.train, checkpoint.data};
  RunSettings asked = flags.preset.empty() ? saved : resolve_run(flags);
  apply(flags, asked);
  asked.model.vocab_size = saved.model.vocab_size;
  asked.train.dtype = place.dtype.empty() ? saved.train.dtype : parse_dtype(place.dtype);
  require(place.stage.value_or(checkpoint.stage) == checkpoint.stage,
          "--resume: stage {} was asked for, but the checkpoint was made by stage {}: leave it out",
          place.stage.value_or(0), checkpoint.stage);
  require(asked.data.character_stream == saved.data.character_stream,
          "--resume: the preset trains on another kind of data than the checkpoint: leave it out");
  require_equal_settings(to_json(asked.model), to_json(saved.model));
  require_equal_settings(to_json(asked.train), to_json(saved.train));
  return asked;
}

std::string describe(const Place& place) {
  return fmt::format("{} ({}), {}", place.stage, find_stage(place.stage).name, name_of(place.options.dtype));
}

std::string describe(const GptConfig& model) {
  const std::string kv =
      model.kv_heads() == model.n_head ? "" : fmt::format(" over {} key/value heads", model.kv_heads());
  return fmt::format("{} layer{}, width {}, {} head{}{}, {} positions, {} tokens: {} parameters",
                     model.n_layer, model.n_layer == 1 ? "" : "s", model.n_embd, model.n_head,
                     model.n_head == 1 ? "" : "s", kv, model.block_size, model.vocab_size,
                     parameter_count(model));
}

std::string describe(const TrainConfig& train) {
  const std::string accumulated =
      train.grad_accum == 1 ? "" : fmt::format(" x {} micro-batches", train.grad_accum);
  return fmt::format(
      "{} steps of {} sequence{}{}, lr {} falling to 0 over {} steps, betas {} {}, eps {}, seed {}",
      train.steps, train.batch_size, train.batch_size == 1 ? "" : "s", accumulated, train.learning_rate,
      train.decay_steps(), train.beta1, train.beta2, train.eps, train.seed);
}

}  // namespace ladder::cli
