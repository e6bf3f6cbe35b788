// Every house rule is shown a sample that keeps it and samples that break it: a rule that
// cannot fail proves nothing.
#include <catch2/catch.hpp>

#include <string>

#include "tests/house/rules.hpp"

using namespace ladder::house;

namespace {

/// Joined at run time, so that the samples below do not break the rules in this file.
std::string joined(const char* first, const char* second) { return std::string(first) + second; }

Files one(const std::string& path, const std::string& text) { return {{path, text}}; }

const std::string kHeader =
    "// Computes: y = x\n"
    "// Shapes:   x_nc [N, C]\n"
    "//           y_nc [N, C]\n"
    "// Map:      one thread, one element\n"
    "// Traffic:  8 NC bytes\n"
    "// FLOPs:    0\n"
    "// Bound:    memory\n"
    "// Differs from the previous rung: nothing\n";

std::string without(std::string text, const std::string& part) {
  const std::size_t at = text.find(part);
  REQUIRE(at != std::string::npos);
  return text.erase(at, part.size());
}

Faults kernel_faults(const std::string& text) {
  return kernel_header_faults(one("stage2_naive_cuda/kernels/copy.cuh", text));
}

}  // namespace

TEST_CASE("top level: an entry that was not agreed on is found") {
  CHECK(
      top_level_faults({{"README.md", ""}, {".ci/run", ""}, {"stage1_cpu_tensor/a.cpp", ""}, {"ladder", ""}})
          .empty());
  CHECK(top_level_faults(one("src/a.cpp", "")).size() == 1);
  CHECK(top_level_faults(one("notes.txt", "")).size() == 1);
  CHECK(top_level_faults(one("requirements.md", "")).size() == 1);
}

TEST_CASE("length: 450 lines pass, 451 do not") {
  CHECK(length_faults(one("shared/a.cpp", std::string(450, '\n'))).empty());
  CHECK(length_faults(one("shared/a.cpp", std::string(451, '\n'))).size() == 1);
  CHECK(length_faults(one("shared/data/names.txt", std::string(2000, '\n'))).empty());
}

TEST_CASE("kernel headers: each missing, empty or misplaced field is found") {
  const std::string kernel = "template <class T>\n__global__ void copy_kernel() {}\n";
  CHECK(kernel_faults(kHeader + kernel).empty());
  CHECK(kernel_faults(kHeader + "__tile_global__ void copy_kernel() {}\n").empty());
  for (const char* line :
       {"// Computes: y = x\n", "// Shapes:   x_nc [N, C]\n", "// Map:      one thread, one element\n",
        "// Traffic:  8 NC bytes\n", "// FLOPs:    0\n", "// Bound:    memory\n",
        "// Differs from the previous rung: nothing\n"}) {
    CAPTURE(line);
    CHECK(kernel_faults(without(kHeader, line) + kernel).size() == 1);
    CHECK(kernel_faults(without(kHeader, line) + "__tile_global__ void f() {}\n").size() == 1);
  }
  CHECK(kernel_faults(without(kHeader, "memory") + kernel).size() == 1);
  CHECK(kernel_faults("// FLOPs: 0\n" + without(kHeader, "// FLOPs:    0\n") + kernel).size() == 1);
  CHECK(kernel_faults(kHeader + "\n" + kernel).size() == 1);
  // the second kernel of a file needs a header of its own
  CHECK(kernel_faults(kHeader + kernel + kernel).size() == 1);
  CHECK(kernel_header_faults(one("stage3_tiled_kernels/ladder/matmul/01_naive.cuh", kernel)).size() == 1);
  CHECK(kernel_header_faults(one("shared/simt/sample.cuh", kernel)).empty());
}

TEST_CASE("unfinished work: each word is found, and longer words are not") {
  for (const std::string& word :
       {joined("TO", "DO"), joined("FIX", "ME"), joined("XX", "X"), joined("HA", "CK"),
        joined("not imple", "mented"), joined("place", "holder"), joined("st", "ub")}) {
    CAPTURE(word);
    CHECK(unfinished_faults(one("shared/a.cpp", "int a;  // " + word + ": later\n")).size() == 1);
    CHECK(unfinished_faults(one("CMakeLists.txt", "# " + word + "\n")).size() == 1);
  }
  CHECK(unfinished_faults(one("shared/a.cpp", "// stubborn\n")).empty());
}

TEST_CASE("machine paths and ways out of the checkout are found") {
  CHECK(machine_path_faults(one("README.md", "see " + joined("/wo", "rk/main") + "\n")).size() == 1);
  CHECK(machine_path_faults(one("README.md", "see " + joined("/ho", "me/ann/gpt") + "\n")).size() == 1);
  const std::string outside = joined("../sha", "red/data/names.txt") + "\n";
  CHECK(machine_path_faults(one("tests/a.cpp", outside)).size() == 1);
  CHECK(machine_path_faults(one(".ci/run", outside)).empty());
  // A link of a Markdown file counts from its own folder: one step up from a stage's README is still inside.
  CHECK(machine_path_faults(one("stage0_scalar_autograd/README.md", outside)).empty());
  CHECK(machine_path_faults(one("stage0_scalar_autograd/README.md", "../" + outside)).size() == 1);
  CHECK(machine_path_faults(one("README.md", outside)).size() == 1);
}

TEST_CASE("markers: open, unknown, nested and malformed ones are found") {
  const std::string open = "<!-- generated: speedup-micro -->\n", close = "<!-- /generated -->\n";
  const File record{"tests/bench/results/speedup-micro.json", "{}"};
  const auto faults = [&](const std::string& text) { return marker_faults({{"README.md", text}, record}); };
  CHECK(faults("a\n" + open + "row\n" + close).empty());
  CHECK(faults("<!-- generated: tolerances -->\n" + close).empty());
  CHECK(faults(open + "row\n").size() == 1);
  CHECK(faults(close).size() == 1);
  CHECK(faults(open + open + close).size() == 1);
  CHECK(faults("<!-- generated: speedup-macro -->\n" + close).size() == 1);
  // there is no gemm.jsonl here
  CHECK(faults("<!-- generated: items gemm gemm-0001 -->\n" + close).size() == 1);
  CHECK(faults("<!-- generated: speed -->\n" + close).size() == 1);  // nor targets.json
  CHECK(faults("<!-- generated speedup-micro -->\n").size() == 1);

  CHECK(faults("<!-- generated: rows speedup-micro: stage 1 | stage 2 -->\n" + close).empty());
  CHECK(faults("<!-- generated: excerpt speedup-macro: stage 1 -->\n" + close).size() == 1);
  CHECK(faults("<!-- generated: curves speedup-micro: a.svg -->\n" + close).empty());
  CHECK(faults("<!-- generated: sample speedup-macro: 2 -->\n" + close).size() == 1);
  CHECK(faults("<!-- generated: speedup-micro speedup-macro -->\n" + close).size() == 1);
  CHECK(faults("<!-- generated: times a: speedup-micro | b c: speedup-micro -->\n" + close).empty());
  CHECK(faults("<!-- generated: times a: speedup-micro | b c: speedup-macro -->\n" + close).size() == 1);
  CHECK(faults("<!-- generated: if run speedup-micro speedup-macro -->\n" + close).empty());
  CHECK(faults("<!-- generated: ladder -->\n" + close).size() == 1);  // speedup-small of no card
  CHECK(marker_faults({{"README.md", "<!-- generated: ladder -->\n" + close},
                       record,
                       {"tests/bench/results/speedup-small-h100.json", "{}"}})
            .empty());
}

TEST_CASE("pages: one that is too long is found") {
  CHECK(page_length_faults(one("README.md", std::string(120, '\n'))).empty());
  CHECK(page_length_faults(one("README.md", std::string(121, '\n'))).size() == 1);
  CHECK(page_length_faults(one("stage1_x/README.md", std::string(250, '\n'))).empty());
  CHECK(page_length_faults(one("stage1_x/README.md", std::string(251, '\n'))).size() == 1);
  CHECK(page_length_faults(one("shared/HACKING.md", std::string(251, '\n'))).empty());
}

TEST_CASE("comments: a word alone on a line is found") {
  const std::string full = "// " + std::string(40, 'a') + " " + std::string(50, 'b') + "\n";
  const auto faults = [](const std::string& text) { return lone_word_faults(one("shared/a.hpp", text)); };
  CHECK(faults(full + "// sides.\n").size() == 1);
  CHECK(faults(full + "// sides.\n// more words\n").size() == 1);
  CHECK(faults(full + "// both sides.\n").empty());
  CHECK(faults("// a short line\n// sides.\n").empty());
  CHECK(faults(full + "/// sides.\n").empty());   // another comment
  CHECK(faults(full + "  // sides.\n").empty());  // of another block
  CHECK(faults(full + "int sides;  // sides.\n").empty());
  CHECK(faults(full + "// [end]\n").empty());
  CHECK(lone_word_faults(one("README.md", full + "// sides.\n")).empty());
}

TEST_CASE("subcommands: one that the README leaves out is found") {
  const File commands{"shared/cli/commands.hpp",
                      "void add_climb(CLI::App& app);\nvoid add_tile_trace(CLI::App& app);\n"};
  CHECK(subcommand_faults({commands, {"README.md", "`ladder climb`, `ladder tile-trace`"}}).empty());
  CHECK(subcommand_faults({commands, {"README.md", "`ladder climb`, `ladder tile`"}}).size() == 1);
  CHECK(subcommand_faults({commands, {"README.md", "`ladder climbs`, `ladder tile-trace`"}}).size() == 1);
  CHECK_FALSE(subcommand_faults({commands}).empty());
  CHECK_FALSE(subcommand_faults({{"shared/cli/commands.hpp", ""}, {"README.md", ""}}).empty());
}

TEST_CASE("flags, assertions, switched-off tests and mixed headers are found") {
  CHECK(fast_math_faults(one("shared/CMakeLists.txt", "target_compile_options(a PRIVATE -ffast-math)\n"))
            .size() == 1);
  CHECK(fast_math_faults(one("CMakePresets.json", "\"-Ofast\"\n")).size() == 1);
  CHECK(assert_faults(one("shared/a.cpp", "  assert(n > 0);\n")).size() == 1);
  CHECK(assert_faults(one("shared/a.cpp", "// unlike assert()\n")).empty());
  CHECK(assert_faults(one("shared/a.cpp", "  static_assert(n > 0);\n")).empty());
  const std::string tag = joined("[!may", "fail]");
  CHECK(disabled_test_faults(one("tests/a.cpp", "TEST_CASE(\"a\", \"" + tag + "\")\n")).size() == 1);
  CHECK(disabled_test_faults(one("tests/a.cpp", joined("TEST_", "CASE(\"a\", \"[.]\")\n"))).size() == 1);
  CHECK(disabled_test_faults(one("tests/a.cpp", joined("TEST_", "CASE(\"a\", \"[.][slow]\")\n"))).empty());
  const std::string eigen = joined("#inc", "lude <Eigen/Core>\n");
  CHECK(mixed_header_faults(one("shared/a.cpp", eigen)).empty());
  CHECK(mixed_header_faults(one("shared/a.cpp", eigen + "#include <cuda_runtime.h>\n")).size() == 1);
}

TEST_CASE("dear headers: each is found where it is not needed, and named with its file") {
  const auto faults = [](const char* path, const char* header) {
    return dear_header_faults(one(path, joined("#inc", "lude <") + header + ">\n"));
  };
  struct Sample {
    const char* header;
    const char* right;
    const char* wrong;
  };
  for (const Sample& sample : std::vector<Sample>{
           {"nlohmann/json.hpp", "shared/base/json_text.cpp", "shared/base/json.hpp"},
           {"nlohmann/json_fwd.hpp", "shared/base/json_text.cpp", "tests/base/test_json.cpp"},
           {"CLI/CLI.hpp", "shared/cli/options.cpp", "shared/cli/info.cpp"},
           {"pcre2.h", "shared/data/gpt2_pattern.cpp", "shared/data/bpe.cpp"},
           {"Eigen/Core", "stage1_cpu_tensor/maps.hpp", "shared/check/cases.hpp"},
           {"unsupported/Eigen/SpecialFunctions", "shared/spak/statistics.cpp", "shared/spak/analysis.cpp"},
           {"regex", "tests/house/rules.cpp", "shared/report/tables.cpp"},
           {"fmt/format.h", "shared/report/svg_plot.cpp", "shared/base/error.hpp"},
           {"fmt/ranges.h", "shared/report/svg_plot.cpp", "stage2_naive_cuda/kernels/a.cuh"},
       }) {
    CAPTURE(sample.header);
    CHECK(faults(sample.right, sample.header).empty());
    REQUIRE(faults(sample.wrong, sample.header).size() == 1);
    CHECK(faults(sample.wrong, sample.header)[0].rfind(std::string(sample.wrong) + ":1: ", 0) == 0);
  }
  CHECK(faults("shared/base/error.hpp", "fmt/core.h").empty());
  CHECK(dear_header_faults(one("shared/a.hpp", joined("  # inc", "lude \"nlohmann/json.hpp\"\n"))).size() ==
        1);
}

TEST_CASE("stage READMEs: each missing part is found") {
  const std::string whole =
      "`./ladder train`\n`diff a b`\n<!-- generated: speedup-micro -->\n## Exercises\n## What comes next\n";
  const File code{"stage1_cpu_tensor/a.cpp", ""};
  const auto faults = [&](const std::string& text) {
    return stage_readme_faults({code, {"stage1_cpu_tensor/README.md", text}});
  };
  CHECK(faults(whole).empty());
  for (const char* part : {"`./ladder train`\n", "`diff a b`\n", "<!-- generated: speedup-micro -->\n",
                           "## Exercises\n", "## What comes next\n"}) {
    CAPTURE(part);
    CHECK(faults(without(whole, part)).size() == 1);
  }
  CHECK(stage_readme_faults({code}).size() == 1);
}
