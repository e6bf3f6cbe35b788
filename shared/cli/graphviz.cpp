#include "shared/cli/graphviz.hpp"

#include <fmt/core.h>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/files.hpp"
#include "shared/base/process.hpp"

namespace ladder::cli {

namespace fs = std::filesystem;

namespace {

/// Graphviz takes minutes for large graphs.
constexpr double kPatience = 25.0;

}  // namespace

void require_picture_name(const std::string& output) {
  const std::string extension = fs::path(output).extension().string();
  require(extension == ".svg" || extension == ".dot" || extension == ".gv",
          "-o {}: the name must end with .svg, .dot or .gv", output);
}

fs::path dot_instead_of(const fs::path& output) {
  return output.extension() == ".svg" ? fs::path(output).replace_extension(".dot") : fs::path();
}

void write_picture(const fs::path& output, const std::string& dot) {
  const bool wants_svg = output.extension() == ".svg";
  const std::string svg = wants_svg ? answer_of({"dot", "-Tsvg"}, dot, kPatience) : "";
  fs::path path = output;
  if (wants_svg && svg.empty()) {
    path = dot_instead_of(output);
    fmt::print(
        "Graphviz's dot is not here or takes longer than {:.0f} s, so its input is written; install "
        "graphviz, then: "
        "dot -Tsvg {} -o {}\n",
        kPatience, shell_path(path), shell_path(output));
  }
  write_file(path, svg.empty() ? dot : svg + "\n");
  fmt::print("wrote {}\n", escaped_name(path.string()));
}

}  // namespace ladder::cli
