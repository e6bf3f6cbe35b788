// ladder spak check: what a system's knowledge says of a situation, and what is doubtful about it.
#include "shared/spak/check.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/spak/common.hpp"
#include "shared/cli/spak/verbs.hpp"

namespace ladder::cli {

namespace {

struct CheckFlags : KnowledgeFlags {
  std::string json;
};

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

void print(const spak::Verdict& verdict) {
  fmt::print("  {} '{}': {}", verdict.kind, shown(verdict.name), name_of(verdict.finding));
  if (verdict.items > 0) fmt::print(" for {} of {} items", verdict.holding, verdict.items);
  if (!verdict.evidence.empty())
    fmt::print(" ({}{})", shown(joined(verdict.evidence), 200),
               verdict.holding > verdict.evidence.size() ? ", ..." : "");
  if (!verdict.missing.empty()) fmt::print(": no value for {}", shown(joined(verdict.missing), 200));
  if (!verdict.error.empty()) fmt::print(": {}", shown(verdict.error, 200));
  fmt::print("\n");
  if (!verdict.condition.empty()) fmt::print("    {}\n", shown(verdict.condition, 200));
  for (const std::string& consequence : verdict.consequences)
    fmt::print("    -> {}\n", shown(consequence, 200));
}

void print(const std::vector<spak::Verdict>& verdicts, const char* kind, const char* title) {
  const auto is_one = [&](const spak::Verdict& verdict) { return std::string_view(verdict.kind) == kind; };
  if (std::none_of(verdicts.begin(), verdicts.end(), is_one)) return;
  fmt::print("{}\n", title);
  for (const spak::Verdict& verdict : verdicts)
    if (is_one(verdict)) print(verdict);
}

/// What makes the check fail: the first of what does not make sense or does not hold, then doubtful knowledge.
std::string objection(const std::vector<spak::Verdict>& verdicts, const std::vector<spak::Lint>& lints) {
  for (const spak::Verdict& verdict : verdicts) {
    if (verdict.finding == spak::Finding::error)
      return fmt::format("{}: {} '{}': {}", verdict.place, verdict.kind, verdict.name, verdict.error);
    if (verdict.finding == spak::Finding::fails && std::string_view(verdict.kind) == "invariant")
      return fmt::format("{}: invariant '{}' does not hold: {}", verdict.place, verdict.name,
                         verdict.condition);
  }
  if (!lints.empty()) return fmt::format("{}: {} ({} in all)", lints[0].place, lints[0].text, lints.size());
  return "";
}

void run_check(const CheckFlags& flags) {
  std::vector<std::filesystem::path> inputs(flags.traces.begin(), flags.traces.end());
  inputs.emplace_back(flags.file);
  require_distinct_outputs(inputs, {flags.json});
  require_writable_file(flags.json);
  const Json set = settings_of(flags);
  const std::vector<spak::System> lineage = spak::read_lineage(flags.file);
  const std::vector<spak::Trace> traces = traces_of(flags);
  const std::vector<spak::Verdict> verdicts = spak::check(lineage, set, traces);
  const std::vector<spak::Lint> lints = spak::lints_of(lineage, source_root(flags.file));
  print(verdicts, "predicate", "Predicates");
  print(verdicts, "rule", "Rules");
  print(verdicts, "invariant", "Invariants");
  fmt::print("{}\n", lints.empty() ? "Nothing doubtful." : "Doubtful");
  print_lints(lints);
  Outputs outputs;
  outputs.write(flags.json, [&] {
    const Json json = {{"format", "ladder-spak-check/1"},
                       {"system", lineage.front().name},
                       {"verdicts", spak::json_of(verdicts)},
                       {"lints", json_of(lints)}};
    return json.dump(1) + "\n";
  });
  outputs.finish(objection(verdicts, lints));
}

}  // namespace

void add_spak_check(CLI::App& app) {
  CLI::App& command =
      add_command(app, "check", "which predicates, rules and invariants hold, and what is doubtful");
  const auto flags = std::make_shared<CheckFlags>();
  add_knowledge_flags(command, *flags);
  add_text(command, "--json", flags->json, "write everything as JSON").type("FILE");
  set_footer(
      command,
      "Exit code 1 where an invariant does not hold, an expression makes no sense or something is doubtful.");
  set_action(command, [flags] { run_check(*flags); });
}

}  // namespace ladder::cli
