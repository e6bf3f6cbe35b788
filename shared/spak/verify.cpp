#include "shared/spak/verify.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "shared/spak/apply.hpp"
#include "shared/spak/rewrite.hpp"
#include "shared/spak/situation.hpp"

namespace ladder::spak {

const char* name_of(Holding holding) {
  switch (holding) {
    case Holding::holds:
      return "holds";
    case Holding::refuted:
      return "refuted";
    case Holding::expired:
      return "expired";
    default:
      return "open";
  }
}

std::vector<const Statement*> crystallized(const System& system, const EngineeringLoop& loop,
                                           const std::string& device) {
  std::vector<const Statement*> found;
  const auto add = [&](const Statement& statement) {
    const std::string of = statement.text("device");
    if (!statement.text("crystallized").empty() && statement.text("loop") == loop.name &&
        (device.empty() || of.empty() || of == device))
      found.push_back(&statement);
  };
  for (const Fact& fact : system.facts) add(fact);
  for (const Rule& rule : system.rules) add(rule);
  return found;
}

namespace {

Json assigned(const std::vector<System>& lineage, const Statement& statement, const std::string& text,
              const Json& situation) {
  Json values = Json::object();
  for (const Assignment& assignment : assignments_in(text.empty() ? statement.text("recommend") : text))
    if (const Outcome value = Situation(lineage, situation).evaluate(assignment.value); value.value)
      values[assignment.axis] = *value.value;
  return values;
}

std::optional<std::size_t> axis_of(const Space& space, const std::string& name) {
  for (std::size_t i = 0; i < space.axes().size(); ++i)
    if (space.axes()[i].name == name) return i;
  return std::nullopt;
}

std::optional<std::size_t> choice_of(const Axis& axis, const Json& value) {
  const auto found = std::find(axis.values.begin(), axis.values.end(), value);
  if (found == axis.values.end()) return std::nullopt;
  return static_cast<std::size_t>(found - axis.values.begin());
}

/// The value that a cliff's rule forbids: of "tile == 128" 128.
std::optional<std::size_t> forbidden_choice(const std::vector<System>& lineage, const Axis& axis,
                                            const Statement& rule) {
  const auto forbids = expression_in(rule.text("forbid"));
  for (std::size_t i = 0; forbids && i < axis.values.size(); ++i) {
    const Json set = Json::object({{axis.name, axis.values[i]}});
    if (Situation(lineage, set).evaluate(*forbids).is(true)) return i;
  }
  return std::nullopt;
}

class Judge {
 public:
  Judge(const std::vector<System>& lineage, const Space& space, const Statement& statement)
      : lineage_(lineage), space_(space), statement_(statement), kind_(statement.text("crystallized")) {}

  /// Decides by one situation, where it can.
  void hear(const Analysis& analysis) {
    if (kind_ == "best")
      hear_best(analysis);
    else if (kind_ == "cliff")
      hear_cliff(analysis);
    else if (kind_ == "crossover")
      hear_crossover(analysis);
    else
      hear_axis(analysis);
  }

  Holding holding = Holding::open;
  std::string reason;
  std::vector<std::uint32_t> items;  ///< that decided it
  const Group* group = nullptr;

 private:
  void decide(const Analysis& analysis, bool holds, std::string why, const std::vector<std::uint32_t>& by) {
    // A crossover that one situation refutes stays refuted.
    if (kind_ == "crossover" && holding == Holding::refuted) return;
    holding = holds ? Holding::holds : Holding::refuted;
    reason = std::move(why);
    items = by;
    group = &analysis.group();
  }

  static bool is_noiseless(const Analysis& analysis) { return analysis.group().freedom == 0; }

  void hear_best(const Analysis& analysis) {
    const auto number = space_.number_of(assigned(lineage_, statement_, "", analysis.group().situation));
    const PointEvidence* point = number ? analysis.group().find(*number) : nullptr;
    if (point == nullptr) return;
    if (!point->measured)
      return decide(analysis, false, "its configuration fails now: " + point->outcome, point->items);
    if (is_noiseless(analysis) || analysis.group().measured() < 2) return;
    if (analysis.wins(*number))
      return decide(analysis, true,
                    fmt::format("among {} of {} that cannot be told apart", analysis.winners().size(),
                                analysis.group().measured()),
                    point->items);
    const auto best =
        std::min_element(analysis.winners().begin(), analysis.winners().end(),
                         [](const PointEvidence* a, const PointEvidence* b) { return a->cost < b->cost; });
    std::vector<std::uint32_t> by = point->items;
    by.insert(by.end(), (*best)->items.begin(), (*best)->items.end());
    decide(analysis, false,
           fmt::format("{} costs {:.2f} times less", assignments_of(space_.point((*best)->point)),
                       std::exp(point->cost - (*best)->cost)),
           by);
  }

  void hear_cliff(const Analysis& analysis) {
    const auto axis = axis_of(space_, statement_.text("axis"));
    const auto choice =
        axis ? forbidden_choice(lineage_, space_.axes()[*axis], statement_) : std::optional<std::size_t>();
    if (!choice) return;
    const auto cliff = analysis.cliff_at(*axis, *choice);
    if (!cliff || (cliff->outcome.empty() && is_noiseless(analysis))) return;
    const auto pairs = static_cast<double>(cliff->effect.pairs);
    decide(
        analysis, static_cast<double>(cliff->hits) >= kNearlyAll * pairs,
        fmt::format("{} in {} of {} pairs",
                    cliff->outcome.empty() ? fmt::format("{} times worse or more", kCliff) : cliff->outcome,
                    cliff->hits, cliff->effect.pairs),
        cliff->effect.items);
  }

  void hear_axis(const Analysis& analysis) {
    const auto axis = axis_of(space_, statement_.text("axis"));
    if (!axis || is_noiseless(analysis)) return;
    const AxisFound found = analysis.axes_alone()[*axis];
    if (found.effect.pairs == 0) return;
    const bool matters = found.verdict == AxisVerdict::matters;
    if (kind_ == "matters" && found.verdict == AxisVerdict::open) return;
    decide(analysis, matters == (kind_ == "matters"),
           fmt::format("{:.2f} times between two values, {} pairs", found.effect.ratio, found.effect.pairs),
           found.effect.items);
  }

  void hear_crossover(const Analysis& analysis) {
    const auto axis = axis_of(space_, statement_.text("axis"));
    const Json wanted = assigned(lineage_, statement_, "", analysis.group().situation);
    if (!axis || is_noiseless(analysis) || analysis.group().measured() < 2) return;
    const Json* value = wanted.find(space_.axes()[*axis].name);
    const auto choice = value != nullptr ? choice_of(space_.axes()[*axis], *value) : std::nullopt;
    if (!choice) return;
    const auto has = [&](const PointEvidence& each) { return space_.choice(each.point, *axis) == *choice; };
    const auto& points = analysis.group().points;
    const auto found = std::find_if(points.begin(), points.end(), has);
    if (found == points.end()) return;
    const auto winner = std::find_if(analysis.winners().begin(), analysis.winners().end(),
                                     [&](const PointEvidence* each) { return has(*each); });
    const bool wins = winner != analysis.winners().end();
    decide(analysis, wins,
           fmt::format("{} {} the best where {}", statement_.text("recommend"),
                       wins ? "is among" : "is not among", condition_of(analysis.group().situation)),
           wins ? (*winner)->items : found->items);
  }

  const std::vector<System>& lineage_;
  const Space& space_;
  const Statement& statement_;
  std::string kind_;
};

}  // namespace

std::vector<Verified> verify(const std::vector<System>& lineage,
                             const std::vector<const Statement*>& statements, const EvidenceWanted& wanted,
                             const Evidence& evidence, const Surroundings& now,
                             const std::filesystem::path& folder) {
  std::vector<Analysis> analyses;
  for (const Group& group : evidence.groups)
    analyses.emplace_back(wanted.space, group, evidence.groups.size());
  std::vector<Verified> all;
  for (const Statement* statement : statements) {
    Judge judge(lineage, wanted.space, *statement);
    const std::string when = statement->text("when");
    const auto condition = expression_in(when);
    for (const Analysis& analysis : analyses) {
      const Group& group = analysis.group();
      if (group.is_static != (statement->text("evidence_kind") == "static")) continue;
      if (when.empty() || (condition && Situation(lineage, group.situation).evaluate(*condition).is(true)))
        judge.hear(analysis);
    }
    Verified verified{statement, judge.holding, judge.reason, {}};
    if (judge.group != nullptr)
      verified.record = record_of_items(wanted, evidence, *judge.group, judge.items, folder);
    if (judge.holding == Holding::open) {
      verified.reason = expired(*statement, now);
      verified.holding = verified.reason.empty() ? Holding::open : Holding::expired;
    }
    all.push_back(std::move(verified));
  }
  return all;
}

std::vector<std::uint64_t> deciding_points(const std::vector<System>& lineage, const EngineeringLoop& loop,
                                           const Space& space, const Statement& statement, const Json& set) {
  const std::string kind = statement.text("crystallized");
  const Pruner pruner(lineage, &loop, set);
  const auto allowed = [&](std::uint64_t point) { return !pruner.forbidden(space.point(point)); };
  // What it recommends; for other axes, what the first allowed point has.
  const Json wanted = assigned(lineage, statement, "", set);
  std::optional<std::uint64_t> base;
  const auto fits = [&](std::uint64_t point) {
    for (std::size_t i = 0; i < space.axes().size(); ++i)
      if (const Json* value = wanted.find(space.axes()[i].name))
        if (!(space.axes()[i].values[space.choice(point, i)] == *value)) return false;
    return true;
  };
  if (kind == "best") base = space.number_of(wanted);
  for (std::uint64_t point = 0; !base && point < std::min<std::uint64_t>(space.size(), 1'000'000); ++point)
    if (fits(point) && allowed(point)) base = point;
  if (!base) return {};
  std::set<std::uint64_t> points = {*base};
  const auto axis = axis_of(space, statement.text("axis"));
  for (std::size_t i = 0; i < space.axes().size(); ++i) {
    const auto own = static_cast<std::ptrdiff_t>(space.choice(*base, i));
    for (std::ptrdiff_t to = 0; to < static_cast<std::ptrdiff_t>(space.axes()[i].values.size()); ++to) {
      const std::uint64_t point = space.moved(*base, i, static_cast<std::size_t>(to));
      const bool is_near = kind == "best" ? std::abs(to - own) == 1 : axis == i;
      // A cliff is looked at although its own rule forbids it.
      if (is_near && (kind == "cliff" || allowed(point))) points.insert(point);
    }
  }
  return {points.begin(), points.end()};
}

std::string with_records(const System& system, const std::vector<Verified>& verified) {
  Rewriter rewriter(system);
  for (const Verified& each : verified) {
    if (each.holding != Holding::holds && each.holding != Holding::refuted) continue;
    const char* key = each.holding == Holding::holds ? "verified" : "refuted";
    const std::string record = record_of(each.record);
    const Json* before = each.statement->entries.find(key);
    if (is_recorded(before, each.record)) continue;
    rewriter.add_entry(*each.statement, key, record);
    if (each.holding == Holding::refuted)
      rewriter.set_entry(
          *each.statement, "confidence",
          fmt::format("{}",
                      std::round(each.statement->confidence().value_or(1) * kContradicted * 1000) / 1000));
  }
  return rewriter.text();
}

}  // namespace ladder::spak
