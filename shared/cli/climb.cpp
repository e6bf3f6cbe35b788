// ladder climb: the main job. Trains the same GPT on every stage this machine can run, checks each against the one
// below, times them side by side, and writes the report.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/text_table.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/settings.hpp"
#include "shared/cli/status.hpp"
#include "shared/data/token_files.hpp"
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
  bool record = false;
};

/// One rung on its way up.
struct Climber {
  Rung rung;
  std::unique_ptr<Engine> engine;  ///< null where it cannot run
  std::string not_run;
  ParityReport parity;
  std::vector<double> loss;
  std::vector<std::string> samples;
};

std::vector<Climber> make_climbers(const Run& run, Device device) {
  std::vector<Climber> climbers;
  for (const Rung& rung : rungs(device)) {
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
  compare_training(climber.rung.side, below->rung.side, run, {climber.loss, climber.samples},
                   {below->loss, below->samples}, climber.parity);
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
    climber.loss = train_curve(*climber.engine, run, run.train.steps, [&](std::int64_t s) {
      if (s % 20 == 0)
        status.show(fmt::format("{}: step {} of {}", climber.rung.side.name, s, run.train.steps));
    });
    climber.samples = texts_after_training(*climber.engine, run);
  }
  for (Climber& climber : climbers) compare_with_below(climbers, climber, run);
  return climbers;
}

/// Steps of one round: the interpreter's, if it takes part.
std::int64_t race_steps(const ClimbFlags& flags) {
  return flags.interpreter_steps > 0 ? flags.interpreter_steps : 30;
}

std::vector<ChainRow> race(const ClimbFlags& flags, const RunSettings& settings, Status& status) {
  ChainSettings chain;
  chain.model = settings.model;
  chain.train = settings.train;
  chain.data = settings.data;
  const std::int64_t own = std::int64_t{settings.train.batch_size} * settings.train.grad_accum;
  chain.documents = race_steps(flags) * own;
  chain.batch = 0;
  chain.rounds = flags.rounds;
  chain.interpreter_rounds = 1;
  chain.device = flags.device;
  return run_chain(chain, rungs(chain.device, 0), flags.interpreter_steps > 0,
                   [&](const std::string& text) { status.show(text); });
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
      const std::vector<double>& want = chain.front().loss;
      report = {name, "interpreter", static_cast<std::int64_t>(want.size()), {}, {}};
      compare_with_interpreter(std::span(climber.loss).first(std::min(want.size(), climber.loss.size())),
                               want, report);
    }
    if (!climber.engine)
      rows.push_back({name + ": not run, " + climber.not_run, "", "", nothing});
    else if (report.findings.empty())
      rows.push_back({name + ": nothing below it ran", "", "", nothing});
    else
      rows.push_back({name + " against " + report.lower, "", "", summary_of(report)});
    if (climber.engine && !report.findings.empty() && !report.passed()) {
      passed = false;
      fmt::print("{}", text_of(report));
    }
  }
  return rows;
}

Report report_of(const std::vector<Climber>& climbers, const Run& run, Device device) {
  Report report;
  report.date = utc_now();
  report.machine = this_machine(device);
  report.build = this_build();
  report.work = fmt::format("{} Training: {}. Data: {}.", describe(run.model) + ".", describe(run.train),
                            run.source->describe());
  for (const Climber& climber : climbers) {
    if (!climber.engine) {
      report.notes.push_back(climber.rung.side.name + " was not run: " + climber.not_run);
      continue;
    }
    for (const std::string& note : climber.parity.notes)
      report.notes.push_back(climber.rung.side.name + ": " + note);
    ReportCurve curve{climber.rung.side.name,    climber.loss, {}, 0.0, climber.samples,
                      climber.engine->emulated()};
    if (climber.rung.below >= 0) {
      curve.below = climbers[static_cast<std::size_t>(climber.rung.below)].loss;
      curve.limit = find_tolerance("losses", climber.rung.side.dtype).limit();
    }
    report.curves.push_back(std::move(curve));
  }
  return report;
}

void print_samples(const std::vector<Climber>& climbers) {
  for (const Climber& climber : climbers) {
    if (climber.samples.empty()) continue;
    std::string line;
    for (std::size_t i = 0; i < std::min<std::size_t>(climber.samples.size(), 6); ++i)
      line += (i == 0 ? "" : ", ") + climber.samples[i];
    fmt::print("{:<13} {}, ...\n", climber.rung.side.name, line);
  }
}

Json json_of(const Report& report, const std::vector<Climber>& climbers,
             const std::vector<RecordRow>& parity) {
  Json json = {{"format", "ladder-climb/1"},
               {"work", report.work},
               {"date", report.date},
               {"machine", to_json(report.machine)},
               {"build", to_json(report.build)},
               {"passed", report.passed}};
  for (const RecordRow& row : parity) json["parity"].push_back({{"name", row.name}, {"values", row.values}});
  for (const RecordRow& row : report.rows)
    json["speedup"].push_back({{"name", row.name}, {"values", row.values}});
  for (const Climber& climber : climbers)
    json["stages"].push_back({{"name", climber.rung.side.name},
                              {"not_run", climber.not_run},
                              {"loss", climber.loss},
                              {"samples", climber.samples}});
  return json;
}

/// The losses for the first page's picture: a row a stage, each value the mean of a few steps.
void record_curves(const std::vector<Climber>& climbers, const Run& run, const ClimbFlags& flags) {
  constexpr std::size_t each = 10;
  const std::string preset = flags.run.preset.empty() ? "" : " --preset " + flags.run.preset;
  Record record = new_record("loss-curves",
                             fmt::format("./ladder climb{}{}{} --record", place_words("", flags.device, 0),
                                         preset, flags.run.words()),
                             fmt::format("{}; {}", describe(run.model), describe(run.train)), flags.device);
  for (const Climber& climber : climbers) {
    if (!climber.engine) continue;
    const bool emulated = climber.engine->emulated();
    RecordRow row{climber.rung.side.name, source_set_of(climber.rung.stage, !emulated), "", {}};
    row.hash = source_hash(row.sources);
    std::vector<double> means;
    for (std::size_t first = 0; first + each <= climber.loss.size(); first += each) {
      const auto start = climber.loss.begin() + static_cast<std::ptrdiff_t>(first);
      const double mean = std::accumulate(start, start + each, 0.0) / each;
      means.push_back(std::round(1e4 * mean) / 1e4);
    }
    row.values = {{"emulated", emulated}, {"steps_each", each}};
    row.values["loss"] = means;
    record.rows.push_back(std::move(row));
  }
  const auto path = records_folder() / (record.name + ".json");
  write_record(path, record);
  fmt::print("recorded  {}\n", path.string());
}

void run_climb(const ClimbFlags& flags) {
  require(flags.rounds > 0, "--rounds is {}: it must be 1 or more", flags.rounds);
  require(flags.interpreter_steps >= 0, "--interpreter-steps is {}: it must be 0 or more",
          flags.interpreter_steps);
  require_distinct_outputs(data_files(flags.run.data), {flags.report, flags.json});
  require_writable_file(flags.report);
  require_writable_file(flags.json);
  const RunSettings settings = resolve_run(flags.run);
  require(settings.train.steps > 0, "--steps is {}: it must be 1 or more", settings.train.steps);
  const Run run = prepare_run(settings.model, settings.train, settings.data);
  fmt::print("model     {}\ntraining  {}\ndata      {}: {}\ntokens    step 0 has hash {}\n",
             describe(run.model), describe(run.train),
             run.data.path.empty() ? "embedded names" : run.data.path, run.source->describe(),
             hex64(run.source->token_hash()));
  fmt::print("machine   {}\nbuild     {}\n\n", describe(this_machine(flags.device)), describe(this_build()));
  std::fflush(stdout);
  if (!run.source->notice().empty()) fmt::print(stderr, "ladder: notice: {}\n", run.source->notice());

  Status status;
  const std::vector<Climber> climbers = climb_all(run, flags.device, status);
  const std::vector<ChainRow> chain = race(flags, settings, status);
  status.show("");
  Report report = report_of(climbers, run, flags.device);
  const std::vector<RecordRow> parity = parity_rows(climbers, chain, report.passed);
  for (const ChainRow& row : chain) report.passed = report.passed && (!row.not_run.empty() || row.proven);
  report.rows = record_rows(chain, false);
  report.parity = parity_cells(parity);
  report.speedup = speedup_cells(report.rows);
  fmt::print("Parity: largest difference from the stage below, of the limit for it\n{}\n",
             text_table(report.parity));
  fmt::print("Speed: the same {} steps on every stage, in turns\n{}\n", race_steps(flags),
             text_table(report.speedup));
  print_samples(climbers);
  for (const std::string& note : report.notes) fmt::print("note      {}\n", note);
  if (!flags.json.empty()) write_file(flags.json, json_of(report, climbers, parity).dump(1) + "\n");
  write_file(flags.report, html_of(report));
  fmt::print("\nreport    {}\n", flags.report);
  if (flags.record && report.passed) record_curves(climbers, run, flags);
  if (!report.passed) throw CheckError("a stage differs from the one below it: the parity table names it");
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
  add_switch(app, "--record", flags->record, "keep the losses for the picture of the README");
  set_action(app, [flags] { run_climb(*flags); });
}

}  // namespace ladder::cli
