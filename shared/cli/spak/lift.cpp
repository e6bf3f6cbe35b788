// ladder spak lift: a draft of a system file from a kernel's text.
#include "shared/spak/lift.hpp"

#include <fmt/core.h>

#include <cctype>
#include <filesystem>
#include <memory>
#include <set>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/spak/common.hpp"
#include "shared/cli/spak/verbs.hpp"
#include "shared/spak/language/syntax.hpp"

namespace ladder::cli {

namespace {

namespace fs = std::filesystem;

struct LiftFlags {
  std::string kernel, output;
};

/// The files that a text includes by names in quotation marks, and those that they include, where they are: below the
/// repository's root or beside the file.
class Includes {
 public:
  explicit Includes(fs::path root) : root_(std::move(root)) {}

  void follow(const std::string& text, const fs::path& file) {
    constexpr std::string_view kInclude = "#include \"";
    for (std::size_t at = 0; (at = text.find(kInclude, at)) != std::string::npos;) {
      at += kInclude.size();
      const fs::path name = text.substr(at, text.find('"', at) - at);
      for (const fs::path& place : {file.parent_path() / name, root_ / name}) {
        std::error_code ignored;
        if (!fs::is_regular_file(place, ignored) || !seen_.insert(fs::weakly_canonical(place)).second)
          continue;
        texts.push_back(read_file(place));
        follow(std::string(texts.back()), place);
      }
    }
  }

  std::vector<std::string> texts;

 private:
  fs::path root_;
  std::set<fs::path> seen_;
};

/// "rmsnorm_whole.cuh": Rmsnorm_whole
std::string system_name(const fs::path& file) {
  std::string name;
  for (const char c : file.stem().string())
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  if (name.empty() || std::isalpha(static_cast<unsigned char>(name[0])) == 0) name.insert(0, "Kernel_");
  name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  return name;
}

void run_lift(const LiftFlags& flags) {
  require_distinct_outputs({flags.kernel}, {flags.output});
  require_writable_file(flags.output);
  const std::string text = read_file(flags.kernel);
  Includes includes(source_root(flags.kernel));
  includes.follow(text, fs::absolute(flags.kernel));
  const auto kernels = spak::lifted_kernels(text, includes.texts);
  require(!kernels.empty(), "{}: no kernel in it (a function marked __global__ or __tile_global__)",
          shown(flags.kernel));
  const std::string draft =
      spak::draft_system(system_name(flags.kernel), fs::path(flags.kernel).filename().string(), kernels);
  spak::Document::parse(draft, "the draft");  // a name that breaks the language would be found here
  if (flags.output.empty()) {
    fmt::print("{}", draft);
    return;
  }
  write_file(flags.output, draft);
  fmt::print("{} kernels, draft in {}\n", kernels.size(), shown(flags.output));
}

}  // namespace

void add_spak_lift(CLI::App& app) {
  CLI::App& command = add_command(app, "lift", "a draft of a system file: what a kernel's text leaves open");
  const auto flags = std::make_shared<LiftFlags>();
  add_text(command, "kernel", flags->kernel, "CUDA C++ or CUDA Tile C++").type("FILE.cuh").required();
  add_text(command, "-o,--output", flags->output, "the system file (default: printed)").type("FILE.spak");
  set_action(command, [flags] { run_lift(*flags); });
}

}  // namespace ladder::cli
