#include "shared/spak/check.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "shared/spak/situation.hpp"

namespace ladder::spak {

const char* name_of(Finding finding) {
  switch (finding) {
    case Finding::holds:
      return "holds";
    case Finding::fails:
      return "does not hold";
    case Finding::open:
      return "open";
    case Finding::prose:
      return "prose";
    case Finding::no_item:
      return "no item";
    default:
      return "error";
  }
}

namespace {

class Checker {
 public:
  Checker(const std::vector<System>& lineage, const Json& set, const std::vector<Trace>& traces)
      : lineage_(lineage), set_(set), traces_(traces) {}

  std::vector<Verdict> run() {
    for (const System& system : lineage_)
      for (const Fact& fact : system.facts)
        if (fact.is_predicate() && is_new("predicate", fact.name)) check_predicate(system, fact);
    for (const System& system : lineage_)
      for (const Rule& rule : system.rules)
        if (is_new("rule", rule.name)) check_rule(system, rule);
    for (const System& system : lineage_)
      for (const Invariant& invariant : system.invariants)
        if (is_new("invariant", invariant.name)) check_invariant(system, invariant);
    return std::move(verdicts_);
  }

 private:
  bool is_new(const char* kind, const std::string& name) { return seen_.emplace(kind, name).second; }

  Verdict& add(const char* kind, const System& system, const Statement& statement, std::string condition) {
    return verdicts_.emplace_back(
        Verdict{kind, statement.name, system.document.where(*statement.node), std::move(condition)});
  }

  /// What one question gave, without items.
  static void judge(Verdict& verdict, const Outcome& outcome) {
    verdict.missing = outcome.missing;
    verdict.error = outcome.error;
    if (outcome.value && outcome.value->kind() != Json::Kind::boolean)
      verdict.error = "the condition is neither true nor false";
    verdict.finding = !verdict.error.empty() ? Finding::error
                      : outcome.is(true)     ? Finding::holds
                      : outcome.is(false)    ? Finding::fails
                                             : Finding::open;
  }

  /// The question asked about each item that `takes` takes: it holds where it holds for one of them.
  template <class Takes, class Asks>
  void ask_items(Verdict& verdict, const Takes& takes, const Asks& asks) {
    for (const Trace& trace : traces_)
      for (std::size_t i = 0; i < trace.items.size(); ++i) {
        if (!takes(trace.items[i])) continue;
        const Outcome outcome = asks(Situation(lineage_, set_, &trace.items[i]));
        if (outcome.is(true) && ++verdict.holding <= kShownItems) verdict.evidence.push_back(trace.link(i));
        if (outcome.value) ++verdict.items;
        if (!outcome.error.empty() && verdict.error.empty())
          verdict.error = fmt::format("{}: {}", trace.link(i), outcome.error);
        for (const std::string& name : outcome.missing)
          if (std::find(verdict.missing.begin(), verdict.missing.end(), name) == verdict.missing.end())
            verdict.missing.push_back(name);
      }
    if (verdict.items > 0) verdict.missing.clear();
    verdict.finding = !verdict.error.empty()     ? Finding::error
                      : verdict.holding > 0      ? Finding::holds
                      : verdict.items > 0        ? Finding::fails
                      : !verdict.missing.empty() ? Finding::open
                                                 : Finding::no_item;
  }

  void check_predicate(const System& system, const Fact& fact) {
    Verdict& verdict = add("predicate", system, fact, fact.predicate ? fact.predicate->text() : "");
    if (!fact.predicate) return;
    const auto takes = [&](const Json& item) {
      return fact.item_type.empty() || item.value("type", "") == fact.item_type;
    };
    ask_items(verdict, takes, [&](const Situation& situation) { return situation.holds(fact); });
    if (verdict.finding != Finding::no_item) return;
    const Outcome outcome = Situation(lineage_, set_).holds(fact);
    if (outcome.value || !outcome.error.empty()) judge(verdict, outcome);
  }

  void check_rule(const System& system, const Rule& rule) {
    Verdict& verdict = add("rule", system, rule, rule.text("when"));
    const Situation bare(lineage_, set_);
    if (!rule.when && rule.text("when").empty() &&
        rule.forbids) {  // what is forbidden without a condition is forbidden
      verdict.finding = Finding::holds;
      add_consequences(verdict, rule, bare);
    }
    if (!rule.when) return;
    const Outcome outcome = bare.evaluate(*rule.when);
    judge(verdict, outcome);
    if (verdict.finding == Finding::open) {
      Verdict about_items = verdict;
      about_items.missing.clear();
      ask_items(
          about_items, [](const Json&) { return true; },
          [&](const Situation& situation) { return situation.evaluate(*rule.when); });
      if (about_items.finding != Finding::no_item && about_items.finding != Finding::open)
        verdict = std::move(about_items);
    }
    if (verdict.finding == Finding::holds) add_consequences(verdict, rule, bare);
  }

  static void add_consequences(Verdict& verdict, const Rule& rule, const Situation& situation) {
    for (const Assignment& assignment : rule.recommends) {
      const Outcome value = situation.evaluate(assignment.value);
      verdict.consequences.push_back(fmt::format(
          "{} = {}", assignment.axis, value.value ? value.value->dump() : assignment.value.text()));
    }
    if (rule.recommends.empty())
      for (const std::string& text : rule.texts("recommend")) verdict.consequences.push_back(text);
    for (const std::string& text : rule.texts("apply")) verdict.consequences.push_back(text);
    if (rule.forbids) verdict.consequences.push_back("forbids " + rule.forbids->text());
  }

  void check_invariant(const System& system, const Invariant& invariant) {
    Verdict& verdict = add("invariant", system, invariant, invariant.text("assert"));
    if (!invariant.assertion) return;
    judge(verdict, Situation(lineage_, set_).evaluate(*invariant.assertion));
    if (verdict.finding != Finding::open || traces_.empty()) return;
    // Of items, an invariant must hold for each that decides it: the first that contradicts it counts.
    Verdict contradicted = verdict;
    ask_items(
        contradicted, [](const Json&) { return true; },
        [&](const Situation& situation) { return negated(situation.evaluate(*invariant.assertion)); });
    if (contradicted.items == 0) return;
    contradicted.finding = contradicted.holding > 0 ? Finding::fails : Finding::holds;
    contradicted.holding = contradicted.items - contradicted.holding;
    verdict = std::move(contradicted);
  }
  static Outcome negated(Outcome outcome) {
    if (outcome.is(true) || outcome.is(false)) outcome.value = outcome.is(false);
    return outcome;
  }

  static constexpr std::size_t kShownItems = 3;
  const std::vector<System>& lineage_;
  const Json& set_;
  const std::vector<Trace>& traces_;
  std::vector<Verdict> verdicts_;
  std::set<std::pair<std::string, std::string>> seen_;
};

}  // namespace

std::vector<Verdict> check(const std::vector<System>& lineage, const Json& set,
                           const std::vector<Trace>& traces) {
  return Checker(lineage, set, traces).run();
}

Json json_of(const std::vector<Verdict>& verdicts) {
  Json all = Json::array();
  for (const Verdict& verdict : verdicts) {
    Json json = {{"kind", verdict.kind},
                 {"name", verdict.name},
                 {"place", verdict.place},
                 {"condition", verdict.condition},
                 {"finding", name_of(verdict.finding)}};
    if (verdict.items > 0) json.update({{"holding", verdict.holding}, {"items", verdict.items}});
    if (!verdict.evidence.empty()) json["evidence"] = verdict.evidence;
    if (!verdict.missing.empty()) json["missing"] = verdict.missing;
    if (!verdict.error.empty()) json["error"] = verdict.error;
    if (!verdict.consequences.empty()) json["consequences"] = verdict.consequences;
    all.push_back(std::move(json));
  }
  return all;
}

}  // namespace ladder::spak
