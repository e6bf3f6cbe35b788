#include "shared/spak/space.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "shared/base/error.hpp"
#include "shared/base/shown.hpp"
#include "shared/spak/situation.hpp"

namespace ladder::spak {

Space::Space(std::vector<Axis> axes) : axes_(std::move(axes)), strides_(axes_.size()) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  for (std::size_t i = axes_.size(); i-- > 0;) {
    const Axis& axis = axes_[i];
    require(!axis.values.empty(), "parameter '{}' has no values", shown(axis.name));
    for (std::size_t j = 0; j < i; ++j)
      require(axes_[j].name != axis.name, "parameter '{}' stands twice", shown(axis.name));
    strides_[i] = size_;
    require(size_ <= kMost / axis.values.size(),
            "more points than can be numbered: parameter '{}' has {} values", shown(axis.name),
            axis.values.size());
    size_ *= axis.values.size();
  }
}

std::size_t Space::choice(std::uint64_t number, std::size_t axis) const {
  return static_cast<std::size_t>(number / strides_[axis] % axes_[axis].values.size());
}

std::uint64_t Space::moved(std::uint64_t number, std::size_t axis, std::size_t to) const {
  return number - choice(number, axis) * strides_[axis] + to * strides_[axis];
}

Json Space::point(std::uint64_t number) const {
  Json::Members members;
  for (std::size_t i = 0; i < axes_.size(); ++i)
    members.push_back({axes_[i].name, axes_[i].values[choice(number, i)]});
  return Json::object(std::move(members));
}

std::optional<std::uint64_t> Space::number_of(const Json& configuration) const {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    const Json* value = configuration.find(axes_[i].name);
    if (value == nullptr) return std::nullopt;
    std::size_t choice = 0;
    while (choice < axes_[i].values.size() && !(axes_[i].values[choice] == *value)) ++choice;
    if (choice == axes_[i].values.size()) return std::nullopt;
    number += choice * strides_[i];
  }
  return number;
}

std::vector<Axis> axes_of(const System& system, const EngineeringLoop& loop) {
  return loop.parameters.empty() ? system.tuning : loop.parameters;
}

Space space_of(const System& system, const EngineeringLoop& loop) {
  return naming_source(system.document.where(*loop.node), [&] { return Space(axes_of(system, loop)); });
}

std::vector<Axis> narrowed(std::vector<Axis> axes, const std::vector<System>& lineage, const Json& set,
                           std::vector<Narrowing>& narrowings, double confidence) {
  const Situation situation(lineage, set);
  const auto applies = [&](const Rule& rule) {
    const bool always = !rule.when && rule.text("when").empty();
    return rule.confidence().value_or(1) >= confidence &&
           (always || (rule.when && situation.evaluate(*rule.when).is(true)));
  };
  for (Axis& axis : axes) {
    std::vector<Json> left;
    for (const System& system : lineage) {
      for (const Rule& rule : system.rules)
        for (const Assignment& assignment : rule.recommends) {
          if (assignment.axis != axis.name || !applies(rule)) continue;
          const Outcome value = situation.evaluate(assignment.value);
          const bool is_one = value.value && std::find(axis.values.begin(), axis.values.end(),
                                                       *value.value) != axis.values.end();
          if (!is_one || std::find(left.begin(), left.end(), *value.value) != left.end()) continue;
          left.push_back(*value.value);
          narrowings.push_back({axis.name, {*value.value}, rule.name, system.name});
        }
      if (!left.empty()) break;  // the nearest system that says something
    }
    if (!left.empty()) axis.values = std::move(left);
  }
  return axes;
}

Pruner::Pruner(const std::vector<System>& lineage, const EngineeringLoop* loop, const Json& set,
               double confidence)
    : lineage_(lineage), loop_(loop), set_(set), confidence_(confidence) {}

std::optional<Pruning> Pruner::forbidden(const Json& configuration) const {
  const Json item = {{"configuration", configuration}};
  const Situation situation(lineage_, set_, &item);
  for (const System& system : lineage_)
    for (const Rule& rule : system.rules) {
      if (!rule.forbids || rule.confidence().value_or(1) < confidence_) continue;
      // A rule that says when it applies, in prose or with names that have no value, is left to people.
      const bool applies =
          rule.text("when").empty() || (rule.when && situation.evaluate(*rule.when).is(true));
      if (applies && situation.evaluate(*rule.forbids).is(true))
        return Pruning{fmt::format("rule '{}'", rule.name), rule.forbids->text()};
    }
  for (const System& system : lineage_)
    for (const Invariant& invariant : system.invariants)
      if (invariant.assertion && situation.evaluate(*invariant.assertion).is(false))
        return Pruning{fmt::format("invariant {}", invariant.name), invariant.assertion->text()};
  if (loop_ != nullptr)
    for (const Expression& constraint : loop_->constraints)
      if (situation.evaluate(constraint).is(false))
        return Pruning{"the loop's constraint", constraint.text()};
  return std::nullopt;
}

}  // namespace ladder::spak
