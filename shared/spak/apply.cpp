#include "shared/spak/apply.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "shared/spak/rewrite.hpp"
#include "shared/spak/situation.hpp"

namespace ladder::spak {

const char* name_of(Fate fate) {
  switch (fate) {
    case Fate::added:
      return "added";
    case Fate::known:
      return "known";
    case Fate::confirmed:
      return "confirmed";
    default:
      return "left out";
  }
}

namespace {

double rounded(double value) { return std::round(value * 1000) / 1000; }

/// The measuring behind a statement, as entries.
Json provenance_of(const Proposal& proposal) {
  Json json = Json::object();
  for (const auto& [key, value] :
       {std::pair("date", &proposal.date), std::pair("toolkit", &proposal.toolkit),
        std::pair("driver", &proposal.driver), std::pair("sources", &proposal.sources)})
    if (!value->empty()) json[key] = *value;
  json["evidence"] = proposal.evidence;
  return json;
}

bool knows(const Statement& statement, const Proposal& proposal) {
  return is_recorded(&statement.entries, proposal) ||
         is_recorded(statement.entries.find("verified"), proposal);
}

class Applier {
 public:
  explicit Applier(const std::vector<System>& lineage)
      : lineage_(lineage), system_(lineage.front()), rewriter_(system_) {
    for (const Fact& fact : system_.facts) names_.insert(fact.name);
    for (const Rule& rule : system_.rules) names_.insert(rule.name);
  }

  Change add(Proposal proposal) {
    Change change{proposal.name, Fate::added, {}, {}};
    const Statement* same = same_claim(proposal);
    if (same != nullptr) {
      change.name = same->name;
      change.fate = knows(*same, proposal) ? Fate::known : Fate::confirmed;
      if (change.fate == Fate::known) return change;
      rewriter_.add_entry(*same, "verified", record_of(proposal));
    } else {
      change.name = free_name(proposal);
    }
    const std::vector<std::string> newer = contradict(proposal, change);
    if (same != nullptr) return change;
    if (proposal.kind == Kind::matters && change.lowers.empty() && newer.empty()) {
      change.fate = Fate::left_out;
      return change;
    }
    names_.insert(change.name);
    for (std::size_t i = 0; i < newer.size(); ++i) proposal.confidence *= kContradicted;
    Written entries = entries_of(proposal);
    for (const std::string& name : newer) entries.emplace_back("contradicted_by", written_text(name));
    rewriter_.add_statement(proposal.is_rule() ? "rule " + written_text(change.name) : "fact " + change.name,
                            entries);
    return change;
  }

  /// The file's text; of what was contradicted, the confidence is written once, however many contradict it.
  std::string text() {
    for (const auto& [statement, confidence] : confidences_)
      if (statement->confidence() || !statement->entries.contains("confidence"))
        rewriter_.set_entry(*statement, "confidence", fmt::format("{}", rounded(confidence)));
    return rewriter_.text();
  }

 private:
  template <class Visit>
  static void for_each_statement(const System& system, const Visit& visit) {
    for (const Fact& fact : system.facts)
      if (!fact.is_predicate()) visit(fact, static_cast<const Expression*>(nullptr));
    for (const Rule& rule : system.rules) visit(rule, rule.forbids ? &*rule.forbids : nullptr);
  }

  std::string free_name(const Proposal& proposal) const {
    std::string name = proposal.name;
    for (int i = 2; names_.contains(name); ++i)
      name = proposal.is_rule() ? fmt::format("{} ({})", proposal.name, i)
                                : fmt::format("{}_{}", proposal.name, i);
    return name;
  }

  static bool is_static(const Statement& statement) { return statement.text("evidence_kind") == "static"; }

  /// The statement of the file that says the same, by whatever evidence.
  const Statement* same_claim(const Proposal& proposal) const {
    const Statement* same = nullptr;
    for_each_statement(system_, [&](const Statement& statement, const Expression*) {
      if (statement.text("crystallized") != name_of(proposal.kind) ||
          is_static(statement) != proposal.is_static || statement.text("loop") != proposal.loop ||
          statement.text("when") != proposal.when)
        return;
      const bool says_so = proposal.kind == Kind::best
                               ? recommends(statement, proposal) == std::optional(true)
                               : statement.text("axis") == proposal.axis &&
                                     statement.text("forbid") == proposal.forbid &&
                                     statement.text("recommend") == proposal.recommend;
      // Of several the one that stands on the same lines.
      if (says_so && (same == nullptr || (knows(statement, proposal) && !knows(*same, proposal))))
        same = &statement;
    });
    return same;
  }

  /// Whether a statement recommends one of the proposal's winners; nothing where it recommends nothing of these axes.
  std::optional<bool> recommends(const Statement& statement, const Proposal& proposal) const {
    const Json wanted = recommended_by(statement, proposal);
    bool speaks = false;
    for (const Json& winner : proposal.winners) {
      bool fits = true;
      for (const auto& [axis, value] : wanted.items())
        if (const Json* own = winner.find(axis)) {
          speaks = true;
          fits = fits && *own == value;
        }
      if (speaks && fits) return true;
    }
    if (!speaks || proposal.winners.size() < proposal.winning) return std::nullopt;
    return false;
  }
  Json recommended_by(const Statement& statement, const Proposal& proposal) const {
    const Situation situation(lineage_, proposal.situation);
    Json wanted = Json::object();
    for (const std::string& text : statement.texts("recommend"))
      for (const Assignment& assignment : assignments_in(text))
        if (const Outcome value = situation.evaluate(assignment.value); value.value)
          wanted[assignment.axis] = *value.value;
    return wanted;
  }

  bool speaks_of(const Statement& statement, const Proposal& proposal) const {
    const std::string loop = statement.text("loop"), when = statement.text("when");
    if ((!loop.empty() && loop != proposal.loop) || is_static(statement) != proposal.is_static) return false;
    if (when.empty() || when == proposal.when) return true;
    auto [found, is_new] = conditions_.try_emplace(when);
    if (is_new) found->second = expression_in(when);
    const auto& condition = found->second;
    return condition && Situation(lineage_, proposal.situation).evaluate(*condition).is(true);
  }

  bool contradicts(const Proposal& proposal, const Statement& statement, const Expression* forbids) const {
    if (!speaks_of(statement, proposal)) return false;
    const bool is_about_axis = !proposal.axis.empty() && statement.text("axis") == proposal.axis;
    const std::string kind = statement.text("crystallized");
    switch (proposal.kind) {
      case Kind::best: {
        if (recommends(statement, proposal) == std::optional(false)) return true;
        const Json item = {{"configuration", proposal.winners.front()}};
        return forbids != nullptr &&
               Situation(lineage_, proposal.situation, &item).evaluate(*forbids).is(true);
      }
      case Kind::cliff: {
        const Json wanted = recommended_by(statement, proposal);
        const Json* value = wanted.find(proposal.axis);
        return (value != nullptr && *value == proposal.value) || (is_about_axis && kind == "dead");
      }
      case Kind::dead:
        return is_about_axis && (kind == "cliff" || kind == "matters");
      case Kind::matters:
        return is_about_axis && kind == "dead";
      default:
        return false;  // what speaks against a crossover are the best configurations of single situations
    }
  }

  /// Lowers what the proposal contradicts; returns what is newer than it and so lowers the proposal.
  std::vector<std::string> contradict(const Proposal& proposal, Change& change) {
    std::vector<std::string> newer;
    for (const System& system : lineage_)
      for_each_statement(system, [&](const Statement& statement, const Expression* forbids) {
        if (!contradicts(proposal, statement, forbids)) return;
        if (&system != &system_)
          change.beside.push_back(fmt::format("'{}' of {}", statement.name, system.name));
        else if (statement.text("date") > proposal.date)
          newer.push_back(statement.name);
        else if (lower(statement, change.name))
          change.lowers.push_back(statement.name);
      });
    return newer;
  }

  /// False where this was done before.
  bool lower(const Statement& statement, const std::string& by) {
    const auto already = statement.texts("contradicted_by");
    if (!lowered_.emplace(&statement, by).second ||
        std::find(already.begin(), already.end(), by) != already.end())
      return false;
    confidences_.try_emplace(&statement, statement.confidence().value_or(1)).first->second *= kContradicted;
    rewriter_.add_entry(statement, "contradicted_by", written_text(by));
    return true;
  }

  const std::vector<System>& lineage_;
  const System& system_;
  Rewriter rewriter_;
  std::set<std::string> names_;
  std::set<std::pair<const Statement*, std::string>> lowered_;
  mutable std::map<std::string, std::optional<Expression>> conditions_;  ///< by their texts
  std::map<const Statement*, double> confidences_;
};

}  // namespace

bool is_recorded(const Json* records, const Proposal& proposal) {
  if (records == nullptr) return false;
  if (records->is_array())
    return std::any_of(records->begin(), records->end(),
                       [&](const Json& record) { return is_recorded(&record, proposal); });
  const Json* evidence = records->find("evidence");
  return evidence != nullptr && *evidence == Json(proposal.evidence);
}

std::string record_of(const Proposal& proposal) { return written_value(provenance_of(proposal)); }

Written entries_of(const Proposal& proposal) {
  Written entries;
  const auto text = [&](const char* key, const std::string& value) {
    if (!value.empty()) entries.emplace_back(key, written_text(value));
  };
  text("description", proposal.description);
  text("when", proposal.when);
  text("recommend", proposal.recommend);
  text("forbid", proposal.forbid);
  entries.emplace_back("confidence", fmt::format("{}", rounded(proposal.confidence)));
  text("crystallized", name_of(proposal.kind));
  text("loop", proposal.loop);
  text("axis", proposal.axis);
  if (proposal.kind == Kind::best) {
    entries.emplace_back("winners", fmt::format("{}", proposal.winning));
    entries.emplace_back("of", fmt::format("{}", proposal.of));
  }
  if (!proposal.set.empty()) entries.emplace_back("set", written_value(proposal.set));
  if (!proposal.fails) entries.emplace_back("effect", fmt::format("{}", rounded(proposal.effect)));
  if (!proposal.fails) entries.emplace_back("spread", fmt::format("{}", rounded(proposal.spread)));
  entries.emplace_back("count", fmt::format("{}", proposal.count));
  text("device", proposal.device);
  text("evidence_kind", proposal.is_static ? "static" : "measured");
  text("trace", proposal.trace);
  const Json provenance = provenance_of(proposal);
  for (const auto& [key, value] : provenance.items()) entries.emplace_back(key, written_value(value));
  text("source", fmt::format("ladder spak crystallize, loop {}", proposal.loop));
  return entries;
}

Applied apply(std::vector<System> lineage, const std::vector<Proposal>& proposals) {
  Applied applied{lineage.front().document.text(), {}};
  // What two toolkits, or two dates, say of one situation may differ: the later sees the earlier in the file.
  for (std::size_t at = 0; at < proposals.size();) {
    const auto batch_of = [&](std::size_t i) { return proposals[i].toolkit; };
    Applier applier(lineage);
    std::size_t end = at;
    for (; end < proposals.size() && batch_of(end) == batch_of(at); ++end)
      applied.changes.push_back(applier.add(proposals[end]));
    std::string text = applier.text();
    at = end;
    if (text == applied.text) continue;
    applied.text = text;
    lineage.front() = System::of(Document::parse(std::move(text), lineage.front().document.name()));
  }
  return applied;
}

}  // namespace ladder::spak
