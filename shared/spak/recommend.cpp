#include "shared/spak/recommend.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "shared/base/error.hpp"
#include "shared/spak/situation.hpp"

namespace ladder::spak {

namespace {

constexpr double kUnsaid = 0.5;  ///< the confidence of what names none

Voice voice_of(const char* kind) { return {kind, "", {}, "", "", {}, "", "", false}; }

/// The date of the last of a statement's records of this kind; "" without one.
std::string last_date(const Statement& statement, const char* kind) {
  const Json* records = statement.entries.find(kind);
  if (records != nullptr && records->is_array() && !records->empty())
    records = &records->at(records->size() - 1);
  const Json* date = records == nullptr ? nullptr : records->find("date");
  return date != nullptr && date->is_string() ? date->get<std::string>() : "";
}

/// A statement that recommends, with the values that it gives axes here.
struct Candidate {
  Voice voice;
  Json values = Json::object();
};

class Recommender {
 public:
  Recommender(const std::vector<System>& lineage, const EngineeringLoop& loop, const Json& set,
              const Surroundings& now)
      : lineage_(lineage),
        loop_(loop),
        set_(set),
        now_(now),
        space_(space_of(lineage.front(), loop)),
        pruner_(lineage, &loop, set) {}

  Recommendation run() {
    for (const System& system : lineage_) hear(system);
    std::stable_sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
      return a.voice.confidence.value_or(kUnsaid) > b.voice.confidence.value_or(kUnsaid);
    });
    for (const Axis& axis : space_.axes()) {
      AxisAdvice advice = advise(axis);
      configuration_[axis.name] = advice.value;
      result_.axes.push_back(std::move(advice));
    }
    result_.forbidden = pruner_.forbidden(configuration_);
    return std::move(result_);
  }

 private:
  void hear(const System& system) {
    for (const Fact& fact : system.facts)
      if (!fact.is_predicate() && !fact.text("recommend").empty() && seen_.insert("fact " + fact.name).second)
        hear(system, fact, "fact", nullptr);
    for (const Rule& rule : system.rules)
      if (seen_.insert("rule " + rule.name).second)
        hear(system, rule, "rule", rule.forbids ? &*rule.forbids : nullptr);
  }

  void hear(const System& system, const Statement& statement, const char* kind, const Expression* forbids) {
    const bool is_own = &system == &lineage_.front();
    const std::string loop = statement.text("loop"), when = statement.text("when");
    if (statement.text("recommend").empty() && forbids == nullptr) return;
    // A parent's loops have names of their own; its axes are the same.
    if (is_own && !loop.empty() && loop != loop_.name) return;
    if (statement.text("evidence_kind") == "static") return;  // of what a compiler says, not of time
    Voice voice{kind,
                statement.name,
                statement.confidence(),
                is_own ? "" : system.name,
                when,
                statement.texts("evidence"),
                expired(statement, now_),
                statement.text("contradicted_by"),
                last_date(statement, "refuted") > last_date(statement, "verified")};
    if (voice.evidence.empty()) voice.evidence = statement.texts("source");
    const Situation situation(lineage_, set_);
    if (!when.empty()) {
      const auto condition = expression_in(when);
      const Outcome outcome = condition ? situation.evaluate(*condition) : Outcome();
      if (!outcome.missing.empty()) add_open(voice, outcome.missing);
      if (!outcome.is(true)) return;
    }
    if (forbids != nullptr) {
      result_.forbidding.push_back(voice);
      result_.forbidding.back().condition = forbids->text();
    }
    Candidate candidate{voice};
    for (const std::string& text : statement.texts("recommend"))
      for (const Assignment& assignment : assignments_in(text))
        if (const Outcome value = situation.evaluate(assignment.value); value.value)
          candidate.values[assignment.axis] = *value.value;
    if (!candidate.values.empty()) candidates_.push_back(std::move(candidate));
  }

  void add_open(Voice voice, const std::vector<std::string>& missing) {
    std::string names;
    for (const std::string& name : missing) names += (names.empty() ? "" : ", ") + name;
    voice.condition = names;
    result_.open.push_back(std::move(voice));
  }

  std::string objection(const Axis& axis, const Json& value) const {
    if (std::find(axis.values.begin(), axis.values.end(), value) == axis.values.end())
      return "the axis does not have it";
    Json tried = configuration_;
    tried[axis.name] = value;
    const auto pruning = pruner_.forbidden(tried);
    return pruning ? fmt::format("{} forbids it: {}", pruning->by, pruning->condition) : "";
  }

  AxisAdvice advise(const Axis& axis) const {
    AxisAdvice advice{axis.name, axis.values.front(), voice_of("first"), {}};
    bool is_found = false;
    const auto consider = [&](const Json& value, const Voice& voice) {
      const std::string why = objection(axis, value);
      if (!is_found && (why.empty() || voice.kind == "given")) {
        advice.value = value;
        advice.voice = voice;
        is_found = true;
      } else if (!why.empty() || !(value == advice.value)) {
        advice.passed_over.push_back({value, voice, why.empty() ? "less certain" : why});
      }
    };
    if (const Json* given = set_.find(axis.name)) consider(*given, voice_of("given"));
    for (const Candidate& candidate : candidates_)
      if (const Json* value = candidate.values.find(axis.name)) consider(*value, candidate.voice);
    for (std::size_t i = 0; !is_found && i < axis.values.size(); ++i)
      consider(axis.values[i], voice_of("first"));
    return advice;
  }

  const std::vector<System>& lineage_;
  const EngineeringLoop& loop_;
  const Json& set_;
  const Surroundings& now_;
  Space space_;
  Pruner pruner_;
  std::vector<Candidate> candidates_;
  std::set<std::string> seen_;
  Json configuration_ = Json::object();
  Recommendation result_;
};

Json json_of(const Voice& voice) {
  Json json = {{"kind", voice.kind}};
  if (!voice.name.empty()) json["name"] = voice.name;
  if (voice.confidence) json["confidence"] = *voice.confidence;
  if (!voice.system.empty()) json["inherited_from"] = voice.system;
  if (!voice.condition.empty()) json["condition"] = voice.condition;
  if (!voice.evidence.empty()) json["evidence"] = voice.evidence;
  if (!voice.expired.empty()) json["expired"] = voice.expired;
  if (!voice.contradicted_by.empty()) json["contradicted_by"] = voice.contradicted_by;
  if (voice.refuted) json["refuted"] = true;
  return json;
}

Json json_of(const std::vector<Voice>& voices) {
  Json all = Json::array();
  for (const Voice& voice : voices) all.push_back(json_of(voice));
  return all;
}

}  // namespace

Json Recommendation::configuration() const {
  Json configuration = Json::object();
  for (const AxisAdvice& advice : axes) configuration[advice.axis] = advice.value;
  return configuration;
}

Recommendation recommend(const std::vector<System>& lineage, const EngineeringLoop& loop, const Json& set,
                         const Surroundings& now) {
  return Recommender(lineage, loop, set, now).run();
}

Json json_of(const Recommendation& recommendation) {
  Json axes = Json::array();
  for (const AxisAdvice& advice : recommendation.axes) {
    Json passed = Json::array();
    for (const PassedOver& each : advice.passed_over)
      passed.push_back({{"value", each.value}, {"by", json_of(each.voice)}, {"why", each.why}});
    axes.push_back({{"axis", advice.axis},
                    {"value", advice.value},
                    {"by", json_of(advice.voice)},
                    {"passed_over", passed}});
  }
  Json json = {{"configuration", recommendation.configuration()},
               {"axes", axes},
               {"forbidding", json_of(recommendation.forbidding)},
               {"open", json_of(recommendation.open)}};
  if (recommendation.forbidden)
    json["forbidden"] = {{"by", recommendation.forbidden->by},
                         {"condition", recommendation.forbidden->condition}};
  return json;
}

}  // namespace ladder::spak
