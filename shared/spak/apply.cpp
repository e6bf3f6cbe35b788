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

/// What a statement of the lineage is asked for.
struct Known {
  const System* system;
  const Statement* statement;
  const Expression* forbids;
  std::string kind, loop;
  bool is_static;
};

/// The statements of a lineage, by their conditions: many thousands have some hundred.
class Library {
 public:
  explicit Library(const std::vector<System>& lineage) : lineage_(lineage) {
    for (const System& system : lineage) {
      for (const Fact& fact : system.facts)
        if (!fact.is_predicate()) add(system, fact, nullptr);
      for (const Rule& rule : system.rules) add(system, rule, rule.forbids ? &*rule.forbids : nullptr);
    }
  }

  /// Those with this condition, word for word.
  const std::vector<Known>& with(const std::string& when) const {
    static const std::vector<Known> none;
    const auto found = shelves_.find(when);
    return found == shelves_.end() ? none : found->second.known;
  }

  /// Those that speak of the proposal's situation; valid until it is asked again.
  const std::vector<const Known*>& about(const Proposal& proposal) {
    // Proposals about one situation follow each other.
    const std::string situation = proposal.situation.dump();
    if (situation == situation_) return about_;
    situation_ = situation;
    about_.clear();
    for (const auto& [when, shelf] : shelves_) {
      const bool holds =
          when.empty() || when == proposal.when ||
          (shelf.condition && Situation(lineage_, proposal.situation).evaluate(*shelf.condition).is(true));
      for (const Known& known : shelf.known)
        if (holds) about_.push_back(&known);
    }
    return about_;
  }

 private:
  struct Shelf {
    std::optional<Expression> condition;
    std::vector<Known> known;
  };
  void add(const System& system, const Statement& statement, const Expression* forbids) {
    const std::string when = statement.text("when");
    const auto [shelf, is_new] = shelves_.try_emplace(when);
    if (is_new) shelf->second.condition = expression_in(when);
    shelf->second.known.push_back({&system, &statement, forbids, statement.text("crystallized"),
                                   statement.text("loop"), statement.text("evidence_kind") == "static"});
  }

  const std::vector<System>& lineage_;
  std::map<std::string, Shelf> shelves_;
  std::string situation_;
  std::vector<const Known*> about_;
};

class Applier {
 public:
  explicit Applier(const std::vector<System>& lineage)
      : lineage_(lineage), system_(lineage.front()), rewriter_(system_), library_(lineage) {
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
    if (proposal.kind == Kind::matters && change.lowers.empty() && change.beside.empty() && newer.empty()) {
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
  std::string free_name(const Proposal& proposal) const {
    std::string name = proposal.name;
    for (int i = 2; names_.contains(name); ++i)
      name = proposal.is_rule() ? fmt::format("{} ({})", proposal.name, i)
                                : fmt::format("{}_{}", proposal.name, i);
    return name;
  }

  /// The statement of the file that says the same, by whatever evidence; of several the one that stands on the same lines.
  const Statement* same_claim(const Proposal& proposal) const {
    const Statement* same = nullptr;
    for (const Known& known : library_.with(proposal.when)) {
      if (known.system != &system_ || known.kind != name_of(proposal.kind) || known.loop != proposal.loop ||
          known.is_static != proposal.is_static || !says(*known.statement, proposal))
        continue;
      if (same == nullptr || (knows(*known.statement, proposal) && !knows(*same, proposal)))
        same = known.statement;
    }
    return same;
  }
  bool says(const Statement& statement, const Proposal& proposal) const {
    if (proposal.kind == Kind::best) return recommends(statement, proposal) == std::optional(true);
    return statement.text("axis") == proposal.axis && statement.text("forbid") == proposal.forbid &&
           statement.text("recommend") == proposal.recommend;
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

  bool contradicts(const Proposal& proposal, const Known& known) const {
    if ((!known.loop.empty() && known.loop != proposal.loop) || known.is_static != proposal.is_static)
      return false;
    const Statement& statement = *known.statement;
    const std::string& kind = known.kind;
    const bool is_about_axis = !proposal.axis.empty() && statement.text("axis") == proposal.axis;
    switch (proposal.kind) {
      case Kind::best: {
        if (recommends(statement, proposal) == std::optional(false)) return true;
        const Json item = {{"configuration", proposal.winners.front()}};
        return known.forbids != nullptr &&
               Situation(lineage_, proposal.situation, &item).evaluate(*known.forbids).is(true);
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
        return false;
    }
  }

  /// Lowers what the proposal contradicts; returns what is newer than it and so lowers the proposal.
  std::vector<std::string> contradict(const Proposal& proposal, Change& change) {
    std::vector<std::string> newer;
    if (proposal.kind == Kind::crossover)
      return newer;  // single situations speak against it, and it against none
    for (const Known* known : library_.about(proposal)) {
      const Statement& statement = *known->statement;
      if (!contradicts(proposal, *known)) continue;
      if (known->system != &system_)
        change.beside.push_back(fmt::format("'{}' of {}", statement.name, known->system->name));
      else if (statement.text("date") > proposal.date)
        newer.push_back(statement.name);
      else if (lower(statement, change.name))
        change.lowers.push_back(statement.name);
    }
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
  Library library_;
  std::set<std::string> names_;
  std::set<std::pair<const Statement*, std::string>> lowered_;
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
