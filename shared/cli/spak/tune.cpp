// ladder spak tune: runs an engineering loop, or replays recorded results.
#include "shared/spak/tune.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/shown.hpp"
#include "shared/base/text_table.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/spak/common.hpp"
#include "shared/cli/spak/verbs.hpp"
#include "shared/spak/expiry.hpp"
#include "shared/spak/situation.hpp"

namespace ladder::cli {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Known = std::map<std::uint64_t, std::optional<double>>;

struct TuneFlags {
  std::string file, loop, out, replay, shard, strategy = "all", json;
  std::vector<std::string> set;
  std::optional<std::int64_t> budget, limit;
  std::int64_t seed = 42;
  int seeds = 1;
  double seconds = 60;
  int repeats = 1;
  bool no_prune = false, dry_run = false;
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

/// How many points there are, which rule takes which of them, and for how long the rest can take.
std::uint64_t print_plan(const spak::Plan& plan, const TuneFlags& flags) {
  const double longest = flags.seconds * flags.repeats;
  require(plan.space().size() <= spak::Plan::kMostWalked || flags.limit || flags.budget,
          "{} points, which take up to {} at {} s each: --limit N says how many of them may be measured",
          plan.space().size(), format_seconds(static_cast<double>(plan.space().size()) * longest), longest);
  if (plan.space().size() > spak::Plan::kMostWalked) {
    fmt::print("{} points\n", plan.space().size());
    return plan.space().size();
  }
  std::vector<spak::Pruned> pruned;
  const std::uint64_t left = plan.count(pruned);
  fmt::print("{} points", plan.space().size());
  for (const spak::Pruned& each : pruned)
    fmt::print("\n  - {} by {}: {}", each.points, shown(each.pruning.by), shown(each.pruning.condition));
  fmt::print("{}\n", pruned.empty() ? "" : fmt::format("\n  {} are left", left));
  return left;
}

std::string configuration_text(const Json& configuration) {
  std::string text;
  for (const auto& [name, value] : configuration.items())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name,
                        value.is_string() ? value.get<std::string>() : value.dump());
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
        format_seconds(each * static_cast<double>(points_ - std::min(done_, points_))));
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

void run_sweep(const TuneFlags& flags, const Tuning& tuning) {
  const spak::Plan plan(tuning.lineage, *tuning.loop, tuning.measuring.set, !flags.no_prune);
  const spak::Command command(tuning.lineage.front(), *tuning.loop, tuning.measuring.set);
  const spak::Shard shard = spak::shard_of(flags.shard);
  fs::path file = trace_file(flags, tuning);
  if (shard.of > 1) file += fmt::format(".{}-of-{}", shard.number + 1, shard.of);
  require_distinct_outputs({flags.file}, {file});
  const std::uint64_t left = print_plan(plan, flags);
  if (flags.dry_run) return;
  if (!file.parent_path().empty()) require_writable_folder(file.parent_path());
  std::error_code ignored;
  const Known known = fs::exists(file, ignored) ? spak::known_points(plan.space(), *tuning.loop,
                                                                     tuning.measuring, spak::read_trace(file))
                                                : Known();
  if (!known.empty()) fmt::print("{} points are in {} already\n", known.size(), shown(file.string()));
  if (shard.of > 1) fmt::print("share {} of {}\n", shard.number + 1, shard.of);
  spak::TuneOptions options{flags.strategy, static_cast<std::uint64_t>(flags.seed), UINT64_MAX, shard};
  for (const auto& most : {flags.budget, flags.limit})
    if (most) options.budget = std::min(options.budget, static_cast<std::uint64_t>(*most));
  SweepProgress progress(std::min(options.budget, (left + shard.of - 1) / shard.of -
                                                      std::min<std::uint64_t>(left / shard.of, known.size())),
                         tuning.measuring);
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

/// Recorded results instead of a card: how many points a strategy needs.
void run_replay(const TuneFlags& flags, const Tuning& tuning) {
  require_distinct_outputs({flags.file, flags.replay}, {flags.json});
  require_writable_file(flags.json);
  const spak::Plan plan(tuning.lineage, *tuning.loop, tuning.measuring.set, !flags.no_prune);
  const Known known =
      spak::known_points(plan.space(), *tuning.loop, tuning.measuring, spak::read_trace(flags.replay));
  const auto measured =
      std::count_if(known.begin(), known.end(), [](const auto& each) { return each.second.has_value(); });
  require(measured > 0, "{}: holds no measured point of '{}' with this space and these settings",
          shown(flags.replay), shown(tuning.loop->name));
  fmt::print("{} of {} points are recorded, {} of them measured\n", known.size(), plan.space().size(),
             measured);
  std::vector<std::uint64_t> needed;
  for (int i = 0; i < flags.seeds; ++i)
    if (const auto replayed =
            spak::replay(plan, known, flags.strategy, static_cast<std::uint64_t>(flags.seed + i)))
      needed.push_back(replayed->needed);
  if (needed.empty())
    throw CheckError("no point that the rules leave is within 2% of the best that is recorded");
  std::sort(needed.begin(), needed.end());
  const std::uint64_t median = needed[needed.size() / 2];
  fmt::print("{}: within 2% of the best after {} points{}\n", flags.strategy, median,
             flags.seeds == 1 ? ""
                              : fmt::format(", the median of {} seeds ({} to {})", needed.size(),
                                            needed.front(), needed.back()));
  Outputs outputs;
  outputs.write(flags.json, [&] {
    const Json json = {{"format", "ladder-spak-replay/1"},
                       {"strategy", flags.strategy},
                       {"seeds", flags.seeds},
                       {"points", plan.space().size()},
                       {"recorded", known.size()},
                       {"needed", needed},
                       {"median", median}};
    return json.dump(1) + "\n";
  });
  outputs.finish();
}

void run_tune(const TuneFlags& flags) {
  const Tuning tuning = tuning_of(flags);
  if (flags.replay.empty()) {
    require(flags.json.empty(), "--json goes with --replay; a sweep writes its trace");
    require(flags.seeds == 1, "--seeds goes with --replay");
    run_sweep(flags, tuning);
  } else {
    require(flags.out.empty() && flags.shard.empty() && !flags.budget && !flags.limit && !flags.dry_run,
            "--replay measures nothing: --out, --shard, --budget, --limit and --dry-run do not go with it");
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
  add_switch(command, "--dry-run", flags->dry_run,
             "only say which points there are and which rules take some");
  add_text(command, "--shard", flags->shard,
           "one of N processes that share the points (default: as Open MPI or Slurm says)")
      .type("K/N");
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
