// What this program's own files say as items: traces of training runs and records.
#include <fmt/core.h>

#include "shared/base/json_member.hpp"
#include "shared/spak/trace.hpp"

namespace ladder::spak {

std::vector<Json> items_of_training(const Json& run, std::string_view name) {
  return naming_json(name, "a trace of a training run", [&] {
    std::vector<Json> items;
    if (const Json* held = run.find("items")) items.assign(held->begin(), held->end());
    for (const Json& item : items)
      require(item.is_object() && item.contains("type"), "{}: an item without a type", name);
    const auto losses = doubles_of(run.at("loss"));
    const auto ms = run.contains("ms") ? doubles_of(run.at("ms")) : std::vector<double>();
    for (std::size_t step = 0; step < losses.size(); ++step) {
      Json item = {{"type", "Convergence"}, {"step", step + 1}, {"loss", number_or_text(losses[step])}};
      if (step < ms.size()) item["step_time_ms"] = number_or_text(ms[step]);
      if (const Json* config = run.find("config")) item["configuration"] = *config;
      items.push_back(std::move(item));
    }
    return items;
  });
}

namespace {

Json item_of_row(const Json& record, const Json& row) {
  const Json& values = row.at("values");
  Json configuration = Json::object();
  for (const char* name : {"stage", "dtype", "variant"})
    if (const Json* value = values.find(name)) configuration[name] = *value;
  Json item = {{"type", "Performance"},
               {"operation", record.at("name")},
               {"work", record.at("work")},
               {"row", row.at("name")},
               {"configuration", configuration}};
  const Json* seconds = values.find("seconds");
  if (seconds == nullptr) {
    item.update({{"outcome", "not run"}, {"reason", values.value("not_run", "")}});
  } else {
    item.update({{"outcome", "measured"}, {"seconds", *seconds}});
    for (const auto& [from, to] :
         {std::pair("q1", "seconds_low"), std::pair("q3", "seconds_high"), std::pair("rounds", "samples")})
      if (const Json* value = values.find(from)) item[to] = *value;
    item["device"] = values.value("device", record.at("machine").value("cpu", ""));
  }
  item.update({{"when", record.at("date")},
               {"commit", record.at("build").at("commit")},
               {"sources", row.value("hash", "")}});
  return item;
}

}  // namespace

std::vector<Json> items_of_record(const Json& record, std::string_view name) {
  return naming_json(name, "a record", [&] {
    std::vector<Json> items;
    for (const Json& row : record.at("rows"))
      if (row.at("values").contains("seconds") || row.at("values").contains("not_run"))
        items.push_back(item_of_row(record, row));
    require(!items.empty(), "{}: no row of this record has a time", name);
    return items;
  });
}

}  // namespace ladder::spak
