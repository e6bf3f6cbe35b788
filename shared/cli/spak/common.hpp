// What several commands of `ladder spak` share.
#pragma once

#include <string>
#include <vector>

#include "shared/base/json.hpp"
#include "shared/cli/options.hpp"
#include "shared/spak/expiry.hpp"
#include "shared/spak/lint.hpp"
#include "shared/spak/trace.hpp"

namespace ladder::cli {

/// The system file of a command, and what is known of the situation.
struct KnowledgeFlags {
  std::string file;
  std::vector<std::string> set, traces;
};
void add_knowledge_flags(CLI::App& app, KnowledgeFlags& flags);

/// What --set says as an object. Throws InputError for what is no name=value.
Json settings_of(const KnowledgeFlags& flags);
std::vector<spak::Trace> traces_of(const KnowledgeFlags& flags);

/// The loop that is wanted, or the only one. Throws InputError with the names of those that there are.
const spak::EngineeringLoop& loop_of(const spak::System& system, const std::string& wanted);

/// What statements are held against that may have expired: toolkit and driver as they are set, and the kernel's text.
spak::Surroundings surroundings_of(const spak::System& system, const spak::EngineeringLoop& loop,
                                   const std::filesystem::path& file, const Json& set);

/// The folder below which sources are looked for as well: of the repository that holds `file`, else the file's own.
std::filesystem::path source_root(const std::filesystem::path& file);

void print_lints(const std::vector<spak::Lint>& lints);
Json json_of(const std::vector<spak::Lint>& lints);

}  // namespace ladder::cli
