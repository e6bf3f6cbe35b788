// Where the best value of an axis changes with a number of the situation.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "shared/spak/crystallize.hpp"

namespace ladder::spak {

namespace {

/// A situation, and the number in it.
struct At {
  double number;
  const Analysis* analysis;
};
/// Situations from `begin` to before `end` whose winners share these choices of an axis.
struct Segment {
  std::size_t begin, end;
  std::vector<bool> shared;
  std::size_t choice() const {
    return static_cast<std::size_t>(std::find(shared.begin(), shared.end(), true) - shared.begin());
  }
};

std::vector<bool> winning_choices(const Analysis& analysis, std::size_t axis) {
  std::vector<bool> wins(analysis.space().axes()[axis].values.size(), false);
  for (const PointEvidence* point : analysis.winners())
    wins[analysis.space().choice(point->point, axis)] = true;
  return wins;
}

std::vector<Segment> segments_of(const std::vector<At>& line, std::size_t axis) {
  std::vector<Segment> segments;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const std::vector<bool> wins = winning_choices(*line[i].analysis, axis);
    std::vector<bool> both = wins;
    if (!segments.empty())
      for (std::size_t j = 0; j < both.size(); ++j) both[j] = both[j] && segments.back().shared[j];
    const bool goes_on = !segments.empty() && std::find(both.begin(), both.end(), true) != both.end();
    if (goes_on)
      segments.back().shared = both, segments.back().end = i + 1;
    else
      segments.push_back({i, i + 1, wins});
  }
  return segments;
}

/// The cheapest point with a choice; nullptr where none was measured.
const PointEvidence* best_with(const Analysis& analysis, std::size_t axis, std::size_t choice) {
  const PointEvidence* best = nullptr;
  for (const PointEvidence& point : analysis.group().points)
    if (point.measured && analysis.space().choice(point.point, axis) == choice &&
        (best == nullptr || point.cost < best->cost))
      best = &point;
  return best;
}

/// Between two neighbouring numbers, written so that each is on its side.
double split_between(double low, double high) {
  const double middle = low > 0 ? std::sqrt(low * high) : (low + high) / 2;
  const double whole = std::round(middle);
  return whole > low && whole <= high ? whole : middle;
}

std::string written(double number) { return fmt::format("{}", number); }

class Crossing {
 public:
  Crossing(const EngineeringLoop& loop, std::string field, std::vector<At> line)
      : loop_(loop), field_(std::move(field)), line_(std::move(line)) {}

  void add(std::size_t axis, std::vector<Proposal>& proposals) const {
    const std::vector<Segment> segments = segments_of(line_, axis);
    // A value that comes and goes from number to number hangs on something else.
    if (segments.size() < 2 || segments.size() > std::max<std::size_t>(2, line_.size() / 2)) return;
    for (std::size_t i = 0; i < segments.size(); ++i) proposals.push_back(rule(axis, segments, i));
  }

 private:
  Proposal rule(std::size_t axis, const std::vector<Segment>& segments, std::size_t i) const {
    const Segment& segment = segments[i];
    const Axis& about = line_[0].analysis->space().axes()[axis];
    Proposal proposal = proposal_of(Kind::crossover, loop_, line_[segment.end - 1].analysis->group());
    proposal.axis = about.name;
    proposal.value = about.values[segment.choice()];
    proposal.recommend = assignments_of(Json::object({{about.name, proposal.value}}));
    proposal.when = condition_of(proposal.situation, field_);
    proposal.situation.erase(field_);
    proposal.count = segment.end - segment.begin;
    proposal.effect = std::numeric_limits<double>::infinity();
    std::string span;
    if (i > 0) side(proposal, segment.begin, axis, segment, segments[i - 1], ">=", span);
    if (i + 1 < segments.size()) side(proposal, segment.end - 1, axis, segment, segments[i + 1], "<", span);
    proposal.fails = !std::isfinite(proposal.effect);
    if (proposal.fails) proposal.effect = 1;
    proposal.when += (proposal.when.empty() ? "" : " && ") + span;
    proposal.name = fmt::format("{}{}: {} = {} where {}", proposal.is_static ? "static: " : "", loop_.name,
                                about.name, literal_of(proposal.value), proposal.when);
    proposal.description =
        fmt::format("{} = {} is among the best in {} situations with {}; the other side's value costs {}",
                    about.name, literal_of(proposal.value), proposal.count, span,
                    proposal.fails ? "a failure" : fmt::format("{:.2f} times as much", proposal.effect));
    return proposal;
  }

  /// What the boundary to a neighbouring segment adds: the condition, and how much worse that segment's value is here.
  void side(Proposal& proposal, std::size_t here, std::size_t axis, const Segment& own, const Segment& other,
            const char* relation, std::string& span) const {
    const bool is_lower = other.begin > here;  // this side has the smaller numbers
    const double split = is_lower ? split_between(line_[here].number, line_[here + 1].number)
                                  : split_between(line_[here - 1].number, line_[here].number);
    span += fmt::format("{}{} {} {}", span.empty() ? "" : " && ", field_, relation, written(split));
    const Analysis& analysis = *line_[here].analysis;
    const PointEvidence* best = best_with(analysis, axis, own.choice());
    const PointEvidence* worse = best_with(analysis, axis, other.choice());
    if (best == nullptr) return;
    proposal.samples += best->samples;
    proposal.spread = std::max(proposal.spread, std::exp(best->high - best->low) - 1);
    proposal.items.push_back(best->items.back());
    if (worse == nullptr) return;
    proposal.items.push_back(worse->items.back());
    proposal.effect = std::min(proposal.effect, std::exp(worse->cost - best->cost));
  }

  const EngineeringLoop& loop_;
  std::string field_;
  std::vector<At> line_;
};

}  // namespace

std::vector<Proposal> crossovers_of(const EngineeringLoop& loop, const std::vector<Analysis>& analyses) {
  // By what else the situation says, so that nothing but one number differs.
  std::map<std::pair<std::string, std::string>, std::vector<At>> lines;
  for (const Analysis& analysis : analyses) {
    const Group& group = analysis.group();
    if (analysis.choice() == nullptr) continue;
    for (const auto& [name, value] : group.situation.items()) {
      if (!value.is_number() || condition_of(Json::object({{name, value}})).empty()) continue;
      Json rest = group.situation;
      rest.erase(name);
      lines[{name, fmt::format("{}\n{}\n{}", rest.dump(), group.toolkit, group.is_static)}].push_back(
          {value.get<double>(), &analysis});
    }
  }
  std::vector<Proposal> proposals;
  for (auto& [key, line] : lines) {
    std::stable_sort(line.begin(), line.end(), [](const At& a, const At& b) { return a.number < b.number; });
    if (line.size() < 2) continue;
    const Crossing crossing(loop, key.first, line);
    for (std::size_t axis = 0; axis < line[0].analysis->space().axes().size(); ++axis)
      crossing.add(axis, proposals);
  }
  return proposals;
}

}  // namespace ladder::spak
