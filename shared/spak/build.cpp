#include "shared/spak/build.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/shown.hpp"
#include "shared/base/text_table.hpp"

namespace ladder::spak {

namespace fs = std::filesystem;

namespace {

bool is_constant(const std::string& text) {
  return text.size() > 1 && text[0] == 'k' &&
         (std::isupper(static_cast<unsigned char>(text[1])) != 0 ||
          std::isdigit(static_cast<unsigned char>(text[1])) != 0) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
}

std::string written(const Json& value, bool bare) {
  if (value.is_array()) {
    std::string list;
    for (const Json& item : value) list += (list.empty() ? "" : ", ") + written(item, bare);
    return list;
  }
  if (!value.is_string()) return value.dump();
  const std::string text = value.get<std::string>();
  return bare || is_constant(text) ? text : value.dump();
}

/// One row: the template with the fact's entries in place of its names.
std::string row_of(const Fact& fact, const std::string& row, const std::string& where) {
  std::string line;
  std::size_t done = 0;
  for (std::size_t open; (open = row.find("{{", done)) != std::string::npos;) {
    // Of three braces the first is the text's own: Row{{{architecture}}, ...}
    while (row.compare(open + 1, 2, "{{") == 0) ++open;
    const std::size_t end = row.find("}}", open);
    require(end != std::string::npos, "{}: {{{{ without }}}} in its row", where);
    std::string name = row.substr(open + 2, end - open - 2);
    const bool bare = !name.empty() && name.back() == '!';
    if (bare) name.pop_back();
    const Json* value = fact.entries.find(name);
    require(value != nullptr || name == "fact", "{}: fact '{}' has no entry '{}', which its row asks for",
            where, shown(fact.name), shown(name));
    line += row.substr(done, open - done) + (name == "fact" ? fact.name : written(*value, bare));
    done = end + 2;
  }
  return line + row.substr(done);
}

/// The text with `rows` between the lines that mark the table.
std::string with_rows(const std::string& text, const std::string& table, const std::string& rows,
                      const std::string& where) {
  const std::string begin = "// spak table: " + table + "\n", end = "// spak end";
  const std::size_t mark = text.find(begin);
  const std::size_t first = mark == std::string::npos ? mark : mark + begin.size();
  std::size_t last = first == std::string::npos ? first : text.find(end, first);
  require(last != std::string::npos, "{}: its file has no lines '// spak table: {}' and '// spak end'", where,
          shown(table));
  last = text.rfind('\n', last) + 1;
  return text.substr(0, first) + rows + text.substr(last);
}

/// A child's fact hides its parents' of the same name.
std::vector<const Fact*> facts_of_table(const std::vector<System>& lineage, const std::string& table) {
  std::vector<const Fact*> facts;
  for (auto system = lineage.rbegin(); system != lineage.rend(); ++system)
    for (const Fact& fact : system->facts) {
      std::erase_if(facts, [&](const Fact* earlier) { return earlier->name == fact.name; });
      if (fact.text("table") == table) facts.push_back(&fact);
    }
  return facts;
}

/// The file of the artifact with its tables filled anew: one (`table`, `row`) or several (`tables`, a list of such objects).
std::string tables_of(const std::vector<System>& lineage, const Artifact& artifact, const fs::path& path) {
  const std::string where = lineage.front().document.where(*artifact.node);
  const Json* several = artifact.entries.find("tables");
  const Json tables = several == nullptr ? Json::array({artifact.entries}) : *several;
  require(tables.is_array() && !tables.empty(), "{}: 'tables' is a list of {{ table: row: }}", where);
  std::string text = read_file(path);
  for (const Json& each : tables) {
    const std::string table = each.value("table", ""), row = each.value("row", "");
    require(!table.empty() && !row.empty(), "{}: a generated table needs 'table' and 'row'", where);
    std::string rows;
    for (const Fact* fact : facts_of_table(lineage, table)) rows += "    " + row_of(*fact, row, where) + "\n";
    require(!rows.empty(), "{}: no fact has the entry table: \"{}\"", where, shown(table));
    text = with_rows(text, table, rows, where);
  }
  return text;
}

/// A cell of a Markdown table.
std::string cell_of(const std::string& text) {
  std::string cell;
  for (const char c : text)
    cell += c == '\n' ? std::string(" ") : c == '|' ? std::string("\\|") : std::string(1, c);
  return cell;
}

std::string values_of(const Axis& axis) {
  std::string values;
  for (const Json& value : axis.values) values += (values.empty() ? "" : ", ") + written(value, true);
  return values;
}

template <class Each>
std::string statements(const char* title, const std::vector<Each>& all, const char* main_entry) {
  if (all.empty()) return "";
  Cells cells = {{title, "confidence", "what it says", "source"}};
  for (const Each& each : all) {
    const auto confidence = each.confidence();
    cells.push_back({cell_of(each.name), confidence ? fmt::format("{:.2f}", *confidence) : "",
                     cell_of(each.text(main_entry)), cell_of(each.text("source"))});
  }
  return markdown_table(cells) + "\n";
}

}  // namespace

std::string report_of(const std::vector<System>& lineage) {
  const System& system = lineage.front();
  std::string text = fmt::format("# {}\n\n", system.name);
  for (const auto& [key, value] : system.front) text += fmt::format("- {}: {}\n", key, value);
  for (std::size_t i = 1; i < lineage.size(); ++i)
    text += fmt::format("- inherits {} facts and {} rules from {}\n", lineage[i].facts.size(),
                        lineage[i].rules.size(), lineage[i].name);
  Cells axes = {{"axis", "values"}};
  for (const std::vector<Axis>* space : {&system.design, &system.tuning})
    for (const Axis& axis : *space) axes.push_back({cell_of(axis.name), cell_of(values_of(axis))});
  text += "\n" + markdown_table(axes) + "\n";
  text += statements("fact", system.facts, "description");
  text += statements("rule", system.rules, "when");
  text += statements("invariant", system.invariants, "assert");
  return text;
}

std::vector<BuiltArtifact> built_artifacts(const std::vector<System>& lineage) {
  std::vector<BuiltArtifact> built;
  const fs::path folder = fs::path(lineage.front().document.name()).parent_path();
  for (const Artifact& artifact : lineage.front().artifacts) {
    BuiltArtifact each{artifact.name, folder / artifact.name, true, ""};
    const std::string generator = artifact.entries.value("generator", "");
    if (generator == "table")
      each.text = tables_of(lineage, artifact, each.path);
    else if (generator == "report")
      each.text = report_of(lineage);
    else
      each.made = false;
    built.push_back(std::move(each));
  }
  return built;
}

}  // namespace ladder::spak
