#include "shared/checklist/checklist.hpp"

#include <algorithm>
#include <chrono>
#include <span>

#include "shared/base/error.hpp"
#include "shared/checklist/checklist_steps.hpp"
#include "shared/records/machine.hpp"
#include "shared/speed/model_flops.hpp"
#include "shared/train/engine_memory.hpp"
#include "shared/train/train.hpp"

namespace ladder {
namespace {

/// Runs one step and times it. Where this machine cannot, it is not run; whatever else it throws, it has failed.
template <class Body>
void add_step(ReportChecklist& checklist, int number, const char* title, Body&& body) {
  const auto start = std::chrono::steady_clock::now();
  ChecklistStep step;
  try {
    step = body();
  } catch (const MachineError& error) {
    step.summary = error.what();
  } catch (const std::exception& error) {
    step.outcome = ChecklistStep::Outcome::failed;
    step.summary = error.what();
  }
  step.number = number;
  step.title = title;
  step.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  checklist.steps.push_back(std::move(step));
}

TrainedRun run_of(const Trained& trained, const Run& run, const ChecklistSettings& settings) {
  const bool on_gpu = runs_on_gpu(settings);
  TrainedRun shown;
  shown.name = trained.name;
  shown.loss = trained.loss;
  shown.evaluations = trained.evaluations;
  shown.median_ms = trained.median_ms;
  shown.parameters = parameter_count(run.model);
  shown.tokens_a_step = run.source->largest_step();
  shown.emulated = trained.emulated;
  if (on_gpu)
    if (const auto peak = peak_flops(this_machine(settings.device).gpu, settings.dtype))
      shown.share_of_tokens = flops_per_token(run.model) / *peak;
  return shown;
}

void require_settings(const ChecklistSettings& s) {
  require(s.model.architecture == Architecture::gpt2, "the checklist is for GPT-2: choose another preset");
  require(find_stage(s.stage).gpt2, "stage {} does not train GPT-2", s.stage);
  require(!s.types.empty(), "the checklist needs a type to compare in");
  require(s.train.steps > 1, "--steps is {}: a loss that falls takes 2 or more", s.train.steps);
  require(s.model.block_size > 8, "--block-size is {}: a prompt of 8 tokens does not fit",
          s.model.block_size);
}

/// The runs' evaluations: those of the settings, or a few over the run.
TrainConfig with_evaluations(const ChecklistSettings& settings) {
  TrainConfig train = settings.train;
  train.dtype = settings.dtype;
  if (train.eval_every > 0 && train.eval_every <= train.steps) return train;
  train.eval_every = std::max<std::int64_t>(1, train.steps / 4);
  if (train.eval_batches == 0) train.eval_batches = 10;
  return train;
}

}  // namespace

ReportChecklist run_checklist(const ChecklistSettings& settings, const Progress& progress) {
  require_settings(settings);
  ChecklistState state;
  state.settings = settings;
  state.progress = progress;
  const TrainConfig train = with_evaluations(settings);
  // What cannot run is told first.
  const auto accept = [&](const Run& run) {
    require_held_out(*run.source, train);
    const EngineNeeds needs = engine_needs(
        settings.stage, run.model, {settings.dtype, train.batch_size, settings.device, settings.threads});
    require_room(std::span(&needs, 1), 0, "this model");
  };
  state.run = prepare_run(settings.model, train, settings.data, Precision::of(settings.dtype).master, accept);
  ReportChecklist checklist;
  checklist.model = state.run.model;
  add_step(checklist, 4, "a whole training run", [&] {
    train_both(state);
    return check_training(state);
  });
  checklist.left = state.own ? state.own->name : "";
  checklist.right = state.other ? state.other->name : "";
  for (const auto* side : {&state.own, &state.other})
    if (*side) checklist.runs.push_back(run_of(**side, state.run, settings));
  const auto with_weights = [&](auto&& check) {
    return [&state, check] {
      if (!state.own) throw MachineError("the run of step 4 left no weights");
      return check(state);
    };
  };
  add_step(checklist, 1, "expanded parity", [&] { return check_parity(state); });
  add_step(checklist, 2, "trained weights on two sides", with_weights(check_trained_weights));
  add_step(checklist, 3, "weights that PyTorch trained", [&] { return check_imported_weights(state); });
  add_step(checklist, 5, "losses and samples side by side", with_weights([&](const ChecklistState& trained) {
             return check_side_by_side(trained, checklist.samples);
           }));
  for (const SamplePair& pair : checklist.samples) {
    checklist.runs[0].samples.push_back(pair.left);
    if (checklist.runs.size() > 1) checklist.runs[1].samples.push_back(pair.right);
  }
  std::ranges::sort(checklist.steps, {}, &ChecklistStep::number);
  return checklist;
}

std::string text_of(const ReportChecklist& checklist) {
  std::string text;
  for (const ChecklistStep& step : checklist.steps) {
    text += fmt::format("{}  {:<32} {:<8} {:>8}  {}\n", step.number, step.title, name_of(step.outcome),
                        format_seconds(step.seconds), step.summary);
    if (step.figures.size() > 1) text += "\n" + text_table(step.figures) + "\n";
  }
  return text;
}

Json to_json(const ReportChecklist& checklist) {
  Json json = {{"format", "ladder-checklist/1"},
               {"passed", checklist.passed()},
               {"work", checklist.work},
               {"left", checklist.left},
               {"right", checklist.right}};
  json["steps"] = Json::array();
  for (const ChecklistStep& step : checklist.steps)
    json["steps"].push_back({{"number", step.number},
                             {"title", step.title},
                             {"outcome", name_of(step.outcome)},
                             {"summary", step.summary},
                             {"seconds", step.seconds},
                             {"figures", step.figures}});
  for (const TrainedRun& run : checklist.runs)
    json["runs"].push_back(
        {{"name", run.name}, {"loss", numbers_or_texts(run.loss)}, {"median_ms", run.median_ms}});
  for (const SamplePair& pair : checklist.samples)
    json["samples"].push_back({{"left", pair.left}, {"right", pair.right}});
  return json;
}

std::vector<RecordRow> record_rows(const ReportChecklist& checklist, const std::string& sources,
                                   bool hashes) {
  std::vector<RecordRow> rows;
  for (const ChecklistStep& step : checklist.steps)
    rows.push_back(
        {fmt::format("{}: {}", step.number, step.title),
         sources,
         hashes ? source_hash(sources) : "",
         {{"outcome", name_of(step.outcome)}, {"summary", step.summary}, {"seconds", step.seconds}}});
  return rows;
}

}  // namespace ladder
