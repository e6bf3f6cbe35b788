#include "shared/spak/speed_table.hpp"

#include <algorithm>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/text_table.hpp"
#include "shared/records/find_record.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

const char* shown_unit(const std::string& unit) {
  return unit == "tflops" ? "TFLOP/s" : unit == "tbps" ? "TB/s" : "us";
}

std::string shown(double value, const std::string& unit) {
  const int digits = unit == "tbps" ? 2 : value < 100 ? 1 : 0;
  return fmt::format("{:.{}f}", value, digits);
}

/// How far `value` lies beyond `goal`, above 1 when the goal is reached: times are better when smaller.
double share_of(double value, double goal, const std::string& unit) {
  return unit == "us" ? goal / value : value / goal;
}

std::string verdict(double value, const Json& goal, const std::string& unit) {
  if (share_of(value, goal.at("aim").get<double>(), unit) >= 1) return "aim reached";
  const double must = share_of(value, goal.at("must").get<double>(), unit);
  return must >= 1 ? "reached" : fmt::format("short by {:.0f}%", 100 * (1 - must));
}

/// The rival's figures within an item's part ("rivals" or "sustained"); null when they are not there.
Json rival_in(const Json& item, const char* part, const std::string& rival) {
  if (!item.contains(part) || !item.at(part).contains(rival)) return nullptr;
  return item.at(part).at(rival);
}

std::string sustained_cell(const Json& item, const std::string& rival) {
  const Json ours = rival_in(item, "sustained", "ours"), theirs = rival_in(item, "sustained", rival);
  if (ours.is_null() || theirs.is_null()) return "-";
  return fmt::format("{:.2f} ({:.0f} us against {:.0f} us, {:g} s)",
                     theirs.at("us").get<double>() / ours.at("us").get<double>(), ours.at("us").get<double>(),
                     theirs.at("us").get<double>(), item.value("sustained_s", 0.0));
}

}  // namespace

Json newest_for(const KnowledgeItems& items, const std::string& work, const std::set<std::string>& evidence) {
  Json labelled = nullptr, named = nullptr;
  for (const Json& item : items) {
    if (item.value("work", "") != work || item.value("outcome", "") != "measured") continue;
    if (item.value("label", "") == kSpeedLabel) labelled = item;
    if (item.value("label", "") == kPowerLabel) continue;
    if (evidence.contains(item.value("id", ""))) named = item;
  }
  return labelled.is_null() ? named : labelled;
}

Json sustained_for(const KnowledgeItems& items, const std::string& work) {
  Json newest = nullptr;
  for (const Json& item : items)
    if (item.value("work", "") == work && item.value("outcome", "") == "measured" &&
        item.value("label", "") == kPowerLabel)
      newest = item;
  return newest;
}

std::vector<std::string> speed_cells(const Json& goal, const Json& item, const Json& sustained) {
  const auto unit = goal.at("unit").get<std::string>(), rival = goal.at("rival").get<std::string>(),
             operation = goal.at("operation").get<std::string>();
  const std::string name = operation + ", " + goal.at("work").get<std::string>();
  const auto target = [&](const char* key) {
    return fmt::format("{} {}", shown(goal.at(key).get<double>(), unit), shown_unit(unit));
  };
  if (item.is_null()) return {name, "-", "not measured", "", target("must"), target("aim"), "", "-"};
  const auto value = item.at(unit).get<double>();
  const Json theirs = rival_in(item, "rivals", rival);
  return {name,
          theirs.is_null() ? "-" : rival + " " + shown(theirs.at(unit).get<double>(), unit),
          shown(value, unit) + " " + shown_unit(unit),
          theirs.is_null()
              ? ""
              : fmt::format("{:.2f}", theirs.at("us").get<double>() / item.at("us").get<double>()),
          target("must"),
          target("aim"),
          verdict(value, goal, unit),
          sustained_cell(sustained, rival)};
}

std::vector<std::string> record_cells(const Json& goal, const Record& record, const fs::path& folder) {
  const char* mark = "";
  const auto seconds = [&](const char* key) {
    const auto row = std::find_if(record.rows.begin(), record.rows.end(),
                                  [&](const RecordRow& r) { return r.name == goal.at(key); });
    require(row != record.rows.end() && row->values.contains("seconds"), "{}: no time of '{}'", record.name,
            goal.at(key).get<std::string>());
    if (is_stale(*row, folder)) mark = " (stale)";
    return row->values.at("seconds").get<double>();
  };
  const double ours = seconds("ours"), theirs = seconds("rival"), times = theirs / ours;
  const auto target = [&](const char* key) { return fmt::format("{:g} times", goal.at(key).get<double>()); };
  // The caption names the card of the other rows; this row's record may come from another.
  const std::string card = record.machine.gpu.empty() ? "" : ", on " + record.machine.gpu;
  return {"training, " + goal.at("work").get<std::string>() + card + mark,
          fmt::format("{} {:.1f} us a document", goal.at("rival").get<std::string>(), 1e6 * theirs),
          fmt::format("{:.2f} us a document", 1e6 * ours),
          fmt::format("{:.2f}", times),
          target("must"),
          target("aim"),
          verdict(times, goal, "times"),
          "-"};
}

std::string render_speed(const fs::path& folder, const std::set<std::string>& evidence) {
  const fs::path path = folder / "stage3_tiled_kernels" / "knowledge" / "targets.json";
  const Json goals = json_object(read_file(path), path.string());
  require(goals.contains("rows"), "{}: no list of goals", path.string());
  Cells cells = {
      {"work", "rival, same race", "here", "times the rival", "must", "aim", "", "at the power limit"}};
  const std::vector<Record> records = read_records(records_folder(folder));
  Json last = nullptr;
  for (const Json& goal : goals.at("rows")) {
    if (goal.contains("record")) {
      const auto name = goal.at("record").get<std::string>();
      const Record* record = find_record(name, records, folder);
      require(record != nullptr, "there is no record '{}' in {}", name, records_folder(folder).string());
      cells.push_back(record_cells(goal, *record, folder));
      continue;
    }
    const fs::path file = items_path(folder, goal.at("operation").get<std::string>());
    const KnowledgeItems items = fs::exists(file) ? read_items(file) : KnowledgeItems{};
    const auto work = goal.at("work").get<std::string>();
    const Json item = newest_for(items, work, evidence), held = sustained_for(items, work);
    if (!item.is_null()) last = item;
    cells.push_back(speed_cells(goal, item, held.is_null() ? item : held));
  }
  if (last.is_null()) return markdown_table(cells);
  return markdown_table(cells) + fmt::format(
                                     "\n{}, driver {}, toolkit {}, {}; bf16 (one launch: fp32), median "
                                     "behind a cold cache, ours and the rival's "
                                     "calls taking turns; training: `ladder speedup`. At the power limit: "
                                     "ours and the rival taking turns "
                                     "without a pause for so many seconds, ratio of the rates.\n",
                                     last.value("device", "?"), last.value("driver", "?"),
                                     last.value("toolkit", "?"), last.value("rival_library", "?"));
}

}  // namespace ladder
