#include "shared/cli/train_session.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/weights.hpp"
#include "shared/data/token_files.hpp"
#include "shared/records/records.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/engine_memory.hpp"
#include "shared/train/train.hpp"

namespace ladder::cli {
namespace {

namespace fs = std::filesystem;

void require_fresh_folder(const std::string& folder) {
  std::error_code ignored;
  require(
      !fs::exists(checkpoint_file(folder), ignored),
      "--checkpoint {}: it already holds a checkpoint: add --resume to continue it, or name another folder",
      folder);
}

TensorList load_initial_weights(const std::string& path, const Run& run, const Place& place) {
  SavedModel saved = load_model(path);
  require(*saved.tokenizer == run.source->tokenizer(),
          "--init-weights {}: its tokenizer is not the one of the data", path);
  require(saved.model == run.model, "--init-weights {}: it holds another model ({})", path,
          describe(saved.model));
  require_holds(place, saved.parameters, path);
  return std::move(saved.parameters);
}

/// The variant that --variant or its own switch asks for; empty: none.
std::string asked_variant(const TrainFlags& flags) {
  std::string asked;
  for (const auto& [name, is_on] : flags.variant_switches) {
    if (!is_on && flags.variant != name) continue;
    require(asked.empty(), "--{} and --{} exclude each other", name, asked);
    asked = name;
  }
  return asked;
}

/// The checkpoint's variant. A file from before checkpoints kept it does not say: there the flags do.
std::string resumed_variant(const TrainFlags& flags, const Checkpoint& checkpoint) {
  const std::string asked = asked_variant(flags);
  std::string kept = checkpoint.variant.value_or(asked);
  require(asked.empty() || asked == kept,
          "--resume: --{} was asked for, but the checkpoint was made with{}: leave it out", asked,
          kept.empty() ? "out it" : " --" + shown(kept, 40).str());
  return kept;
}

/// What the run needs, known before anything large is taken.
void plan_engine(Session& session) {
  const TrainConfig& train = session.run.train;
  session.place.options.max_batch = train.batch_size;
  session.place.options.grad_accum = train.grad_accum;
  session.place.options.clips = train.clip > 0.0;
  session.needs = engine_needs(session.place.stage, session.run.model, session.place.options);
}

Session start_fresh(const TrainFlags& flags) {
  if (!flags.checkpoint.empty()) require_fresh_folder(flags.checkpoint);
  Session session;
  session.place = resolve_place(flags.place);
  RunSettings settings = resolve_run(flags.run);
  settings.train.dtype = session.place.options.dtype;
  session.place.options.variant = asked_variant(flags);
  session.preset = settings.preset;
  session.run = prepare_data(settings.model, settings.train, settings.data);
  plan_engine(session);
  if (!flags.init_weights.empty())
    session.weights = load_initial_weights(flags.init_weights, session.run, session.place);
  return session;
}

Session start_resumed(const TrainFlags& flags) {
  require(!flags.checkpoint.empty(), "--resume needs --checkpoint DIR: the folder of the run to continue");
  require(flags.init_weights.empty(), "--resume and --init-weights exclude each other");
  Checkpoint checkpoint = load_checkpoint(flags.checkpoint);
  const RunSettings settings = resume_run(flags.run, flags.place, checkpoint);
  Session session;
  PlaceFlags place = flags.place;
  place.stage = checkpoint.stage;
  place.dtype = name_of(checkpoint.train.dtype);
  session.place =
      naming_source(checkpoint_file(flags.checkpoint).string(), [&] { return resolve_place(place); });
  session.place.options.variant = resumed_variant(flags, checkpoint);
  session.run = prepare_data(settings.model, settings.train, settings.data);
  require_same_data(checkpoint, session.run, flags.checkpoint);
  session.run.random = Random(checkpoint.random);
  plan_engine(session);
  session.weights = std::move(checkpoint.parameters);
  session.moments = std::move(checkpoint.moments);
  session.earlier = std::move(checkpoint.history);
  return session;
}

/// Neither what the run reads nor another of its outputs may be replaced by an output, and each can be written.
void require_own_outputs(const Session& session, const TrainFlags& flags) {
  std::vector<fs::path> inputs = data_files(session.run.data.path);
  if (!flags.init_weights.empty())
    for (fs::path& file : model_files(flags.init_weights)) inputs.push_back(std::move(file));
  std::vector<std::string> outputs = {flags.trace, flags.json, flags.save_weights};
  if (!flags.checkpoint.empty()) {
    require_writable_folder(flags.checkpoint);
    outputs.insert(outputs.end(), {checkpoint_file(flags.checkpoint), best_file(flags.checkpoint)});
  }
  require_outputs(inputs, outputs, recorded(flags.record, {"run-" + flags.name}), flags.json_lines);
}

/// What to do where the run does not fit: its engine, and `beside` that.
std::string cure(const Session& session, std::size_t beside) {
  if (session.needs.plan.total() + beside <= session.needs.available) return kSmaller;
  const std::size_t left = session.needs.available > beside ? session.needs.available - beside : 0;
  const int fits = largest_batch(session.place.stage, session.run.model, session.place.options, left);
  if (fits == 0 || fits >= session.run.train.batch_size) return kSmaller;
  return fmt::format("--batch-size {} fits, with --grad-accum for more sequences a step", fits);
}

}  // namespace

Session start(const TrainFlags& flags) {
  require_samples(flags.samples.value_or(0), 0, "--samples");
  require(flags.checkpoint_every.value_or(1) > 0, "--checkpoint-every is {}: it must be 1 or more",
          flags.checkpoint_every.value_or(1));
  require(!flags.checkpoint_every || !flags.checkpoint.empty(), "--checkpoint-every needs --checkpoint DIR");
  SampleOptions sampling;
  sampling.temperature = flags.temperature.value_or(sampling.temperature);
  validate(sampling);
  std::error_code ignored;
  std::unique_ptr<FolderLock> lock;  // before a checkpoint is read that its run may still replace
  if (flags.resume && fs::is_directory(flags.checkpoint, ignored))
    lock = std::make_unique<FolderLock>(flags.checkpoint);
  Session session = flags.resume ? start_resumed(flags) : start_fresh(flags);
  require_held_out(*session.run.source, session.run.train);
  session.sampling = default_sampling(session.run.model);
  if (flags.temperature) session.sampling.temperature = *flags.temperature;
  const bool stream = session.run.data.character_stream;
  session.samples = flags.samples.value_or(stream ? 0 : 5);
  const std::int64_t tenth = std::max<std::int64_t>(1, session.run.train.steps / 10);
  session.checkpoint_every = flags.checkpoint.empty() ? 0 : flags.checkpoint_every.value_or(tenth);
  if (!flags.checkpoint.empty()) session.new_folder = std::make_unique<NewFolder>(flags.checkpoint);
  require_own_outputs(session, flags);
  if (!flags.checkpoint.empty() && !lock) lock = std::make_unique<FolderLock>(flags.checkpoint);
  session.lock = std::move(lock);
  return session;
}

void require_memory(const Session& session) {
  const Run& run = session.run;
  const std::size_t each = size_of(Precision::of(run.train.dtype).master);
  const std::size_t drawn = session.moments.m.empty() ? parameter_count(run.model) * each : 0;
  const std::size_t batches = session.needs.host_batches
                                  ? 0
                                  : step_batches_bytes(run.model, run.train.batch_size, run.train.grad_accum);
  const std::size_t beside = std::max(drawn, batches);
  require_room(std::span(&session.needs, 1), beside, "this run",
               cure(session, session.needs.on_host ? beside : 0));
}

void take_engine(Session& session) {
  session.engine = make_engine(session.place.stage, session.run.model, session.place.options);
  if (session.moments.m.empty()) {  // drawn for the generator's sake where a file has them
    draw_initial(session.run, Precision::of(session.run.train.dtype).master);
    if (session.weights.empty()) session.weights = std::move(session.run.initial);
    session.run.initial = {};
  }
  session.engine->load_parameters(session.weights);
  if (!session.moments.m.empty()) session.engine->load_moments(session.moments);
  session.weights = {};  // copies that nothing reads again
  session.moments = {};
}

}  // namespace ladder::cli
