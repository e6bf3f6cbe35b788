#include "shared/cli/spak/common.hpp"

#include <fmt/core.h>

#include "shared/base/error.hpp"
#include "shared/base/shown.hpp"
#include "shared/spak/situation.hpp"

namespace ladder::cli {

namespace fs = std::filesystem;

void add_knowledge_flags(CLI::App& app, KnowledgeFlags& flags) {
  add_text(app, "file", flags.file, "the system file").type("FILE.spak").required();
  add_texts(app, "--set", flags.set, "what is known: device=H200 num_heads=12").type("NAME=VALUE ...");
  add_texts(app, "--trace", flags.traces, "what was measured: one JSON object a line").type("FILE ...");
}

Json settings_of(const KnowledgeFlags& flags) {
  Json set = Json::object();
  for (const std::string& written : flags.set) spak::add_setting(set, written);
  return set;
}

std::vector<spak::Trace> traces_of(const KnowledgeFlags& flags) {
  std::vector<spak::Trace> traces;
  for (const std::string& file : flags.traces) traces.push_back(spak::read_trace(file));
  return traces;
}

const spak::EngineeringLoop& loop_of(const spak::System& system, const std::string& wanted) {
  require(!system.loops.empty(), "{}: has no engineering_loop", shown(system.document.name()));
  if (wanted.empty() && system.loops.size() == 1) return system.loops.front();
  std::string names;
  for (const spak::EngineeringLoop& loop : system.loops) names += (names.empty() ? "" : ", ") + loop.name;
  require(!wanted.empty(), "{}: has several loops; --loop names one of {}", shown(system.document.name()),
          shown(names, 300));
  const spak::EngineeringLoop* loop = system.loop(wanted);
  require(loop != nullptr, "{}: has no engineering_loop '{}' (it has {})", shown(system.document.name()),
          shown(wanted), shown(names, 300));
  return *loop;
}

fs::path source_root(const fs::path& file) {
  fs::path own = fs::absolute(file).parent_path();
  std::error_code ignored;
  for (fs::path folder = own; folder.has_relative_path(); folder = folder.parent_path())
    if (fs::exists(folder / ".git", ignored)) return folder;
  return own;
}

spak::Surroundings surroundings_of(const spak::System& system, const spak::EngineeringLoop& loop,
                                   const fs::path& file, const Json& set) {
  const auto written = [&](const char* name) -> std::string {
    const Json* value = set.find(name);
    return value == nullptr ? "" : spak::value_text(*value);
  };
  return {written("toolkit"), written("driver"), spak::sources_hash(system, loop, source_root(file))};
}

void print_lints(const std::vector<spak::Lint>& lints) {
  for (const spak::Lint& lint : lints) fmt::print("  {}: {}\n", lint.place, shown(lint.text, 400));
}

Json json_of(const std::vector<spak::Lint>& lints) {
  Json all = Json::array();
  for (const spak::Lint& lint : lints) all.push_back({{"place", lint.place}, {"text", lint.text}});
  return all;
}

}  // namespace ladder::cli
