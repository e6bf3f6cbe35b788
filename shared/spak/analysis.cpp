#include "shared/spak/analysis.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "shared/spak/statistics.hpp"
#include "shared/spak/tune.hpp"

namespace ladder::spak {

namespace {

const double kSameCost = std::log1p(kNearBest);
constexpr double kScatter =
    1.5;  ///< of an F: the errors assume normal noise, and are not trusted beyond this
constexpr std::size_t kShownItems = 6;  ///< of an effect

/// Collects logarithmic ratios.
class EffectSum {
 public:
  void add(double ratio, std::initializer_list<const PointEvidence*> points) {
    ratios_.push_back(ratio);
    sum_ += ratio;
    for (const PointEvidence* point : points) {
      effect_.samples += point->measured ? point->samples : 1;
      if (effect_.items.size() < kShownItems) effect_.items.push_back(point->items.back());
    }
  }
  Effect done() {
    effect_.pairs = ratios_.size();
    if (ratios_.empty()) return effect_;
    std::sort(ratios_.begin(), ratios_.end());
    effect_.ratio = std::exp(sum_ / static_cast<double>(ratios_.size()));
    effect_.low = std::exp(ratios_[(ratios_.size() - 1) / 4]);
    effect_.high = std::exp(ratios_[ratios_.size() - 1 - (ratios_.size() - 1) / 4]);
    return effect_;
  }

 private:
  Effect effect_;
  std::vector<double> ratios_;
  double sum_ = 0;
};

}  // namespace

struct Analysis::Line {
  std::vector<const PointEvidence*> by_choice;  ///< nullptr for a value that was not tried
  bool measured(std::size_t choice) const {
    return by_choice[choice] != nullptr && by_choice[choice]->measured;
  }
  bool failed(std::size_t choice) const {
    return by_choice[choice] != nullptr && !by_choice[choice]->measured;
  }
  /// The cheapest but for `except`; nothing where no other was measured.
  std::optional<std::size_t> best_but(std::size_t except) const {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < by_choice.size(); ++i)
      if (i != except && measured(i) && (!best || by_choice[i]->cost < by_choice[*best]->cost)) best = i;
    return best;
  }
};

/// Two values of an axis, compared in all lines that have both.
struct Analysis::ValuePair {
  std::vector<std::pair<const PointEvidence*, const PointEvidence*>> pairs;
  double sum = 0, variance = 0, scatter = 0;

  void add(const PointEvidence* a, const PointEvidence* b) {
    const double difference = b->cost - a->cost, error = a->error * a->error + b->error * b->error;
    pairs.emplace_back(a, b);
    sum += difference;
    variance += error;
    if (error > 0) scatter += difference * difference / error;
  }
  double count() const { return static_cast<double>(pairs.size()); }
  double mean() const { return sum / count(); }
  double error() const { return std::sqrt(variance) / count(); }
};

Analysis::Analysis(const Space& space, const Group& group, std::size_t situations)
    : space_(space),
      group_(group),
      level_(kFalseRate / 2 / static_cast<double>(std::max<std::size_t>(situations, 1))) {
  differs_ = group.freedom > 0 && group.measured() >= 2 && (stands_out(level_ / 2) || scatters(level_ / 2));
  find_winners();
}

/// `t`: what |difference / error| must exceed.
bool Analysis::differ_by(double difference, double error, double t) const {
  return group_.freedom > 0 && std::abs(difference) >= kSameCost && std::abs(difference) > t * error;
}

bool Analysis::stands_out(double p) const {
  std::vector<double> costs;
  double error = 0;
  for (const PointEvidence& point : group_.points)
    if (point.measured) costs.push_back(point.cost), error += point.error;
  const auto count = static_cast<double>(costs.size());
  std::nth_element(costs.begin(), costs.begin() + static_cast<std::ptrdiff_t>(costs.size() / 2), costs.end());
  const double middle = costs[costs.size() / 2];
  const double of_middle = kMedianError * error / count / std::sqrt(count);
  const double t = two_sided_t(p / count, group_.freedom);
  return std::any_of(group_.points.begin(), group_.points.end(), [&](const PointEvidence& point) {
    return point.measured && differ_by(point.cost - middle, std::hypot(point.error, of_middle), t);
  });
}

bool Analysis::scatters(double p) const {
  double weights = 0, sum = 0, lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
  std::size_t count = 0;
  for (const PointEvidence& point : group_.points) {
    if (!point.measured || !(point.error > 0)) continue;
    const double weight = 1 / (point.error * point.error);
    weights += weight;
    sum += weight * point.cost;
    lowest = std::min(lowest, point.cost);
    highest = std::max(highest, point.cost);
    ++count;
  }
  if (count < 2 || highest - lowest < kSameCost) return false;
  double squares = 0;
  for (const PointEvidence& point : group_.points)
    if (point.measured && point.error > 0) squares += std::pow((point.cost - sum / weights) / point.error, 2);
  const double f = squares / static_cast<double>(count - 1);
  return f >= kScatter && f_test_p(f, static_cast<double>(count - 1), group_.freedom) < p;
}

void Analysis::find_winners() {
  const PointEvidence* best = nullptr;
  for (const PointEvidence& point : group_.points)
    if (point.measured && (best == nullptr || point.cost < best->cost)) best = &point;
  if (best == nullptr) return;
  const double t = two_sided_t(kFalseRate / static_cast<double>(group_.measured()), group_.freedom);
  for (const PointEvidence& point : group_.points) {
    if (!point.measured) continue;
    const double behind = point.cost - best->cost;
    const bool overlaps = point.low <= best->high;
    const bool is_noise = !differ_by(behind, std::hypot(point.error, best->error), t);
    if (&point == best || overlaps || behind <= kSameCost || is_noise) winners_.push_back(&point);
  }
}

bool Analysis::wins(std::uint64_t point) const {
  return std::any_of(winners_.begin(), winners_.end(),
                     [&](const PointEvidence* each) { return each->point == point; });
}

const PointEvidence* Analysis::choice() const {
  return differs_ && winners_.size() < group_.measured() ? winners_.front() : nullptr;
}

Effect Analysis::advantage() const {
  EffectSum sum;
  const PointEvidence* best = choice();
  if (best == nullptr) return sum.done();
  std::vector<const PointEvidence*> others;
  std::size_t next = 0;  // both lists are by number
  for (const PointEvidence& point : group_.points) {
    if (next < winners_.size() && winners_[next] == &point)
      ++next;
    else if (point.measured)
      others.push_back(&point);
  }
  // The nearest rivals first: these are shown.
  std::stable_sort(others.begin(), others.end(),
                   [](const PointEvidence* a, const PointEvidence* b) { return a->cost < b->cost; });
  for (const PointEvidence* point : others) sum.add(point->cost - best->cost, {point});
  return sum.done();
}

std::vector<Analysis::Line> Analysis::lines(std::size_t axis) const {
  std::vector<std::pair<std::uint64_t, const PointEvidence*>> sorted;
  sorted.reserve(group_.points.size());
  for (const PointEvidence& point : group_.points)
    sorted.emplace_back(space_.moved(point.point, axis, 0), &point);
  std::sort(sorted.begin(), sorted.end());
  std::vector<Line> lines;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i == 0 || sorted[i].first != sorted[i - 1].first)
      lines.push_back({std::vector<const PointEvidence*>(space_.axes()[axis].values.size(), nullptr)});
    lines.back().by_choice[space_.choice(sorted[i].second->point, axis)] = sorted[i].second;
  }
  return lines;
}

std::vector<Analysis::ValuePair> Analysis::value_pairs(std::size_t axis) const {
  const std::size_t values = space_.axes()[axis].values.size();
  std::vector<ValuePair> found(values * values);
  for (const Line& line : lines(axis))
    for (std::size_t a = 0; a < values; ++a)
      for (std::size_t b = a + 1; b < values; ++b)
        if (line.measured(a) && line.measured(b))
          found[a * values + b].add(line.by_choice[a], line.by_choice[b]);
  std::erase_if(found, [](const ValuePair& each) { return each.pairs.empty(); });
  return found;
}

AxisFound Analysis::judge_axis(std::size_t axis, double tests) const {
  AxisFound found;
  const double certain = two_sided_t(0.05, group_.freedom);
  const double t = two_sided_t(kFalseRate / tests, group_.freedom);
  std::size_t pairs = 0;
  bool matters = false, same = true;
  double largest = -1;
  for (const ValuePair& each : value_pairs(axis)) {
    pairs += each.pairs.size();
    matters = matters || differ_by(each.mean(), each.error(), t);
    for (const auto& [a, b] : each.pairs)
      matters = matters || differ_by(b->cost - a->cost, std::hypot(a->error, b->error), t);
    same = same && std::abs(each.mean()) + certain * each.error() <= kSameCost &&
           f_test_p(each.scatter / each.count(), each.count(), group_.freedom) > kFalseRate;
    if (std::abs(each.mean()) <= largest) continue;
    largest = std::abs(each.mean());
    EffectSum sum;
    const double sign = each.mean() < 0 ? -1 : 1;
    for (const auto& [a, b] : each.pairs) sum.add(sign * (b->cost - a->cost), {a, b});
    found.effect = sum.done();
  }
  for (const Line& line : lines(axis)) {
    const auto measured = std::count_if(line.by_choice.begin(), line.by_choice.end(),
                                        [](const PointEvidence* each) { return each && each->measured; });
    const auto failed = std::count_if(line.by_choice.begin(), line.by_choice.end(),
                                      [](const PointEvidence* each) { return each && !each->measured; });
    same = same && (measured == 0 || failed == 0);
  }
  if (matters)
    found.verdict = AxisVerdict::matters;
  else if (same && pairs >= kFewestPairs)
    found.verdict = AxisVerdict::dead;
  return found;
}

std::vector<AxisFound> Analysis::axes() const {
  return differs_ ? axes_alone() : std::vector<AxisFound>(space_.axes().size());
}

std::vector<AxisFound> Analysis::axes_alone() const {
  std::vector<AxisFound> found(space_.axes().size());
  double tests = 0;
  for (std::size_t axis = 0; axis < found.size(); ++axis)
    for (const ValuePair& each : value_pairs(axis)) tests += 1 + each.count();
  for (std::size_t axis = 0; axis < found.size(); ++axis)
    if (tests > 0) found[axis] = judge_axis(axis, tests);
  return found;
}

std::optional<CliffFound> Analysis::failing_at(std::size_t axis, std::size_t choice,
                                               const std::vector<Line>& lines) const {
  CliffFound found{.axis = axis, .choice = choice, .better = 0, .outcome = {}, .hits = 0, .effect = {}};
  EffectSum sum;
  std::map<std::string, std::size_t> outcomes, better;
  std::map<std::size_t, std::size_t> best;
  for (const Line& line : lines) {
    const auto other = line.best_but(choice);
    if (line.by_choice[choice] == nullptr || !other) continue;
    sum.add(0, {line.by_choice[choice], line.by_choice[*other]});
    if (!line.failed(choice)) continue;
    ++found.hits;
    ++outcomes[line.by_choice[choice]->outcome];
    ++best[*other];
  }
  found.effect = sum.done();
  if (found.hits == 0) return std::nullopt;
  const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
  found.outcome = std::max_element(outcomes.begin(), outcomes.end(), by_count)->first;
  found.better = std::max_element(best.begin(), best.end(), by_count)->first;
  return found;
}

std::optional<CliffFound> Analysis::slow_at(std::size_t axis, std::size_t choice,
                                            const std::vector<Line>& lines) const {
  CliffFound found{.axis = axis, .choice = choice, .better = 0, .outcome = {}, .hits = 0, .effect = {}};
  EffectSum sum;
  std::map<std::size_t, std::size_t> best;
  for (const Line& line : lines) {
    const auto other = line.best_but(choice);
    if (!line.measured(choice) || !other) continue;
    const double behind = line.by_choice[choice]->cost - line.by_choice[*other]->cost;
    sum.add(behind, {line.by_choice[choice], line.by_choice[*other]});
    if (behind >= std::log(kCliff)) ++found.hits;
    ++best[*other];
  }
  found.effect = sum.done();
  if (found.effect.pairs == 0) return std::nullopt;
  found.better = std::max_element(best.begin(), best.end(), [](const auto& a, const auto& b) {
                   return a.second < b.second;
                 })->first;
  return found;
}

std::size_t Analysis::values() const {
  std::size_t values = 0;
  for (const Axis& axis : space_.axes()) values += axis.values.size();
  return values;
}

bool Analysis::has_winner(std::size_t axis, std::size_t choice) const {
  return std::any_of(winners_.begin(), winners_.end(),
                     [&](const PointEvidence* each) { return space_.choice(each->point, axis) == choice; });
}

bool Analysis::is_chance(const CliffFound& cliff) const {
  const auto values = static_cast<double>(this->values());
  if (!cliff.outcome.empty()) {
    double failed = 0, tried = 0;
    for (const PointEvidence& point : group_.points)
      if (space_.choice(point.point, cliff.axis) != cliff.choice) ++tried, failed += point.measured ? 0 : 1;
    return at_least_p(cliff.hits, cliff.effect.pairs, (failed + 0.5) / (tried + 1)) >= level_ / values;
  }
  ValuePair pair;
  for (const Line& line : lines(cliff.axis))
    if (line.measured(cliff.choice) && line.measured(cliff.better))
      pair.add(line.by_choice[cliff.better], line.by_choice[cliff.choice]);
  const double t = two_sided_t(kFalseRate / values / values, group_.freedom);
  return !differs_ || pair.pairs.empty() || !differ_by(pair.mean(), pair.error(), t);
}

std::optional<CliffFound> Analysis::cliff_at(std::size_t axis, std::size_t choice) const {
  const std::vector<Line> all = lines(axis);
  if (auto failing = failing_at(axis, choice, all)) return failing;
  return slow_at(axis, choice, all);
}

std::vector<CliffFound> Analysis::cliffs() const {
  std::vector<CliffFound> found;
  for (std::size_t axis = 0; axis < space_.axes().size(); ++axis) {
    const std::vector<Line> all = lines(axis);
    for (std::size_t choice = 0; choice < space_.axes()[axis].values.size(); ++choice)
      for (auto cliff : {failing_at(axis, choice, all), slow_at(axis, choice, all)}) {
        if (!cliff || cliff->effect.pairs < kFewestPairs || has_winner(axis, choice)) continue;
        const auto needed = kNearlyAll * static_cast<double>(cliff->effect.pairs);
        if (static_cast<double>(cliff->hits) < needed || is_chance(*cliff)) continue;
        found.push_back(std::move(*cliff));
        break;
      }
  }
  return found;
}

}  // namespace ladder::spak
