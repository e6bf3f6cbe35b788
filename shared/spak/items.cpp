#include "shared/spak/items.hpp"

#include <fstream>

#include "shared/base/error.hpp"
#include "shared/base/json_member.hpp"

namespace ladder {

namespace fs = std::filesystem;

fs::path items_path(const fs::path& folder, const std::string& name) {
  return folder / "stage3_tiled_kernels" / "knowledge" / "items" / (name + ".jsonl");
}

KnowledgeItems read_items(const fs::path& path) {
  std::ifstream file(path);
  require(file.good(), "{}: cannot be read", path.string());
  KnowledgeItems items;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    Json item = json_object(line, fmt::format("{}:{}", path.string(), number));
    const Json* configuration = item.find("configuration");
    require(!item.contains("work") || (configuration != nullptr && configuration->is_object()),
            "{}:{}: an item with a 'work' needs an object 'configuration'", path.string(), number);
    items.push_back(std::move(item));
  }
  return items;
}

const Json& configuration_of(const Json& item) {
  const Json* found = item.find("configuration");
  require(found != nullptr && found->is_object(), "item '{}' has no object 'configuration'",
          item.value("id", "?"));
  return *found;
}

std::string rung_of(const Json& item) { return configuration_of(item).value("rung", ""); }

}  // namespace ladder
