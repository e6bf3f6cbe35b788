// ladder parity: two stages, or the whole chain, level by level.
#include "shared/parity/parity.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/base/text_table.hpp"
#include "shared/baseline/interpreter.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/gpt2_section.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/settings.hpp"
#include "shared/cli/status.hpp"
#include "shared/data/token_files.hpp"
#include "shared/device/gpu.hpp"
#include "shared/parity/kernel_parity.hpp"
#include "shared/parity/room.hpp"
#include "shared/report/tables.hpp"

namespace ladder::cli {
namespace {

struct ParityFlags {
  Device device = Device::automatic;
  RunFlags run;
  std::string level = "all", dtype, json, name = "parity";
  std::optional<int> from, to;
  std::int64_t interpreter_steps = 30;
  int threads = 0;
  bool record = false;
};

/// Two stages to compare, and what their result depends on.
struct Pair {
  int upper_stage;
  Side upper, lower;
  std::string sources;
};

/// fp64 where the stage has it: the most telling type for the reference side.
Dtype reference_dtype(int stage) {
  const std::vector<Dtype>& known = find_stage(stage).dtypes;
  return std::find(known.begin(), known.end(), Dtype::fp64) != known.end() ? Dtype::fp64 : known.front();
}

std::string sources_of(int lower, int upper, const ParityFlags& flags) {
  const bool on_gpu = runs_on_gpu(flags.device);
  const std::string first = source_set_of(lower, on_gpu), second = source_set_of(upper, on_gpu);
  return first == second ? first : first + "+" + second;
}

/// The types that --dtype names: one, or all of the higher stage.
std::vector<Dtype> dtypes_of(const ParityFlags& flags, int lower, int upper) {
  if (flags.dtype == "all") return find_stage(upper).dtypes;
  if (!flags.dtype.empty()) return {parse_dtype(flags.dtype)};
  return {lower == upper ? find_stage(upper).dtypes.front() : reference_dtype(upper)};
}

/// What is compared of a model of this architecture.
std::vector<Pair> pairs_of(const ParityFlags& flags, Architecture architecture) {
  std::vector<Pair> pairs;
  if (!flags.from && !flags.to) {
    require(flags.dtype.empty(), "--dtype needs --from and --to: the whole chain has types of its own");
    const std::vector<Rung> chain = rungs(flags.device, flags.threads, architecture);
    for (const Rung& rung : chain)
      if (rung.below >= 0) {
        const Rung& below = chain[static_cast<std::size_t>(rung.below)];
        pairs.push_back({rung.stage, rung.side, below.side, sources_of(below.stage, rung.stage, flags)});
      }
    return pairs;
  }
  require(flags.from && flags.to, "--from and --to go together: name the two stages to compare");
  const int lower = std::min(*flags.from, *flags.to), upper = std::max(*flags.from, *flags.to);
  for (const Dtype dtype : dtypes_of(flags, lower, upper))
    pairs.push_back({upper, side_of(upper, dtype, flags.device, flags.threads),
                     side_of(lower, reference_dtype(lower), flags.device, flags.threads),
                     sources_of(lower, upper, flags)});
  return pairs;
}

/// The runs to compare on: that of the flags or, where they name no model, one of each text that the stages run.
std::vector<RunSettings> works_of(const ParityFlags& flags) {
  std::vector<RunSettings> works = {resolve_run(flags.run)};
  const bool named = !flags.run.preset.empty() || flags.run.model.flags.contains("--model");
  const auto runs_gpt2 = [](const std::optional<int>& stage) { return !stage || find_stage(*stage).gpt2; };
  if (named || !runs_gpt2(flags.from) || !runs_gpt2(flags.to)) return works;
  if (std::optional<RunSettings> gpt2 = gpt2_section(flags.run)) works.push_back(std::move(*gpt2));
  return works;
}

/// Stage 0 against the interpreter: the losses of the first steps and the samples after them, bit for bit.
std::optional<ParityReport> against_interpreter(const Run& run, std::int64_t steps, std::string& not_run) {
  steps = std::min(steps, run.train.steps);
  const InterpreterResult interpreter = run_interpreter(run, steps, 0);
  not_run = interpreter.not_run;
  if (!interpreter.ran()) return std::nullopt;
  ParityReport report{"stage 0 fp64", "interpreter", steps, {}, {}};
  const Side side = side_of(0, Dtype::fp64);
  const auto engine = side.make(run.model, run.train.batch_size);
  compare_with_interpreter(train_curve(*engine, run, steps), interpreter.loss, report);
  return report;
}

struct Outcome {
  std::vector<ParityReport> reports;
  std::vector<RecordRow> rows;
  void add(ParityReport report, int upper_stage, const std::string& sources, const ParityFlags& flags) {
    const bool has_kernels = find_stage(upper_stage).gpu, on_gpu = has_kernels && runs_on_gpu(flags.device);
    RecordRow row{report.upper + " against " + report.lower,
                  sources,
                  flags.record ? source_hash(sources) : "",
                  {{"emulated", has_kernels && !on_gpu}}};
    if (on_gpu) row.values["device"] = gpu_report(flags.device.ordinal).device;
    row.values.update(summary_of(report));
    rows.push_back(std::move(row));
    reports.push_back(std::move(report));
  }
};

void compare_work(const ParityFlags& flags, const Run& run, Status& status, Outcome& outcome) {
  const ParityLevels levels = ParityLevels::parse(flags.level);
  const Architecture architecture = run.model.architecture;
  const bool gpt2 = architecture == Architecture::gpt2;
  const std::vector<Pair> pairs = pairs_of(flags, architecture);
  std::string not_run;
  if (!gpt2 && !flags.from && levels.loss && flags.interpreter_steps > 0) {
    status.show("stage 0 against the interpreter");
    if (const auto report = against_interpreter(run, flags.interpreter_steps, not_run))
      outcome.add(*report, 0, "stage0", flags);
    else
      fmt::print("interpreter: not run ({})\n", not_run);
  }
  for (const Pair& pair : pairs) {
    status.show(pair.upper.name + " against " + pair.lower.name);
    ParityReport report{pair.upper.name, pair.lower.name, 0, {}, {}};
    if (levels.block || levels.model || levels.loss)
      report = compare_sides(pair.upper, pair.lower, run, levels);
    if (levels.kernel)
      compare_kernels(pair.upper_stage, architecture,
                      {pair.upper.dtype, 1, device_of(pair.upper_stage, flags.device), flags.threads},
                      report);
    require(!report.findings.empty(), "nothing to compare: stage {} has no operations on tensors",
            pair.upper_stage);
    if (gpt2) report.upper.insert(0, "GPT-2, ");
    outcome.add(std::move(report), pair.upper_stage, pair.sources, flags);
  }
}

Json json_of(const ParityFlags& flags, const Outcome& outcome) {
  Json json = {{"format", "ladder-parity/1"},
               {"machine", to_json(this_machine(flags.device))},
               {"build", to_json(this_build())}};
  json["pairs"] = Json::array();
  for (const ParityReport& report : outcome.reports) json["pairs"].push_back(to_json(report));
  return json;
}

/// The call that made a record, with every flag that decides what was compared or where it ran.
std::string command_of(const ParityFlags& flags) {
  std::string command = "./ladder parity";
  if (flags.from) command += fmt::format(" --from {}", *flags.from);
  if (flags.to) command += fmt::format(" --to {}", *flags.to);
  if (flags.level != "all") command += " --level " + flags.level;
  command += place_words(flags.dtype, flags.device, flags.threads);
  if (flags.interpreter_steps != ParityFlags{}.interpreter_steps)
    command += fmt::format(" --interpreter-steps {}", flags.interpreter_steps);
  if (!flags.run.preset.empty()) command += " --preset " + flags.run.preset;
  return command + flags.run.words() + " --record";
}

void run_parity(const ParityFlags& flags) {
  require_threads(flags.threads);
  require(flags.interpreter_steps >= 0, "--interpreter-steps is {}: it must be 0 or more",
          flags.interpreter_steps);
  require_outputs(data_files(flags.run.data), {flags.json}, recorded(flags.record, {flags.name}));
  require_temporary_folder();
  const std::vector<RunSettings> works = works_of(flags);
  std::vector<Run> runs;
  std::string work;
  for (const RunSettings& settings : works) {
    const auto accept = [&](const Run& asked) {
      for (const Pair& pair : pairs_of(flags, asked.model.architecture))
        require_room_for_all(asked, std::array{pair.upper, pair.lower});
    };
    const Run& run =
        runs.emplace_back(prepare_run(settings.model, settings.train, settings.data, Dtype::fp64, accept));
    work += fmt::format("{}{}; {}", work.empty() ? "" : "; ", describe(run.model), describe(run.train));
  }
  for (const Run& run : runs)
    fmt::print("model     {}\ntraining  {}\ndata      {}: {}\n\n", describe(run.model), describe(run.train),
               data_title(run.data), run.source->describe());
  Status status;
  Outcome outcome;
  for (const Run& run : runs) compare_work(flags, run, status, outcome);
  status.show("");
  for (const ParityReport& report : outcome.reports) fmt::print("{}", text_of(report));
  fmt::print("\n{}", text_table(parity_cells(outcome.rows)));
  Outputs outputs;
  outputs.write_json(flags.json, [&] { return json_of(flags, outcome); });
  if (flags.record) {
    Record record = new_record(flags.name, command_of(flags), work, flags.device);
    record.rows = outcome.rows;
    keep_record(outputs, record);
  }
  std::string check;
  for (const ParityReport& report : outcome.reports)
    if (!report.passed() && check.empty()) check = verdict_of(report);
  outputs.finish(check);
}

}  // namespace

void add_parity(CLI::App& app) {
  const auto flags = std::make_shared<ParityFlags>();
  add_choice(app, "--level", flags->level, {"kernel", "block", "model", "loss", "all"},
             "what to compare (default all)");
  add_number(app, "--from", flags->from,
             "one stage (default: the whole chain, each rung against the one below)");
  add_number(app, "--to", flags->to, "the other stage; the higher one is under test");
  std::vector<std::string> dtypes = dtype_names();
  dtypes.emplace_back("all");
  add_choice(app, "--dtype", flags->dtype, dtypes,
             "what the higher stage computes in; all: each type it has");
  add_device(app, flags->device);
  add_number(app, "--threads", flags->threads, "CPU threads (default 0: all cores)");
  add_number(app, "--interpreter-steps", flags->interpreter_steps,
             "steps the interpreter runs; 0: none (default 30)");
  add_run_flags(app, flags->run);
  add_text(app, "--json", flags->json, "write every comparison as JSON").type("FILE");
  const Flag record = add_switch(app, "--record", flags->record,
                                 "write the record to tests/bench/results of the source folder");
  add_text(app, "--name", flags->name, "of the record (default parity)").type("NAME").needs(record);
  set_action(app, [flags] { run_parity(*flags); });
}

}  // namespace ladder::cli
