// ladder train: one training run on one stage.
#include "shared/train/train.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/finite.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/text_table.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/progress.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/run_log.hpp"
#include "shared/cli/settings.hpp"
#include "shared/cli/standard_streams.hpp"
#include "shared/cli/train_record.hpp"
#include "shared/cli/train_saving.hpp"
#include "shared/cli/train_session.hpp"
#include "shared/model/config_json.hpp"
#include "shared/records/machine.hpp"
#include "shared/records/run_trace.hpp"
#include "shared/speed/model_flops.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/evaluate.hpp"
#include "shared/train/sample.hpp"

namespace ladder::cli {
namespace {

// ---- what a run prints first --------------------------------------------------------------------------------

constexpr int kHeldOutSequences = 16;

/// About what is left of the run, in seconds: that of a pass over one sequence, times the sequences. Without a backward
/// pass, of twice the work, the held-out ones take a third.
double expected_seconds(const Session& session) {
  const Run& run = session.run;
  const Sequence first = run.source->sequence(0, 0);
  const Batch batch = make_batch(std::span(&first, 1), session.engine->layout(), run.model.block_size);
  const auto start = std::chrono::steady_clock::now();
  session.engine->probe(batch);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const std::int64_t steps = run.train.steps - session.earlier.steps_done();
  double forward_only = run.source->held_out_sequences() > 0 ? kHeldOutSequences : 0.0;
  if (run.train.eval_every > 0) {
    const std::int64_t evaluations = steps / run.train.eval_every + 1;
    forward_only += 2.0 * static_cast<double>(evaluations) * run.train.eval_batches * run.train.batch_size;
  }
  return took.count() *
         (static_cast<double>(steps) * run.train.batch_size * run.train.grad_accum + forward_only / 3.0);
}

/// On the CPU model of a GPU, which is for reading and checking: how long it is going to take, unless it is soon done.
void print_expectation(const Session& session) {
  if (!session.engine->emulated()) return;
  const double seconds = expected_seconds(session);
  if (seconds < 2.0) return;
  fmt::print("expects   about {} on the CPU model of a GPU; --stage 1 trains the same model faster\n",
             hours_minutes_seconds(seconds));
  std::fflush(stdout);
}

/// The first thing that a run prints, before it takes any memory.
void print_configuration(const Session& session) {
  const Run& run = session.run;
  fmt::print("stage     {}{}\n", describe(session.place),
             session.needs.emulated ? ", emulated on the CPU" : "");
  fmt::print("preset    {}\n", session.preset.empty() ? "that of the checkpoint" : session.preset);
  fmt::print("model     {}\n", describe(run.model));
  fmt::print("training  {}\n", describe(run.train));
  fmt::print("data      {}: {}\n", data_title(run.data), run.source->describe());
  std::fflush(stdout);
}

/// "412 MiB", "1.53 GiB".
std::string size_text(std::size_t bytes) {
  const auto size = static_cast<double>(bytes);
  if (size < 1024.0 * 1024.0) return fmt::format("{:.3g} KiB", size / 1024.0);
  return size < 0x1p30 ? fmt::format("{:.3g} MiB", size / 0x1p20) : fmt::format("{:.3g} GiB", size / 0x1p30);
}

/// What the run is going to take, before it takes it.
void print_memory(const Session& session) {
  const MemoryPlan& plan = session.needs.plan;
  const std::string of = session.needs.available == 0
                             ? ""
                             : fmt::format(" of {} that are free", size_text(session.needs.available));
  fmt::print("memory    parameters {}, gradients {}, AdamW {}, activations {}, batches {}: {}{}\n",
             size_text(plan.parameters), size_text(plan.gradients), size_text(plan.optimizer),
             size_text(plan.activations), size_text(plan.batches), size_text(plan.total()), of);
}

/// What one token a second is of the card's peak; nothing on the CPU and for a card that is not in the table.
std::optional<double> share_of_tokens(const Session& session) {
  if (session.needs.on_host) return {};
  const std::optional<double> peak =
      peak_flops(this_machine(session.place.options.device).gpu, session.place.options.dtype);
  if (!peak) return {};
  return flops_per_token(session.run.model) / *peak;
}

/// How the share of the card's peak is counted.
void print_flops(const Session& session) {
  const std::optional<double> share = share_of_tokens(session);
  if (!share) return;
  const double flops = flops_per_token(session.run.model);
  fmt::print("counts    6 N + 6 L C T = {:.4g} MFLOP a token; the card's peak in {}: {:.4g} TFLOP/s\n",
             flops / 1e6, name_of(session.place.options.dtype), flops / *share / 1e12);
}

/// Behind "every": "step", "10 steps".
std::string steps_between(std::int64_t count) {
  return count == 1 ? "step" : counted(static_cast<std::uint64_t>(count), "step");
}

/// The rest of it: the hash reads all sequences of a step, so there must be room for them.
void print_run(const Session& session, const TrainFlags& flags) {
  const Run& run = session.run;
  fmt::print("tokens    step 0 has hash {}\n", hex64(run.source->token_hash()));
  const TrainConfig& train = session.run.train;
  if (train.eval_every > 0)
    fmt::print(
        "evaluates every {}, {} of each part\n", steps_between(train.eval_every),
        counted(static_cast<std::uint64_t>(train.eval_batches) * static_cast<std::uint64_t>(train.batch_size),
                "sequence"));
  if (session.checkpoint_every > 0)
    fmt::print("saves     every {} to {}{}\n", steps_between(session.checkpoint_every),
               escaped_name(checkpoint_file(flags.checkpoint).string()),
               train.eval_every > 0 ? ", the best to " + best_file("").string() + " beside it" : "");
  if (flags.resume) fmt::print("resumes   after step {}\n", session.earlier.steps_done());
  print_memory(session);
  print_flops(session);
  std::fflush(stdout);
  if (!run.source->notice().empty()) notice(run.source->notice());
}

/// What only the engine knows.
void print_launches(const Session& session) {
  if (const std::string& variant = session.place.options.variant; !variant.empty()) {
    const bool cut = session.checkpoint_every > 0 && session.engine->steps_at_a_time() > 1;
    fmt::print("launches  {}{}\n", find_variant(session.place.stage, variant).launches,
               cut ? ", cut where a checkpoint is due" : "");
  }
  print_expectation(session);
}

Json configuration_json(const Session& session) {
  const Run& run = session.run;
  Json json = to_json(run.model);
  json.update(to_json(run.train));
  json["stage"] = session.place.stage;
  if (!session.place.options.variant.empty()) json["variant"] = session.place.options.variant;
  json["preset"] = session.preset;
  json["data"] = data_title(without_folder(run.data));
  json["parameters"] = parameter_count(run.model);
  json["token_hash"] = hex64(run.source->token_hash());
  json["emulated"] = session.engine->emulated();
  json["kernels"] = session.engine->kernels_launched();
  return json;
}

// ---- during and after ----------------------------------------------------------------------------------------

TrainResult run_steps(Session& session, const TrainFlags& flags, Outputs& outputs) {
  Progress progress(session.earlier.steps_done(), session.run.train.steps, share_of_tokens(session));
  RunLog log(flags.json_lines, flags.resume);
  log.run(configuration_json(session));
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) {
    progress.step(report);
    log.step(report);
  };
  hooks.on_evaluation = [&](const TrainResult& so_far, const Evaluation& evaluation, bool best) {
    progress.evaluation(evaluation, best);
    log.evaluation(evaluation, best);
    if (best && session.checkpoint_every > 0 && evaluation.step > 0)
      try_to_save(session, best_file(flags.checkpoint), so_far);
  };
  hooks.should_stop = [] { return interrupting_signal() != 0; };
  hooks.cut_every = session.checkpoint_every;
  if (session.checkpoint_every > 0)
    hooks.after_step = [&](const TrainResult& so_far) {
      const bool last = so_far.steps_done() == session.run.train.steps;
      if (last || so_far.steps_done() % session.checkpoint_every != 0) return;
      try_to_save(session, checkpoint_file(flags.checkpoint), so_far);
    };
  TrainResult result = train(*session.engine, *session.run.source, session.run.train, hooks, session.earlier);
  progress.finish();
  if (!log.failure().empty()) outputs.failed(log.failure());
  return result;
}

double held_out_loss(const Session& session) {
  const double loss = mean_loss(*session.engine, *session.run.source, DataPart::held_out, kHeldOutSequences,
                                session.run.train.batch_size);
  if (!std::isfinite(loss))
    throw CheckError(fmt::format("the held-out loss is {} after the last step: try a smaller --lr than {}",
                                 printable(loss), session.run.train.learning_rate));
  return loss;
}

void print_summary(Session& session, const TrainResult& result) {
  const std::size_t tail = std::min<std::size_t>(result.loss.size(), 50);
  double sum = 0.0;
  for (std::size_t i = result.loss.size() - tail; i < result.loss.size(); ++i) sum += result.loss[i];
  if (tail > 0)
    fmt::print("loss      {:.4f}, mean of the last {}\n", sum / static_cast<double>(tail),
               counted(tail, "step"));
  if (!result.ms.empty())
    fmt::print("time      {:.3g} ms a step, median of {}\n", result.median_ms(), result.ms.size());
  if (result.scale.left_out > 0)
    fmt::print("left out  {} steps, whose gradients overflowed\n", result.scale.left_out);
  if (const Evaluation* best = result.best())
    fmt::print("best      {:.4f} held out, after step {}\n", best->held_out, best->step);
  else if (session.run.source->held_out_sequences() > 0)
    fmt::print("held out  {:.4f}\n", held_out_loss(session));
  for (std::size_t i = 0; i < result.samples.size(); ++i)
    fmt::print("sample {:2}: {}\n", i + 1, for_stdout(result.samples[i]));
}

Trace trace_of(const Session& session, const Json& config, const Json& machine, const TrainResult& result) {
  Trace trace{config, machine, result.loss, result.ms, result.samples, Json::array(), {}, {}, Json::array()};
  trace.gradient_norm = result.gradient_norm;
  for (std::int64_t s = 0; s < result.steps_done(); ++s)
    trace.learning_rate.push_back(learning_rate_at(session.run.train, s));
  for (const Evaluation& one : result.evaluations)
    trace.evaluations.push_back({{"step", one.step}, {"training", one.training}, {"held_out", one.held_out}});
  return trace;
}

void write_reports(const Session& session, const TrainFlags& flags, const TrainResult& result,
                   Outputs& outputs) {
  if (flags.trace.empty() && flags.json.empty()) return;
  Json machine = to_json(this_machine(session.place.options.device));
  machine["build"] = to_json(this_build());
  Json config = configuration_json(session);
  config["temperature"] = session.sampling.temperature;
  if (!flags.trace.empty())
    outputs.try_to([&] { write_trace(flags.trace, trace_of(session, config, machine, result)); });
  Json summary = {
      {"config", config}, {"machine", machine}, {"steps", result.loss.size()}, {"samples", result.samples}};
  if (!result.loss.empty())
    summary["first_loss"] = result.loss.front(), summary["last_loss"] = result.loss.back();
  if (!result.ms.empty()) summary["median_ms"] = result.median_ms();
  if (const Evaluation* best = result.best())
    summary["best_held_out"] = best->held_out, summary["best_step"] = best->step;
  outputs.write_json(flags.json, [&] { return summary; });
}

/// The texts after training, and what the run came to. What a check of them found: empty where nothing.
std::string sample_and_sum_up(Session& session, TrainResult& result) {
  std::string check;
  try {
    result.samples = sample_texts(*session.engine, session.run.source->tokenizer(), session.samples,
                                  session.sampling, session.run.random);
  } catch (const CheckError& error) {
    check = error.what();
  }
  print_summary(session, result);
  return check;
}

/// The checkpoint and the weights, where they were asked for; the weights' file where it was written.
std::string save_trained(const Session& session, const TrainFlags& flags, const TrainResult& result,
                         Outputs& outputs) {
  std::string written;
  if (session.checkpoint_every > 0)
    outputs.try_to([&] { save(session, checkpoint_file(flags.checkpoint), result); });
  if (!flags.save_weights.empty())
    outputs.try_to([&] {
      save_model(flags.save_weights,
                 {session.run.model, session.run.source->shared_tokenizer(), session.engine->parameters()},
                 Precision::of(session.place.options.dtype).master);
      written = flags.save_weights;
    });
  return written;
}

void run_train(const TrainFlags& flags) {
  Session session = start(flags);
  print_configuration(session);
  require_memory(session);
  print_run(session, flags);
  take_engine(session);
  print_launches(session);
  const InterruptGuard guard;  // from here on there is work that can be saved
  Outputs outputs;
  TrainResult result = run_steps(session, flags, outputs);
  if (result.stopped) end_interrupted(session, flags, result, "");
  std::string check, weights;
  try {
    weights = save_trained(session, flags, result, outputs);
    check = sample_and_sum_up(session, result);
    write_reports(session, flags, result, outputs);
  } catch (const Interrupted&) {
    end_interrupted(session, flags, result, weights);
  }
  if (flags.record)
    outputs.try_to(
        [&] { keep_record(outputs, record_of(session, flags, result, share_of_tokens(session))); });
  outputs.finish(check);
}

/// --variant NAME, and --NAME for each of the stages' variants.
void add_variant_flags(CLI::App& app, TrainFlags& flags) {
  std::vector<std::string> names;
  for (const StageInfo& stage : stages())
    for (const Variant& variant : stage.variants) {
      names.push_back(variant.name);
      add_switch(app, "--" + variant.name, flags.variant_switches[variant.name],
                 fmt::format("stage {}: {}", stage.number, variant.summary));
    }
  add_choice(app, "--variant", flags.variant, names,
             "train in another way that the stage offers: --variant X is --X");
}

}  // namespace

void add_train(CLI::App& app) {
  const auto flags = std::make_shared<TrainFlags>();
  add_place_flags(app, flags->place);
  add_run_flags(app, flags->run);
  add_number(app, "--samples", flags->samples,
             "texts to generate after training (default 5; 0 for character streams)");
  add_number(app, "--temperature", flags->temperature, "of those texts (default 0.5, of GPT-2 0.8)");
  add_text(app, "--trace", flags->trace, "write a ladder-trace/1 file: losses, times, samples").type("FILE");
  add_text(app, "--json", flags->json, "write a summary as JSON").type("FILE");
  add_text(app, "--json-lines", flags->json_lines, "write each step as a line of JSON while the run goes on")
      .type("FILE");
  add_text(app, "--save-weights", flags->save_weights, "write the trained weights as safetensors")
      .type("FILE");
  add_text(app, "--init-weights", flags->init_weights, "start from these weights").type("FILE");
  add_text(app, "--checkpoint", flags->checkpoint, "folder for checkpoint.safetensors").type("DIR");
  add_number(app, "--checkpoint-every", flags->checkpoint_every,
             "steps between checkpoints (default: a tenth of the run)");
  add_switch(app, "--resume", flags->resume, "continue the run in --checkpoint DIR, bit for bit");
  const Flag record = add_switch(app, "--record", flags->record,
                                 "write the record to tests/bench/results of the source folder");
  add_text(app, "--name", flags->name, "of the record, behind run- (default train)")
      .type("NAME")
      .needs(record);
  add_variant_flags(app, *flags);
  set_footer(
      app,
      "Ctrl-C stops before the next update, saves a checkpoint (to --checkpoint DIR, else "
      "./ladder-interrupted) and says how to resume; SIGTERM and SIGHUP do so with --checkpoint, otherwise "
      "they say that nothing is kept. A second one ends at once.");
  set_action(app, [flags] { run_train(*flags); });
}

}  // namespace ladder::cli
