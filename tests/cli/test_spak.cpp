// ladder spak as a user calls it: what is shown and checked, sweeps that fail, hang, lie and are interrupted, bad input.
#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <chrono>

#include "shared/base/json.hpp"
#include "shared/base/process.hpp"
#include "shared/spak/trace.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

const fs::path kCorpus = fs::path(LADDER_SOURCE_DIR) / "tests/spak/corpus";

/// A folder with a system and a program that it measures: tile 16 does not compile, 256 hangs, 512 is wrong.
struct Workshop {
  TemporaryFolder folder;

  explicit Workshop(const std::string& command = "./kernel.sh {{tile}} {{warps}}",
                    const std::string& tiles = "16, 32, 64, 256, 512") {
    write("kernel.sh",
          "#!/bin/sh\n"
          "case \"$1\" in\n"
          "  16) echo 'error: a tile of 16' >&2; exit 3;;\n"
          "  256) sleep 60;;\n"
          "  512) echo '__SPAK_TRACE__ {\"type\": \"Performance\", \"passed\": false, \"tflops\": 9999}'; "
          "exit 0;;\n"
          "esac\n"
          "test -e slow && sleep 0.2\n"
          "echo \"__SPAK_TRACE__ {\\\"type\\\": \\\"Performance\\\", \\\"passed\\\": true, \\\"tflops\\\": "
          "$(( $1 * $2 ))}\"\n");
    chmod((folder / "kernel.sh").c_str(), 0755);
    write("s.spak",
          "system S {\n knowledge { rule \"Eight warps spill\" { when: \"device == 'H200'\" forbid: \"warps "
          "== 8 && tile == 64\" } }\n"
          " engineering_loop L {\n  parameter tile: [" +
              tiles +
              "]\n  parameter warps: [4, 8]\n"
              "  measure { cmd: \"" +
              command + "\" metric: \"tflops\" objective: \"maximize\" }\n }\n}\n");
  }
  void write(const std::string& name, const std::string& text) const {
    test::write_text(folder / name, text);
  }
  test::Outcome call(std::vector<std::string> words) const {
    words.insert(words.begin(), "spak");
    return test::run_program(folder.path(), words);
  }
  std::vector<Json> trace(const std::string& name = "traces/L.jsonl") const {
    return spak::read_trace(folder / name).items;
  }
};

int count(const std::vector<Json>& items, const std::string& outcome) {
  int found = 0;
  for (const Json& item : items) found += item["outcome"] == Json(outcome) ? 1 : 0;
  return found;
}

}  // namespace

TEST_CASE("show prints a system with its doubts as notes; check fails on doubts and contradictions") {
  const TemporaryFolder folder;
  const auto call = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"spak", words[0], (kCorpus / "everything.spak").string()});
    words.erase(words.begin() + 3);
    return test::run_program(folder.path(), words);
  };
  const test::Outcome shown = call({"show", "--json", "show.json"});
  CHECK(shown.code == 0);
  for (const char* part : {"system Row_Sums_v1 < Parent", "attention.engine: Tiles.fmha, inline",
                           "0.95  best_tile", "0.90  Memory", "Engineering loop Tuner: maximize tflops",
                           "[ ] 단계", "unknown section 'future work'"})
    CHECK_THAT(shown.out, Contains(part));
  CHECK(Json::parse(test::text_of(folder / "show.json"))["systems"].size() == 2);
  const test::Outcome held =
      call({"check", "--set", "num_heads=12", "num_head_kv=4", "--json", "check.json"});
  CHECK(held.code == 1);
  CHECK_THAT(held.out, Contains("invariant 'Heads': holds"));
  const test::Outcome broken = call({"check", "--set", "num_heads=12", "num_head_kv=5"});
  CHECK(broken.code == 1);
  CHECK_THAT(broken.err, Contains("invariant 'Heads' does not hold: num_heads % num_head_kv == 0"));
}

TEST_CASE("check asks predicates and rules about the items of a trace") {
  const TemporaryFolder folder;
  test::write_text(folder / "s.spak",
                   "system S { knowledge {\n fact slow(t: T.Performance) { return t.speedup < 0.5 }\n"
                   " rule \"Fuse\" { when: \"slow && operation == 'rows'\" recommend: \"scheme = 'online'\" "
                   "source: \"measured\" } } }\n");
  test::write_text(
      folder / "t.jsonl",
      "{\"type\": \"Performance\", \"id\": \"p-1\", \"speedup\": 0.2, \"operation\": \"rows\"}\n"
      "{\"type\": \"Performance\", \"speedup\": 0.9, \"operation\": \"rows\"}\n{\"type\": \"Insight\"}\n");
  const test::Outcome checked =
      test::run_program(folder.path(), {"spak", "check", "s.spak", "--trace", "t.jsonl"});
  CHECK(checked.code == 0);
  CHECK_THAT(checked.out, Contains("predicate 'slow': holds for 1 of 2 items (p-1)"));
  CHECK_THAT(checked.out,
             Contains("rule 'Fuse': holds for 1 of 2 items (p-1)") && Contains("-> scheme = \"online\""));
  CHECK_THAT(test::run_program(folder.path(), {"spak", "check", "s.spak"}).out,
             Contains("predicate 'slow': no item") && Contains("rule 'Fuse': open: no value for"));
}

TEST_CASE("a sweep keeps what compiles not, hangs and is wrong, and tells which rule took which point") {
  const Workshop workshop;
  const test::Outcome swept =
      workshop.call({"tune", "s.spak", "--set", "device=H200", "--time-limit", "0.5"});
  CHECK(swept.code == 0);
  CHECK_THAT(
      swept.out,
      Contains("10 points\n  - 1 by rule 'Eight warps spill': warps == 8 && tile == 64\n  9 are left"));
  CHECK_THAT(swept.out,
             Contains("best: tflops 256 at tile 32, warps 8") && Contains("9 points, 6 of them failed"));
  const auto items = workshop.trace();
  REQUIRE(items.size() == 9);
  CHECK(count(items, "measured") == 3);
  CHECK(count(items, "failure") == 2);
  CHECK(count(items, "timeout") == 2);
  CHECK(count(items, "wrong result") == 2);
  CHECK(items[0]["reason"] == Json("exit code 3: error: a tile of 16"));
  // Again, nothing is measured twice; without the setting, another situation is.
  const test::Outcome again = workshop.call({"tune", "s.spak", "--set", "device=H200"});
  CHECK_THAT(again.out, Contains("9 points are in traces/L.jsonl already"));
  CHECK(workshop.trace().size() == 9);
  const test::Outcome replayed =
      workshop.call({"tune", "s.spak", "--set", "device=H200", "--replay", "traces/L.jsonl", "--strategy",
                     "local", "--seeds", "30", "--json", "r.json"});
  CHECK(replayed.code == 0);
  const Json json = Json::parse(test::text_of(workshop.folder / "r.json"));
  CHECK(json["needed"].size() == 30);
  CHECK(json["recorded"] == Json(9));
}

TEST_CASE("a sweep that is interrupted or killed goes on where it was, and leaves no program behind") {
  for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
    const Workshop workshop("./kernel.sh {{tile}} {{warps}}", "32, 40, 48, 56, 64, 72, 80, 88");
    workshop.write("slow", "");
    test::Program program(workshop.folder.path(), {"spak", "tune", "s.spak"});
    const fs::path trace = workshop.folder / "traces" / "L.jsonl";
    REQUIRE(program.wait_until([&] { return fs::exists(trace) && workshop.trace().size() >= 3; }));
    program.send(signal);
    const test::Outcome ended = program.wait();
    CHECK(ended.signal == signal);
    if (signal != SIGKILL) CHECK_THAT(ended.err, Contains("what was measured is in traces/L.jsonl"));
    const std::size_t before = workshop.trace().size();
    CHECK(before < 16);
    fs::remove(workshop.folder / "slow");
    const test::Outcome resumed = workshop.call({"tune", "s.spak"});
    CHECK(resumed.code == 0);
    CHECK_THAT(resumed.out, Contains(std::to_string(before) + " points are in traces/L.jsonl already"));
    CHECK(workshop.trace().size() == 16);
  }
}

TEST_CASE("shares of a sweep run side by side and are merged without duplicates") {
  const Workshop workshop;
  for (const char* share : {"1/2", "2/2"})
    CHECK(workshop.call({"tune", "s.spak", "--shard", share, "--time-limit", "0.5"}).code == 0);
  for (int i = 0; i < 2; ++i) {
    const test::Outcome merged = workshop.call(
        {"ingest", "traces/L.1-of-2.jsonl", "traces/L.2-of-2.jsonl", "--into", "traces/L.jsonl"});
    CHECK(merged.code == 0);
    CHECK_THAT(merged.out, Contains(i == 0 ? "10 items added"
                                           : "0 items added to traces/L.jsonl, 10 were in it already"));
  }
  CHECK(workshop.trace()[9]["id"] == Json("L-0010"));
  CHECK_THAT(workshop.call({"tune", "s.spak"}).out, Contains("10 points are in traces/L.jsonl already"));
}

TEST_CASE("two processes of Open MPI share a sweep") {
  if (output_of({"mpirun", "--version"}).empty()) {
    WARN("no mpirun: the launcher's variables are tested without it (test_tune)");
    return;
  }
  const Workshop workshop;
  const std::string script =
      "cd \"$0\" && OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
      "mpirun --oversubscribe -n 2 \"$1\" spak tune s.spak --time-limit 0.5";
  output_of({"sh", "-c", script, workshop.folder.path().string(), LADDER_PROGRAM});
  CHECK(workshop.trace("traces/L.1-of-2.jsonl").size() == 5);
  CHECK(workshop.trace("traces/L.2-of-2.jsonl").size() == 5);
}

TEST_CASE("bad input to spak: one line, exit code 2, and traces stay as they were") {
  const Workshop workshop;
  workshop.write("traces.jsonl", "{\"type\": \"A\"}\noops\n{\"type\": \"A\"}\n");
  const std::string before = test::text_of(workshop.folder / "traces.jsonl");
  workshop.write("cycle.spak", "---\ninherits: cycle.spak\n---\nsystem C { }\n");
  workshop.write(
      "empty.spak",
      "system E { engineering_loop L { parameter t: [] measure { cmd: \"x\" metric: \"us\" } } }\n");
  std::string million = "system M { engineering_loop L { ";
  for (int i = 0; i < 7; ++i)
    million += "parameter p" + std::to_string(i) + ": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] ";
  workshop.write("million.spak", million + "measure { cmd: \"true\" metric: \"us\" } } }\n");
  workshop.write("asks.spak",
                 "system A { engineering_loop L { parameter t: [1] measure { cmd: \"k {{tile}}\" metric: "
                 "\"us\" } } }\n");
  workshop.write(
      "silent.spak",
      "system A { engineering_loop L { parameter t: [1] measure { cmd: \"true\" metric: \"us\" } } }\n");
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"show", "none.spak"}, "none.spak: cannot be read"},
      {{"show", "kernel.sh"}, "kernel.sh:1:1: expected `system NAME {`"},
      {{"show", "/dev/zero"}, "/dev/zero"},
      {{"show", "cycle.spak"}, "comes back in its line of parents"},
      {{"check", "s.spak", "--set", "x"}, "--set x: a name, =, and its value"},
      {{"check", "s.spak", "--trace", "traces.jsonl"}, "traces.jsonl:2: is not a JSON object"},
      {{"check", "s.spak", "--json", "s.spak"}, "s.spak"},
      {{"tune", "s.spak", "--loop", "M"}, "has no engineering_loop 'M' (it has L)"},
      {{"tune", "cycle.spak"}, "comes back"},
      {{"tune", "empty.spak"}, "empty.spak:1:12: parameter 't' has no values"},
      {{"tune", "million.spak"}, "10000000 points, which take up to"},
      {{"tune", "asks.spak"}, "asks for {{tile}}, which is no parameter"},
      {{"tune", "silent.spak"}, "printed no __SPAK_TRACE__ item with 'us'"},
      {{"tune", "s.spak", "--shard", "3/2"}, "--shard 3/2"},
      {{"tune", "s.spak", "--out", "traces.jsonl"}, "traces.jsonl:2"},
      {{"tune", "s.spak", "--budget", "0"}, "--budget 0"},
      {{"tune", "s.spak", "--replay", "traces.jsonl"}, "traces.jsonl:2"},
      {{"tune", "s.spak", "--strategy", "best"}, "best"},
      {{"ingest", "traces.jsonl", "--into", "new.jsonl"}, "traces.jsonl:2"},
      {{"ingest", "s.spak", "--into", "new.jsonl"}, "s.spak:1"},
      {{"ingest", "traces.jsonl", "--into", "new.txt"}, "ends in .jsonl"},
      {{"wish", "s.spak"}, "there is no command 'wish'"},
  };
  for (const auto& [words, wanted] : cases) {
    CAPTURE(words);
    const test::Outcome outcome = workshop.call(words);
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains(wanted));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  }
  CHECK(test::text_of(workshop.folder / "traces.jsonl") == before);
  CHECK_FALSE(fs::exists(workshop.folder / "new.jsonl"));
}

TEST_CASE("a shell's characters in a value reach the program as they are") {
  const Workshop workshop("./kernel.sh {{tile}} {{warps}} {{note}}");
  workshop.write("kernel.sh",
                 "#!/bin/sh\nprintf '%s|' \"$@\" > words\necho '__SPAK_TRACE__ {\"type\": \"Performance\", "
                 "\"tflops\": 1}'\n");
  CHECK(workshop
            .call({"tune", "s.spak", "--budget", "1", "--set",
                   "note=$(touch hit); `touch hit` && touch hit | 'x y\""})
            .code == 0);
  CHECK(test::text_of(workshop.folder / "words") == "16|4|$(touch hit); `touch hit` && touch hit | 'x y\"|");
  CHECK_FALSE(fs::exists(workshop.folder / "hit"));
}
