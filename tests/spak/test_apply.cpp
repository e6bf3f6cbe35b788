// Crystallized knowledge in a system file: every other byte stays, twice is once, and nothing is overwritten.
#include "shared/spak/apply.hpp"

#include <catch2/catch.hpp>

#include "shared/base/temporary_folder.hpp"
#include "shared/spak/lint.hpp"
#include "tests/spak/synthetic.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using namespace ladder::spak;
using namespace ladder::test;
using Catch::Matchers::Contains;

namespace {

/// Slower with tile 128 by far, best with tile `best`.
Cost favouring(int best) {
  return [best](const Json& c) {
    const int tile = c["tile"].get<int>();
    return tile == best ? 100.0 : tile == 128 ? 300.0 : 120.0;
  };
}

Applied applied_to(const std::string& text, const std::vector<Trace>& traces) {
  Lab lab = lab_of(text);
  const Crystallized found = crystals_of(lab, traces);
  return apply(std::move(lab.lineage), found.proposals);
}

Applied applied_to(const std::string& text, const Cost& cost, const std::string& date = "2026-11-01",
                   const std::string& name = "traces/t.jsonl") {
  Trace trace = trace_of(lab_of(text).space(), cost, 1, {.date = date});
  trace.name = name;
  return applied_to(text, {trace});
}

const Statement& statement(const System& system, const std::string& name) {
  if (const Fact* fact = system.fact(name)) return *fact;
  for (const Rule& rule : system.rules)
    if (rule.name == name) return rule;
  FAIL("no statement " + name);
  return system.facts.front();
}

/// What is left of `text` without the lines that `before` does not have.
std::string without_new_lines(const std::string& text, const std::string& before) {
  std::string left;
  std::size_t at = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    const std::string line = text.substr(begin, end - begin);
    if (before.compare(at, line.size(), line) == 0) left += line, at += line.size();
    begin = end;
  }
  return left;
}

const char* const kOlder =
    "        // by hand\n        fact hand { source: \"a person\"; confidence: 0.9 }  // ü\n\n";

}  // namespace

TEST_CASE("proposals become facts and rules, and every other byte stays") {
  const std::string before = lab_text(kOlder);
  const Applied applied = applied_to(before, favouring(64));
  CHECK(without_new_lines(applied.text, before) == before);
  const System system = System::of(Document::parse(applied.text, "lab.spak"));
  CHECK(system.notes.empty());
  const Statement& best = statement(system, "best_L_card");
  CHECK(best.text("recommend") == "tile = 64, warps = 2, engine = 'inline'");
  CHECK(best.text("when") == "device == 'card'");
  CHECK(best.entries["winners"] == Json(8));
  CHECK(best.entries["of"] == Json(24));
  CHECK(best.text("date") == "2026-11-01");
  CHECK(best.text("toolkit") == "13.3");
  CHECK(best.text("evidence_kind") == "measured");
  CHECK(best.text("trace") == "traces/t.jsonl");
  CHECK(best.texts("evidence").size() > 1);
  CHECK(best.entries["set"] == Json{{"device", "card"}});
  REQUIRE(system.rules.size() == 1);
  REQUIRE(system.rules[0].forbids);
  CHECK(system.rules[0].forbids->text() == "tile == 128");
  CHECK(system.rules[0].when);
  // What matters is written only against a fact that denies it.
  CHECK(system.fact("matters_L_tile_card") == nullptr);
  CHECK(system.fact("dead_L_warps_card") != nullptr);
}

TEST_CASE("files of any shape take knowledge: without a section for it, on one line, at the edge of a line") {
  const std::string loop =
      "engineering_loop L { parameter tile: [32, 64, 128] parameter warps: [2, 4] measure { cmd: \"true\" "
      "metric: \"us\" objective: \"minimize\" } }";
  for (const std::string& text :
       {"system Lab { " + loop + " }", "system Lab {\n" + loop + "\n}",
        "system Lab { knowledge {} " + loop + " }",
        "system Lab { knowledge { fact a { source: \"x\" } } " + loop + " } // end",
        "system Lab {\n  knowledge {\n  fact a { criticality\n} // }\n  }\n" + loop + "\n}\n"}) {
    CAPTURE(text);
    const Applied applied = applied_to(text, favouring(64));
    const System system = System::of(Document::parse(applied.text, "lab.spak"));
    CHECK(system.notes.empty());
    CHECK(system.fact("best_L_card") != nullptr);
    CHECK(applied_to(applied.text, favouring(64)).text == applied.text);
  }
}

TEST_CASE("applied twice, nothing changes") {
  const Applied once = applied_to(lab_text(), favouring(64));
  const Applied twice = applied_to(once.text, favouring(64));
  CHECK(twice.text == once.text);
  for (const Change& change : twice.changes)
    CHECK((change.fate == Fate::known || change.fate == Fate::left_out));
}

TEST_CASE("other evidence for the same is recorded, once") {
  const Applied first = applied_to(lab_text(), favouring(64));
  const Applied second = applied_to(first.text, favouring(64), "2026-11-20", "traces/u.jsonl");
  const System system = System::of(Document::parse(second.text, "lab.spak"));
  const Statement& best = statement(system, "best_L_card");
  REQUIRE(best.entries.contains("verified"));
  CHECK(best.entries["verified"]["date"] == Json("2026-11-20"));
  CHECK(best.entries["verified"]["toolkit"] == Json("13.3"));
  CHECK(best.confidence() ==
        statement(System::of(Document::parse(first.text, "l")), "best_L_card").confidence());
  CHECK(system.fact("best_L_card_2") == nullptr);
  CHECK(applied_to(second.text, favouring(64), "2026-11-20", "traces/u.jsonl").text == second.text);
}

TEST_CASE("a fact that is contradicted stays, with half of its confidence and the newer one's name") {
  const Applied first = applied_to(lab_text(), favouring(64));
  const double before = *statement(System::of(Document::parse(first.text, "l")), "best_L_card").confidence();
  const Applied second = applied_to(first.text, favouring(32), "2026-11-20", "traces/u.jsonl");
  const System system = System::of(Document::parse(second.text, "lab.spak"));
  const Statement &old = statement(system, "best_L_card"), &newer = statement(system, "best_L_card_2");
  CHECK(old.text("recommend") == "tile = 64, warps = 2, engine = 'inline'");
  CHECK(*old.confidence() == Approx(before / 2).margin(0.001));
  CHECK(old.text("contradicted_by") == "best_L_card_2");
  CHECK(newer.text("recommend") == "tile = 32, warps = 2, engine = 'inline'");
  CHECK(newer.text("contradicted_by").empty());
  CHECK(*newer.confidence() > *old.confidence());
  CHECK(applied_to(second.text, favouring(32), "2026-11-20", "traces/u.jsonl").text == second.text);
  // The older trace again brings nothing new: it is in the file.
  CHECK(applied_to(second.text, favouring(64)).text == second.text);
}

TEST_CASE("older evidence that comes later lowers itself, not what is newer") {
  const Applied first = applied_to(lab_text(), favouring(64), "2026-11-20");
  const Applied second = applied_to(first.text, favouring(32), "2026-11-01", "traces/u.jsonl");
  const System system = System::of(Document::parse(second.text, "lab.spak"));
  CHECK(statement(system, "best_L_card").text("contradicted_by").empty());
  CHECK(statement(system, "best_L_card_2").text("contradicted_by") == "best_L_card");
  CHECK(*statement(system, "best_L_card_2").confidence() < *statement(system, "best_L_card").confidence());
}

TEST_CASE("what is within the ties of the new evidence does not contradict it") {
  const Applied first = applied_to(lab_text(), favouring(64));
  // Now tile 32 is as good as 64, and first in order.
  const Cost both = [](const Json& c) { return c["tile"] == Json(128) ? 300.0 : 100.0; };
  const Applied second = applied_to(first.text, both, "2026-11-20", "traces/u.jsonl");
  const System system = System::of(Document::parse(second.text, "lab.spak"));
  CHECK(system.fact("best_L_card_2") == nullptr);
  CHECK(statement(system, "best_L_card").text("contradicted_by").empty());
}

TEST_CASE("what people wrote is contradicted in the same way") {
  const std::string by_hand =
      "        fact hand { source: \"a person\" confidence: 0.9 recommend: \"tile = 128\" }\n"
      "        rule \"Small tiles spill\" { source: \"a person\" when: \"device == 'card'\" forbid: \"tile "
      "== 64\" }\n"
      "        rule \"Elsewhere\" { source: \"a person\" when: \"device == 'other'\" forbid: \"tile == 64\" "
      "}\n"
      "        rule \"Agrees\" { source: \"a person\" recommend: \"tile = 64 if device == 'card' else 32\" "
      "}\n";
  const Applied applied = applied_to(lab_text(by_hand), favouring(64));
  const System system = System::of(Document::parse(applied.text, "lab.spak"));
  CHECK(statement(system, "hand").entries["contradicted_by"].size() == 2);  // the best and the cliff
  CHECK(statement(system, "hand").confidence() == Approx(0.225));
  CHECK(statement(system, "Small tiles spill").text("contradicted_by") == "best_L_card");
  CHECK(statement(system, "Small tiles spill").confidence() == 0.5);
  CHECK(statement(system, "Elsewhere").text("contradicted_by").empty());
  CHECK(statement(system, "Agrees").text("contradicted_by").empty());
  CHECK(applied_to(applied.text, favouring(64)).text == applied.text);
}

TEST_CASE("an axis that was dead and now matters, and the other way round") {
  const Applied first = applied_to(lab_text(), favouring(64));
  const Cost warps = [](const Json& c) { return favouring(64)(c) * (c["warps"] == Json(2) ? 1.3 : 1); };
  const Applied second = applied_to(first.text, warps, "2026-11-20", "traces/u.jsonl");
  const System system = System::of(Document::parse(second.text, "lab.spak"));
  CHECK(statement(system, "dead_L_warps_card").text("contradicted_by") == "matters_L_warps_card");
  CHECK(system.fact("matters_L_tile_card") == nullptr);
  const Applied third = applied_to(second.text, favouring(64), "2026-11-25", "traces/v.jsonl");
  const System last = System::of(Document::parse(third.text, "lab.spak"));
  CHECK(statement(last, "matters_L_warps_card").text("contradicted_by") == "dead_L_warps_card");
}

TEST_CASE("of two toolkits in one trace the later is asked about the earlier's facts") {
  const Lab lab = lab_of(lab_text());
  Trace trace{"t.jsonl", {}, {}};
  std::mt19937 random(1);
  sweep(trace, lab.space(), favouring(64), random, {.date = "2026-11-20", .toolkit = "13.5"});
  sweep(trace, lab.space(), favouring(32), random, {.date = "2026-11-01", .toolkit = "13.3"});
  const Applied applied = applied_to(lab_text(), {trace});
  const System system = System::of(Document::parse(applied.text, "lab.spak"));
  CHECK(statement(system, "best_L_card").text("toolkit") == "13.3");
  CHECK(statement(system, "best_L_card").text("contradicted_by") == "best_L_card_2");
  CHECK(statement(system, "best_L_card_2").text("toolkit") == "13.5");
}

TEST_CASE("a parent's fact that is contradicted stays as it is, and is told") {
  Lab lab = lab_of(lab_text());
  lab.lineage.push_back(System::of(Document::parse(
      "system Parent { knowledge { fact wide { source: \"x\" recommend: \"tile = 128\" } } }", "p.spak")));
  const Crystallized found = crystals_of(lab, {trace_of(lab.space(), favouring(64))});
  const Applied applied = apply(std::move(lab.lineage), found.proposals);
  std::vector<std::string> beside;
  for (const Change& change : applied.changes)
    beside.insert(beside.end(), change.beside.begin(), change.beside.end());
  CHECK(beside == std::vector<std::string>{"'wide' of Parent", "'wide' of Parent"});
}

TEST_CASE("check has no doubts about what was written") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "traces");
  const auto trace_file = folder.path() / "traces/t.jsonl", file = folder.path() / "lab.spak";
  // Without any situation the rule forbids its value wherever it is asked.
  Lab lab = lab_of(lab_text());
  Trace trace = trace_of(lab.space(), favouring(64), 1, {.set = Json::object()});
  append_items(trace_file, trace.items);
  test::write_text(file, lab_text());
  std::vector<System> lineage = read_lineage(file);
  const Space space = space_of(lineage.front(), lineage.front().loops.front());
  const std::vector<Trace> traces = {read_trace(trace_file)};
  const EvidenceWanted wanted{space, lineage.front().loops.front(), "Lab"};
  const Crystallized found = crystallize(wanted, evidence_of(wanted, traces), folder.path());
  const Applied applied = apply(read_lineage(file), found.proposals);
  test::write_text(file, applied.text);
  lineage = read_lineage(file);
  REQUIRE(lineage.front().facts.size() >= 2);
  CHECK(lineage.front().facts[0].texts("evidence")[0].starts_with("traces/t.jsonl:"));
  std::string doubts;
  for (const Lint& lint : lints_of(lineage, folder.path())) doubts += lint.text + "\n";
  CHECK(doubts == "");
}

TEST_CASE("settings and values with quotation marks, blanks and signs survive the writing") {
  const std::string parameters =
      "parameter engine: [\"it's\", \"a \\\"b\\\"\", '\\\\'] parameter rate: [-2, 1e-4, 0.5] ";
  const std::string text = lab_text("", parameters);
  const Lab lab = lab_of(text);
  const Cost cost = [](const Json& c) {
    return c["engine"] == Json("it's") && c["rate"] == Json(1e-4) ? 50.0 : 100.0;
  };
  const Trace trace =
      trace_of(lab.space(), cost, 1, {.set = Json{{"device", "Tesla \"X\" 'y' \\z"}, {"rows", 3}}});
  const Applied applied = applied_to(text, {trace});
  const System system = System::of(Document::parse(applied.text, "lab.spak"));
  REQUIRE(system.facts.size() >= 1);
  const Statement& best = system.facts[0];
  CHECK(best.text("device") == "Tesla \"X\" 'y' \\z");
  CHECK(best.entries["set"] == trace.items[0]["set"]);
  REQUIRE(assignments_in(best.text("recommend")).size() == 2);
  REQUIRE(expression_in(best.text("when")));
  CHECK(applied_to(applied.text, {trace}).text == applied.text);
}

TEST_CASE("a file with each construct of the language keeps all of them") {
  const auto file = std::filesystem::path(LADDER_SOURCE_DIR) / "tests/spak/corpus/everything.spak";
  const std::string before = test::text_of(file);
  Proposal proposal;
  proposal.name = "best_Tuner";
  proposal.loop = "Tuner";
  proposal.recommend = "Tile = 64";
  proposal.winners = {Json{{"Tile", 64}, {"Warps", 4}}};
  proposal.winning = 1;
  proposal.evidence = {"everything.spak:1"};
  const Applied applied = apply(read_lineage(file), {proposal});
  CHECK(applied.changes[0].fate == Fate::added);
  CHECK(without_new_lines(applied.text, before) == before);
  const System system = System::of(Document::parse(applied.text, file.string()));
  CHECK(system.facts.size() == 4);
  CHECK(system.fact("best_Tuner")->entries["evidence"] == Json::array({"everything.spak:1"}));
}
