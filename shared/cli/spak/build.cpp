// ladder spak build: the artifacts that a system declares.
#include "shared/spak/build.hpp"

#include <fmt/core.h>

#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/spak/common.hpp"
#include "shared/cli/spak/verbs.hpp"

namespace ladder::cli {

namespace {

struct BuildFlags {
  std::string file;
  bool check = false;
};

/// The file as it is; "" where it is not there yet.
std::string present_text(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) ? read_file(path) : "";
}

void run_build(const BuildFlags& flags) {
  const std::vector<spak::System> lineage = spak::read_lineage(flags.file);
  const std::vector<spak::BuiltArtifact> built = spak::built_artifacts(lineage);
  require(!built.empty(), "{}: declares no artifact", shown(flags.file));
  std::vector<std::filesystem::path> outputs;
  for (const spak::BuiltArtifact& each : built)
    if (each.made) outputs.push_back(each.path);
  require_distinct_outputs({flags.file}, outputs);
  std::string stale;
  Outputs writing;
  for (const spak::BuiltArtifact& each : built) {
    if (!each.made) {
      fmt::print("left alone: {} (made by another program, which is never run from here)\n",
                 shown(each.name));
    } else if (present_text(each.path) == each.text) {
      fmt::print("as it should be: {}\n", shown(each.name));
    } else if (flags.check) {
      fmt::print("stale: {}\n", shown(each.name));
      if (stale.empty())
        stale =
            fmt::format("{} is not what {} says: ladder spak build writes it anew", each.name, flags.file);
    } else {
      writing.write(each.path.string(), [&] { return each.text; });
      fmt::print("wrote {}\n", shown(each.name));
    }
  }
  writing.finish(stale);
}

}  // namespace

void add_spak_build(CLI::App& app) {
  CLI::App& command =
      add_command(app, "build", "make the artifacts that a system declares: reports, tables in sources");
  const auto flags = std::make_shared<BuildFlags>();
  add_text(command, "file", flags->file, "the system file").type("FILE.spak").required();
  add_switch(command, "--check", flags->check, "write nothing; exit code 1 where something is stale");
  set_action(command, [flags] { run_build(*flags); });
}

}  // namespace ladder::cli
