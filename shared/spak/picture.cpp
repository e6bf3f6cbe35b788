#include "shared/spak/picture.hpp"

#include <fmt/core.h>

#include <map>
#include <set>

#include "shared/base/shown.hpp"

namespace ladder::spak {

namespace {

constexpr std::size_t kLongest = 60;  ///< characters of a text in a node

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : shown(text, kLongest).str()) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

/// Two lines of a label.
std::string label(const std::string& first, const std::string& second) {
  if (second.empty()) return quoted(first);
  std::string both = quoted(first);
  both.pop_back();
  return both + "\\n" + quoted(second).substr(1);
}

class Picture {
 public:
  explicit Picture(const std::vector<System>& lineage) : lineage_(lineage) {}

  std::string draw() {
    for (std::size_t i = 0; i < lineage_.size(); ++i) draw_system(i);
    for (std::size_t i = 0; i < lineage_.size(); ++i) connect_system(i);
    return "digraph knowledge {\n  rankdir=LR; fontname=\"sans-serif\"; node [fontname=\"sans-serif\", "
           "fontsize=10, style=filled, "
           "fillcolor=white]; edge [color=\"#777777\", arrowsize=0.6, fontsize=9];\n" +
           nodes_ + edges_ + "}\n";
  }

 private:
  /// The node of a name within a system; the child's is found before its parents'.
  std::string id(const char* kind, std::size_t system, const std::string& name) {
    const auto [found, is_new] =
        ids_.try_emplace({kind, std::to_string(system), name}, fmt::format("n{}", ids_.size()));
    return found->second;
  }
  std::string node(const std::string& id, const std::string& text, const char* look) {
    return fmt::format("    {} [label={}, {}];\n", id, text, look);
  }
  void edge(const std::string& from, const std::string& to, const char* words = "") {
    if (seen_.emplace(from, to).second)
      edges_ += fmt::format("  {} -> {} [label=\"{}\"];\n", from, to, words);
  }

  void draw_system(std::size_t number) {
    const System& system = lineage_[number];
    nodes_ += fmt::format("  subgraph cluster_{} {{\n    label={}; color=\"#999999\";\n", number,
                          quoted(system.name));
    for (const std::vector<Axis>* space : {&system.design, &system.tuning})
      for (const Axis& axis : *space) {
        std::string values;
        for (const Json& value : axis.values) values += (values.empty() ? "" : ", ") + value_text(value);
        nodes_ +=
            node(id("axis", number, axis.name), label(axis.name, values), "shape=box, fillcolor=\"#e8f0fe\"");
      }
    for (const Fact& fact : system.facts)
      nodes_ += node(id("fact", number, fact.name), label(fact.name, certainty(fact)),
                     "shape=ellipse, fillcolor=\"#e6f4ea\"");
    for (const Rule& rule : system.rules)
      nodes_ += node(
          id("rule", number, rule.name), label(rule.name, certainty(rule)),
          rule.forbids ? "shape=hexagon, fillcolor=\"#fce8e6\"" : "shape=hexagon, fillcolor=\"#fff8e1\"");
    for (const Invariant& invariant : system.invariants)
      nodes_ += node(id("invariant", number, invariant.name), label(invariant.name, ""),
                     "shape=octagon, fillcolor=\"#f3e8fd\"");
    nodes_ += "  }\n";
  }
  static std::string certainty(const Statement& statement) {
    const auto confidence = statement.confidence();
    return confidence ? fmt::format("{:.2f}", *confidence) : "";
  }

  void connect_system(std::size_t number) {
    const System& system = lineage_[number];
    for (const Fact& fact : system.facts) {
      const std::string from = id("fact", number, fact.name);
      connect_evidence(from, fact);
      connect_inheritance(from, number, fact);
      if (fact.predicate) connect_names(from, number, *fact.predicate);
    }
    for (const Rule& rule : system.rules) {
      const std::string from = id("rule", number, rule.name);
      connect_evidence(from, rule);
      connect_inheritance(from, number, rule);
      if (rule.when) connect_names(from, number, *rule.when);
      if (rule.forbids) connect_names(from, number, *rule.forbids);
      for (const Assignment& assignment : rule.recommends) {
        connect_name(from, number, assignment.axis);
        connect_names(from, number, assignment.value);
      }
    }
    for (const Invariant& invariant : system.invariants) {
      const std::string from = id("invariant", number, invariant.name);
      connect_evidence(from, invariant);
      if (invariant.assertion) connect_names(from, number, *invariant.assertion);
    }
  }

  void connect_names(const std::string& from, std::size_t number, const Expression& expression) {
    for (const std::string& name : expression.names()) connect_name(from, number, name);
  }
  /// To the axis or predicate of that name, the nearest in the line of parents.
  void connect_name(const std::string& from, std::size_t number, const std::string& name) {
    for (std::size_t i = number; i < lineage_.size(); ++i)
      for (const char* kind : {"axis", "fact"})
        if (const auto found = ids_.find({kind, std::to_string(i), name}); found != ids_.end())
          return edge(from, found->second);
  }
  void connect_evidence(const std::string& from, const Statement& statement) {
    for (const char* key : {"source", "trace", "evidence"})
      for (const std::string& text : statement.texts(key)) {
        const std::string to = id("evidence", 0, text);
        if (drawn_.insert(to).second) nodes_ += node(to, quoted(text), "shape=note, fillcolor=\"#f5f5f5\"");
        edge(from, to);
      }
  }
  void connect_inheritance(const std::string& from, std::size_t number, const Statement& statement) {
    for (std::size_t i = number + 1; i < lineage_.size() && !statement.texts("inherited_from").empty(); ++i)
      if (const auto found = ids_.find({"fact", std::to_string(i), statement.name}); found != ids_.end())
        return edge(from, found->second, "inherited");
  }

  const std::vector<System>& lineage_;
  std::map<std::tuple<std::string, std::string, std::string>, std::string> ids_;
  std::set<std::pair<std::string, std::string>> seen_;
  std::set<std::string> drawn_;
  std::string nodes_, edges_;
};

}  // namespace

std::string dot_of(const std::vector<System>& lineage) { return Picture(lineage).draw(); }

}  // namespace ladder::spak
