// ladder spak crystallize: what traces show, as facts and rules of a system file.
#include "shared/spak/crystallize.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/spak/common.hpp"
#include "shared/cli/spak/verbs.hpp"
#include "shared/spak/apply.hpp"
#include "shared/spak/expiry.hpp"

namespace ladder::cli {

namespace {

namespace fs = std::filesystem;

struct CrystallizeFlags : KnowledgeFlags {
  std::string loop, json;
  bool apply = false;
};

void print(const spak::Proposal& proposal, const spak::Change& change) {
  fmt::print("{:4.2f}  {} '{}': {}\n", proposal.confidence, proposal.is_rule() ? "rule" : "fact",
             shown(change.name, 200), name_of(change.fate));
  fmt::print("      {}\n", shown(proposal.description, 400));
  if (!proposal.when.empty()) fmt::print("      where {}\n", shown(proposal.when, 200));
  std::string links;
  for (const std::string& link : proposal.evidence) links += (links.empty() ? "" : ", ") + link;
  fmt::print("      {}{}, {} behind it: {}\n", proposal.is_static ? "static" : "measured",
             proposal.date.empty() ? "" : " " + proposal.date, proposal.count, shown(links, 200));
  for (const std::string& name : change.lowers)
    fmt::print("      contradicts '{}', whose confidence is halved\n", shown(name, 200));
  for (const std::string& name : change.beside)
    fmt::print("      contradicts {}, which stays as it is\n", shown(name, 200));
}

Json json_of(const spak::Proposal& proposal, const spak::Change& change) {
  Json json = {{"kind", name_of(proposal.kind)},
               {"name", change.name},
               {"fate", name_of(change.fate)},
               {"description", proposal.description},
               {"when", proposal.when},
               {"confidence", proposal.confidence},
               {"spread", proposal.spread},
               {"count", proposal.count},
               {"samples", proposal.samples},
               {"date", proposal.date},
               {"device", proposal.device},
               {"toolkit", proposal.toolkit},
               {"evidence_kind", proposal.is_static ? "static" : "measured"},
               {"evidence", proposal.evidence}};
  if (!proposal.fails) json["effect"] = proposal.effect;
  if (!proposal.axis.empty()) json["axis"] = proposal.axis;
  if (!proposal.recommend.empty()) json["recommend"] = proposal.recommend;
  if (!proposal.forbid.empty()) json["forbid"] = proposal.forbid;
  if (!proposal.winners.empty()) {
    json["winners"] = proposal.winners;
    json["winning"] = proposal.winning;
    json["of"] = proposal.of;
  }
  if (!change.lowers.empty()) json["contradicts"] = change.lowers;
  return json;
}

/// Where items do not say which text of the kernel they measured, it is the one that is there now.
void add_sources(spak::Crystallized& found, const std::string& hash) {
  for (spak::Proposal& proposal : found.proposals)
    if (proposal.sources.empty()) proposal.sources = hash;
}

void print_head(const spak::Evidence& evidence, const spak::Crystallized& found) {
  fmt::print("{} items in {} situations\n", evidence.items - evidence.outside - evidence.unusable,
             found.situations);
  if (evidence.outside > 0) fmt::print("  {} have values that the space does not\n", evidence.outside);
  if (evidence.unusable > 0) fmt::print("  {} have no number above 0 for the metric\n", evidence.unusable);
  if (found.noiseless > 0)
    fmt::print("  {} situations without repeated samples: there is no telling what is noise\n",
               found.noiseless);
  if (found.silent > found.noiseless)
    fmt::print("  {} situations in which no configuration can be told from another\n",
               found.silent - found.noiseless);
}

void run_crystallize(const CrystallizeFlags& flags) {
  require(!flags.traces.empty(), "--trace FILE is needed: what was measured");
  std::vector<fs::path> inputs(flags.traces.begin(), flags.traces.end());
  inputs.emplace_back(flags.file);
  require_distinct_outputs(inputs, {flags.json});
  require_writable_file(flags.json);
  std::vector<spak::System> lineage = spak::read_lineage(flags.file);
  const spak::EngineeringLoop& loop = loop_of(lineage.front(), flags.loop);
  require(!loop.metric.empty(), "{}: engineering_loop '{}' names no metric",
          lineage.front().document.where(*loop.node), shown(loop.name));
  const spak::Space space = spak::space_of(lineage.front(), loop);
  const std::vector<spak::Trace> traces = traces_of(flags);
  const spak::EvidenceWanted wanted{space, loop, lineage.front().name, settings_of(flags)};
  const spak::Evidence evidence = spak::evidence_of(wanted, traces);
  require(evidence.items > evidence.outside,
          "{}: no item of loop '{}' with these settings and its space ({})", shown(flags.traces.front()),
          shown(loop.name),
          evidence.items == 0 ? "no item of the loop" : fmt::format("{} outside of it", evidence.outside));
  spak::Crystallized found = spak::crystallize(wanted, evidence, fs::absolute(flags.file).parent_path());
  add_sources(found, spak::sources_hash(lineage.front(), loop, source_root(flags.file)));
  print_head(evidence, found);
  const std::string before = lineage.front().document.text(), name = loop.name;
  const spak::Applied applied = spak::apply(std::move(lineage), found.proposals);
  Json proposals = Json::array();
  for (std::size_t i = 0; i < found.proposals.size(); ++i) {
    if (applied.changes[i].fate == spak::Fate::left_out) continue;
    print(found.proposals[i], applied.changes[i]);
    proposals.push_back(json_of(found.proposals[i], applied.changes[i]));
  }
  if (proposals.empty()) fmt::print("nothing can be concluded\n");
  Outputs outputs;
  if (flags.apply && applied.text != before) outputs.try_to([&] { write_file(flags.file, applied.text); });
  if (!proposals.empty())
    fmt::print("{}\n", !flags.apply             ? "nothing is written without --apply"
                       : applied.text == before ? "the file knows it all already"
                                                : "written to " + shown(flags.file).str());
  outputs.write(flags.json, [&] {
    const Json json = {{"format", "ladder-spak-crystallize/1"},
                       {"loop", name},
                       {"situations", found.situations},
                       {"silent", found.silent},
                       {"proposals", proposals}};
    return json.dump(1) + "\n";
  });
  outputs.finish();
}

}  // namespace

void add_spak_crystallize(CLI::App& app) {
  CLI::App& command = add_command(app, "crystallize", "turn traces into facts and rules");
  const auto flags = std::make_shared<CrystallizeFlags>();
  add_knowledge_flags(command, *flags);
  add_text(command, "--loop", flags->loop, "the loop whose points were measured").type("NAME");
  add_switch(command, "--apply", flags->apply, "write them into the system file");
  add_text(command, "--json", flags->json, "write the proposals as JSON").type("FILE");
  set_footer(
      command,
      "--set takes only items that say so. Without repeated samples nothing is concluded but failures; "
      "from noise alone, something in one trace of 200 at most.");
  set_action(command, [flags] { run_crystallize(*flags); });
}

}  // namespace ladder::cli
