#include "shared/spak/expiry.hpp"

#include <fmt/core.h>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/shown.hpp"

namespace ladder::spak {

namespace fs = std::filesystem;

std::string sources_hash(const System& system, const EngineeringLoop& loop, const fs::path& root) {
  const Json* named = loop.entries.find("sources");
  if (named == nullptr) return "";
  Statement list;
  list.entries["sources"] = *named;
  Hash64 hash;
  for (const std::string& name : list.texts("sources")) {
    const fs::path beside = fs::path(system.document.name()).parent_path() / name;
    std::error_code ignored;
    const fs::path file = fs::exists(beside, ignored) ? beside : root / name;
    require(fs::exists(file, ignored), "{}: the loop's source '{}' is not there",
            system.document.where(*loop.node), shown(name));
    const std::string bytes = read_file(file);
    hash.add(name);
    hash.add(std::uint64_t{bytes.size()});
    hash.add(bytes);
  }
  return hex64(hash.value());
}

std::string expired(const Statement& statement, const Surroundings& now) {
  const Json* then = &statement.entries;
  if (const Json* verified = statement.entries.find("verified"); verified != nullptr) {
    if (verified->is_object()) then = verified;
    if (verified->is_array() && !verified->empty()) then = &verified->at(verified->size() - 1);
  }
  std::string changes;
  for (const auto& [name, value] : {std::pair("toolkit", &now.toolkit), std::pair("driver", &now.driver),
                                    std::pair("sources", &now.sources)}) {
    const Json* recorded = then->find(name);
    if (recorded == nullptr || value->empty()) continue;
    const std::string old = value_text(*recorded);
    if (old != *value)
      changes += fmt::format("{}{} {} then, {} now", changes.empty() ? "" : "; ", name, old, *value);
  }
  return changes;
}

}  // namespace ladder::spak
