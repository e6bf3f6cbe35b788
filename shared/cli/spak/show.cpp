// ladder spak show: a system file for people.
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

using namespace spak;

constexpr std::size_t kLongest = 300;  ///< characters of a text that comes from the file

void print_axes(const char* title, const std::vector<Axis>& axes) {
  if (axes.empty()) return;
  fmt::print("{}\n", title);
  for (const Axis& axis : axes) {
    std::string values;
    for (const Json& value : axis.values) values += (values.empty() ? "" : ", ") + value_text(value);
    fmt::print("  {}: {}{}\n", shown(axis.name), shown(values, kLongest), axis.fixed ? " (fixed)" : "");
  }
}

void print_entries(const Statement& statement, std::initializer_list<const char*> left_out) {
  for (const auto& [key, value] : statement.entries.items())
    if (std::find(left_out.begin(), left_out.end(), key) == left_out.end() && !value.is_null())
      fmt::print("      {}: {}\n", shown(key), shown(value_text(value), kLongest));
}

/// The most certain first; those without a confidence last.
template <class Each>
std::vector<const Each*> by_confidence(const std::vector<Each>& all) {
  std::vector<const Each*> sorted;
  for (const Each& each : all) sorted.push_back(&each);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Each* a, const Each* b) {
    return a->confidence().value_or(-1) > b->confidence().value_or(-1);
  });
  return sorted;
}

std::string certainty(const Statement& statement) {
  const auto confidence = statement.confidence();
  return confidence ? fmt::format("{:4.2f}", *confidence) : "   -";
}

void print_facts(const System& system) {
  if (system.facts.empty()) return;
  fmt::print("Facts, the most certain first\n");
  for (const Fact* fact : by_confidence(system.facts)) {
    fmt::print("  {}  {}{}\n", certainty(*fact), shown(fact->name),
               fact->is_predicate() ? fmt::format("({}: {})", fact->parameter, fact->item_type) : "");
    if (fact->predicate) fmt::print("      holds where {}\n", shown(fact->predicate->text(), kLongest));
    print_entries(*fact, {"confidence", "return"});
  }
}

void print_rules(const System& system) {
  if (system.rules.empty()) return;
  fmt::print("Rules, the most certain first\n");
  for (const Rule* rule : by_confidence(system.rules)) {
    fmt::print("  {}  {}\n", certainty(*rule), shown(rule->name));
    print_entries(*rule, {"confidence"});
  }
}

void print_invariants(const System& system) {
  if (system.invariants.empty()) return;
  fmt::print("Invariants\n");
  for (const Invariant& invariant : system.invariants) {
    fmt::print("  {}{}: {}\n", shown(invariant.name), invariant.assertion ? "" : " (prose)",
               shown(invariant.text("assert"), kLongest));
    print_entries(invariant, {"assert"});
  }
}

void print_loops(const System& system) {
  for (const EngineeringLoop& loop : system.loops) {
    fmt::print("Engineering loop {}: {} {}\n", shown(loop.name), loop.maximize ? "maximize" : "minimize",
               shown(loop.metric));
    for (const Axis& axis : loop.parameters) {
      std::string values;
      for (const Json& value : axis.values) values += (values.empty() ? "" : ", ") + value_text(value);
      fmt::print("  {}: {}\n", shown(axis.name), shown(values, kLongest));
    }
    for (const Expression& constraint : loop.constraints)
      fmt::print("  only where {}\n", shown(constraint.text(), kLongest));
    if (!loop.command.empty()) fmt::print("  $ {}\n", shown(loop.command, kLongest));
  }
  for (const AgentLoop& loop : system.agents) {
    fmt::print("Agent loop {}: a checklist, never executed\n", shown(loop.name));
    for (const AgentLoop::Step& step : loop.steps) {
      fmt::print("  [ ] {}\n", shown(step.title));
      for (const std::string& action : step.actions) fmt::print("      {}\n", shown(action, kLongest));
    }
  }
}

void print_rest(const System& system) {
  if (!system.schema.empty()) {
    fmt::print("Trace schema\n");
    for (const SchemaCase& each : system.schema) {
      std::string fields;
      for (const auto& [name, type] : each.fields)
        fields += fmt::format("{}{}: {}", fields.empty() ? "" : ", ", name, type);
      fmt::print("  {} {{ {} }}\n", shown(each.name), shown(fields, kLongest));
    }
  }
  if (!system.artifacts.empty()) fmt::print("Build\n");
  for (const Artifact& artifact : system.artifacts)
    fmt::print("  {} {}\n", shown(artifact.name), shown(artifact.entries.dump(), kLongest));
}

void print_head(const std::vector<System>& lineage) {
  const System& system = lineage.front();
  fmt::print("system {}", shown(system.name));
  for (std::size_t i = 1; i < lineage.size(); ++i)
    fmt::print(" < {} ({})", shown(lineage[i].name), shown(lineage[i].document.name()));
  fmt::print("\n");
  for (const auto& [key, value] : system.front) fmt::print("  {}: {}\n", shown(key), shown(value, kLongest));
  if (!system.baseline.empty()) fmt::print("Baseline\n  {}\n", shown(system.baseline.dump(), kLongest));
  for (const auto& [name, fields] : system.types)
    fmt::print("type {}: {}\n", shown(name), shown(fields.dump(), kLongest));
  for (const State& state : system.states)
    fmt::print("state {}: {}\n", shown(state.name), shown(value_text(state.value), kLongest));
}

/// What a system has from its parents: statements that it does not have itself.
void print_inherited(const std::vector<System>& lineage) {
  for (std::size_t i = 1; i < lineage.size(); ++i) {
    const System& parent = lineage[i];
    std::string names;
    for (const Fact& fact : parent.facts)
      if (lineage.front().fact(fact.name) == nullptr) names += (names.empty() ? "" : ", ") + fact.name;
    fmt::print("Inherited from {}: {} facts, {} rules, {} invariants\n  {}\n", shown(parent.name),
               parent.facts.size(), parent.rules.size(), parent.invariants.size(), shown(names, kLongest));
  }
}

Json json_of_system(const System& system) {
  const auto statements = [](const auto& all) {
    Json list = Json::array();
    for (const auto& each : all) list.push_back({{"name", each.name}, {"entries", each.entries}});
    return list;
  };
  const auto axes = [](const std::vector<Axis>& all) {
    Json list = Json::object();
    for (const Axis& axis : all) list[axis.name] = Json::array(axis.values);
    return list;
  };
  Json front = Json::object();
  for (const auto& [key, value] : system.front) front[key] = value;
  return {{"name", system.name},
          {"front", front},
          {"inherits", system.inherits},
          {"baseline", system.baseline},
          {"design_space", axes(system.design)},
          {"tuning_space", axes(system.tuning)},
          {"facts", statements(system.facts)},
          {"rules", statements(system.rules)},
          {"invariants", statements(system.invariants)}};
}

struct ShowFlags {
  std::string file, json;
};

void run_show(const ShowFlags& flags) {
  require_distinct_outputs({flags.file}, {flags.json});
  require_writable_file(flags.json);
  const std::vector<System> lineage = read_lineage(flags.file);
  const std::vector<Lint> lints = lints_of(lineage, source_root(flags.file));
  print_head(lineage);
  print_axes("Design space", lineage.front().design);
  print_axes("Tuning space", lineage.front().tuning);
  print_facts(lineage.front());
  print_rules(lineage.front());
  print_invariants(lineage.front());
  print_inherited(lineage);
  print_loops(lineage.front());
  print_rest(lineage.front());
  if (!lints.empty()) fmt::print("Notes\n");
  print_lints(lints);
  Outputs outputs;
  outputs.write(flags.json, [&] {
    Json systems = Json::array();
    for (const System& system : lineage) systems.push_back(json_of_system(system));
    const Json json = {{"format", "ladder-spak-show/1"}, {"systems", systems}, {"lints", json_of(lints)}};
    return json.dump(1) + "\n";
  });
  outputs.finish();
}

}  // namespace

void add_spak_show(CLI::App& app) {
  CLI::App& command =
      add_command(app, "show", "a system file for people: axes, facts by confidence, rules, loops");
  const auto flags = std::make_shared<ShowFlags>();
  add_text(command, "file", flags->file, "the system file").type("FILE.spak").required();
  add_text(command, "--json", flags->json, "write it as JSON").type("FILE");
  set_action(command, [flags] { run_show(*flags); });
}

}  // namespace ladder::cli
