// Which configuration knowledge recommends, and whether that knowledge still holds.
#include "shared/spak/recommend.hpp"

#include <catch2/catch.hpp>

#include "shared/base/error.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/spak/apply.hpp"
#include "shared/spak/verify.hpp"
#include "tests/spak/synthetic.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using namespace ladder::spak;
using namespace ladder::test;
using Catch::Matchers::Contains;

namespace {

Recommendation recommended(const Lab& lab, const Json& set, const Surroundings& now = {}) {
  return recommend(lab.lineage, lab.loop(), set, now);
}
const AxisAdvice& advice(const Recommendation& found, const std::string& axis) {
  for (const AxisAdvice& each : found.axes)
    if (each.axis == axis) return each;
  FAIL("no axis " + axis);
  return found.axes.front();
}

const char* const kKnowledge = R"(
        fact best { source: "m" confidence: 0.8 when: "device == 'card'" recommend: "tile = 64, warps = 8"
                    evidence: ["t.jsonl:3"] toolkit: "13.3" }
        rule "Rows" { source: "m" confidence: 0.6 when: "rows >= 2048" recommend: "tile = 128, engine = 'bulk'" }
        rule "Narrow" { source: "m" confidence: 0.7 when: "device == 'card'" forbid: "engine == 'bulk'" }
        rule "Doubtful" { source: "m" confidence: 0.3 when: "device == 'card'" forbid: "tile == 64" }
        rule "Other" { source: "m" confidence: 0.9 when: "device == 'other'" forbid: "tile != 32" }
)";

/// The lab after a sweep in which tile `best` wins, its facts written.
Lab taught(int best, const Sampling& sampling = {}) {
  Lab lab = lab_of(lab_text());
  const Cost cost = [best](const Json& c) {
    return c["tile"] == Json(best) ? 100.0 : c["tile"] == Json(128) ? 300.0 : 120.0;
  };
  const Crystallized found = crystals_of(lab, {trace_of(lab.space(), cost, 1, sampling)});
  return lab_of(apply(std::move(lab.lineage), found.proposals).text);
}

std::vector<Verified> verified(const Lab& lab, const std::vector<Trace>& traces,
                               const Surroundings& now = {}) {
  const Space space = lab.space();
  const EvidenceWanted wanted{space, lab.loop(), "Lab"};
  return verify(lab.lineage, crystallized(lab.lineage.front(), lab.loop(), ""), wanted,
                evidence_of(wanted, traces), now, ".");
}
const Verified& of_name(const std::vector<Verified>& all, const std::string& name) {
  for (const Verified& each : all)
    if (each.statement->name.starts_with(name)) return each;
  FAIL("no statement " + name);
  return all.front();
}

}  // namespace

TEST_CASE("the most certain statement that applies chooses, and says on what it stands") {
  const Lab lab = lab_of(lab_text(kKnowledge));
  const Recommendation found = recommended(lab, {{"device", "card"}, {"rows", 4096}});
  CHECK(found.configuration() == Json{{"tile", 64}, {"warps", 8}, {"engine", "inline"}});
  CHECK(advice(found, "tile").voice.name == "best");
  CHECK(advice(found, "tile").voice.confidence == 0.8);
  CHECK(advice(found, "tile").voice.evidence == std::vector<std::string>{"t.jsonl:3"});
  REQUIRE(advice(found, "tile").passed_over.size() == 1);
  CHECK(advice(found, "tile").passed_over[0].voice.name == "Rows");
  CHECK(advice(found, "tile").passed_over[0].why == "less certain");
  // What a rule recommends and another forbids is not taken.
  CHECK(advice(found, "engine").voice.kind == "first");
  CHECK(advice(found, "engine").passed_over[0].why == "rule 'Narrow' forbids it: engine == 'bulk'");
  CHECK(found.forbidding.size() == 2);
  CHECK(found.open.empty());
  CHECK_FALSE(found.forbidden);
}

TEST_CASE("where nothing speaks the first value is taken that nothing forbids") {
  const Lab lab =
      lab_of(lab_text("rule \"No\" { source: \"m\" forbid: \"tile == 32\" }\n" + std::string(kKnowledge)));
  const Recommendation found = recommended(lab, Json::object());
  CHECK(found.configuration() == Json{{"tile", 64}, {"warps", 2}, {"engine", "inline"}});
  CHECK(advice(found, "tile").voice.kind == "first");
  // What could not be asked is told, with what it asks for.
  REQUIRE(found.open.size() == 5);
  CHECK(found.open[0].condition == "device");
  CHECK(found.open[1].condition == "rows");
}

TEST_CASE("an axis that is set is given, whatever is recommended") {
  const Lab lab = lab_of(lab_text(kKnowledge));
  const Recommendation found = recommended(lab, {{"device", "card"}, {"tile", 32}});
  CHECK(advice(found, "tile").value == Json(32));
  CHECK(advice(found, "tile").voice.kind == "given");
  CHECK(recommended(lab, {{"device", "card"}, {"engine", "bulk"}}).forbidden);
}

TEST_CASE("what is inherited says so, and the child's word of the same name hides it") {
  Lab lab = lab_of(lab_text("rule \"Own\" { source: \"m\" confidence: 0.2 recommend: \"warps = 4\" }\n"));
  lab.lineage.push_back(System::of(Document::parse(
      "system Parent { knowledge { fact wide { source: \"x\" confidence: 0.4 recommend: \"tile = 128\" }\n"
      "rule \"Own\" { source: \"x\" confidence: 0.9 recommend: \"warps = 16\" } } }",
      "p.spak")));
  const Recommendation found = recommended(lab, Json::object());
  CHECK(found.configuration() == Json{{"tile", 128}, {"warps", 4}, {"engine", "inline"}});
  CHECK(advice(found, "tile").voice.system == "Parent");
  CHECK(advice(found, "warps").voice.system.empty());
}

TEST_CASE("values that an axis does not have, and spaces of which nothing is left") {
  const Lab lab =
      lab_of(lab_text("rule \"Odd\" { source: \"m\" recommend: \"tile = 48\" }\n"
                      "rule \"None\" { source: \"m\" forbid: \"warps > 0\" }\n"));
  const Recommendation found = recommended(lab, Json::object());
  CHECK(advice(found, "tile").passed_over[0].why == "the axis does not have it");
  CHECK(advice(found, "tile").value == Json(32));
  REQUIRE(found.forbidden);
  CHECK(found.forbidden->by == "rule 'None'");
}

TEST_CASE("crystallized facts lead back to the configuration, and say when they have expired") {
  const Lab lab = taught(64);
  const Recommendation found = recommended(lab, {{"device", "card"}}, {"13.5", "", ""});
  CHECK(found.configuration() == Json{{"tile", 64}, {"warps", 2}, {"engine", "inline"}});
  CHECK(advice(found, "tile").voice.expired == "toolkit 13.3 then, 13.5 now");
  CHECK(recommended(lab, {{"device", "card"}}, {"13.3", "", ""}).axes[0].voice.expired.empty());
}

TEST_CASE("facts hold, are refuted, are expired or stay open") {
  const Lab lab = taught(64);
  const Space space = lab.space();
  const Cost same = [](const Json& c) {
    return c["tile"] == Json(64) ? 200.0 : c["tile"] == Json(128) ? 500.0 : 250.0;
  };
  for (const Verified& each : verified(lab, {trace_of(space, same, 9, {.date = "2026-11-20"})}))
    CHECK(each.holding == Holding::holds);
  const Cost other = [](const Json& c) {
    return (c["tile"] == Json(64) ? 120.0 : 100.0) * (c["warps"] == Json(2) ? 1.5 : 1);
  };
  const auto now = verified(lab, {trace_of(space, other, 9, {.date = "2026-11-20"})});
  CHECK(of_name(now, "best").holding == Holding::refuted);
  CHECK_THAT(of_name(now, "best").reason, Contains("times less"));
  CHECK(of_name(now, "dead_L_warps").holding == Holding::refuted);
  CHECK(of_name(now, "dead_L_engine").holding == Holding::holds);
  CHECK(of_name(now, "L: tile = 128").holding == Holding::refuted);
  for (const Verified& each : verified(lab, {}, {"13.3", "", ""})) CHECK(each.holding == Holding::open);
  for (const Verified& each : verified(lab, {}, {"13.5", "", ""})) CHECK(each.holding == Holding::expired);
  // Values without repeats decide nothing, a failure does.
  for (const Verified& each : verified(lab, {trace_of(space, other, 9, {.samples = 1})}))
    CHECK(each.holding == Holding::open);
  const auto failing =
      verified(lab, {trace_of(
                        space, [](const Json& c) { return c["tile"] == Json(64) ? 0.0 : 1.0; }, 9)});
  CHECK(of_name(failing, "best").holding == Holding::refuted);
  const Lab refuted = lab_of(with_records(lab.lineage.front(), now));
  CHECK(advice(recommended(refuted, {{"device", "card"}}), "tile").voice.refuted);
}

TEST_CASE("crossovers are verified in each situation of their side") {
  const auto traced = [](int split, unsigned seed) {
    Trace trace{"t.jsonl", {}, {}};
    std::mt19937 random(seed);
    for (const int rows : {256, 1024, 4096})
      sweep(trace, lab_of(lab_text()).space(),
            [&](const Json& c) { return (c["tile"] == Json(64)) == (rows >= split) ? 100.0 : 130.0; }, random,
            {.set = {{"rows", rows}}});
    return trace;
  };
  Lab lab = lab_of(lab_text());
  const Crystallized found = crystals_of(lab, {traced(2000, 1)});
  lab = lab_of(apply(std::move(lab.lineage), found.proposals).text);
  for (const Verified& each : verified(lab, {traced(2000, 2)})) CHECK(each.holding == Holding::holds);
  const auto moved = verified(lab, {traced(1000, 2)});
  CHECK(of_name(moved, "L: tile = 32 where rows < 2048").holding == Holding::refuted);
  CHECK(of_name(moved, "L: tile = 64 where rows >= 2048").holding == Holding::holds);
}

TEST_CASE("what was found is recorded, once; a record renews what had expired") {
  const Lab lab = taught(64);
  const Cost same = [](const Json& c) {
    return c["tile"] == Json(64) ? 200.0 : c["tile"] == Json(128) ? 500.0 : 250.0;
  };
  const Trace trace = trace_of(lab.space(), same, 9, {.date = "2026-11-20", .toolkit = "13.5"});
  const std::string text = with_records(lab.lineage.front(), verified(lab, {trace}));
  const Lab again = lab_of(text);
  CHECK(with_records(again.lineage.front(), verified(again, {trace})) == text);
  for (const Verified& each : verified(again, {}, {"13.5", "", ""})) CHECK(each.holding == Holding::open);
  for (const Verified& each : verified(again, {}, {"13.6", "", ""}))
    CHECK(each.reason == "toolkit 13.5 then, 13.6 now");
  const Trace refuting = trace_of(
      lab.space(), [](const Json& c) { return c["tile"] == Json(32) ? 50.0 : 100.0; }, 4);
  const Lab refuted = lab_of(with_records(again.lineage.front(), verified(again, {refuting})));
  const Fact& fact = *refuted.lineage.front().fact("best_L_card");
  CHECK(fact.entries.contains("refuted"));
  CHECK_FALSE(
      advice(recommended(refuted, {{"device", "card"}}), "tile").voice.refuted);  // verified later than that
  CHECK(*fact.confidence() ==
        Approx(*lab.lineage.front().fact("best_L_card")->confidence() / 2).margin(0.001));
  CHECK(with_records(refuted.lineage.front(), verified(refuted, {refuting})) ==
        refuted.lineage.front().document.text());
}

TEST_CASE("points that decide: a configuration and its neighbours, an axis and its values") {
  const Lab lab = taught(64);
  const Space space = lab.space();
  const auto points = [&](const std::string& name) {
    for (const Statement* each : crystallized(lab.lineage.front(), lab.loop(), "card"))
      if (each->name.starts_with(name)) {
        std::vector<Json> all;
        for (const auto point : deciding_points(lab.lineage, lab.loop(), space, *each, {{"device", "card"}}))
          all.push_back(space.point(point));
        return all;
      }
    return std::vector<Json>();
  };
  const auto point = [](int tile, int warps, const char* engine) {
    return Json{{"tile", tile}, {"warps", warps}, {"engine", engine}};
  };
  // tile = 128 is a neighbour, but what a rule forbids is not measured.
  CHECK(points("best") == std::vector<Json>{point(32, 2, "inline"), point(64, 2, "inline"),
                                            point(64, 2, "bulk"), point(64, 4, "inline")});
  CHECK(points("dead_L_engine") == std::vector<Json>{point(32, 2, "inline"), point(32, 2, "bulk")});
  CHECK(points("L: tile") ==
        std::vector<Json>{point(32, 2, "inline"), point(64, 2, "inline"), point(128, 2, "inline")});
  CHECK(crystallized(lab.lineage.front(), lab.loop(), "another").empty());
}

TEST_CASE("the kernel's text is hashed by name and bytes; a source that is missing is told") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "lab.spak";
  test::write_text(folder.path() / "k.cuh", "one");
  const auto hash = [&](const std::string& sources) {
    test::write_text(file, lab_text("", kParameters, sources));
    const auto lineage = read_lineage(file);
    return sources_hash(lineage.front(), lineage.front().loops.front(), folder.path());
  };
  CHECK(hash("").empty());
  const std::string one = hash("sources: [\"k.cuh\"]");
  CHECK(one.size() == 16);
  test::write_text(folder.path() / "k.cuh", "two");
  CHECK(hash("sources: [\"k.cuh\"]") != one);
  CHECK_THROWS_WITH(hash("sources: [\"none.cuh\"]"), Contains("none.cuh' is not there"));
  Statement fact;
  fact.entries = {{"sources", one}, {"driver", "580"}};
  CHECK(expired(fact, {"", "", ""}).empty());
  CHECK(expired(fact, {"13.5", "580", one}).empty());
  CHECK(expired(fact, {"", "590", "x"}) == "driver 580 then, 590 now; sources " + one + " then, x now");
}
