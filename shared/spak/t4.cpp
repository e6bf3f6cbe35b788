#include "shared/spak/t4.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "shared/base/error.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/shown.hpp"

namespace ladder::spak {

namespace {

/// How T4 calls our outcomes, and Kernel Tuner its errors.
struct Name {
  const char *outcome, *invalidity, *error;
};
constexpr std::array kNames = {Name{kMeasured, "correct", ""},
                               Name{kWrong, "correctness", "RuntimeFailedConfig"},
                               Name{kTimeout, "timeout", "RuntimeFailedConfig"},
                               Name{"compile failure", "compile", "CompilationFailedConfig"},
                               Name{"not run", "constraints", "InvalidConfig"},
                               Name{kFailed, "runtime", "RuntimeFailedConfig"}};

const Name& name_of_outcome(const Json& item) {
  const std::string outcome = item.value("outcome", kMeasured);
  const auto found =
      std::find_if(kNames.begin(), kNames.end(), [&](const Name& each) { return outcome == each.outcome; });
  return found == kNames.end() ? kNames.back() : *found;
}

/// Milliseconds of one unit of the metric; 0 where it is no time.
double milliseconds_of(const std::string& metric) { return unit_of(metric) * 1e3; }

/// Numbers of the item besides the metric that are worth passing on.
Json measurements_of(const Json& item, const std::string& metric) {
  Json all = Json::array();
  for (const auto& [name, value] : item.items())
    if (value.is_number() && name != "samples")
      all.push_back(
          {{"name", name}, {"value", value}, {"unit", name == metric && unit_of(metric) > 0 ? metric : ""}});
  return all;
}

Json t4_result(const Json& item, const Json& point, const Measuring& measuring) {
  const Name& name = name_of_outcome(item);
  Json times = {{"runtimes", Json::array()}};
  const auto cost = cost_of(item, measuring.metric, measuring.maximize);
  if (cost && milliseconds_of(measuring.metric) > 0)
    times["runtimes"] = std::vector<double>{std::abs(*cost) * milliseconds_of(measuring.metric)};
  if (const Json* seconds = item.find(kOwnClock); seconds != nullptr && seconds->is_number())
    times["benchmark"] = seconds->get<double>() * 1e3;
  return {{"timestamp", item.value("when", "")},
          {"configuration", point},
          {"times", times},
          {"invalidity", name.invalidity},
          {"correctness", name.outcome == std::string_view(kMeasured) ? 1 : 0},
          {"measurements", measurements_of(item, measuring.metric)},
          {"objectives", Json::array({measuring.metric})}};
}

/// A value as Python's str() prints it.
std::string python_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.kind() == Json::Kind::boolean) return value.get<bool>() ? "True" : "False";
  return value.dump();
}

Json cache_entry(const Json& item, const Json& point, const Measuring& measuring) {
  Json entry = point;
  const auto cost = cost_of(item, measuring.metric, measuring.maximize);
  entry[measuring.metric] = cost ? Json(std::abs(*cost)) : Json(name_of_outcome(item).error);
  const double unit = milliseconds_of(measuring.metric);
  if (unit > 0) entry["time"] = cost ? Json(*cost * unit) : Json(name_of_outcome(item).error);
  if (!cost) entry["__error__"] = name_of_outcome(item).error;
  // Only our own clock's time is known, and it holds everything.
  const Json* seconds = item.find(kOwnClock);
  entry["benchmark_time"] = seconds != nullptr && seconds->is_number() ? seconds->get<double>() * 1e3 : 0.0;
  for (const char* none : {"compile_time", "verification_time", "strategy_time", "framework_time"})
    entry[none] = 0;
  entry["timestamp"] = item.value("when", "");
  return entry;
}

/// "timeout" and so on as our outcome.
std::string outcome_of(const std::string& invalidity, std::string_view where) {
  for (const Name& each : kNames)
    if (invalidity == each.invalidity) return each.outcome;
  throw InputError(fmt::format("{}: invalidity '{}' is none of T4's", where, shown(invalidity)));
}

Json item_of_result(const Json& result, const std::string& system, const std::string& loop,
                    std::string_view where) {
  require(result.at("configuration").is_object(), "{}: its configuration is no object", where);
  Json item = {{"type", "Performance"},
               {"system", system},
               {"loop", loop},
               {"configuration", result.at("configuration")}};
  item["outcome"] = outcome_of(result.at("invalidity").get<std::string>(), where);
  if (result.at("correctness").get<double>() < 1 && item["outcome"] == Json(kMeasured))
    item["outcome"] = kWrong;
  if (!(item["outcome"] == Json(kMeasured))) item["reason"] = result.at("invalidity");
  if (const Json* measurements = result.find("measurements"))
    for (const Json& each : *measurements) {
      const std::string name = each.at("name").get<std::string>();
      require(!item.contains(name), "{}: the measurement '{}' has the name of something else", where,
              shown(name));
      item[name] = each.at("value");
    }
  if (const Json* timestamp = result.find("timestamp")) item["when"] = *timestamp;
  if (const Json* runtimes = result.at("times").find("runtimes"); runtimes != nullptr && !runtimes->empty())
    item["samples"] = runtimes->size();
  return item;
}

}  // namespace

Json t4_of(const Space& space, const EngineeringLoop& loop, const Measuring& measuring,
           const std::vector<Json>& items) {
  const Configurations configurations(space, loop);
  Json results = Json::array();
  for (const Json& item : items)
    if (const auto point = point_of(item, loop, measuring, configurations))
      results.push_back(t4_result(item, space.point(*point), measuring));
  return {{"schema_version", "1.0.0"}, {"metadata", {{"timeunit", "milliseconds"}}}, {"results", results}};
}

Json kernel_tuner_cache_of(const Space& space, const EngineeringLoop& loop, const Measuring& measuring,
                           const std::vector<Json>& items) {
  Json keys = Json::array(), parameters = Json::object(), cache = Json::object();
  for (const Axis& axis : space.axes()) {
    keys.push_back(axis.name);
    parameters[axis.name] = Json::array(axis.values);
  }
  const Configurations configurations(space, loop);
  std::string device;
  for (const Json& item : items) {
    const auto number = point_of(item, loop, measuring, configurations);
    if (!number) continue;
    const Json point = space.point(*number);
    std::string key;
    for (const auto& [name, value] : point.items()) key += (key.empty() ? "" : ",") + python_text(value);
    cache[key] = cache_entry(item, point, measuring);
    if (device.empty()) device = item.value("device", "");
  }
  return {{"device_name", device.empty() ? "unknown" : device},
          {"kernel_name", loop.name},
          {"problem_size", Json::array({1})},
          {"tune_params_keys", keys},
          {"tune_params", parameters},
          {"objective", milliseconds_of(measuring.metric) > 0 ? "time" : measuring.metric},
          {"cache", cache}};
}

std::vector<Json> items_of_t4(const Json& file, const std::string& system, const std::string& loop,
                              std::string_view name) {
  return naming_json(name, "a T4 file", [&] {
    std::vector<Json> items;
    for (const Json& result : file.at("results"))
      items.push_back(item_of_result(result, system, loop, fmt::format("{}: result {}", name, items.size())));
    require(!items.empty(), "{}: holds no result", name);
    return items;
  });
}

}  // namespace ladder::spak
