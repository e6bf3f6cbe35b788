#include "shared/spak/bundle.hpp"

#include "shared/base/error.hpp"
#include "shared/base/shown.hpp"

namespace ladder::spak {

Json sweep_plan(const System& system, const EngineeringLoop& loop, const Plan& plan, const Shard& shard,
                const std::map<std::uint64_t, std::optional<double>>& known, const Json& set,
                const std::string& why) {
  const std::string where = system.document.where(*loop.node);
  const auto entry = [&](const char* name, bool is_right) {
    require(is_right, "{}: engineering_loop '{}' has no '{}', which a plan of the sweep needs", where,
            shown(loop.name), name);
    return loop.entries[name];
  };
  const Json* operation = loop.entries.find("operation");
  const Json* arch = loop.entries.find("arch");
  const Json* works = loop.entries.find("works");
  Json json = {{"operation", entry("operation", operation != nullptr && operation->is_string())},
               {"arch", entry("arch", arch != nullptr && arch->is_whole())},
               {"works", entry("works", works != nullptr && works->is_array() && !works->empty())}};
  if (const Json* work = set.find("work")) json["works"] = Json::array({*work});
  const Configurations names(plan.space(), loop);
  Json configurations = Json::array();
  for (std::uint64_t point = 0; point < plan.space().size(); ++point) {
    if (point % shard.of != shard.number || known.contains(point) || !plan.allowed(point)) continue;
    Json configuration = names.of(point);
    configuration["why"] = why;
    configurations.push_back(std::move(configuration));
  }
  require(!configurations.empty(), "{}: engineering_loop '{}': no point is left to measure", where,
          shown(loop.name));
  json["configurations"] = std::move(configurations);
  return json;
}

}  // namespace ladder::spak
