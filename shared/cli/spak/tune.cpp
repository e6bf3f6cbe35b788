// ladder spak tune: runs an engineering loop, or replays recorded results.
#include "shared/spak/tune.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/shown.hpp"
#include "shared/base/text_table.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/progress.hpp"
#include "shared/cli/spak/common.hpp"
#include "shared/cli/spak/verbs.hpp"
#include "shared/spak/bundle.hpp"
#include "shared/spak/expiry.hpp"
#include "shared/spak/situation.hpp"

namespace ladder::cli {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Known = std::map<std::uint64_t, std::optional<double>>;

struct TuneFlags {
  std::string file, loop, out, replay, shard, strategy = "all", json, plan, why;
  std::vector<std::string> set;
  std::optional<std::int64_t> budget, limit;
  std::int64_t seed = 42;
  int seeds = 1;
  double seconds = 60;
  int repeats = 1;
  bool no_prune = false, dry_run = false, narrow = false;
};

/// What a call works with.
struct Tuning {
  std::vector<spak::System> lineage;
  const spak::EngineeringLoop* loop;
  spak::Measuring measuring;
};

Tuning tuning_of(const TuneFlags& flags) {
  require(flags.seconds > 0, "--time-limit {}: more than 0 s are needed", flags.seconds);
  require(flags.repeats > 0, "--repeats {}: at least 1 is needed", flags.repeats);
  require(flags.seeds > 0, "--seeds {}: at least 1 is needed", flags.seeds);
  require(flags.budget.value_or(1) > 0, "--budget {}: at least 1 is needed", *flags.budget);
  require(flags.limit.value_or(1) > 0, "--limit {}: at least 1 is needed", *flags.limit);
  Tuning tuning{spak::read_lineage(flags.file), nullptr, {}};
  tuning.loop = &loop_of(tuning.lineage.front(), flags.loop);
  require(!tuning.loop->metric.empty(), "{}: engineering_loop '{}' names no metric",
          tuning.lineage.front().document.where(*tuning.loop->node), shown(tuning.loop->name));
  tuning.measuring = {tuning.lineage.front().name, tuning.loop->name, tuning.loop->metric,
                      tuning.loop->maximize,       flags.seconds,     flags.repeats};
  tuning.measuring.evidence = tuning.loop->entries.value("evidence", "measured");
  for (const std::string& written : flags.set) spak::add_setting(tuning.measuring.set, written);
  tuning.measuring.sources =
      spak::sources_hash(tuning.lineage.front(), *tuning.loop, source_root(flags.file));
  return tuning;
}

/// Beside the system file: traces/LOOP.jsonl
fs::path trace_file(const TuneFlags& flags, const Tuning& tuning) {
  if (!flags.out.empty()) return flags.out;
  return fs::path(flags.file).parent_path() / "traces" / (tuning.loop->name + ".jsonl");
}

/// The points of the call: all, or with --narrow those that rules recommend.
spak::Plan plan_of(const TuneFlags& flags, const Tuning& tuning) {
  std::vector<spak::Axis> axes = spak::axes_of(tuning.lineage.front(), *tuning.loop);
  if (flags.narrow) {
    std::vector<spak::Narrowing> narrowings;
    axes = spak::narrowed(std::move(axes), tuning.lineage, tuning.measuring.set, narrowings);
    for (const spak::Narrowing& each : narrowings)
      fmt::print("{} = {} by rule '{}'{}\n", shown(each.axis), shown(each.values.front().dump()),
                 shown(each.rule),
                 each.system == tuning.lineage.front().name
                     ? ""
                     : fmt::format(", inherited from {}", shown(each.system)));
    require(!narrowings.empty(),
            "--narrow: no rule that holds for what is set recommends a value of these parameters");
  }
  return {std::move(axes), tuning.lineage, *tuning.loop, tuning.measuring.set, !flags.no_prune};
}

/// How many points there are, which rule takes which of them, and for how long the rest can take.
void print_plan(const spak::Plan& plan, const TuneFlags& flags) {
  const double longest = flags.seconds * flags.repeats;
  require(plan.space().size() <= spak::Plan::kMostWalked || flags.limit || flags.budget,
          "{} points, which take up to {} at {} s each: --limit N says how many of them may be measured",
          plan.space().size(), format_seconds(static_cast<double>(plan.space().size()) * longest), longest);
  if (plan.space().size() > spak::Plan::kMostWalked) {
    fmt::print("{} points\n", plan.space().size());
    return;
  }
  std::vector<spak::Pruned> pruned;
  const std::uint64_t left = plan.count(pruned);
  fmt::print("{} points", plan.space().size());
  for (const spak::Pruned& each : pruned)
    fmt::print("\n  - {} by {}: {}", each.points, shown(each.pruning.by), shown(each.pruning.condition));
  fmt::print("{}\n", pruned.empty() ? "" : fmt::format("\n  {} are left", left));
}

std::string configuration_text(const Json& configuration) {
  std::string text;
  for (const auto& [name, value] : configuration.items())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, spak::value_text(value));
  return text;
}

/// One line a point, and on a terminal how far it is.
class SweepProgress {
 public:
  SweepProgress(std::uint64_t points, const spak::Measuring& measuring)
      : points_(points), measuring_(measuring) {}

  void add(const Json& item) {
    ++done_;
    const auto cost = spak::cost_of(item, measuring_.metric, measuring_.maximize);
    if (cost && (!best_ || *cost < *best_)) best_ = cost;
    const double each =
        std::chrono::duration<double>(Clock::now() - start_).count() / static_cast<double>(done_);
    fmt::print(
        "{}/{}  {}  {}  ETA {}\n", done_, points_, shown(configuration_text(item["configuration"]), 120),
        cost ? fmt::format("{} {:.4g}{}", measuring_.metric, std::abs(*cost),
                           cost == best_ ? ", the best so far" : "")
             : fmt::format("{}: {}", item.value("outcome", ""), shown(item.value("reason", ""), 120).str()),
        hours_minutes_seconds(each * static_cast<double>(points_ - std::min(done_, points_))));
    std::fflush(stdout);
  }

 private:
  std::uint64_t points_, done_ = 0;
  const spak::Measuring& measuring_;
  std::optional<double> best_;
  Clock::time_point start_ = Clock::now();
};

void print_result(const std::vector<spak::Tried>& tried, const spak::Plan& plan,
                  const spak::Measuring& measuring) {
  const spak::Tried* best = nullptr;
  std::size_t failed = 0;
  for (const spak::Tried& each : tried) {
    failed += each.cost ? 0 : 1;
    if (each.cost && (best == nullptr || *each.cost < *best->cost)) best = &each;
  }
  fmt::print("{} points, {} of them failed\n", tried.size(), failed);
  if (best != nullptr)
    fmt::print("best: {} {:.6g} at {}\n", measuring.metric, std::abs(*best->cost),
               shown(configuration_text(plan.space().point(best->point)), 300));
}

/// How many points this share has still to measure; those of a space that is not walked through as far as is known.
std::uint64_t left_to_measure(const spak::Plan& plan, const spak::Shard& shard, const Known& known,
                              std::uint64_t most) {
  if (plan.space().size() > spak::Plan::kMostWalked) return most;
  std::uint64_t left = 0;
  for (std::uint64_t point = shard.number; point < plan.space().size() && left < most; point += shard.of)
    left += !known.contains(point) && plan.allowed(point) ? 1 : 0;
  return left;
}

Known known_of(const fs::path& file, const spak::Plan& plan, const Tuning& tuning) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return {};
  Known known = spak::known_points(plan.space(), *tuning.loop, tuning.measuring, spak::read_trace(file));
  if (!known.empty()) fmt::print("{} points are in {} already\n", known.size(), shown(file.string()));
  return known;
}

/// The plan of a sweep on another machine, instead of measuring here.
void write_plan(const TuneFlags& flags, const Tuning& tuning, const spak::Plan& plan,
                const spak::Shard& shard) {
  const std::string why =
      flags.why.empty() ? fmt::format("{} of {}", tuning.loop->name, tuning.lineage.front().name) : flags.why;
  const Known known = known_of(trace_file(flags, tuning), plan, tuning);
  const Json json =
      spak::sweep_plan(tuning.lineage.front(), *tuning.loop, plan, shard, known, tuning.measuring.set, why);
  write_file(flags.plan, json.dump(1) + "\n");
  fmt::print("{} configurations in {}\n", json["configurations"].size(), shown(flags.plan));
}

/// Of a share its own file: merging them is `ladder spak ingest`.
fs::path share_of(fs::path file, const spak::Shard& shard) {
  if (shard.of > 1)
    file.replace_filename(fmt::format("{}.{}-of-{}.jsonl", file.stem().string(), shard.number + 1, shard.of));
  return file;
}

void measure_points(const TuneFlags& flags, const Tuning& tuning, const spak::Plan& plan,
                    const spak::Shard& shard) {
  const spak::Command command(tuning.lineage.front(), *tuning.loop, tuning.measuring.set);
  const fs::path file = share_of(trace_file(flags, tuning), shard);
  require_distinct_outputs({flags.file}, {file});
  if (!file.parent_path().empty()) require_writable_folder(file.parent_path());
  const Known known = known_of(file, plan, tuning);
  spak::TuneOptions options{flags.strategy, static_cast<std::uint64_t>(flags.seed), UINT64_MAX, shard};
  for (const auto& most : {flags.budget, flags.limit})
    if (most) options.budget = std::min(options.budget, static_cast<std::uint64_t>(*most));
  SweepProgress progress(left_to_measure(plan, shard, known, options.budget), tuning.measuring);
  const InterruptGuard guard;
  try {
    const auto tried = spak::tune(plan, options, known, [&](std::uint64_t point) {
      const Json item = spak::measure_point(command, tuning.measuring, plan.space().point(point));
      spak::append_items(file, {item});
      progress.add(item);
      return spak::cost_of(item, tuning.measuring.metric, tuning.measuring.maximize);
    });
    print_result(tried, plan, tuning.measuring);
  } catch (const Interrupted&) {
    fmt::print(stderr,
               "ladder: interrupted; what was measured is in {}, and the same call goes on from there\n",
               shown(file.string()));
    throw;
  }
}

void run_sweep(const TuneFlags& flags, const Tuning& tuning) {
  const spak::Plan plan = plan_of(flags, tuning);
  const spak::Shard shard = spak::shard_of(flags.shard);
  print_plan(plan, flags);
  if (shard.of > 1) fmt::print("share {} of {}\n", shard.number + 1, shard.of);
  if (!flags.plan.empty())
    write_plan(flags, tuning, plan, shard);
  else if (!flags.dry_run)
    measure_points(flags, tuning, plan, shard);
}

double best_of(const Known& known) {
  double best = std::numeric_limits<double>::infinity();
  for (const auto& [point, cost] : known) best = std::min(best, cost.value_or(best));
  return best;
}

/// What inheritance saves and costs: the recorded points that are left, and how far their best is behind the best of all.
Json print_narrowing(const spak::Plan& plan, const Known& left, const Known& all,
                     const spak::Measuring& measuring) {
  const double best = best_of(all), best_left = best_of(left);
  require(std::isfinite(best_left), "no point that is left has a recorded result");
  const double behind = std::abs(best_left / best - 1);
  fmt::print(
      "{} points are left, {} of the {} recorded; their best, {} {:.4g}, is {:.2g}% behind the best of all, "
      "{:.4g}\n",
      plan.space().size(), left.size(), all.size(), measuring.metric, std::abs(best_left), 100 * behind,
      std::abs(best));
  return {{"points_left", plan.space().size()},
          {"recorded_left", left.size()},
          {"best_left", std::abs(best_left)},
          {"best", std::abs(best)},
          {"behind", behind}};
}

/// Recorded results instead of a card: how many points a strategy needs.
void run_replay(const TuneFlags& flags, const Tuning& tuning) {
  require_distinct_outputs({flags.file, flags.replay}, {flags.json});
  require_writable_file(flags.json);
  const spak::Plan whole(tuning.lineage, *tuning.loop, tuning.measuring.set, false);
  const spak::Plan plan = plan_of(flags, tuning);
  const spak::Trace trace = spak::read_trace(flags.replay);
  const Known all = spak::known_points(whole.space(), *tuning.loop, tuning.measuring, trace);
  const Known known = spak::known_points(plan.space(), *tuning.loop, tuning.measuring, trace);
  const auto measured =
      std::count_if(all.begin(), all.end(), [](const auto& each) { return each.second.has_value(); });
  require(measured > 0, "{}: holds no measured point of '{}' with this space and these settings",
          shown(flags.replay), shown(tuning.loop->name));
  fmt::print("{} of {} points are recorded, {} of them measured\n", all.size(), whole.space().size(),
             measured);
  Json json = {{"format", "ladder-spak-replay/1"},
               {"strategy", flags.strategy},
               {"seeds", flags.seeds},
               {"points", whole.space().size()},
               {"recorded", all.size()}};
  if (flags.narrow) json["narrowed"] = print_narrowing(plan, known, all, tuning.measuring);
  std::vector<std::uint64_t> needed;
  for (int i = 0; i < flags.seeds; ++i)
    if (const auto replayed =
            spak::replay(plan, known, flags.strategy, static_cast<std::uint64_t>(flags.seed + i)))
      needed.push_back(replayed->needed);
  if (needed.empty())
    throw CheckError("no point that the rules leave is within 2% of the best that is recorded");
  std::sort(needed.begin(), needed.end());
  const std::uint64_t median = needed[needed.size() / 2];
  fmt::print("{}: within 2% of the best{} after {} points{}\n", flags.strategy,
             flags.narrow ? " of these" : "", median,
             flags.seeds == 1 ? ""
                              : fmt::format(", the median of {} seeds ({} to {})", needed.size(),
                                            needed.front(), needed.back()));
  Outputs outputs;
  json.update({{"needed", needed}, {"median", median}});
  outputs.write(flags.json, [&] { return json.dump(1) + "\n"; });
  outputs.finish();
}

void run_tune(const TuneFlags& flags) {
  const Tuning tuning = tuning_of(flags);
  if (flags.replay.empty()) {
    require(flags.json.empty(), "--json goes with --replay; a sweep writes its trace");
    require(flags.seeds == 1, "--seeds goes with --replay");
    require(flags.why.empty() || !flags.plan.empty(), "--why goes with --plan");
    require_distinct_outputs({flags.file}, {flags.plan});
    require_writable_file(flags.plan);
    run_sweep(flags, tuning);
  } else {
    require(flags.out.empty() && flags.shard.empty() && !flags.budget && !flags.limit && !flags.dry_run &&
                flags.plan.empty(),
            "--replay measures nothing: --out, --shard, --budget, --limit, --dry-run and --plan do not go "
            "with it");
    run_replay(flags, tuning);
  }
}

}  // namespace

void add_spak_tune(CLI::App& app) {
  CLI::App& command =
      add_command(app, "tune", "run an engineering loop: its points, minus what rules forbid");
  const auto flags = std::make_shared<TuneFlags>();
  add_text(command, "file", flags->file, "the system file").type("FILE.spak").required();
  add_text(command, "--loop", flags->loop, "which of its loops").type("NAME");
  add_texts(command, "--set", flags->set, "what rules and the command ask for besides the parameters")
      .type("NAME=VALUE ...");
  add_text(command, "--out", flags->out,
           "the trace that results are appended to (default traces/LOOP.jsonl beside the system file)")
      .type("FILE");
  add_choice(command, "--strategy", flags->strategy, spak::strategy_names(), "the order of the points")
      .shows_default();
  add_number(command, "--seed", flags->seed, "of that order").shows_default();
  add_number(command, "--budget", flags->budget, "points to measure at most");
  add_number(command, "--limit", flags->limit,
             "the same, for a space of more points than would be walked through");
  add_number(command, "--time-limit", flags->seconds, "seconds of one run").shows_default();
  add_number(command, "--repeats", flags->repeats, "runs of one point; their median counts").shows_default();
  add_switch(command, "--no-prune", flags->no_prune, "also measure what rules forbid");
  add_switch(command, "--narrow", flags->narrow,
             "only the values that rules recommend, this system's and its parents'");
  add_switch(command, "--dry-run", flags->dry_run,
             "only say which points there are and which rules take some");
  add_text(command, "--shard", flags->shard,
           "one of N processes that share the points (default: as Open MPI or Slurm says)")
      .type("K/N");
  add_text(command, "--plan", flags->plan,
           "write the plan of a sweep on another machine instead of measuring")
      .type("FILE.json");
  add_text(command, "--why", flags->why, "with --plan: why its points might win").type("TEXT");
  add_text(command, "--replay", flags->replay, "take results from a trace instead of measuring").type("FILE");
  add_number(command, "--seeds", flags->seeds, "with --replay: so many seeds, one after the other")
      .shows_default();
  add_text(command, "--json", flags->json, "with --replay: write the result as JSON").type("FILE");
  set_footer(
      command,
      "Every point ends in the trace, with its outcome and the reason where it failed. A call that was "
      "interrupted goes on where it was when it is called again.");
  set_action(command, [flags] { run_tune(*flags); });
}

}  // namespace ladder::cli
