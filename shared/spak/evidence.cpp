#include "shared/spak/evidence.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "shared/spak/measure.hpp"
#include "shared/spak/situation.hpp"
#include "shared/spak/statistics.hpp"
#include "shared/spak/tune.hpp"

namespace ladder::spak {

std::size_t Group::measured() const {
  return static_cast<std::size_t>(
      std::count_if(points.begin(), points.end(), [](const PointEvidence& each) { return each.measured; }));
}

const PointEvidence* Group::find(std::uint64_t point) const {
  const auto found =
      std::lower_bound(points.begin(), points.end(), point,
                       [](const PointEvidence& each, std::uint64_t wanted) { return each.point < wanted; });
  return found != points.end() && found->point == point ? &*found : nullptr;
}

namespace {

std::string text_at(const Json& item, std::string_view name) {
  const Json* found = item.find(name);
  return found == nullptr ? "" : value_text(*found);
}

/// Of what programs do not say themselves, what was set counts.
std::string said_by(const Json& item, const Json& set, std::string_view name) {
  const std::string said = text_at(item, name);
  return said.empty() ? text_at(set, name) : said;
}

double number_at(const Json& item, const std::string& name) {
  const Json* found = item.find(name);
  return found != nullptr && found->is_number() ? found->get<double>()
                                                : std::numeric_limits<double>::quiet_NaN();
}

/// How rarely processes may differ by chance as much as they do, before their differences count as noise of their own.
constexpr double kProcesses = 0.05;

/// One item's value of the metric, as logarithmic cost.
struct Reading {
  bool usable = false;
  double cost = 0, low = 0, high = 0, samples = 1;
};

/// The middle half is METRIC_low to METRIC_high; of the sweep's items, which give a middle half of the time alone, that
/// of the time, as ratios.
Reading reading_of(const Json& item, const EngineeringLoop& loop) {
  Reading reading;
  const double value = number_at(item, loop.metric);
  if (!(value > 0) || !std::isfinite(value)) return reading;
  double low = number_at(item, loop.metric + "_low") / value;
  double high = number_at(item, loop.metric + "_high") / value;
  if (!(low > 0) && number_at(item, "us") > 0) {
    const double us = number_at(item, "us");
    low = number_at(item, "us_low") / us;
    high = number_at(item, "us_high") / us;
    if (loop.maximize) low = 1 / std::exchange(high, 1 / low);
  }
  const double sign = loop.maximize ? -1 : 1;
  reading.usable = true;
  reading.cost = reading.low = reading.high = sign * std::log(value);
  for (const char* name : {"repeats", "samples"})
    if (number_at(item, name) >= 1) reading.samples = number_at(item, name);
  if (!(low > 0 && low <= 1 && high >= 1 && std::isfinite(high))) {
    reading.samples = 1;  // without a middle half it is one value, however many stand behind it
    return reading;
  }
  reading.low = reading.cost + std::min(sign * std::log(low), sign * std::log(high));
  reading.high = reading.cost + std::max(sign * std::log(low), sign * std::log(high));
  return reading;
}

bool is_wanted(const Json& item, const EvidenceWanted& wanted) {
  const Json* configuration = item.find("configuration");
  if (configuration == nullptr || !configuration->is_object()) return false;
  if (const Json* loop = item.find("loop")) {
    if (!(*loop == Json(wanted.loop.name)) || text_at(item, "system") != wanted.system) return false;
  } else {
    const Json* operation = wanted.loop.entries.find("operation");
    if (operation == nullptr || !(*operation == Json(text_at(item, "operation")))) return false;
  }
  const Json* set = item.find("set");
  for (const auto& [name, value] : wanted.set.items()) {
    const Json* said = set == nullptr ? nullptr : set->find(name);
    if (said == nullptr) said = field_of(item, name);
    if (said == nullptr || !(*said == value)) return false;
  }
  return true;
}

/// Sorts items into groups and points.
class Collector {
 public:
  Collector(const EvidenceWanted& wanted, Evidence& evidence)
      : wanted_(wanted), evidence_(evidence), configurations_(wanted.space, wanted.loop) {
    fields_ = {"work", "device", "dtype"};
    if (const Json* more = wanted.loop.entries.find("situation"); more != nullptr && more->is_array())
      for (const Json& name : *more)
        if (name.is_string()) fields_.push_back(name.get<std::string>());
  }

  void add(const Trace& trace, std::uint32_t index) {
    const Json& item = trace.items[index];
    if (!is_wanted(item, wanted_)) return;
    ++evidence_.items;
    // tune's own items name the point itself, whatever the loop's sweep calls it.
    const Json& configuration = item["configuration"];
    const auto point = item.contains("loop") ? wanted_.space.number_of(configuration)
                                             : configurations_.point_of(configuration);
    if (!point) {
      ++evidence_.outside;
      return;
    }
    const Json* outcome = item.find("outcome");
    const bool measured = outcome == nullptr || *outcome == Json(kMeasured);
    const Reading reading = measured ? reading_of(item, wanted_.loop) : Reading();
    if (measured && !reading.usable) {
      ++evidence_.unusable;
      return;
    }
    const std::size_t group = group_of(item);
    const auto [found, is_new] = places_[group].try_emplace(*point, evidence_.groups[group].points.size());
    if (is_new) {
      evidence_.groups[group].points.push_back({.point = *point});
      readings_[group].emplace_back();
    }
    PointEvidence& at = evidence_.groups[group].points[found->second];
    at.measured = measured;
    at.outcome = measured ? kMeasured : text_at(item, "outcome");
    at.items.push_back(static_cast<std::uint32_t>(evidence_.sources.size()));
    evidence_.sources.push_back({&trace, index});
    if (measured) readings_[group][found->second].push_back(reading);
  }

  void finish() {
    for (std::size_t i = 0; i < evidence_.groups.size(); ++i) {
      Group& group = evidence_.groups[i];
      group.days = days_[i].size();
      group.first_date = days_[i].empty() ? "" : *days_[i].begin();
      group.date = days_[i].empty() ? "" : *days_[i].rbegin();
      estimate(group, readings_[i]);
      std::sort(group.points.begin(), group.points.end(),
                [](const PointEvidence& a, const PointEvidence& b) { return a.point < b.point; });
    }
    std::stable_sort(evidence_.groups.begin(), evidence_.groups.end(),
                     [](const Group& a, const Group& b) { return a.first_date < b.first_date; });
  }

 private:
  using Readings = std::vector<Reading>;

  std::size_t group_of(const Json& item) {
    Group group;
    if (const Json* set = item.find("set"); set != nullptr && set->is_object()) group.set = *set;
    group.situation = group.set;
    for (const std::string& name : fields_)
      if (const Json* value = item.find(name); value != nullptr && !group.situation.contains(name))
        group.situation[name] = *value;
    for (const auto& [name, value] : item["configuration"].items())
      if (!is_of_point(name)) group.situation[name] = value;
    group.toolkit = said_by(item, group.set, "toolkit");
    group.is_static = text_at(item, "evidence") == "static";
    const std::string key = fmt::format("{}\n{}\n{}", group.situation.dump(), group.toolkit, group.is_static);
    const auto [found, is_new] = numbers_.try_emplace(key, evidence_.groups.size());
    if (is_new) {
      group.device = text_at(group.situation, "device");
      evidence_.groups.push_back(std::move(group));
      places_.emplace_back();
      readings_.emplace_back();
      days_.emplace_back();
    }
    Group& at = evidence_.groups[found->second];
    at.driver = said_by(item, at.set, "driver");
    at.sources = text_at(item, "sources");
    if (const std::string when = text_at(item, "when"); when.size() >= 10)
      days_[found->second].insert(when.substr(0, 10));
    return found->second;
  }
  bool is_of_point(const std::string& name) const {
    const Json* called = wanted_.loop.entries.find("configuration");
    if (called != nullptr && called->contains(name)) return true;
    const auto& axes = wanted_.space.axes();
    return std::any_of(axes.begin(), axes.end(), [&](const Axis& axis) { return axis.name == name; });
  }

  /// Costs and errors of a group's points; readings are by point, in the order of `points`.
  static void estimate(Group& group, const std::vector<Readings>& readings) {
    double squares = 0, freedom = 0;  // of single samples, within items
    double between = 0, repeats = 0;  // of items of the same point
    for (std::size_t i = 0; i < readings.size(); ++i) {
      if (!group.points[i].measured) continue;
      average(group.points[i], readings[i]);
      for (const Reading& reading : readings[i]) {
        if (reading.samples < 2) continue;
        const double weight = kMiddleHalfEfficiency * (reading.samples - 1);
        squares += weight * variance_of(reading);
        freedom += weight;
      }
      for (const Reading& reading : readings[i]) between += std::pow(reading.cost - group.points[i].cost, 2);
      repeats += static_cast<double>(readings[i].size()) - 1;
    }
    if (group.is_static) {
      group.freedom = std::numeric_limits<double>::infinity();
      return;
    }
    const double pooled = freedom > 0 ? squares / freedom : 0;
    const double within = within_item(group, readings, pooled);
    double of_items = repeats > 0 ? between / repeats : 0;
    group.freedom = freedom;
    if (freedom == 0 || f_test_p(of_items / within, repeats, freedom) < kProcesses)
      group.freedom =
          repeats;  // processes differ by more than their samples do: their differences are the noise
    else
      of_items = 0;
    if (group.freedom == 0) return;
    for (std::size_t i = 0; i < readings.size(); ++i)
      if (group.points[i].measured) group.points[i].error = error_of(readings[i], pooled, of_items);
  }

  /// The squared error of an item's median by the samples within, on average.
  static double within_item(const Group& group, const std::vector<Readings>& readings, double pooled) {
    double sum = 0, count = 0;
    for (std::size_t i = 0; i < readings.size(); ++i)
      for (const Reading& reading : readings[i])
        if (group.points[i].measured) ++count, sum += kMedianError * kMedianError * pooled / reading.samples;
    return count > 0 ? sum / count : 0;
  }

  static double variance_of(const Reading& reading) {
    const double expected = expected_middle_half(reading.samples);
    return expected > 0 ? std::pow((reading.high - reading.low) / expected, 2) : 0;
  }
  static double error_of(const Readings& readings, double pooled, double of_items) {
    double sum = 0;
    for (const Reading& reading : readings) {
      const double within =
          kMedianError * kMedianError * std::max(variance_of(reading), pooled) / reading.samples;
      sum += std::max(within, of_items);
    }
    return std::sqrt(sum) / static_cast<double>(readings.size());
  }
  static void average(PointEvidence& point, const Readings& readings) {
    const auto count = static_cast<double>(readings.size());
    point.low = std::numeric_limits<double>::infinity();
    point.high = -point.low;
    for (const Reading& reading : readings) {
      point.cost += reading.cost / count;
      point.low = std::min(point.low, reading.low);
      point.high = std::max(point.high, reading.high);
      point.samples += reading.samples;
    }
  }

  const EvidenceWanted& wanted_;
  Evidence& evidence_;
  Configurations configurations_;
  std::vector<std::string> fields_;
  std::unordered_map<std::string, std::size_t> numbers_;
  std::vector<std::unordered_map<std::uint64_t, std::size_t>> places_;  ///< of points, by group
  std::vector<std::vector<Readings>> readings_;
  std::vector<std::set<std::string>> days_;
};

}  // namespace

Evidence evidence_of(const EvidenceWanted& wanted, const std::vector<Trace>& traces) {
  Evidence evidence;
  Collector collector(wanted, evidence);
  for (const Trace& trace : traces)
    for (std::size_t i = 0; i < trace.items.size(); ++i) collector.add(trace, static_cast<std::uint32_t>(i));
  collector.finish();
  return evidence;
}

}  // namespace ladder::spak
