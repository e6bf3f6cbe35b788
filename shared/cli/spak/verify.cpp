// ladder spak verify: whether crystallized facts and rules still hold.
#include "shared/spak/verify.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <set>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/spak/common.hpp"
#include "shared/cli/spak/verbs.hpp"
#include "shared/records/machine.hpp"
#include "shared/spak/measure.hpp"

namespace ladder::cli {

namespace {

namespace fs = std::filesystem;

struct VerifyFlags : KnowledgeFlags {
  std::string loop, out, json;
  double seconds = 60;
  int repeats = 5;
  bool apply = false, dry_run = false;
};

/// What a call works with.
struct Verifying {
  std::vector<spak::System> lineage;
  const spak::EngineeringLoop& loop;
  spak::Space space;
  Json set;
  std::string device;
  std::vector<const spak::Statement*> statements;
};

/// What is set, else the GPU of this machine; "" for whichever.
std::string device_of(const Json& set, bool has_trace) {
  if (const Json* device = set.find("device"); device != nullptr && device->is_string())
    return device->get<std::string>();
  if (has_trace) return "";
  const std::string gpu = this_machine().gpu;
  return gpu.substr(0, gpu.find(" (sm_"));
}

/// The settings that a statement's points are measured with: its own, and what is set besides.
Json settings_for(const spak::Statement& statement, const Json& set) {
  const Json* own = statement.entries.find("set");
  Json all = own != nullptr && own->is_object() ? *own : Json::object();
  all.update(set);
  return all;
}

/// Measures what decides the statements; each point of a situation once. Returns the trace.
spak::Trace measure(const VerifyFlags& flags, const Verifying& verifying) {
  const spak::System& system = verifying.lineage.front();
  const fs::path file = !flags.out.empty() ? fs::path(flags.out)
                                           : fs::path(flags.file).parent_path() / "traces" /
                                                 (verifying.loop.name + ".verify.jsonl");
  std::vector<std::pair<Json, std::set<std::uint64_t>>> wanted;  // settings, points
  for (const spak::Statement* statement : verifying.statements) {
    if (statement->text("evidence_kind") == "static") continue;
    Json set = settings_for(*statement, verifying.set);
    auto at = std::find_if(wanted.begin(), wanted.end(), [&](const auto& each) { return each.first == set; });
    if (at == wanted.end()) at = wanted.insert(wanted.end(), {set, {}});
    for (const std::uint64_t point :
         spak::deciding_points(verifying.lineage, verifying.loop, verifying.space, *statement, set))
      at->second.insert(point);
  }
  std::size_t points = 0;
  for (const auto& [set, of_set] : wanted) points += of_set.size();
  fmt::print("{} points decide {} facts and rules\n", points, verifying.statements.size());
  if (flags.dry_run || points == 0) return {};
  if (!file.parent_path().empty()) require_writable_folder(file.parent_path());
  spak::Measuring measuring{system.name,           verifying.loop.name,
                            verifying.loop.metric, verifying.loop.maximize,
                            flags.seconds,         flags.repeats};
  measuring.sources = spak::sources_hash(system, verifying.loop, source_root(flags.file));
  std::error_code ignored;
  const std::size_t before = fs::exists(file, ignored) ? spak::read_trace(file).items.size() : 0;
  const InterruptGuard guard;
  for (const auto& [set, of_set] : wanted) {
    measuring.set = set;
    const spak::Command command(system, verifying.loop, set);
    for (const std::uint64_t point : of_set) {
      stop_if_interrupted();
      spak::append_items(file, {spak::measure_point(command, measuring, verifying.space.point(point))});
    }
  }
  spak::Trace trace = spak::read_trace(file);
  trace.items.erase(trace.items.begin(), trace.items.begin() + static_cast<std::ptrdiff_t>(before));
  trace.lines.erase(trace.lines.begin(), trace.lines.begin() + static_cast<std::ptrdiff_t>(before));
  return trace;
}

/// Toolkit and driver, where they are not set, as the newest items say.
spak::Surroundings now_of(const VerifyFlags& flags, const Verifying& verifying,
                          const spak::Evidence& evidence) {
  spak::Surroundings now =
      surroundings_of(verifying.lineage.front(), verifying.loop, flags.file, verifying.set);
  for (const spak::Group& group : evidence.groups) {
    if (!verifying.set.contains("toolkit") && !group.toolkit.empty()) now.toolkit = group.toolkit;
    if (!verifying.set.contains("driver") && !group.driver.empty()) now.driver = group.driver;
  }
  return now;
}

void print(const spak::Verified& verified) {
  fmt::print("  {:8} '{}'{}\n", name_of(verified.holding), shown(verified.statement->name, 200),
             verified.reason.empty() ? "" : ": " + shown(verified.reason, 300).str());
}

Json json_of(const std::vector<spak::Verified>& all) {
  Json json = Json::array();
  for (const spak::Verified& each : all) {
    Json one = {{"name", each.statement->name}, {"holding", name_of(each.holding)}};
    if (!each.reason.empty()) one["reason"] = each.reason;
    if (!each.record.evidence.empty()) one["evidence"] = each.record.evidence;
    json.push_back(std::move(one));
  }
  return json;
}

std::string objection(const std::vector<spak::Verified>& all) {
  std::size_t refuted = 0, expired = 0;
  for (const spak::Verified& each : all) {
    refuted += each.holding == spak::Holding::refuted ? 1 : 0;
    expired += each.holding == spak::Holding::expired ? 1 : 0;
  }
  if (refuted + expired == 0) return "";
  return fmt::format(
      "of {} facts and rules {} no longer hold, and {} are expired until they are measured again", all.size(),
      refuted, expired);
}

void run_verify(const VerifyFlags& flags) {
  require(flags.seconds > 0, "--time-limit {}: more than 0 s are needed", flags.seconds);
  require(flags.repeats > 0, "--repeats {}: at least 1 is needed", flags.repeats);
  require(flags.out.empty() || flags.traces.empty(), "--trace measures nothing: --out does not go with it");
  std::vector<fs::path> inputs(flags.traces.begin(), flags.traces.end());
  inputs.emplace_back(flags.file);
  require_distinct_outputs(inputs, {flags.json, flags.out});
  require_writable_file(flags.json);
  std::vector<spak::System> lineage = spak::read_lineage(flags.file);
  const spak::EngineeringLoop& loop = loop_of(lineage.front(), flags.loop);
  spak::Space space = spak::space_of(lineage.front(), loop);
  Verifying verifying{std::move(lineage), loop, std::move(space), settings_of(flags), {}, {}};
  verifying.device = device_of(verifying.set, !flags.traces.empty());
  verifying.statements = spak::crystallized(verifying.lineage.front(), loop, verifying.device);
  const spak::System& system = verifying.lineage.front();
  std::vector<spak::Trace> traces = traces_of(flags);
  const bool measures = traces.empty() && !loop.command.empty();
  if (measures) traces.push_back(measure(flags, verifying));
  if (measures && flags.dry_run) return;
  // What was set for the command is in the items' settings; a trace is asked for all of its items that say nothing else.
  const spak::EvidenceWanted wanted{verifying.space, loop, system.name,
                                    measures ? Json::object() : verifying.set};
  const spak::Evidence evidence = spak::evidence_of(wanted, traces);
  const auto verified =
      spak::verify(verifying.lineage, verifying.statements, wanted, evidence,
                   now_of(flags, verifying, evidence), fs::absolute(flags.file).parent_path());
  fmt::print("{}{}\n", verified.empty() ? "no crystallized fact or rule of this loop" : "Verified",
             verifying.device.empty() ? "" : fmt::format(" on {}", shown(verifying.device)));
  for (const spak::Verified& each : verified) print(each);
  Outputs outputs;
  if (flags.apply)
    outputs.try_to([&] {
      const std::string text = spak::with_records(system, verified);
      if (text != system.document.text()) write_file(flags.file, text);
    });
  outputs.write(flags.json, [&] {
    const Json json = {{"format", "ladder-spak-verify/1"},
                       {"loop", loop.name},
                       {"device", verifying.device},
                       {"statements", json_of(verified)}};
    return json.dump(1) + "\n";
  });
  outputs.finish(objection(verified));
}

}  // namespace

void add_spak_verify(CLI::App& app) {
  CLI::App& command = add_command(app, "verify", "whether crystallized facts and rules still hold");
  const auto flags = std::make_shared<VerifyFlags>();
  add_knowledge_flags(command, *flags);
  add_text(command, "--loop", flags->loop, "the loop whose facts are asked for").type("NAME");
  add_text(command, "--out", flags->out,
           "the trace that measurements are appended to (default traces/LOOP.verify.jsonl)")
      .type("FILE");
  add_number(command, "--time-limit", flags->seconds, "seconds of one run").shows_default();
  add_number(command, "--repeats", flags->repeats, "runs of one point").shows_default();
  add_switch(command, "--dry-run", flags->dry_run, "only say how many points would be measured");
  add_switch(command, "--apply", flags->apply, "write what was found into the system file");
  add_text(command, "--json", flags->json, "write it as JSON").type("FILE");
  set_footer(
      command,
      "Measures by the loop's command what decides them, or takes --trace instead. Exit code 1 where one "
      "no longer holds, or is expired.");
  set_action(command, [flags] { run_verify(*flags); });
}

}  // namespace ladder::cli
