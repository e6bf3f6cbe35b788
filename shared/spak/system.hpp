// What a system file says, read from its tree: axes, parameters, facts, rules, invariants, loops, artifacts.
//
// Reading is forgiving: what is not understood is a note with its place, and stays in the text. Only a file that is no
// system at all is refused, by Document::parse().
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/json.hpp"
#include "shared/spak/language/expression.hpp"
#include "shared/spak/language/syntax.hpp"

namespace ladder::spak {

/// Something worth saying of a place of the file.
struct Note {
  const Node* node;
  std::string text;
};

/// An axis of the design or tuning space. Axes within axes have dotted names: attention.engine
struct Axis {
  std::string name;
  std::vector<Json> values;
  bool fixed = false;  ///< one value instead of a list: nothing to decide
  const Node* node = nullptr;
};

/// What facts, rules and invariants have in common.
struct Statement {
  std::string name;  ///< of a fact or invariant; a rule's title
  const Node* node = nullptr;
  Json entries =
      Json::object();  ///< everything that its block says, by key; a key of several times as a list

  /// The entry as text, "" where there is none; of a list the first that is text.
  std::string text(std::string_view key) const;
  /// All its texts.
  std::vector<std::string> texts(std::string_view key) const;
  /// "confidence"; nothing where it is missing or no number.
  std::optional<double> confidence() const;
};

/// `fact name { ... }`, or `fact name(t: TraceItem.Case) { return ... }`: a predicate over items of that type.
struct Fact : Statement {
  std::string parameter, item_type;     ///< "t", "Performance"; empty for a statement
  std::optional<Expression> predicate;  ///< what is returned
  bool is_predicate() const { return !parameter.empty(); }
};

struct Rule : Statement {
  std::optional<Expression> when;  ///< nothing where the condition is prose, or missing
  std::optional<Expression>
      forbids;  ///< points of the tuning space for which this holds, where the rule applies
  std::vector<Assignment> recommends;  ///< of its recommendations those that name axes
};

struct Invariant : Statement {
  std::optional<Expression> assertion;  ///< nothing where it is prose
};

/// A case of the trace schema: the type of its items, and their fields.
struct SchemaCase {
  std::string name;
  std::vector<std::pair<std::string, std::string>> fields;  ///< name, type as written
  const Node* node = nullptr;
};

/// A sweep: parameters, how a point is measured, and what must hold of a point.
struct EngineeringLoop {
  std::string name;
  std::vector<Axis> parameters;
  std::string command, metric;
  bool maximize = true;
  std::vector<Expression> constraints;
  Json entries = Json::object();  ///< the rest of its block: operation, works, ...
  const Node* node = nullptr;
};

/// A plan for a person or an agent; never executed.
struct AgentLoop {
  struct Step {
    std::string title;
    std::vector<std::string> actions;  ///< one line each, as people read them
  };
  std::string name;
  std::vector<Step> steps;
  const Node* node = nullptr;
};

/// `state name: value`; of a union or a type nothing is decided yet.
struct State {
  std::string name;
  Json value;
  bool decided = true;
};

struct Artifact {
  std::string name;
  Json entries = Json::object();
  const Node* node = nullptr;
};

struct System {
  Document document;
  std::string name;
  std::vector<std::pair<std::string, std::string>> front;  ///< front matter: key, value as written
  std::string inherits;                                    ///< the parent's file, "" for a root
  Json baseline = Json::object();
  std::vector<Axis> design, tuning;
  std::vector<std::pair<std::string, Json>> types;
  std::vector<State> states;
  std::vector<Fact> facts;
  std::vector<Rule> rules;
  std::vector<Invariant> invariants;
  std::vector<SchemaCase> schema;
  std::vector<EngineeringLoop> loops;
  std::vector<AgentLoop> agents;
  std::vector<Artifact> artifacts;
  std::vector<Note> notes;  ///< unknown sections, and what is not as the language says

  /// Reads a file. Throws InputError as Document::parse() does.
  static System read(const std::filesystem::path& path);
  static System of(Document document);

  const Fact* fact(std::string_view wanted) const;
  const EngineeringLoop* loop(std::string_view wanted) const;
};

/// A system and those that it inherits from, the child first. Throws InputError naming the file where a parent is missing
/// or inherits from its own child.
std::vector<System> read_lineage(const std::filesystem::path& path);

}  // namespace ladder::spak
