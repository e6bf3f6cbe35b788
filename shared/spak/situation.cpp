#include "shared/spak/situation.hpp"

#include <fmt/core.h>

#include <charconv>

#include "shared/base/error.hpp"
#include "shared/base/shown.hpp"

namespace ladder::spak {

const Json* field_of(const Json& item, std::string_view name) {
  if (const Json* found = item.find(name)) return found;
  const Json* configuration = item.find("configuration");
  return configuration == nullptr ? nullptr : configuration->find(name);
}

void add_setting(Json& set, const std::string& written) {
  const std::size_t equals = written.find('=');
  require(equals != std::string::npos && equals > 0, "--set {}: a name, =, and its value are needed",
          shown(written));
  const std::string name = written.substr(0, equals), value = written.substr(equals + 1);
  require(!set.contains(name), "--set {}: '{}' is set twice", shown(written), shown(name));
  double number = 0;
  const auto end = std::from_chars(value.data(), value.data() + value.size(), number);
  if (value == "true" || value == "false")
    set[name] = value == "true";
  else if (!value.empty() && end.ec == std::errc{} && end.ptr == value.data() + value.size())
    set[name] = Json::parse(fmt::format("{}", number));
  else
    set[name] = value;
}

Outcome Situation::evaluate(const Expression& expression) const {
  return expression.evaluate(
      {[this](std::string_view name) { return value_of(name); },
       [this](std::string_view name, const std::vector<std::string>&) { return value_of(name); }});
}

Outcome Situation::value_of(std::string_view name) const {
  if (const Json* found = set_.find(name)) return known(*found);
  if (item_ != nullptr)
    if (const Json* found = field_of(*item_, name)) return known(*found);
  for (const System& system : lineage_) {
    for (const std::vector<Axis>* space : {&system.design, &system.tuning})
      for (const Axis& axis : *space)
        if (axis.name == name && axis.fixed) return known(axis.values.front());
    for (const State& state : system.states)
      if (state.name == name && state.decided) return known(state.value);
    const Fact* fact = system.fact(name);
    if (fact != nullptr && fact->is_predicate()) return holds(*fact);
  }
  return missing(name);
}

Outcome Situation::holds(const Fact& predicate) const {
  if (!predicate.predicate) return missing(predicate.name);
  if (item_ != nullptr && item_->value("type", "") != predicate.item_type && !predicate.item_type.empty())
    return missing(predicate.name);
  // Each predicate is asked once: one that asks for itself, or many that ask for each other, would not end in time.
  const auto [known, is_new] = predicates_.try_emplace(
      &predicate, Outcome{std::nullopt, {}, fmt::format("predicate '{}' asks for itself", predicate.name)});
  if (!is_new) return known->second;
  const std::string prefix = predicate.parameter + ".";
  Outcome outcome = predicate.predicate->evaluate(
      {[&](std::string_view name) {
         // A field of the item; without one, what was set under the field's name.
         return name.starts_with(prefix) ? value_of(name.substr(prefix.size())) : value_of(name);
       },
       [&](std::string_view name, const std::vector<std::string>&) { return value_of(name); }});
  return predicates_[&predicate] = std::move(outcome);
}

}  // namespace ladder::spak
