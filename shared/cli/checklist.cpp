// ladder checklist: the five steps by which somebody checks a stage that trains GPT-2.
#include "shared/checklist/checklist.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/cli/checklist.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/settings.hpp"
#include "shared/cli/standard_streams.hpp"
#include "shared/cli/status.hpp"
#include "shared/data/token_files.hpp"
#include "shared/train/sample.hpp"

namespace ladder::cli {
namespace {

struct ChecklistFlags {
  PlaceFlags place;
  RunFlags run;
  std::string json, report, name;
  std::optional<std::int64_t> parity_steps;
  int samples = 2;
  bool record = false, without_pytorch = false;
};

/// Of `tiny`, whose preset is only for parity: long enough for a loss that says something.
constexpr std::int64_t kTinySteps = 1000;

/// In full on a GPU, where every type of the stage has a checked kernel; small where kernels are emulated.
ChecklistSettings settings_of(const ChecklistFlags& flags) {
  PlaceFlags place = flags.place;
  if (!place.stage) place.stage = 4;
  const bool on_gpu = find_stage(*place.stage).gpu && runs_on_gpu(place.device);
  if (place.dtype.empty() && on_gpu) place.dtype = name_of(Dtype::bf16);
  const Place resolved = resolve_place(place);
  RunFlags run = flags.run;
  if (run.preset.empty()) run.preset = on_gpu ? "shakespeare_char" : "tiny";
  RunSettings chosen = resolve_run(run);
  if (run.preset == "tiny" && !run.train.flags.contains("--steps")) chosen.train.steps = kTinySteps;
  ChecklistSettings settings;
  settings.stage = resolved.stage;
  settings.dtype = resolved.options.dtype;
  settings.device = resolved.options.device;
  settings.threads = resolved.options.threads;
  settings.types = on_gpu ? find_stage(resolved.stage).dtypes : std::vector{Dtype::fp32};
  if (std::ranges::find(settings.types, settings.dtype) == settings.types.end())
    settings.types.push_back(settings.dtype);
  settings.model = chosen.model;
  settings.train = chosen.train;
  settings.data = chosen.data;
  settings.parity_steps = flags.parity_steps.value_or(on_gpu ? 100 : 30);
  settings.samples = flags.samples;
  settings.pytorch = !flags.without_pytorch;
  return settings;
}

ReportChecklist checklist_of(const ChecklistSettings& settings, Status& status) {
  ReportChecklist checklist = run_checklist(settings, [&](const std::string& text) { status.show(text); });
  EngineOptions options;
  options.dtype = settings.dtype;
  checklist.work =
      fmt::format("stage {}; {}; {}; {}", describe(Place{settings.stage, options}), describe(checklist.model),
                  describe(settings.train), source_name(without_folder(settings.data)));
  return checklist;
}

std::string command_of(const ChecklistFlags& flags) {
  std::string command = "./ladder checklist";
  if (flags.place.stage) command += fmt::format(" --stage {}", *flags.place.stage);
  command += place_words(flags.place.dtype, flags.place.device, flags.place.threads);
  if (!flags.run.preset.empty()) command += " --preset " + flags.run.preset;
  command += flags.run.words();
  if (flags.parity_steps) command += fmt::format(" --parity-steps {}", *flags.parity_steps);
  if (flags.samples != ChecklistFlags{}.samples) command += fmt::format(" --samples {}", flags.samples);
  return command + (flags.without_pytorch ? " --without-pytorch" : "") + " --record";
}

void write_report(const ChecklistFlags& flags, const ReportChecklist& checklist) {
  if (flags.report.empty()) return;
  Report report;
  report.date = utc_now();
  report.machine = this_machine(flags.place.device);
  report.build = this_build();
  report.passed = checklist.passed();
  report.checklist = checklist;
  write_file(flags.report, html_of(report));
}

void keep_records(const ChecklistFlags& flags, const ChecklistSettings& settings,
                  const ReportChecklist& checklist, Outputs& outputs) {
  if (!flags.record) return;
  const bool on_gpu = find_stage(settings.stage).gpu && runs_on_gpu(settings.device);
  const std::string sources = source_set_of(settings.stage, on_gpu);
  const auto write = [&](const std::string& name, std::vector<RecordRow> rows) {
    Record record = new_record(name, command_of(flags), checklist.work, flags.place.device);
    record.rows = std::move(rows);
    keep_record(outputs, record);
  };
  write("checklist-" + flags.name, record_rows(checklist, sources, true));
  std::vector<RecordRow> runs;
  for (const TrainedRun& run : checklist.runs) {
    const bool own = run.name == checklist.left;  // the other side's depends on no source of this stage
    runs.push_back({run.name, own ? sources : "", own ? source_hash(sources) : "", run_values(run)});
  }
  write("run-" + flags.name, std::move(runs));
}

void print_samples(const ReportChecklist& checklist) {
  for (std::size_t i = 0; i < checklist.samples.size(); ++i) {
    const SamplePair& pair = checklist.samples[i];
    fmt::print("sample {}, {}:\n{}\n\n", i + 1, checklist.left, for_stdout(pair.left));
    if (!checklist.right.empty())
      fmt::print("sample {}, {}:\n{}\n\n", i + 1, checklist.right, for_stdout(pair.right));
  }
}

void run(const ChecklistFlags& flags) {
  require(flags.parity_steps.value_or(1) > 0, "--parity-steps is {}: it must be 1 or more",
          flags.parity_steps.value_or(0));
  require_samples(flags.samples, 1, "--samples");
  require_outputs(data_files(flags.run.data), {flags.json, flags.report},
                  recorded(flags.record, {"checklist-" + flags.name, "run-" + flags.name}));
  require_temporary_folder();
  const ChecklistSettings settings = settings_of(flags);
  fmt::print("stage     {}\nmachine   {}\nbuild     {}\n", settings.stage,
             describe(this_machine(settings.device)), describe(this_build()));
  std::fflush(stdout);
  Status status;
  const ReportChecklist checklist = checklist_of(settings, status);
  status.show("");
  fmt::print("work      {}\n\n{}\n", checklist.work, text_of(checklist));
  print_samples(checklist);
  Outputs outputs;
  outputs.write_json(flags.json, [&] { return to_json(checklist); });
  outputs.try_to([&] { write_report(flags, checklist); });
  outputs.try_to([&] { keep_records(flags, settings, checklist, outputs); });
  std::string check;
  for (const ChecklistStep& step : checklist.steps)
    if (step.outcome == ChecklistStep::Outcome::failed && check.empty())
      check = fmt::format("step {}, {}: {}", step.number, step.title, step.summary);
  outputs.finish(check);
  for (const ChecklistStep& step : checklist.steps)
    if (step.outcome == ChecklistStep::Outcome::not_run)
      throw MachineError(fmt::format("step {}, {}, was not run: {}", step.number, step.title, step.summary));
}

}  // namespace

ReportChecklist default_checklist(Device device, Status& status) {
  ChecklistFlags flags;
  flags.place.device = device;
  return checklist_of(settings_of(flags), status);
}

void add_checklist(CLI::App& app) {
  const auto flags = std::make_shared<ChecklistFlags>();
  flags->name = "cpu";
  add_place_flags(app, flags->place);
  add_run_flags(app, flags->run);
  describe_flag(app, "--stage", "the stage that is checked (default 4)");
  describe_flag(app, "--dtype", "of the training run (default fp32, on a GPU bf16)");
  describe_flag(app, "--preset", "what is trained (default tiny, on a GPU shakespeare_char)");
  add_number(app, "--parity-steps", flags->parity_steps,
             "steps of each loss curve of step 1 (default 30, on a GPU 100)");
  add_number(app, "--samples", flags->samples, "texts of each side in step 5 (default 2)");
  add_switch(app, "--without-pytorch", flags->without_pytorch, "as if python3 had no PyTorch");
  add_text(app, "--json", flags->json, "write everything as JSON").type("FILE");
  add_text(app, "--report", flags->report, "write it as a page of HTML").type("FILE");
  const Flag record = add_switch(app, "--record", flags->record,
                                 "write two records to tests/bench/results of the source folder");
  add_text(app, "--name", flags->name, "of the records, behind checklist- and run- (default cpu)")
      .type("NAME")
      .needs(record);
  set_footer(
      app,
      "1 expanded parity, 2 trained weights on two sides, 3 weights that PyTorch trained, 4 a whole\n"
      "training run beside PyTorch's, 5 both models' losses and samples side by side. On a GPU in every\n"
      "type with preset shakespeare_char, else in fp32 with tiny on the CPU model. Exit code 1 where a\n"
      "step failed.");
  set_action(app, [flags] { run(*flags); });
}

}  // namespace ladder::cli
