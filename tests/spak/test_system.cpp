// What a system file says: its parts, its line of parents, and what is doubtful about it.
#include <fmt/core.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>

#include "shared/base/error.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/spak/lint.hpp"
#include "shared/spak/situation.hpp"
#include "shared/spak/system.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using namespace ladder::spak;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

const fs::path kCorpus = fs::path(LADDER_SOURCE_DIR) / "tests/spak/corpus";

std::vector<std::string> doubts(const std::string& body) {
  std::vector<System> lineage;
  lineage.push_back(System::of(Document::parse("system S { " + body + " }", "s.spak")));
  std::vector<std::string> texts;
  for (const Lint& lint : lints_of(lineage, LADDER_SOURCE_DIR)) texts.push_back(lint.text);
  return texts;
}

/// The only doubt about this knowledge; "" for none.
std::string doubt(const std::string& body) {
  const auto all = doubts(body);
  CAPTURE(body, all);
  CHECK(all.size() <= 1);
  return all.empty() ? "" : all.front();
}
std::string doubt_of_knowledge(const std::string& body) { return doubt("knowledge { " + body + " }"); }

}  // namespace

TEST_CASE("every section of the corpus is understood, and what is unknown is kept and told") {
  const System system = System::read(kCorpus / "everything.spak");
  CHECK(system.name == "Row_Sums_v1");
  CHECK(system.inherits == "parent.spak");
  REQUIRE(system.front.size() == 5);
  CHECK(system.front[0].second == "Row sums – one of each construct");
  CHECK(system.front[2] == std::pair<std::string, std::string>("extraction-date", "2026-11-28"));
  CHECK(system.baseline["metrics"]["loss"] == Json(2.15));
  const auto axis = [](const std::vector<Axis>& axes, const std::string& name) {
    const auto found =
        std::find_if(axes.begin(), axes.end(), [&](const Axis& each) { return each.name == name; });
    REQUIRE(found != axes.end());
    return *found;
  };
  CHECK(Json(Json::array(axis(system.design, "attention.engine").values)) ==
        Json::array({"Tiles.fmha", "inline"}));
  CHECK(axis(system.design, "attention.causal").fixed);
  CHECK(axis(system.design, "attention.nested.deepest.one").values.front() == Json(1));
  CHECK(axis(system.tuning, "rate").values.size() == 6);
  CHECK(axis(system.tuning, "rate").values[4] == Json(3));
  CHECK(axis(system.tuning, "warps").fixed);
  REQUIRE(system.facts.size() == 3);
  CHECK(system.facts[0].parameter == "t");
  CHECK(system.facts[0].item_type == "Performance");
  CHECK(system.facts[0].predicate.has_value());
  CHECK(system.facts[1].item_type == "Compile");
  CHECK_FALSE(system.facts[2].is_predicate());
  CHECK(system.facts[2].confidence() == 0.95);
  REQUIRE(system.rules.size() == 2);
  CHECK(system.rules[0].when.has_value());
  CHECK(system.rules[0].texts("apply").size() == 2);
  REQUIRE(system.rules[0].recommends.size() == 3);
  CHECK(system.rules[0].recommends[2].axis == "latency");
  CHECK(system.rules[1].text("step 2") == "a block");
  CHECK(system.invariants[0].assertion.has_value());
  CHECK_FALSE(system.invariants[1].assertion.has_value());
  REQUIRE(system.schema.size() == 2);
  CHECK(system.schema[0].fields.size() == 4);
  CHECK(system.schema[1].fields[0].second == "\"DRAM\" | \"L2\" | \"SM\"");
  REQUIRE(system.agents.size() == 1);
  CHECK(system.agents[0].steps.size() == 3);
  CHECK(system.agents[0].steps[1].title == "단계");
  CHECK(system.agents[0].steps[1].actions[1] == "if (requests > (1)): tool.engineering_loop name: Tuner");
  REQUIRE(system.loop("Tuner") != nullptr);
  CHECK(system.loop("Tuner")->metric == "tflops");
  CHECK(system.loop("Tuner")->constraints.size() == 1);
  CHECK(system.loop("Tuner")->entries["traces"] == Json("trace.all"));
  CHECK(system.artifacts.size() == 3);
  std::string notes;
  for (const Note& note : system.notes) notes += note.text + "\n";
  CHECK(notes ==
        "a constraint in prose is not checked: das Register reicht\n"
        "unknown section 'protocol Never_Heard_Of'\nunknown section 'future work'\n");
}

TEST_CASE("a child knows its parents; a parent that is missing or comes back is refused") {
  CHECK(read_lineage(kCorpus / "everything.spak").size() == 2);
  const TemporaryFolder folder;
  const auto write = [&](const std::string& name, const std::string& parent) {
    test::write_text(folder.path() / name,
                     "---\ninherits: \"" + parent + "\"\n---\nsystem " + name.substr(0, 1) + " { }\n");
  };
  write("a.spak", "b.spak");
  write("b.spak", "c.spak");
  CHECK_THROWS_WITH(read_lineage(folder.path() / "a.spak"),
                    Contains("b.spak: inherits") && Contains("c.spak, which is not there"));
  write("c.spak", "./a.spak");
  CHECK_THROWS_WITH(read_lineage(folder.path() / "a.spak"), Contains("comes back in its line of parents"));
  write("c.spak", "c.spak");
  CHECK_THROWS_WITH(read_lineage(folder.path() / "c.spak"), Contains("comes back"));
}

TEST_CASE("heads that are no fact, rule or invariant are told, however they look") {
  for (const char* head : {"fact fact g { }", "fact f g { }", "fact f (t: T.P) (u) { }", "rule \"a\" b { }",
                           "invariant { }", "fact", "x"})
    CHECK_THAT(doubt_of_knowledge(head), Contains("in knowledge: 'fact NAME'"));
}

TEST_CASE("doubts about statements") {
  CHECK(doubt_of_knowledge("fact f { source: \"measured\" confidence: 1 }") == "");
  CHECK(doubt_of_knowledge("fact f { description: \"x\" }") == "fact 'f' has no source");
  CHECK(doubt_of_knowledge("rule \"R\" { when: \"a\" source: \"measured\" }") == "");
  CHECK(doubt_of_knowledge("rule \"R\" { when: \"a\" reason: \"because\" }") == "rule 'R' has no evidence");
  for (const char* wrong : {"1.01", "-0.1", "high", "\"0.5\"", "[0.5]"})
    CHECK_THAT(doubt_of_knowledge(std::string("fact f { source: \"m\" confidence: ") + wrong + " }"),
               Contains("is no number from 0 to 1"));
  CHECK(doubt_of_knowledge("fact f { source: \"m\" } fact f { source: \"n\" }") == "fact 'f' stands twice");
  CHECK(doubt_of_knowledge("fact f { source: \"m\" description: \"It always wins.\" }") ==
        "fact 'f' says 'always' and names one observation");
  CHECK(doubt_of_knowledge("fact f { source: \"m\" count: 40 description: \"It always wins.\" }") == "");
  CHECK(doubt_of_knowledge(
            "fact f { source: \"m\" evidence: [\"a\", \"b\"] description: \"Every tile.\" }") == "");
  CHECK(doubt_of_knowledge("fact f { source: \"m\" description: \"hallways of allocations\" }") == "");
  CHECK_THAT(doubt_of_knowledge("fact f { source: \"m\" inherited_from: \"parent.spak\" }"),
             Contains("inherited_from 'parent.spak' is no parent"));
  CHECK_THAT(doubt_of_knowledge("rule \"R\" { source: \"m\" forbid: \"no expression here\" }"),
             Contains("forbids what is no expression"));
}

TEST_CASE("sources that name files must exist beside the system or in its repository") {
  CHECK(doubt_of_knowledge("fact f { source: \"tests/spak/corpus/parent.spak:3\" }") == "");
  CHECK(doubt_of_knowledge("fact f { source: \"README.md, the second table\" }") == "");
  CHECK(doubt_of_knowledge("fact f { source: \"published by its author\" }") == "");
  CHECK(doubt_of_knowledge("fact f { source: \"https://example.org/a.html\" }") == "");
  CHECK(doubt_of_knowledge("fact f { source: \"5.2 ms on one card\" }") == "");
  CHECK(doubt_of_knowledge("fact f { source: \"Final_Report.md Step 4\" }") ==
        "'f': the source 'Final_Report.md' does not exist");
  CHECK(doubt_of_knowledge("fact f { source: \"m\" trace: \"traces/none.jsonl#none-0001\" }") ==
        "'f': the trace 'traces/none.jsonl' does not exist");
}

TEST_CASE("values that nothing reaches, and such as no axis has") {
  const std::string space = "tuning_space { tile: [32, 64, 128], warps: [4, 8] } ";
  CHECK(doubt(space) == "");
  CHECK(doubt(space + "knowledge { rule \"R\" { source: \"m\" forbid: \"tile == 128\" } }") ==
        "tile = 128 is never reached (rule 'R': tile == 128)");
  CHECK(doubt(space + "knowledge { rule \"R\" { source: \"m\" forbid: \"tile == 128 && warps == 8\" } }") ==
        "");
  CHECK(doubt(space +
              "knowledge { rule \"R\" { source: \"m\" when: \"device == 'X'\" forbid: \"tile == 128\" } }") ==
        "");
  CHECK(doubt(space + "knowledge { rule \"R\" { source: \"m\" confidence: 0.4 forbid: \"tile == 128\" } }") ==
        "");
  CHECK(doubt(space + "knowledge { invariant I { assert: \"tile * warps < 1000\" } }") == "");
  CHECK(doubt(space + "knowledge { invariant I { assert: \"tile < 100\" } }") ==
        "tile = 128 is never reached (invariant I: tile < 100)");
  CHECK(doubt(space + "knowledge { rule \"R\" { source: \"m\" recommend: \"tile = 48\" } }") ==
        "rule 'R' recommends tile = 48, which that axis does not have");
  CHECK(doubt(space + "knowledge { rule \"R\" { source: \"m\" recommend: \"tile = 64\" } }") == "");
  CHECK(doubt("tuning_space { tile: [] }") == "axis 'tile' has no values");
  CHECK(doubt("tuning_space { tile: [1] tile: [2] }") == "axis 'tile' stands twice");
}

TEST_CASE("predicates ask for fields that the schema declares; loops say what they measure") {
  const std::string schema =
      "trace_schema { variant T { case Performance { speedup: float } } } knowledge { ";
  CHECK(doubt(schema + "fact f(t: T.Performance) { return t.speedup < 1 } }") == "");
  CHECK(doubt(schema + "fact f(t: T.Performance) { return t.sped < 1 } }") ==
        "predicate 'f': case Performance has no field 'sped'");
  CHECK(doubt(schema + "fact f(t: T.Memory) { return t.x < 1 } }") ==
        "predicate 'f': the trace schema has no case Memory");
  CHECK(doubt(schema + "fact f(t: T.Performance) { } }") == "predicate 'f' returns nothing");
  CHECK(doubts("engineering_loop L { parameter a: [1] }").size() == 2);
  CHECK(doubt("engineering_loop L { parameter a: [1] measure { cmd: \"x\" metric: \"us\" objective: "
              "\"least\" } }") == "objective 'least': neither maximize nor minimize");
}

TEST_CASE("predicates that ask for themselves or for many others are asked once each") {
  const Json nothing = Json::object();
  std::string chain;
  for (int i = 0; i < 40; ++i)
    chain += fmt::format("fact p{0}(t: T.P) {{ return p{1} == p{1} && !(p{1} != p{1}) }} ", i, i + 1);
  const auto asked = [&](const std::string& knowledge, const char* name) {
    std::vector<System> lineage;
    lineage.push_back(System::of(Document::parse("system S { knowledge { " + knowledge + " } }", "s.spak")));
    return Situation(lineage, nothing).value_of(name);
  };
  CHECK(asked(chain + "fact p40(t: T.P) { return 1 < 2 }", "p0").is(true));
  CHECK_THAT(asked("fact t(f: T.P) { return t * t * t > 0 && !(t * t == 1) }", "t").error,
             Contains("predicate 't' asks for itself"));
  CHECK_THAT(asked("fact a(f: T.P) { return b } fact b(f: T.P) { return a }", "a").error,
             Contains("asks for itself"));
}

TEST_CASE("settings: numbers, true and false, texts") {
  Json set = Json::object();
  for (const char* each : {"heads=12", "rate=0.5", "causal=true", "device=H200", "empty=", "a=b=c"})
    add_setting(set, each);
  CHECK(
      set ==
      Json{{"heads", 12}, {"rate", 0.5}, {"causal", true}, {"device", "H200"}, {"empty", ""}, {"a", "b=c"}});
  CHECK_THROWS_AS(add_setting(set, "heads=3"), InputError);
  CHECK_THROWS_AS(add_setting(set, "x"), InputError);
  CHECK_THROWS_AS(add_setting(set, "=x"), InputError);
}
