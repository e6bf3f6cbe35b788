// ladder climb: the main job. Trains the same GPT on every stage this machine can run, checks each against the one
// below, times them side by side, and writes the report.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/files.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/base/text_table.hpp"
#include "shared/checklist/checklist.hpp"
#include "shared/cli/checklist.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/gpt2_section.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/settings.hpp"
#include "shared/cli/standard_streams.hpp"
#include "shared/cli/status.hpp"
#include "shared/data/token_files.hpp"
#include "shared/parity/room.hpp"
#include "shared/report/report.hpp"
#include "shared/speed/chain.hpp"

namespace ladder::cli {
namespace {

struct ClimbFlags {
  RunFlags run;
  std::string report = "ladder-report.html", json;
  Device device = Device::automatic;
  std::int64_t interpreter_steps = 30;
  int rounds = 5;
  bool record = false, checklist = false;
};

constexpr const char* kCurves = "loss-curves";  ///< the record's name

/// Steps of GPT-2's section, which shows that both texts agree; a run of its own trains it at length.
constexpr std::int64_t kGpt2Steps = 30;

/// One rung on its way up.
struct Climber {
  Rung rung;
  std::unique_ptr<Engine> engine;  ///< null where it cannot run
  std::string not_run;
  ParityReport parity;
  Training training;
};

/// A model and the stages that train it.
struct Climb {
  Run run;
  std::vector<Climber> climbers;
};

std::vector<Climber> make_climbers(const Run& run, Device device) {
  std::vector<Climber> climbers;
  for (const Rung& rung : rungs(device, 0, run.model.architecture)) {
    Climber& climber = climbers.emplace_back();
    climber.rung = rung;
    climber.parity.upper = rung.side.name;
    try {
      climber.engine = rung.side.make(run.model, run.train.batch_size);
    } catch (const MachineError& error) {
      if (device.is_gpu()) throw;
      climber.not_run = error.what();
    } catch (const InputError& error) {
      climber.not_run = error.what();  // a setting that this stage does not know
    }
  }
  return climbers;
}

/// The rung below that runs here; null for the lowest.
Climber* below_of(std::vector<Climber>& climbers, const Climber& climber) {
  if (climber.rung.below < 0) return nullptr;
  Climber& below = climbers[static_cast<std::size_t>(climber.rung.below)];
  return below.engine ? &below : nullptr;
}

constexpr ParityLevels kProbes = {false, true, true, false};

void compare_with_below(std::vector<Climber>& climbers, Climber& climber, const Run& run) {
  Climber* below = below_of(climbers, climber);
  if (below == nullptr || !climber.engine) return;
  climber.parity.lower = below->rung.side.name;
  climber.parity.steps = run.train.steps;
  compare_training(climber.rung.side, below->rung.side, run, climber.training, below->training,
                   climber.parity);
  compare_engines(*climber.engine, *below->engine, run, run.train.steps, kProbes, climber.parity);
}

/// Trains every rung and compares it with the one below: at the initial weights, along the curve, after training.
std::vector<Climber> climb_all(const Run& run, Device device, Status& status) {
  std::vector<Climber> climbers = make_climbers(run, device);
  for (Climber& climber : climbers) {
    if (!climber.engine) continue;
    Climber* below = below_of(climbers, climber);
    const auto fresh = below != nullptr ? below->rung.side.make(run.model, run.train.batch_size) : nullptr;
    if (fresh) {
      restart(*fresh, run);
      compare_engines(*climber.engine, *fresh, run, 0, kProbes, climber.parity);
    }
    climber.training = training_of(*climber.engine, run, [&](std::int64_t s) {
      if (s % 20 == 0)
        status.show(fmt::format("{}: step {} of {}", climber.rung.side.name, s, run.train.steps));
    });
  }
  for (Climber& climber : climbers) compare_with_below(climbers, climber, run);
  return climbers;
}

/// Steps of one round: the interpreter's, if it takes part, and no more than were trained, with which they are compared.
std::int64_t race_steps(const ClimbFlags& flags, std::int64_t trained) {
  return std::min(flags.interpreter_steps > 0 ? flags.interpreter_steps : 30, trained);
}

std::vector<ChainRow> race(const ClimbFlags& flags, const RunSettings& settings, Status& status) {
  ChainSettings chain;
  chain.model = settings.model;
  chain.train = settings.train;
  chain.data = settings.data;
  const std::int64_t own = std::int64_t{settings.train.batch_size} * settings.train.grad_accum;
  chain.documents = race_steps(flags, settings.train.steps) * own;
  chain.batch = 0;
  chain.rounds = flags.rounds;
  chain.interpreter_rounds = 1;
  chain.device = flags.device;
  const bool microgpt = settings.model.architecture == Architecture::microgpt;
  return run_chain(chain, rungs(chain.device, 0, settings.model.architecture),
                   microgpt && flags.interpreter_steps > 0,
                   [&](const std::string& text) { status.show(text); });
}

/// Why a rung that ran has nothing to be compared with: no row shall look as if something was proven.
std::string unproven_because(const Rung& rung) {
  return rung.below < 0 ? ": not proven, nothing stands below it"
                        : ": not proven, the stage below did not run";
}

/// The parity table: the interpreter's line, then one a rung.
std::vector<RecordRow> parity_rows(const std::vector<Climber>& climbers, const std::vector<ChainRow>& chain,
                                   bool& passed) {
  std::vector<RecordRow> rows;
  const auto nothing = Json::object();
  const bool interpreter = !chain.empty() && chain.front().stage < 0 && chain.front().not_run.empty();
  for (const Climber& climber : climbers) {
    const std::string name = climber.rung.side.name;
    ParityReport report = climber.parity;
    if (climber.rung.stage == 0 && interpreter && climber.engine) {
      const std::vector<double>&want = chain.front().loss, &loss = climber.training.loss;
      report = {name, "interpreter", static_cast<std::int64_t>(want.size()), {}, {}};
      compare_with_interpreter(std::span(loss).first(std::min(want.size(), loss.size())), want, report);
    }
    if (!climber.engine)
      rows.push_back({name + ": not run, " + climber.not_run, "", "", nothing});
    else if (report.findings.empty())
      rows.push_back({name + unproven_because(climber.rung), "", "", nothing});
    else
      rows.push_back({name + " against " + report.lower, "", "", summary_of(report)});
    if (climber.engine && !report.findings.empty() && !report.passed()) {
      passed = false;
      fmt::print("{}", text_of(report));
    }
  }
  return rows;
}

std::string model_name(const Run& run) {
  return run.model.architecture == Architecture::gpt2 ? "GPT-2" : "microGPT";
}

/// Adds what is to be told of one model.
void add_model(const Climb& climb, Cells parity, Report& report) {
  const Run& run = climb.run;
  ReportModel model{model_name(run),
                    fmt::format("{} Training: {}. Data: {}.", describe(run.model) + ".", describe(run.train),
                                run.source->describe()),
                    std::move(parity),
                    {}};
  for (const Climber& climber : climb.climbers) {
    if (!climber.engine) {
      report.notes.push_back(climber.rung.side.name + " was not run: " + climber.not_run);
      continue;
    }
    for (const std::string& note : climber.parity.notes)
      report.notes.push_back(climber.rung.side.name + ": " + note);
    ReportCurve curve{climber.rung.side.name,   climber.training.loss,     {}, 0.0,
                      climber.training.samples, climber.engine->emulated()};
    if (climber.rung.below >= 0) {
      curve.below = climb.climbers[static_cast<std::size_t>(climber.rung.below)].training.loss;
      curve.limit = find_tolerance("losses", climber.rung.side.dtype).limit();
    }
    model.curves.push_back(std::move(curve));
  }
  report.models.push_back(std::move(model));
}

void print_samples(const std::vector<Climber>& climbers) {
  for (const Climber& climber : climbers) {
    const std::vector<std::string>& samples = climber.training.samples;
    if (samples.empty()) continue;
    std::string line;
    for (std::size_t i = 0; i < std::min<std::size_t>(samples.size(), 6); ++i)
      line += (i == 0 ? "" : ", ") + for_stdout(samples[i]);
    fmt::print("{:<13} {}, ...\n", climber.rung.side.name, line);
  }
}

Json json_of(const std::vector<Climber>& climbers, const std::vector<RecordRow>& parity) {
  Json json = Json::object();
  for (const RecordRow& row : parity) json["parity"].push_back({{"name", row.name}, {"values", row.values}});
  for (const Climber& climber : climbers)
    json["stages"].push_back({{"name", climber.rung.side.name},
                              {"not_run", climber.not_run},
                              {"diverged", climber.training.diverged},
                              {"loss", numbers_or_texts(climber.training.loss)},
                              {"samples", climber.training.samples}});
  return json;
}

Json json_of(const Report& report, const std::vector<Climb>& climbs,
             const std::vector<std::vector<RecordRow>>& parity) {
  Json json = {
      {"format", "ladder-climb/2"},     {"date", report.date},     {"machine", to_json(report.machine)},
      {"build", to_json(report.build)}, {"passed", report.passed}, {"models", Json::array()}};
  for (std::size_t i = 0; i < climbs.size(); ++i) {
    Json model = json_of(climbs[i].climbers, parity[i]);
    model["name"] = report.models[i].name;
    model["work"] = report.models[i].work;
    json["models"].push_back(std::move(model));
  }
  for (const RecordRow& row : report.rows)
    json["speedup"].push_back({{"name", row.name}, {"values", row.values}});
  return json;
}

/// The losses for the first page's picture: a row a stage, each value the mean of a few steps.
Record curves_of(const std::vector<Climber>& climbers, const Run& run, const ClimbFlags& flags) {
  constexpr std::size_t each = 10;
  const std::string preset = flags.run.preset.empty() ? "" : " --preset " + flags.run.preset;
  Record record = new_record(kCurves,
                             fmt::format("./ladder climb{}{}{} --record", place_words("", flags.device, 0),
                                         preset, flags.run.words()),
                             fmt::format("{}; {}", describe(run.model), describe(run.train)), flags.device);
  for (const Climber& climber : climbers) {
    if (!climber.engine) continue;
    const bool emulated = climber.engine->emulated();
    RecordRow row{climber.rung.side.name, source_set_of(climber.rung.stage, !emulated), "", {}};
    row.hash = source_hash(row.sources);
    std::vector<double> means;
    const std::vector<double>& loss = climber.training.loss;
    for (std::size_t first = 0; first + each <= loss.size(); first += each) {
      const auto start = loss.begin() + static_cast<std::ptrdiff_t>(first);
      const double mean = std::accumulate(start, start + each, 0.0) / each;
      means.push_back(std::round(1e4 * mean) / 1e4);
    }
    row.values = {{"emulated", emulated}, {"steps_each", each}};
    row.values["loss"] = numbers_or_texts(means);
    record.rows.push_back(std::move(row));
  }
  return record;
}

/// The runs to climb with: that of the flags, and where they name no model, a small GPT-2.
std::vector<RunSettings> settings_of(const RunFlags& flags) {
  std::vector<RunSettings> all = {resolve_run(flags)};
  require(all.front().train.steps > 0, "--steps is {}: it must be 1 or more", all.front().train.steps);
  if (!flags.preset.empty() || flags.model.flags.contains("--model")) return all;
  RunFlags gpt2;
  gpt2.data = flags.data;
  std::optional<RunSettings> tiny = gpt2_section(gpt2);
  if (!tiny) return all;
  tiny->train.steps = std::min(kGpt2Steps, all.front().train.steps);
  tiny->train.seed = all.front().train.seed;
  all.push_back(std::move(*tiny));
  return all;
}

void print_work(const Run& run) {
  fmt::print("model     {}\ntraining  {}\ndata      {}: {}\ntokens    step 0 has hash {}\n",
             describe(run.model), describe(run.train), data_title(run.data), run.source->describe(),
             hex64(run.source->token_hash()));
  std::fflush(stdout);
  if (!run.source->notice().empty()) notice(run.source->notice());
}

void require_files(const ClimbFlags& flags) {
  require_rounds(flags.rounds);
  require(flags.interpreter_steps >= 0, "--interpreter-steps is {}: it must be 0 or more",
          flags.interpreter_steps);
  require_outputs(data_files(flags.run.data), {flags.report, flags.json}, recorded(flags.record, {kCurves}));
  require_temporary_folder();
}

void print_tables(const Report& report, const std::vector<Climb>& climbs, std::int64_t steps) {
  for (const ReportModel& model : report.models)
    fmt::print("Parity of {}: largest difference from the stage below, of the limit for it\n{}\n", model.name,
               text_table(model.parity));
  fmt::print("Speed: the same {} steps on every stage, in turns\n{}\n", steps, text_table(report.speedup));
  print_samples(climbs.front().climbers);
  for (const std::string& note : report.notes) fmt::print("note      {}\n", note);
}

/// What it came to that a parity failed. Where every stage diverges, the reference as well, none is to blame.
std::string failure_of(const std::vector<Climb>& climbs) {
  for (const Climb& climb : climbs) {
    const auto diverges = [](const Climber& c) { return !c.training.diverged.empty(); };
    const auto first = std::ranges::find_if(climb.climbers, diverges);
    if (first == climb.climbers.end()) continue;
    const bool all =
        std::ranges::all_of(climb.climbers, [&](const Climber& c) { return !c.engine || diverges(c); });
    return fmt::format("{}{} diverges: {}; try a smaller --lr than {}",
                       all ? "every stage diverges, none is to blame: " : "", first->rung.side.name,
                       first->training.diverged, climb.run.train.learning_rate);
  }
  return "a stage differs from the one below it: the parity table names it";
}

void run_climb(const ClimbFlags& flags) {
  require_files(flags);
  const std::vector<RunSettings> settings = settings_of(flags.run);
  std::vector<Climb> climbs;
  for (const RunSettings& one : settings) {
    const auto accept = [&](const Run& run) {
      require_room_for_one(run, rungs(flags.device, 0, run.model.architecture));
    };
    climbs.push_back({prepare_run(one.model, one.train, one.data, Dtype::fp64, accept), {}});
  }
  for (const Climb& climb : climbs) print_work(climb.run);
  fmt::print("machine   {}\nbuild     {}\n\n", describe(this_machine(flags.device)), describe(this_build()));
  std::fflush(stdout);

  Status status;
  for (Climb& climb : climbs) climb.climbers = climb_all(climb.run, flags.device, status);
  const std::vector<ChainRow> chain = race(flags, settings.front(), status);
  status.show("");
  Report report{utc_now(), this_machine(flags.device), this_build(), true, {}, {}, {}, {}};
  std::vector<std::vector<RecordRow>> parity;
  for (const Climb& climb : climbs) {
    const bool first = &climb == &climbs.front();
    parity.push_back(parity_rows(climb.climbers, first ? chain : std::vector<ChainRow>(), report.passed));
    add_model(climb, parity_cells(parity.back()), report);
  }
  for (const ChainRow& row : chain) report.passed = report.passed && !row.failed();
  report.rows = record_rows(chain, false);
  report.speedup = speedup_cells(report.rows);
  print_tables(report, climbs, race_steps(flags, settings.front().train.steps));
  if (flags.checklist) {
    report.checklist = default_checklist(flags.device, status);
    status.show("");
    fmt::print("\nChecklist\n{}", text_of(*report.checklist));
    report.passed = report.passed && report.checklist->passed();
  }
  Outputs outputs;
  outputs.write(flags.json, [&] { return json_of(report, climbs, parity).dump(1) + "\n"; });
  outputs.try_to([&] {
    write_file(flags.report, html_of(report));
    fmt::print("\nreport    {}\n", escaped_name(flags.report));
  });
  if (flags.record && report.passed)
    outputs.try_to(
        [&] { keep_record(outputs, curves_of(climbs.front().climbers, climbs.front().run, flags)); });
  const bool checklist_failed = report.checklist && !report.checklist->passed();
  outputs.finish(checklist_failed ? "a step of the checklist failed"
                 : report.passed  ? ""
                                  : failure_of(climbs));
}

}  // namespace

void add_climb(CLI::App& app) {
  const auto flags = std::make_shared<ClimbFlags>();
  add_run_flags(app, flags->run);
  add_device(app, flags->device);
  add_number(app, "--interpreter-steps", flags->interpreter_steps,
             "steps that the interpreter runs; 0: none (default 30)");
  add_number(app, "--rounds", flags->rounds, "rounds of the race (default 5)");
  add_text(app, "--report", flags->report, "the HTML report (default ladder-report.html)").type("FILE");
  add_text(app, "--json", flags->json, "write tables, losses and samples as JSON").type("FILE");
  add_switch(app, "--checklist", flags->checklist,
             "go through ladder checklist as well: a section of the report");
  add_switch(app, "--record", flags->record, "keep the losses for the picture of the README");
  set_action(app, [flags] { run_climb(*flags); });
}

}  // namespace ladder::cli
