#include "shared/spak/item_table.hpp"

#include <algorithm>
#include <sstream>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

/// The kernel with the most registers and threads: the one that the work's time goes into.
Json largest_kernel(const Json& item) {
  Json largest = Json::object();
  long most = -1;
  for (const Json& kernel : item.value("resources", Json::array())) {
    const long used = kernel.value("reg", 0L) * kernel.value("threads", 1L);
    if (used > most) largest = kernel;
    most = std::max(most, used);
  }
  return largest;
}

/// "rows 128, warps 8": what the item varies, in the order in which it was written.
std::string configuration_text(const Json& item) {
  std::string text;
  for (const auto& [key, value] : configuration_of(item).items())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", key, value.dump());
  return text;
}

/// "1.3e-06 of 1e-05", or nothing where the item never ran or its error is not finite.
std::string error_of(const Json& item) {
  if (!item.contains("max_error") || !item.at("max_error").is_number()) return "";
  return fmt::format("{:.1e} of {:.0e}", item.at("max_error").get<double>(), item.value("limit", 0.0));
}

}  // namespace

Cells item_cells(const KnowledgeItems& items, const std::vector<std::string>& ids) {
  Cells cells = {{"item", "what", "registers", "stack", "shared memory", "threads", "largest error", "rate"}};
  for (const std::string& id : ids) {
    const auto found = std::find_if(items.begin(), items.end(),
                                    [&](const Json& item) { return item.value("id", "") == id; });
    require(found != items.end(), "there is no item '{}'", id);
    const Json kernel = largest_kernel(*found);
    const std::string rung = rung_of(*found);
    cells.push_back({id, rung.empty() ? configuration_text(*found) : rung,
                     std::to_string(kernel.value("reg", 0)), fmt::format("{} B", kernel.value("stack", 0)),
                     fmt::format("{:.0f} KiB", kernel.value("shared", 0) / 1024.0),
                     std::to_string(kernel.value("threads", 0)), error_of(*found), rate_of(*found)});
  }
  return cells;
}

std::string render_items(const std::string& block, const std::filesystem::path& folder) {
  std::istringstream words(block.substr(kItemsBlock.size()));
  std::string operation, id;
  words >> operation;
  std::vector<std::string> ids;
  while (words >> id) ids.push_back(id);
  return markdown_table(item_cells(read_items(items_path(folder, operation)), ids));
}

}  // namespace ladder
