#include "shared/spak/lint.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "shared/base/shown.hpp"
#include "shared/spak/situation.hpp"
#include "shared/spak/space.hpp"

namespace ladder::spak {

namespace fs = std::filesystem;

namespace {

/// Words that claim more than one observation can carry.
constexpr std::array kSweeping = {"always", "never", "all", "every", "any", "none", "must", "immer", "nie"};

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isalnum(letter) != 0)
      words.back() += static_cast<char>(std::tolower(letter));
    else if (!words.back().empty())
      words.emplace_back();
  }
  return words;
}

/// The path that a source begins with: "microgpt.py:L106", "traces/fmha.jsonl#fmha-0012", "Report.md Step 4" name a file,
/// prose and addresses of the web do not.
std::string file_of_source(const std::string& source) {
  std::string path = source.substr(0, source.find_first_of(" \t\n,;"));
  if (path.find("://") != std::string::npos) return "";
  path = path.substr(0, std::min(path.find(':'), path.find('#')));
  const fs::path extension = fs::path(path).extension();
  const std::string letters = extension.empty() ? "" : extension.string().substr(1);
  const auto is_letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  return !letters.empty() && letters.size() <= 6 && is_letter(letters[0]) ? path : "";
}

/// How many observations a statement names.
std::size_t observations(const Statement& statement) {
  if (const Json* count = statement.entries.find("count"); count != nullptr && count->is_whole())
    return count->get<std::size_t>();
  const std::size_t named = statement.texts("evidence").size();
  return std::max<std::size_t>(named, 1);
}

class Linter {
 public:
  Linter(const std::vector<System>& lineage, const fs::path& root)
      : lineage_(lineage), system_(lineage.front()), root_(root) {}

  std::vector<Lint> run() {
    for (const Note& note : system_.notes) add(*note.node, note.text);
    for (const Fact& fact : system_.facts) check_fact(fact);
    for (const Rule& rule : system_.rules) check_rule(rule);
    for (const Invariant& invariant : system_.invariants) check_sources(invariant);
    check_repeated(system_.facts, "fact");
    check_repeated(system_.rules, "rule");
    check_repeated(system_.invariants, "invariant");
    check_axes(system_.design, nullptr);
    check_axes(system_.tuning, nullptr);
    for (const EngineeringLoop& loop : system_.loops) check_loop(loop);
    return std::move(lints_);
  }

 private:
  void add(const Node& node, std::string text) {
    lints_.push_back({system_.document.where(node), std::move(text)});
  }

  template <class Named>
  void check_repeated(const std::vector<Named>& all, const char* what) {
    std::set<std::string> seen;
    for (const Named& each : all)
      if (!seen.insert(each.name).second)
        add(*each.node, fmt::format("{} '{}' stands twice", what, shown(each.name)));
  }

  void check_statement(const Statement& statement, const char* what) {
    if (const Json* confidence = statement.entries.find("confidence")) {
      const auto number = statement.confidence();
      if (!number || !(*number >= 0 && *number <= 1))
        add(*statement.node, fmt::format("{} '{}': confidence {} is no number from 0 to 1", what,
                                         shown(statement.name), shown(confidence->dump())));
    }
    check_sources(statement);
    check_inheritance(statement, what);
    check_sweeping(statement, what);
  }

  void check_sources(const Statement& statement) {
    for (const char* key : {"source", "evidence", "trace"})
      for (const std::string& source : statement.texts(key)) {
        const std::string file = file_of_source(source);
        if (file.empty()) continue;
        const fs::path beside = fs::path(system_.document.name()).parent_path() / file;
        std::error_code ignored;
        if (!fs::exists(beside, ignored) && !fs::exists(root_ / file, ignored))
          add(*statement.node,
              fmt::format("'{}': the {} '{}' does not exist", shown(statement.name), key, shown(file)));
      }
  }

  void check_inheritance(const Statement& statement, const char* what) {
    for (const std::string& from : statement.texts("inherited_from"))
      if (!resolves(from, statement.name))
        add(*statement.node,
            fmt::format("{} '{}': inherited_from '{}' is no parent of this system, nor a fact of one", what,
                        shown(statement.name), shown(from)));
  }
  bool resolves(const std::string& from, const std::string& name) const {
    for (std::size_t i = 1; i < lineage_.size(); ++i) {
      const System& parent = lineage_[i];
      const bool is_parent =
          from == parent.name || from == fs::path(parent.document.name()).filename().string();
      if ((is_parent && parent.fact(name) != nullptr) || parent.fact(from) != nullptr) return true;
      for (const Rule& rule : parent.rules)
        if (rule.name == from || (is_parent && rule.name == name)) return true;
      for (const std::string& prefix :
           {parent.name + ".", fs::path(parent.document.name()).filename().string() + "#"})
        if (from.starts_with(prefix) && parent.fact(from.substr(prefix.size())) != nullptr) return true;
    }
    return false;
  }

  void check_sweeping(const Statement& statement, const char* what) {
    if (observations(statement) > 1) return;
    for (const std::string& word : words_of(statement.text("description")))
      if (std::find(kSweeping.begin(), kSweeping.end(), word) != kSweeping.end()) {
        add(*statement.node,
            fmt::format("{} '{}' says '{}' and names one observation", what, shown(statement.name), word));
        return;
      }
  }

  void check_fact(const Fact& fact) {
    check_statement(fact, "fact");
    if (fact.is_predicate())
      check_fields(fact);
    else if (fact.texts("source").empty() && fact.texts("trace").empty() &&
             fact.texts("inherited_from").empty())
      add(*fact.node, fmt::format("fact '{}' has no source", shown(fact.name)));
  }

  /// Where the schema knows the type of item, the fields that a predicate asks for must be declared.
  void check_fields(const Fact& fact) {
    if (!fact.predicate || system_.schema.empty()) return;
    const auto found = std::find_if(system_.schema.begin(), system_.schema.end(),
                                    [&](const SchemaCase& each) { return each.name == fact.item_type; });
    if (found == system_.schema.end()) {
      add(*fact.node, fmt::format("predicate '{}': the trace schema has no case {}", shown(fact.name),
                                  shown(fact.item_type)));
      return;
    }
    for (const std::string& name : fact.predicate->names()) {
      if (!name.starts_with(fact.parameter + ".")) continue;
      const std::string field = name.substr(fact.parameter.size() + 1);
      if (std::none_of(found->fields.begin(), found->fields.end(),
                       [&](const auto& each) { return each.first == field; }))
        add(*fact.node, fmt::format("predicate '{}': case {} has no field '{}'", shown(fact.name),
                                    shown(fact.item_type), shown(field)));
    }
  }

  void check_rule(const Rule& rule) {
    check_statement(rule, "rule");
    constexpr std::array kBehindIt = {"evidence", "source", "trace", "inherited_from"};
    const bool stands = std::any_of(kBehindIt.begin(), kBehindIt.end(),
                                    [&](const char* key) { return !rule.texts(key).empty(); });
    if (!stands) add(*rule.node, fmt::format("rule '{}' has no evidence", shown(rule.name)));
    for (const Assignment& assignment : rule.recommends) check_recommended(rule, assignment);
  }

  /// A recommended value that the axis does not have.
  void check_recommended(const Rule& rule, const Assignment& assignment) {
    const Axis* axis = axis_named(assignment.axis);
    if (axis == nullptr) return;
    const Json nothing = Json::object();
    const Outcome value = Situation(lineage_, nothing).evaluate(assignment.value);
    if (value.value &&
        std::find(axis->values.begin(), axis->values.end(), *value.value) == axis->values.end())
      add(*rule.node, fmt::format("rule '{}' recommends {} = {}, which that axis does not have",
                                  shown(rule.name), shown(assignment.axis), shown(value.value->dump())));
  }
  const Axis* axis_named(const std::string& name) const {
    for (const std::vector<Axis>* space : {&system_.tuning, &system_.design})
      for (const Axis& axis : *space)
        if (axis.name == name) return &axis;
    return nullptr;
  }

  void check_loop(const EngineeringLoop& loop) {
    if (loop.command.empty() && loop.entries.find("operation") == nullptr)
      add(*loop.node, fmt::format("engineering_loop '{}' has no measure {{ cmd: }}", shown(loop.name)));
    if (loop.metric.empty())
      add(*loop.node, fmt::format("engineering_loop '{}' names no metric", shown(loop.name)));
    check_axes(loop.parameters, &loop);
  }

  /// Values that are forbidden whatever the others are. Spaces of more than kMostPoints points are not walked through.
  void check_axes(const std::vector<Axis>& axes, const EngineeringLoop* loop) {
    constexpr std::uint64_t kMostPoints = 100'000;
    std::vector<Axis> filled;
    for (const Axis& axis : axes) {
      if (axis.values.empty()) add(*axis.node, fmt::format("axis '{}' has no values", shown(axis.name)));
      const bool is_new = std::none_of(filled.begin(), filled.end(),
                                       [&](const Axis& each) { return each.name == axis.name; });
      if (!is_new) add(*axis.node, fmt::format("axis '{}' stands twice", shown(axis.name)));
      if (is_new && !axis.values.empty()) filled.push_back(axis);
    }
    std::uint64_t points = 1;
    for (const Axis& axis : filled)
      points = std::min<std::uint64_t>(points * axis.values.size(), kMostPoints + 1);
    if (points <= kMostPoints) check_reached(Space(filled), loop);
  }

  void check_reached(const Space& space, const EngineeringLoop* loop) {
    const Json nothing = Json::object();
    const Pruner pruner(lineage_, loop, nothing);
    std::vector<std::vector<bool>> reached;
    for (const Axis& axis : space.axes()) reached.emplace_back(axis.values.size(), false);
    std::optional<Pruning> last;
    for (std::uint64_t number = 0; number < space.size(); ++number) {
      if (auto pruning = pruner.forbidden(space.point(number))) {
        last = std::move(pruning);
        continue;
      }
      for (std::size_t i = 0; i < reached.size(); ++i) reached[i][space.choice(number, i)] = true;
    }
    for (std::size_t i = 0; i < reached.size(); ++i)
      for (std::size_t j = 0; j < reached[i].size(); ++j)
        if (!reached[i][j] && !is_measured(*last))
          add(*space.axes()[i].node,
              fmt::format("{} = {} is never reached ({}: {})", shown(space.axes()[i].name),
                          shown(space.axes()[i].values[j].dump()), shown(last->by), shown(last->condition)));
  }

  /// What measurements have shown to be no good was reached, and stays in the space for the next device.
  bool is_measured(const Pruning& pruning) const {
    for (const System& system : lineage_)
      for (const Rule& rule : system.rules)
        if (pruning.by == fmt::format("rule '{}'", rule.name) && !rule.text("crystallized").empty())
          return true;
    return false;
  }

  const std::vector<System>& lineage_;
  const System& system_;
  const fs::path& root_;
  std::vector<Lint> lints_;
};

}  // namespace

std::vector<Lint> lints_of(const std::vector<System>& lineage, const fs::path& root) {
  return Linter(lineage, root).run();
}

}  // namespace ladder::spak
