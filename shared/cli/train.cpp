// ladder train: one training run on one stage.
#include "shared/train/train.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/hash.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/interrupt.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/progress.hpp"
#include "shared/cli/settings.hpp"
#include "shared/model/config_json.hpp"
#include "shared/records/machine.hpp"
#include "shared/records/run_trace.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/sample.hpp"
#include "stage3_tiled_kernels/one_launch/train.hpp"

namespace ladder::cli {
namespace {

namespace fs = std::filesystem;

struct TrainFlags {
  PlaceFlags place;
  RunFlags run;
  std::optional<int> samples;
  SampleOptions sampling;
  std::string trace, json, checkpoint, save_weights, init_weights;
  std::optional<std::int64_t> checkpoint_every;
  bool resume = false, one_launch = false, fused_step = false;
};

/// A run that is ready for its first step.
struct Session {
  Place place;
  std::string preset;
  Run run;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<OneLaunch> one_launch;  ///< trains instead of the engine, where asked for
  std::vector<double> earlier_loss;
  std::int64_t checkpoint_every = 0;  ///< 0: none
  int samples = 0;
};

// ---- before the first step -----------------------------------------------------------------------------------

void require_fresh_folder(const std::string& folder) {
  std::error_code ignored;
  require(
      !fs::exists(checkpoint_file(folder), ignored),
      "--checkpoint {}: it already holds a checkpoint: add --resume to continue it, or name another folder",
      folder);
}

/// All outputs are proven writable now, so that no finished work is lost for want of a place to put it. The folder is
/// first, because the files may lie in it; where they cannot be written, it goes again if it was not there before.
void require_writable_outputs(const TrainFlags& flags) {
  std::error_code ignored;
  const bool new_folder = !flags.checkpoint.empty() && !fs::exists(flags.checkpoint, ignored);
  if (!flags.checkpoint.empty()) require_writable_folder(flags.checkpoint);
  try {
    for (const std::string& file : {flags.trace, flags.json, flags.save_weights}) require_writable_file(file);
  } catch (const InputError&) {
    if (new_folder) fs::remove(flags.checkpoint, ignored);
    throw;
  }
}

void load_initial_weights(const std::string& path, Run& run) {
  Weights weights = load_weights(path);
  require(weights.tokenizer == run.source->tokenizer(),
          "--init-weights {}: its characters are not those of the data", path);
  require(weights.model == run.model, "--init-weights {}: it holds another model ({})", path,
          describe(weights.model));
  run.initial = std::move(weights.parameters);
}

Session start_fresh(const TrainFlags& flags) {
  if (!flags.checkpoint.empty()) require_fresh_folder(flags.checkpoint);
  Session session;
  session.place = resolve_place(flags.place);
  RunSettings settings = resolve_run(flags.run);
  settings.train.dtype = session.place.options.dtype;
  session.place.options.max_batch = settings.train.batch_size;
  session.place.options.fused_step = flags.fused_step;
  session.preset = settings.preset;
  session.run = prepare_run(settings.model, settings.train, settings.data);
  if (!flags.init_weights.empty()) load_initial_weights(flags.init_weights, session.run);
  session.engine = make_engine(session.place.stage, session.run.model, session.place.options);
  session.engine->load_parameters(session.run.initial);
  return session;
}

Session start_resumed(const TrainFlags& flags) {
  require(!flags.checkpoint.empty(), "--resume needs --checkpoint DIR: the folder of the run to continue");
  require(flags.init_weights.empty(), "--resume and --init-weights exclude each other");
  const Checkpoint checkpoint = load_checkpoint(flags.checkpoint);
  const RunSettings settings = resume_run(flags.run, flags.place, checkpoint);
  Session session;
  PlaceFlags place = flags.place;
  place.stage = checkpoint.stage;
  place.dtype = name_of(checkpoint.train.dtype);
  session.place = resolve_place(place);
  session.place.options.max_batch = settings.train.batch_size;
  session.place.options.fused_step = flags.fused_step;
  session.run = prepare_run(settings.model, settings.train, settings.data);
  require_same_data(checkpoint, session.run, flags.checkpoint);
  session.run.random = Random(checkpoint.random);
  session.engine = make_engine(session.place.stage, session.run.model, session.place.options);
  session.engine->load_parameters(checkpoint.parameters);
  session.engine->load_moments(checkpoint.moments);
  session.earlier_loss = checkpoint.loss;
  return session;
}

void prepare_one_launch(Session& session) {
  const EngineOptions& options = session.place.options;
  require(session.place.stage == 3, "--one-launch is stage 3's: add --stage 3, or leave it out");
  require_one_launch(session.run.model, session.run.train, options.dtype);
  session.one_launch = make_one_launch(session.run.model, {options.dtype, options.device, options.threads});
}

Session start(const TrainFlags& flags) {
  validate(flags.sampling);
  require(flags.samples.value_or(0) >= 0, "--samples is {}: it must be 0 or more", flags.samples.value_or(0));
  require(flags.checkpoint_every.value_or(1) > 0, "--checkpoint-every is {}: it must be 1 or more",
          flags.checkpoint_every.value_or(1));
  require(!flags.checkpoint_every || !flags.checkpoint.empty(), "--checkpoint-every needs --checkpoint DIR");
  require(!flags.one_launch || !flags.fused_step, "--one-launch and --fused-step exclude each other");
  Session session = flags.resume ? start_resumed(flags) : start_fresh(flags);
  if (flags.one_launch) prepare_one_launch(session);
  const bool stream = session.run.data.character_stream;
  session.samples = flags.samples.value_or(stream ? 0 : 5);
  const std::int64_t tenth = std::max<std::int64_t>(1, session.run.train.steps / 10);
  session.checkpoint_every = flags.checkpoint.empty() ? 0 : flags.checkpoint_every.value_or(tenth);
  require_writable_outputs(flags);
  return session;
}

void print_configuration(const Session& session, const TrainFlags& flags) {
  const Run& run = session.run;
  const std::string name = run.data.path.empty() ? "embedded names" : run.data.path;
  fmt::print("stage     {}{}\n", describe(session.place),
             session.engine->emulated() ? ", emulated on the CPU" : "");
  fmt::print("preset    {}\n", session.preset.empty() ? "that of the checkpoint" : session.preset);
  fmt::print("model     {}\n", describe(run.model));
  fmt::print("training  {}\n", describe(run.train));
  fmt::print("data      {}: {}\n", name, run.source->describe());
  fmt::print("tokens    step 0 has hash {}\n", hex64(run.source->token_hash()));
  if (session.place.options.fused_step) fmt::print("launches  two a step: a block a document, then Adam\n");
  if (session.one_launch)
    fmt::print("launches  one block trains up to {} steps in one launch{}\n", kStepsPerLaunch,
               session.checkpoint_every > 0 ? ", cut where a checkpoint is due" : "");
  if (session.checkpoint_every > 0)
    fmt::print("saves     every {} steps to {}\n", session.checkpoint_every,
               checkpoint_file(flags.checkpoint).string());
  if (flags.resume) fmt::print("resumes   after step {}\n", session.earlier_loss.size());
  std::fflush(stdout);
  if (!run.source->notice().empty()) fmt::print(stderr, "ladder: notice: {}\n", run.source->notice());
}

// ---- during and after ----------------------------------------------------------------------------------------

void save(const Session& session, const fs::path& folder, const std::vector<double>& loss) {
  save_checkpoint(folder, make_checkpoint(session.place.stage, session.run, *session.engine, loss));
}

TrainResult run_steps(Session& session, const TrainFlags& flags, const InterruptGuard& interrupt) {
  Progress progress(static_cast<std::int64_t>(session.earlier_loss.size()), session.run.train.steps);
  TrainHooks hooks;
  hooks.on_step = [&](std::int64_t done, double loss, double ms) { progress.step(done, loss, ms); };
  hooks.should_stop = [&] { return interrupt.requested(); };
  if (session.checkpoint_every > 0)
    hooks.after_step = [&](const TrainResult& so_far) {
      const bool last = so_far.steps_done() == session.run.train.steps;
      if (last || so_far.steps_done() % session.checkpoint_every != 0) return;
      try {
        save(session, flags.checkpoint, so_far.loss);
      } catch (const MachineError& error) {  // a disk that is full for a moment must not end a long run
        fmt::print(stderr, "ladder: notice: no checkpoint after step {}: {}\n", so_far.steps_done(),
                   error.what());
      }
    };
  const Run& run = session.run;
  TrainResult result = session.one_launch
                           ? train_one_launch(*session.one_launch, *session.engine, *run.source, run.train,
                                              session.checkpoint_every, hooks, session.earlier_loss)
                           : train(*session.engine, *run.source, run.train, hooks, session.earlier_loss);
  progress.finish();
  return result;
}

/// A folder for a run that was interrupted without --checkpoint: the first free one of ./ladder-interrupted,
/// ./ladder-interrupted-2, ...
fs::path free_interrupt_folder() {
  fs::path folder = "ladder-interrupted";
  for (int number = 2; fs::exists(folder); ++number) folder = fmt::format("ladder-interrupted-{}", number);
  return folder;
}

[[noreturn]] void end_interrupted(const Session& session, const TrainFlags& flags, const TrainResult& result,
                                  const InterruptGuard& interrupt) {
  const fs::path folder = flags.checkpoint.empty() ? free_interrupt_folder() : fs::path(flags.checkpoint);
  require_writable_folder(folder);
  save(session, folder, result.loss);
  fmt::print("stopped after step {}, saved to {}\ncontinue with: ladder train --checkpoint {} --resume{}\n",
             result.steps_done(), checkpoint_file(folder).string(), folder.string(),
             flags.one_launch   ? " --one-launch"
             : flags.fused_step ? " --fused-step"
                                : "");
  interrupt.end_by_signal();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void print_summary(Session& session, const TrainResult& result) {
  const std::size_t tail = std::min<std::size_t>(result.loss.size(), 50);
  double sum = 0.0;
  for (std::size_t i = result.loss.size() - tail; i < result.loss.size(); ++i) sum += result.loss[i];
  if (tail > 0)
    fmt::print("loss      {:.4f}, mean of the last {} steps\n", sum / static_cast<double>(tail), tail);
  if (!result.ms.empty())
    fmt::print("time      {:.3g} ms a step, median of {}\n", median(result.ms), result.ms.size());
  if (const auto* stream = dynamic_cast<const StreamSource*>(session.run.source.get()))
    fmt::print("held out  {:.4f}\n",
               held_out_loss(*session.engine, *stream, 16, session.run.train.batch_size));
  for (std::size_t i = 0; i < result.samples.size(); ++i)
    fmt::print("sample {:2}: {}\n", i + 1, result.samples[i]);
}

Json configuration_json(const Session& session) {
  const Run& run = session.run;
  Json json = to_json(run.model);
  json.update(to_json(run.train));
  json["stage"] = session.place.stage;
  json["preset"] = session.preset;
  json["data"] = run.data.path.empty() ? "embedded names" : fs::path(run.data.path).filename().string();
  json["parameters"] = parameter_count(run.model);
  json["token_hash"] = hex64(run.source->token_hash());
  json["emulated"] = session.engine->emulated();
  json["kernels"] = session.engine->kernels_launched();
  if (session.one_launch) json["one_launch"] = session.one_launch->kernels_launched();
  return json;
}

void write_reports(const Session& session, const TrainFlags& flags, const TrainResult& result) {
  if (flags.trace.empty() && flags.json.empty()) return;
  Json machine = to_json(this_machine(session.place.options.device));
  machine["build"] = to_json(this_build());
  Json config = configuration_json(session);
  config["temperature"] = flags.sampling.temperature;
  if (!flags.trace.empty())
    write_trace(flags.trace, {config, machine, result.loss, result.ms, result.samples, Json::array()});
  if (flags.json.empty()) return;
  Json summary = {
      {"config", config}, {"machine", machine}, {"steps", result.loss.size()}, {"samples", result.samples}};
  if (!result.loss.empty())
    summary["first_loss"] = result.loss.front(), summary["last_loss"] = result.loss.back();
  if (!result.ms.empty()) summary["median_ms"] = median(result.ms);
  write_file(flags.json, sorted(std::move(summary)).dump(1) + "\n");
}

void run_train(const TrainFlags& flags) {
  const InterruptGuard interrupt;
  Session session = start(flags);
  print_configuration(session, flags);
  TrainResult result = run_steps(session, flags, interrupt);
  if (result.stopped) end_interrupted(session, flags, result, interrupt);
  if (session.checkpoint_every > 0) save(session, flags.checkpoint, result.loss);
  const Tokenizer& tokenizer = session.run.source->tokenizer();
  if (!flags.save_weights.empty())
    save_weights(flags.save_weights, {session.run.model, tokenizer, session.engine->parameters()},
                 Precision::of(session.place.options.dtype).master);
  result.samples =
      sample_texts(*session.engine, tokenizer, session.samples, flags.sampling, session.run.random);
  print_summary(session, result);
  write_reports(session, flags, result);
}

}  // namespace

void add_train(CLI::App& app) {
  const auto flags = std::make_shared<TrainFlags>();
  add_place_flags(app, flags->place);
  add_run_flags(app, flags->run);
  add_number(app, "--samples", flags->samples,
             "texts to generate after training (default 5; 0 for character streams)");
  add_number(app, "--temperature", flags->sampling.temperature, "of those texts (default 0.5)");
  add_text(app, "--trace", flags->trace, "write a ladder-trace/1 file: losses, times, samples").type("FILE");
  add_text(app, "--json", flags->json, "write a summary as JSON").type("FILE");
  add_text(app, "--save-weights", flags->save_weights, "write the trained weights as safetensors")
      .type("FILE");
  add_text(app, "--init-weights", flags->init_weights, "start from these weights").type("FILE");
  add_text(app, "--checkpoint", flags->checkpoint, "folder for checkpoint.safetensors").type("DIR");
  add_number(app, "--checkpoint-every", flags->checkpoint_every,
             "steps between checkpoints (default: a tenth of the run)");
  add_switch(
      app, "--resume", flags->resume,
      "continue the run in --checkpoint DIR; bit for bit, with --one-launch or --fused-step if it had them");
  add_switch(app, "--one-launch", flags->one_launch,
             "stage 3: train in launches of many steps, one sequence a step");
  add_switch(app, "--fused-step", flags->fused_step,
             "stage 3: two launches a step, a block a document, for any batch");
  set_footer(
      app,
      "Ctrl-C finishes the step, saves a checkpoint (to --checkpoint DIR, else ./ladder-interrupted) and "
      "says how "
      "to resume; a second Ctrl-C ends at once.");
  set_action(app, [flags] { run_train(*flags); });
}

}  // namespace ladder::cli
