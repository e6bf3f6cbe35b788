#include "shared/records/find_record.hpp"

#include <algorithm>
#include <string_view>

namespace ladder {

const Record* find_record(const std::string& name, const std::vector<Record>& records,
                          const std::filesystem::path& folder) {
  const Record* best = nullptr;
  const auto stale_rows = [&](const Record& record) {
    return std::count_if(record.rows.begin(), record.rows.end(),
                         [&](const RecordRow& row) { return is_stale(row, folder); });
  };
  constexpr std::string_view gpu = "-gpu";
  const bool any_card = name.size() > gpu.size() && name.ends_with(gpu);
  const std::string stem = any_card ? name.substr(0, name.size() - gpu.size() + 1) : name;
  for (const Record& record : records) {
    if (record.name == name) return &record;
    if (!any_card || record.machine.gpu.empty() || record.name.rfind(stem, 0) != 0) continue;
    if (record.name.find('-', stem.size()) != std::string::npos) continue;  // more than a card's name
    if (best != nullptr) {
      const auto mine = stale_rows(record), others = stale_rows(*best);
      if (mine > others || (mine == others && record.date <= best->date)) continue;
    }
    best = &record;
  }
  return best;
}

}  // namespace ladder
