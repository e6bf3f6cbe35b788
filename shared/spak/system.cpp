#include "shared/spak/system.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "shared/base/error.hpp"
#include "shared/base/shown.hpp"

namespace ladder::spak {

namespace fs = std::filesystem;

std::vector<std::string> Statement::texts(std::string_view key) const {
  const Json* found = entries.find(key);
  if (found == nullptr) return {};
  std::vector<std::string> texts;
  if (found->is_string()) texts.push_back(found->get<std::string>());
  if (found->is_array())
    for (const Json& item : *found)
      if (item.is_string()) texts.push_back(item.get<std::string>());
  return texts;
}

std::string Statement::text(std::string_view key) const {
  const auto all = texts(key);
  return all.empty() ? "" : all.front();
}

std::optional<double> Statement::confidence() const {
  const Json* found = entries.find("confidence");
  if (found == nullptr || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

namespace {

/// Reads one document into a System.
class Reader {
 public:
  explicit Reader(Document document) { system_.document = std::move(document); }

  System read() {
    const Document& file = system_.document;
    for (const Node& node : file.root().children)
      if (node.kind == NodeKind::front_entry)
        system_.front.emplace_back(file.text(node.children[0]), rest_of_front(node));
    system_.name = plain_text(file, file.system().children[0]);
    for (const Node& entry : file.system().children[1].children) section(entry);
    for (const auto& [key, value] : system_.front)
      if (key == "inherits" && system_.inherits.empty()) system_.inherits = value;
    return std::move(system_);
  }

 private:
  std::string rest_of_front(const Node& node) const {
    std::string_view value = system_.document.text(node.children[1]);
    value = value.substr(0, value.find_last_not_of(" \t\r") + 1);
    const bool is_quoted =
        value.size() >= 2 && value.front() == value.back() && (value[0] == '"' || value[0] == '\'');
    return is_quoted ? unquoted(value) : std::string(value);
  }

  /// The parts of an entry's head: words and strings without quotation marks, parentheses as written.
  std::vector<std::string> head(const Node& entry) const {
    std::vector<std::string> parts;
    for (const Node& part : entry.children) {
      if (part.kind == NodeKind::value || part.kind == NodeKind::block) break;
      parts.push_back(plain_text(system_.document, part));
    }
    return parts;
  }
  const std::vector<Node>& entries_of(const Node& entry) const {
    static const std::vector<Node> none;
    const Node* block = block_of(entry);
    return block == nullptr ? none : block->children;
  }
  /// The value as JSON; null where there is none.
  Json value(const Node& entry) const {
    const Node* found = value_of(entry);
    return found == nullptr ? Json() : json_of(system_.document, *found);
  }
  std::string text(const Node& entry) const {
    const Json json = value(entry);
    return json.is_string() ? json.get<std::string>() : json.is_null() ? "" : json.dump();
  }
  Json object(const Node& entry) const {
    const Node* block = block_of(entry);
    return block == nullptr ? Json::object() : json_of(system_.document, *block);
  }
  template <class... Args>
  void note(const Node& node, fmt::format_string<Args...> message, Args&&... args) {
    system_.notes.push_back({&node, fmt::format(message, std::forward<Args>(args)...)});
  }

  void section(const Node& entry) {
    const std::vector<std::string> words = head(entry);
    const std::string kind = words.empty() ? "" : words[0];
    if (kind == "baseline")
      system_.baseline = object(entry);
    else if (kind == "design_space")
      axes(entry, "", system_.design);
    else if (kind == "tuning_space")
      axes(entry, "", system_.tuning);
    else if (kind == "model")
      model(entry);
    else if (kind == "knowledge")
      knowledge(entry);
    else if (kind == "trace_schema")
      schema(entry);
    else if (kind == "agent_loop")
      agent_loop(entry, words);
    else if (kind == "engineering_loop")
      engineering_loop(entry, words);
    else if (kind == "build")
      build(entry);
    else if (kind == "inherits" && value_of(entry) != nullptr)
      system_.inherits = text(entry);
    else if (!statement(entry, words))
      note(entry, "unknown section '{}'", shown(key_of(system_.document, entry)));
  }

  void axes(const Node& section, const std::string& prefix, std::vector<Axis>& into) {
    for (const Node& entry : entries_of(section)) {
      const std::string name = prefix + key_of(system_.document, entry);
      if (block_of(entry) != nullptr) {
        axes(entry, name + ".", into);
        continue;
      }
      into.push_back(axis(entry, name));
    }
  }

  Axis axis(const Node& entry, const std::string& name) {
    Axis axis{name, {}, false, &entry};
    const Json values = value(entry);
    if (values.is_array())
      axis.values.assign(values.begin(), values.end());
    else if (!values.is_null())
      axis.values = {values}, axis.fixed = true;
    return axis;
  }

  void model(const Node& section) {
    for (const Node& entry : entries_of(section)) {
      const std::vector<std::string> words = head(entry);
      if (words.size() >= 2 && words[0] == "type")
        system_.types.emplace_back(words[1], object(entry));
      else if (words.size() == 2 && words[0] == "state" && value_of(entry) != nullptr)
        system_.states.push_back({words[1], value(entry), value_of(entry)->children.size() == 1});
      else
        note(entry, "in model: 'type NAME {{ }}' or 'state NAME: value' expected");
    }
  }

  void knowledge(const Node& section) {
    for (const Node& entry : entries_of(section))
      if (!statement(entry, head(entry)))
        note(entry, "in knowledge: 'fact NAME', 'rule \"title\"' or 'invariant NAME' expected");
  }

  /// A fact, rule or invariant; published files have some outside of `knowledge`, too.
  bool statement(const Node& entry, const std::vector<std::string>& words) {
    if (words.size() < 2) return false;
    Statement common{words[1], &entry, object(entry)};
    const bool is_predicate = words.size() == 3 && words[2].starts_with('(');
    if (words[0] == "fact" && (words.size() == 2 || is_predicate))
      fact(std::move(common), words);
    else if (words[0] == "rule" && words.size() == 2)
      rule(std::move(common));
    else if (words[0] == "invariant" && words.size() == 2)
      invariant(std::move(common));
    else
      return false;
    return true;
  }

  void fact(Statement common, const std::vector<std::string>& words) {
    Fact fact{std::move(common), "", "", std::nullopt};
    if (words.size() > 2) parameter(fact, words[2]);
    for (const Node& entry : entries_of(*fact.node))
      if (entry.kind == NodeKind::returned)
        fact.predicate = Expression(system_.document.text(), entry.children.back());
    if (fact.is_predicate() && !fact.predicate && fact.text("assert").empty())
      note(*fact.node, "predicate '{}' returns nothing", shown(fact.name));
    system_.facts.push_back(std::move(fact));
  }

  /// "(t: TraceItem.Performance)": t, Performance
  void parameter(Fact& fact, const std::string& written) {
    std::string inside;
    std::remove_copy_if(written.begin() + 1, written.end() - 1, std::back_inserter(inside),
                        [](char c) { return c == ' ' || c == '\t'; });
    const std::size_t colon = std::min(inside.find(':'), inside.size());
    fact.parameter = inside.substr(0, colon);
    const std::size_t dot = inside.rfind('.');
    fact.item_type =
        colon == inside.size() ? "" : inside.substr(dot == std::string::npos ? colon + 1 : dot + 1);
    if (fact.parameter.empty()) note(*fact.node, "predicate '{}' names no item", shown(fact.name));
  }

  void rule(Statement common) {
    Rule rule{std::move(common), std::nullopt, std::nullopt, {}};
    rule.when = expression_in(rule.text("when"));
    if (const std::string forbidden = rule.text("forbid"); !forbidden.empty()) {
      rule.forbids = expression_in(forbidden);
      if (!rule.forbids) note(*rule.node, "rule '{}' forbids what is no expression", shown(rule.name));
    }
    for (const std::string& recommended : rule.texts("recommend"))
      for (Assignment& assignment : assignments_in(recommended))
        rule.recommends.push_back(std::move(assignment));
    system_.rules.push_back(std::move(rule));
  }

  void invariant(Statement common) {
    Invariant invariant{std::move(common), std::nullopt};
    invariant.assertion = expression_in(invariant.text("assert"));
    system_.invariants.push_back(std::move(invariant));
  }

  void schema(const Node& section) {
    for (const Node& variant : entries_of(section))
      for (const Node& entry : entries_of(variant)) {
        const std::vector<std::string> words = head(entry);
        if (words.size() != 2 || words[0] != "case") {
          note(entry, "in a variant: 'case NAME {{ }}' expected");
          continue;
        }
        SchemaCase found{words[1], {}, &entry};
        for (const Node& field : entries_of(entry)) {
          const Node* type = value_of(field);
          found.fields.emplace_back(key_of(system_.document, field),
                                    type == nullptr ? "" : std::string(system_.document.text(*type)));
        }
        system_.schema.push_back(std::move(found));
      }
  }

  void engineering_loop(const Node& section, const std::vector<std::string>& words) {
    EngineeringLoop loop;
    loop.name = words.size() > 1 ? words[1] : "";
    loop.node = &section;
    if (loop.name.empty()) note(section, "an engineering_loop without a name");
    for (const Node& entry : entries_of(section)) {
      const std::vector<std::string> parts = head(entry);
      if (parts.size() == 2 && parts[0] == "parameter")
        loop.parameters.push_back(axis(entry, parts[1]));
      else if (parts.size() == 1 && parts[0] == "measure")
        measure(entry, loop);
      else if (parts.size() == 1 && parts[0] == "constraint")
        constraint(entry, loop);
      else
        loop.entries[key_of(system_.document, entry)] =
            value_of(entry) != nullptr ? value(entry) : object(entry);
    }
    system_.loops.push_back(std::move(loop));
  }

  void measure(const Node& section, EngineeringLoop& loop) {
    for (const Node& entry : entries_of(section)) {
      const std::string key = key_of(system_.document, entry);
      if (key == "cmd")
        loop.command = text(entry);
      else if (key == "metric")
        loop.metric = text(entry);
      else if (key == "objective")
        objective(entry, loop);
      else
        loop.entries["measure." + key] = value(entry);
    }
  }

  void objective(const Node& entry, EngineeringLoop& loop) {
    const std::string wanted = text(entry);
    if (wanted != "maximize" && wanted != "minimize")
      note(entry, "objective '{}': neither maximize nor minimize", shown(wanted));
    loop.maximize = wanted != "minimize";
  }

  void constraint(const Node& section, EngineeringLoop& loop) {
    for (const Node& entry : entries_of(section)) {
      const std::string asserted = text(entry);
      if (auto expression = expression_in(asserted))
        loop.constraints.push_back(std::move(*expression));
      else
        note(entry, "a constraint in prose is not checked: {}", shown(asserted));
    }
  }

  void agent_loop(const Node& section, const std::vector<std::string>& words) {
    AgentLoop loop{words.size() > 1 ? words[1] : "", {}, &section};
    for (const Node& entry : entries_of(section)) {
      const std::vector<std::string> parts = head(entry);
      if (parts.size() < 2 || parts[0] != "step") {
        note(entry, "in agent_loop: 'step \"title\" {{ }}' expected");
        continue;
      }
      AgentLoop::Step step{parts[1], {}};
      for (const Node& action : entries_of(entry)) add_action(action, "", step.actions);
      loop.steps.push_back(std::move(step));
    }
    system_.agents.push_back(std::move(loop));
  }

  /// "tool.run python train.py", "if cond: emit X": an action, and those that hang on it.
  void add_action(const Node& action, const std::string& condition, std::vector<std::string>& lines) {
    const std::string key = key_of(system_.document, action);
    const bool branches =
        key.starts_with("if ") || key == "else" || key.starts_with("else ") || key.starts_with("for ");
    if (branches) {
      for (const Node& inner : entries_of(action)) add_action(inner, condition + key + ": ", lines);
      return;
    }
    std::string details;
    const Json members = object(action);
    for (const auto& [name, member] : members.items())
      details += fmt::format(" {}: {}", name, value_text(member));
    if (value_of(action) != nullptr && details.empty()) details = " " + text(action);
    lines.push_back(condition + key + details);
  }

  void build(const Node& section) {
    for (const Node& entry : entries_of(section)) {
      const std::vector<std::string> words = head(entry);
      if (words.size() == 2 && words[0] == "artifact")
        system_.artifacts.push_back({words[1], object(entry), &entry});
      else
        note(entry, "in build: 'artifact \"name\" {{ }}' expected");
    }
  }

  System system_;
};

}  // namespace

System System::of(Document document) { return Reader(std::move(document)).read(); }

System System::read(const fs::path& path) { return of(Document::read(path)); }

const Fact* System::fact(std::string_view wanted) const {
  const auto found =
      std::find_if(facts.begin(), facts.end(), [&](const Fact& fact) { return fact.name == wanted; });
  return found == facts.end() ? nullptr : &*found;
}

const EngineeringLoop* System::loop(std::string_view wanted) const {
  const auto found = std::find_if(loops.begin(), loops.end(),
                                  [&](const EngineeringLoop& loop) { return loop.name == wanted; });
  return found == loops.end() ? nullptr : &*found;
}

std::vector<System> read_lineage(const fs::path& path) {
  std::vector<System> lineage;
  std::vector<fs::path> seen;
  for (fs::path next = path; !next.empty();) {
    const fs::path whole = fs::weakly_canonical(next);
    require(std::find(seen.begin(), seen.end(), whole) == seen.end(),
            "{}: inherits from itself: {} comes back in its line of parents", shown(path.string()),
            shown(next.string()));
    seen.push_back(whole);
    require(lineage.empty() || fs::exists(next), "{}: inherits {}, which is not there",
            shown(lineage.empty() ? "" : lineage.back().document.name()), shown(next.string()));
    lineage.push_back(System::read(next));
    const std::string& parent = lineage.back().inherits;
    next = parent.empty() ? fs::path() : next.parent_path() / parent;
  }
  return lineage;
}

}  // namespace ladder::spak
