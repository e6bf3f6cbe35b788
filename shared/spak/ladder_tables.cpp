#include "shared/spak/ladder_tables.hpp"

#include <algorithm>
#include <map>

#include "shared/base/error.hpp"
#include "shared/base/text_table.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

/// How a rate is called in items, and in tables.
struct Unit {
  const char* key;
  const char* shown;
  const char* format;
};
constexpr Unit kUnits[] = {{"tflops", "TFLOP/s", "{:.0f}"}, {"tbps", "TB/s", "{:.2f}"}};

const Unit* unit_of(const Json& item) {
  for (const Unit& unit : kUnits)
    if (item.contains(unit.key)) return &unit;
  return nullptr;
}

bool lost(const std::string& rung) { return rung.rfind("lost_", 0) == 0; }

/// Names in the order of the table: numbered rungs, then the lost ones.
bool earlier(const std::string& a, const std::string& b) { return lost(a) != lost(b) ? lost(b) : a < b; }

/// The newest item of each rung and work, and both lists of names in their order.
struct Newest {
  std::vector<std::string> rungs, works;
  std::map<std::pair<std::string, std::string>, Json> items;
};

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

Newest newest_of(const KnowledgeItems& rungs) {
  Newest newest;
  for (const Json& item : rungs) {
    const std::string rung = rung_of(item);
    require(!rung.empty(), "item '{}' names no rung", item.value("id", "?"));
    const auto work = item.at("work").get<std::string>();
    add_once(newest.rungs, rung);
    add_once(newest.works, work);
    newest.items[{rung, work}] = item;
  }
  std::sort(newest.rungs.begin(), newest.rungs.end(), earlier);
  return newest;
}

std::string share_of_ceiling(const Json& item, const Unit& unit, const KnowledgeItems& ceilings) {
  double ceiling = 0.0;
  for (const Json& other : ceilings)
    if (other.contains(unit.key) && other.value("device", "") == item.value("device", ""))
      ceiling = other.at(unit.key).get<double>();
  return ceiling > 0.0 ? fmt::format("{:.0f}%", 100.0 * item.at(unit.key).get<double>() / ceiling) : "-";
}

std::string ratios(const Json& item) {
  std::string text;
  if (!item.contains("rivals")) return text;
  for (const auto& [name, rival] : item.at("rivals").items())
    text += fmt::format("{}{:.2f} {}", text.empty() ? "" : ", ",
                        rival.at("us").get<double>() / item.at("us").get<double>(), name);
  return text;
}

/// The three cells of a rung and a work.
std::vector<std::string> cells_of(const Newest& newest, const std::string& rung, const std::string& work,
                                  const KnowledgeItems& ceilings) {
  const auto found = newest.items.find({rung, work});
  if (found == newest.items.end()) return {"-", "", ""};
  const Json& item = found->second;
  const Unit* unit = unit_of(item);
  if (unit == nullptr) return {rate_of(item), "", ""};
  return {rate_of(item), share_of_ceiling(item, *unit, ceilings), ratios(item)};
}

}  // namespace

std::string ladder_of_block(const std::string& block) {
  return block.rfind(kLadderBlock, 0) == 0 ? block.substr(kLadderBlock.size()) : std::string();
}

std::string rate_of(const Json& item) {
  const Unit* unit = unit_of(item);
  if (unit == nullptr) return item.value("outcome", "not measured");
  return fmt::format(fmt::runtime(unit->format), item.at(unit->key).get<double>()) + " " + unit->shown;
}

Cells ladder_cells(const KnowledgeItems& rungs, const KnowledgeItems& ceilings) {
  const Newest newest = newest_of(rungs);
  Cells cells = {{"rung"}};
  for (const std::string& work : newest.works)
    cells[0].insert(cells[0].end(), {work, "of the ceiling", "times the rival's rate"});
  for (const std::string& rung : newest.rungs) {
    std::vector<std::string> line = {"`" + rung + "`"};
    for (const std::string& work : newest.works)
      for (std::string& cell : cells_of(newest, rung, work, ceilings)) line.push_back(std::move(cell));
    cells.push_back(std::move(line));
  }
  return cells;
}

std::string render_ladder(const std::string& operation, const fs::path& folder) {
  const KnowledgeItems rungs = read_items(items_path(folder, operation + "_ladder"));
  require(!rungs.empty(), "there is no item in {}_ladder.jsonl", operation);
  const fs::path ceilings = items_path(folder, "ceiling");
  const Json& last = rungs.back();
  return markdown_table(ladder_cells(rungs, fs::exists(ceilings) ? read_items(ceilings) : KnowledgeItems())) +
         fmt::format(
             "\n{}, driver {}, toolkit {}; cold cache, medians, races with the rival; the newest of the "
             "items "
             "`{}` to `{}` in `knowledge/items/{}_ladder.jsonl`. The ceiling is what a kernel reaches on "
             "this card "
             "that only multiplies (TFLOP/s) or only copies (TB/s): `knowledge/items/ceiling.jsonl`.\n",
             last.value("device", "?"), last.value("driver", "?"), last.value("toolkit", "?"),
             rungs.front().value("id", "?"), last.value("id", "?"), operation);
}

}  // namespace ladder
