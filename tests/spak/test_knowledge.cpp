// The project's own knowledge: its system files are without doubts, their tables are what the sources include, and their loops
// find what was measured. What is made of system files: drafts from kernels, pictures, tables, files for other tuners.
#include <catch2/catch.hpp>

#include <filesystem>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/spak/build.hpp"
#include "shared/spak/check.hpp"
#include "shared/spak/lift.hpp"
#include "shared/spak/lint.hpp"
#include "shared/spak/picture.hpp"
#include "shared/spak/t4.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using namespace ladder::spak;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

const fs::path kRoot = LADDER_SOURCE_DIR;
const fs::path kItems = kRoot / "stage3_tiled_kernels/knowledge/items";

std::vector<fs::path> system_files() {
  return {kRoot / "stage3_tiled_kernels/knowledge/fmha.spak",
          kRoot / "stage3_tiled_kernels/knowledge/microgpt.spak",
          kRoot / "stage4_nanogpt/knowledge/nanogpt.spak"};
}

std::vector<System> lineage_of(const std::string& body) {
  std::vector<System> lineage;
  lineage.push_back(System::of(Document::parse("system S { " + body + " }", "s.spak")));
  return lineage;
}

}  // namespace

TEST_CASE("the project's system files raise no doubts, and their tables are what the sources hold") {
  for (const fs::path& file : system_files()) {
    CAPTURE(file.filename());
    const std::vector<System> lineage = read_lineage(file);
    CHECK(lineage.front().document.written() == test::text_of(file));
    std::string doubts;
    for (const Lint& lint : lints_of(lineage, kRoot)) doubts += lint.place + ": " + lint.text + "\n";
    CHECK(doubts == "");
    for (const BuiltArtifact& artifact : built_artifacts(lineage)) {
      CAPTURE(artifact.name);
      CHECK(artifact.made);
      CHECK(artifact.text == test::text_of(artifact.path));  // stale: ladder spak build FILE writes it anew
    }
  }
  CHECK(read_lineage(system_files()[2]).size() == 3);
}

TEST_CASE("the rows of the tables name facts, and facts with a trace name items that are there") {
  for (const fs::path& file : system_files())
    for (const Fact& fact : System::read(file).facts) {
      CAPTURE(fact.name);
      std::vector<std::string> ids = fact.texts("evidence");
      for (const char* key : {"trace_id", "forward_trace", "backward_trace", "trace_ids"})
        for (const std::string& id : fact.texts(key)) ids.push_back(id);
      for (const std::string& id : ids) {
        const std::string operation = id.substr(0, id.rfind('-'));
        if (id[0] == 'k' || !fs::exists(kItems / (operation + ".jsonl"))) continue;
        CHECK_THAT(test::text_of(kItems / (operation + ".jsonl")), Contains("\"id\": \"" + id + "\""));
      }
    }
}

TEST_CASE("the loops of the systems find recorded points, and the rules forbid none of the best") {
  const auto replayed = [](const fs::path& file, const char* items, const Json& set, std::size_t at_least) {
    const std::vector<System> lineage = read_lineage(file);
    const EngineeringLoop& loop = lineage.front().loops.front();
    Measuring measuring{lineage.front().name, loop.name, loop.metric, loop.maximize};
    measuring.set = set;
    const Plan plan(lineage, loop, measuring.set);
    const auto known = known_points(plan.space(), loop, measuring, read_trace(kItems / items));
    CHECK(known.size() >= at_least);
    for (const std::string& strategy : strategy_names()) {
      const auto found = replay(plan, known, strategy, 1);
      REQUIRE(found.has_value());
      CHECK(found->needed <= known.size());
    }
  };
  replayed(system_files()[0], "attention.jsonl", Json::object(), 3);
  replayed(system_files()[1], "rmsnorm.jsonl", {{"work", "forward 65536x768"}, {"device", "NVIDIA H200"}},
           25);
  replayed(system_files()[2], "column_sums.jsonl", {{"work", "65536x2304"}}, 20);
}

TEST_CASE("a configuration of the sweep is put together from a point's values, and found again") {
  const std::vector<System> lineage = lineage_of(
      "engineering_loop L { parameter rows: [64, 128] parameter bulk: [true, false] "
      "configuration: { tile: \"{{rows}}x64 {{bulk}}\" rows: \"{{rows}}\" bulk: \"{{bulk}}\" head: 64 } "
      "measure { metric: \"us\" } }");
  const EngineeringLoop& loop = lineage[0].loops[0];
  const Space space(loop.parameters);
  const Configurations configurations(space, loop);
  CHECK(configurations.of(1).dump() == R"({"tile":"64x64 false","rows":64,"bulk":false,"head":64})");
  for (std::uint64_t point = 0; point < 4; ++point)
    CHECK(configurations.point_of(configurations.of(point)) == point);
  Json other = configurations.of(2);
  other["why"] = "more";
  CHECK(configurations.point_of(other) == 2);
  other["head"] = 128;
  CHECK_FALSE(configurations.point_of(other).has_value());
  const std::vector<System> wrong = lineage_of(
      "engineering_loop L { parameter a: [1] configuration: { x: \"{{b}}\" } measure { metric: \"us\" } }");
  CHECK_THROWS_WITH(Configurations(space, wrong[0].loops[0]),
                    Contains("asks for 'b', which is no parameter"));
}

TEST_CASE("tables: rows between marks, the child's facts before its parents', and what is missing is named") {
  const TemporaryFolder folder;
  test::write_text(folder / "t.hpp", "before\n    // spak table: t\n    old,\n    // spak end\nafter\n");
  test::write_text(folder / "p.spak",
                   "system P { knowledge { fact a { table: \"t\" n: 1 tiles: [8, 9] by: \"kWide\" } fact b { "
                   "table: \"t\" n: 2 "
                   "tiles: [1] by: \"id-1\" } fact other { table: \"u\" } } }");
  const auto built = [&](const std::string& row, const std::string& table = "t") {
    test::write_text(folder / "c.spak",
                     "---\ninherits: p.spak\n---\nsystem C { knowledge { fact b { table: \"t\" n: 3 tiles: "
                     "[2] by: \"id-2\" word: \"w\" } }\n build { "
                     "artifact \"t.hpp\" { generator: \"table\" table: \"" +
                         table + "\" row: \"" + row + "\" } artifact \"x\" { generator: \"python y\" } } }");
    return built_artifacts(read_lineage(folder / "c.spak"));
  };
  const auto artifacts = built("Row{{{n}}, {{{tiles}}}, {{by}}},  // {{fact}}");
  REQUIRE(artifacts.size() == 2);
  CHECK(artifacts[0].text ==
        "before\n    // spak table: t\n    Row{1, {8, 9}, kWide},  // a\n    Row{3, {2}, \"id-2\"},  // b\n  "
        "  // spak end\nafter\n");
  CHECK_FALSE(artifacts[1].made);
  CHECK(built("{{by!}}")[0].text.find("    id-2\n") != std::string::npos);
  CHECK_THROWS_WITH(built("{{word}}"), Contains("fact 'a' has no entry 'word'"));
  CHECK_THROWS_WITH(built("{{n"), Contains("without }}"));
  CHECK_THROWS_WITH(built("{{n}}", "v"), Contains("no fact has the entry table: \"v\""));
  CHECK_THROWS_WITH(built("{{fact}}", "u"), Contains("has no lines '// spak table: u'"));
}

TEST_CASE("a report is Markdown that its texts cannot break out of") {
  const std::string report = report_of(lineage_of(
      "design_space { a: [\"x|y\"] } knowledge { fact f { description: \"p|q\\nr\" confidence: 0.5 } }"));
  CHECK_THAT(report, Contains("| a | x\\|y |") && Contains("| f | 0.50 | p\\|q r |"));
}

TEST_CASE("lift: template parameters, fields of structures and hints of kernels, as a draft that parses") {
  const std::string header =
      "struct Tiles {\n  int rows, columns;  ///< int no;\n  int warps = 4, key_latency{0};\n  bool bulk;\n  "
      "Other other;\n  int area() const { return rows; }\n};\n";
  const std::string text =
      "// template <int Not> __global__ void in_a_comment()\ntemplate <class T> void helper(T x) { }\n"
      "template <class E, table::Tiles S, int Divisor, bool Causal = true, int... Rest>\n"
      "[[using cutile: hint(0, occupancy = S.occupancy, warps = S.warps)]] __tile_global__ "
      "void\nsums_kernel(int n, const E* x) { }\n"
      "__global__ void plain(float* x) { int y = 3; }\n";
  const auto kernels = lifted_kernels(text, {header});
  REQUIRE(kernels.size() == 2);
  CHECK(kernels[0].name == "sums_kernel");
  CHECK(kernels[0].line == 4);
  std::string axes;
  for (const LiftedAxis& axis : kernels[0].axes) axes += axis.name + (axis.is_design ? "! " : " ");
  CHECK(axes == "E! rows columns warps key_latency bulk Divisor Causal ");
  CHECK(kernels[0].hints == std::vector<std::string>{"occupancy = S.occupancy", "warps = S.warps"});
  CHECK(kernels[1].name == "plain");
  CHECK(kernels[1].axes.empty());
  const System draft = System::of(Document::parse(draft_system("Sums", "sums.cuh", kernels), "draft"));
  CHECK(draft.tuning.size() == 7);
  CHECK(draft.design.size() == 1);
  CHECK(draft.loops.size() == 1);
  CHECK(lifted_kernels("no kernel here", {}).empty());
  CHECK(lifted_kernels("template <int A __global__ void f(", {}).size() == 1);
}

TEST_CASE(
    "a picture has a node for each statement and an arrow for each relation, whatever their names are") {
  const std::vector<System> lineage = read_lineage(kRoot / "tests/spak/corpus/everything.spak");
  const std::string dot = dot_of(lineage);
  for (const char* part : {"digraph knowledge", "label=\"Row_Sums_v1\"", "label=\"Parent\"",
                           "best_tile\\n0.95", "-> ", "label=\"inherited\""})
    CHECK_THAT(dot, Contains(part));
  const std::string hostile =
      dot_of(lineage_of("knowledge { rule \"a\\\" ] ; x [ \\\\\" { when: \"b\" source: \"</b>\\\"\" } }"));
  CHECK_THAT(hostile, Contains("a\\\" ] ; x [ \\\\"));
}

TEST_CASE("T4 and Kernel Tuner's cache say what a trace says, and T4 comes back") {
  const std::vector<System> lineage = lineage_of(
      "engineering_loop L { parameter tile: [16, 32] parameter bulk: [true, false] measure { metric: \"us\" "
      "objective: \"minimize\" } }");
  const EngineeringLoop& loop = lineage[0].loops[0];
  const Space space(loop.parameters);
  const Measuring measuring{"S", "L", "us", false};
  const auto item = [](int tile, bool bulk, const char* outcome) {
    return Json{{"type", "Performance"},
                {"system", "S"},
                {"loop", "L"},
                {"configuration", {{"tile", tile}, {"bulk", bulk}}},
                {"outcome", outcome},
                {"seconds", 0.5},
                {"when", "2026-11-28T00:00:00Z"}};
  };
  std::vector<Json> items = {item(16, true, "measured"), item(16, false, "wrong result"),
                             item(32, true, "timeout"), item(32, false, "failure"),
                             item(64, true, "measured")};
  items[0]["us"] = 12.5;
  const Json t4 = t4_of(space, loop, measuring, items);
  REQUIRE(t4["results"].size() == 4);  // 64 is no point of the space
  CHECK(t4["results"][0]["times"]["runtimes"] == Json::array({0.0125}));
  std::string kinds;
  for (const Json& result : t4["results"])
    kinds += result["invalidity"].get<std::string>() + result["correctness"].dump() + " ";
  CHECK(kinds == "correct1 correctness0 timeout0 runtime0 ");
  const Json cache = kernel_tuner_cache_of(space, loop, measuring, items);
  CHECK(cache["cache"]["16,True"]["time"] == Json(0.0125));
  CHECK(cache["cache"]["32,False"]["__error__"] == Json("RuntimeFailedConfig"));
  const auto back = items_of_t4(t4, "S", "L", "t4.json");
  REQUIRE(back.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(back[i]["outcome"] == items[i]["outcome"]);
    CHECK(back[i]["configuration"] == items[i]["configuration"]);
    CHECK(cost_of(back[i], "us", false) == cost_of(items[i], "us", false));
  }
  for (const char* wrong :
       {R"({})", R"({"results": []})", R"({"results": [{}]})",
        R"({"results": [{"configuration": {}, "times": {}, "invalidity": "odd", "correctness": 1}]})",
        R"({"results": [{"configuration": 3, "times": {}, "invalidity": "correct", "correctness": 1}]})"})
    CHECK_THROWS_WITH(items_of_t4(Json::parse(wrong), "S", "L", "t4.json"), Contains("t4.json"));
}
