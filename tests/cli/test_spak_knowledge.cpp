// ladder spak crystallize, recommend and verify as a user calls them: what is written, and the exit codes.
#include <fmt/core.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>

#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;
using test::Outcome;
using test::run_program;
using test::text_of;
using test::write_text;
namespace fs = std::filesystem;

namespace {

/// A program that prints nine times for a point, shorter than it runs by far: what the file base.TILE says, else 10.
const char* const kProgram =
    "#!/bin/sh\n"
    "base=$(cat base.$1 2>/dev/null || echo 10)\n"
    "for i in 1 2 3 4 5 6 7 8 9; do\n"
    "  echo \"__SPAK_TRACE__ {\\\"type\\\": \\\"Performance\\\", \\\"us\\\": $base.$i, \\\"device\\\": "
    "\\\"card\\\", \\\"toolkit\\\": "
    "\\\"$(cat toolkit)\\\"}\"\n"
    "done\n";

const char* const kSystem =
    "// kept: ü\nsystem Lab {\n"
    "    engineering_loop L {\n"
    "        parameter tile: [32, 64, 128]\n        parameter warps: [2, 4, 8]\n"
    "        sources: [\"program.sh\"]\n"
    "        measure { cmd: \"sh program.sh {{tile}}\" metric: \"us\" objective: \"minimize\" }\n    }\n}\n";

/// A folder with the system, its program and a trace of all points.
class Lab {
 public:
  Lab() {
    write_text(path() / "program.sh", kProgram);
    write_text(path() / "lab.spak", kSystem);
    write_text(path() / "toolkit", "13.3");
    write_text(path() / "base.64", "8");
    write_text(path() / "base.128", "30");
    const Outcome outcome = run({"tune", "lab.spak"});
    REQUIRE(outcome.code == 0);
  }
  const fs::path& path() const { return folder_.path(); }
  std::string system() const { return text_of(path() / "lab.spak"); }
  Outcome run(std::vector<std::string> words) const {
    words.insert(words.begin(), "spak");
    Outcome outcome = run_program(path(), words);
    UNSCOPED_INFO(outcome.out << outcome.err);
    return outcome;
  }
  Outcome crystallize(std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"crystallize", "lab.spak", "--loop", "L", "--trace", "traces/L.jsonl"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }

 private:
  TemporaryFolder folder_;
};

/// Of the programs that have ended: processor time of all, the largest memory of one.
struct Usage {
  double seconds, mib;
};
Usage children_usage() {
  rusage usage = {};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return {seconds(usage.ru_utime) + seconds(usage.ru_stime), static_cast<double>(usage.ru_maxrss) / 1024};
}

}  // namespace

TEST_CASE("a sweep is crystallized, applied, recommended from and pruned by") {
  const Lab lab;
  Outcome outcome = lab.crystallize({"--json", "found.json"});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("9 items in 1 situations") && Contains("fact 'best_L_card': added") &&
                              Contains("nothing is written without --apply"));
  CHECK_THAT(text_of(lab.path() / "found.json"),
             Contains("ladder-spak-crystallize/1") && Contains("tile = 64, warps = 2"));
  CHECK(lab.system() == kSystem);

  CHECK(lab.crystallize({"--apply"}).code == 0);
  const std::string applied = lab.system();
  CHECK_THAT(applied,
             Contains("// kept: ü") && Contains("fact best_L_card {") && Contains("forbid: \"tile == 128\""));
  outcome = lab.crystallize({"--apply"});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("the file knows it all already"));
  CHECK(lab.system() == applied);
  CHECK(lab.run({"check", "lab.spak"}).code == 0);

  outcome = lab.run({"recommend", "lab.spak", "--set", "device=card", "--json", "r.json"});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("tile = 64\n    fact 'best_L_card' (0.") && Contains("traces/L.jsonl:4") &&
                              Contains("Forbidden here\n  tile == 128"));
  CHECK_THAT(text_of(lab.path() / "r.json"), Contains("ladder-spak-recommend/1") && Contains("best_L_card"));
  outcome = lab.run({"recommend", "lab.spak"});
  CHECK_THAT(outcome.out, Contains("nothing speaks of it") && Contains("Not asked, for want of\n  device"));
  CHECK(lab.run({"recommend", "lab.spak", "--set", "device=card", "tile=128"}).code == 1);
  CHECK_THAT(lab.run({"tune", "lab.spak", "--dry-run", "--set", "device=card"}).out, Contains("6 are left"));
}

TEST_CASE("verify measures what decides, and marks what no longer holds") {
  const Lab lab;
  REQUIRE(lab.crystallize({"--apply"}).code == 0);
  Outcome outcome = lab.run({"verify", "lab.spak", "--set", "device=card", "--repeats", "1", "--apply"});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("holds    'best_L_card'"));
  CHECK(fs::exists(lab.path() / "traces/L.verify.jsonl"));
  CHECK_THAT(lab.system(), Contains("verified: { date: "));
  // Facts of another device are not asked for.
  outcome = lab.run({"verify", "lab.spak", "--set", "device=other"});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("no crystallized fact or rule"));

  // A new toolkit: expired until it is measured again. A trace without an item of the loop decides nothing.
  write_text(lab.path() / "other.jsonl", "{\"type\": \"Insight\"}\n");
  outcome = lab.run({"verify", "lab.spak", "--trace", "other.jsonl", "--set", "toolkit=13.5"});
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.out, Contains("expired  'best_L_card': toolkit 13.3 then, 13.5 now"));
  // Another text of the kernel does the same.
  write_text(lab.path() / "program.sh", std::string(kProgram) + "# changed\n");
  outcome = lab.run({"verify", "lab.spak", "--trace", "other.jsonl"});
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.out, Contains("expired  'best_L_card': sources"));

  write_text(lab.path() / "base.64", "20");
  outcome = lab.run(
      {"verify", "lab.spak", "--set", "device=card", "--repeats", "1", "--apply", "--json", "v.json"});
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.out, Contains("refuted  'best_L_card': tile = 32, warps = 2 costs 1.95 times less"));
  CHECK_THAT(lab.system(), Contains("refuted: { date: "));
  CHECK_THAT(text_of(lab.path() / "v.json"), Contains("ladder-spak-verify/1") && Contains("refuted"));
}

TEST_CASE("what contradicts is told and stays") {
  const Lab lab;
  REQUIRE(lab.crystallize({"--apply"}).code == 0);
  write_text(lab.path() / "base.32", "5");
  fs::remove(lab.path() / "traces/L.jsonl");
  REQUIRE(lab.run({"tune", "lab.spak"}).code == 0);
  fs::rename(lab.path() / "traces/L.jsonl", lab.path() / "traces/later.jsonl");
  const Outcome outcome = lab.run(
      {"crystallize", "lab.spak", "--trace", "traces/later.jsonl", "--set", "device=card", "--apply"});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("contradicts 'best_L_card', whose confidence is halved"));
  CHECK_THAT(lab.system(), Contains("contradicted_by: \"best_L_card_2\""));
}

TEST_CASE("a trace of 100,000 items takes less than 10 s and 1 GiB") {
  const TemporaryFolder folder;
  write_text(folder.path() / "lab.spak",
             "system Lab { engineering_loop L { parameter a: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] parameter b: [0, "
             "1, 2, 3, 4, 5, "
             "6, 7, 8, 9] parameter c: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] measure { metric: \"us\" } } }\n");
  std::string trace;
  for (int i = 0; i < 100'000; ++i) {
    const int a = i / 100 % 10, b = i / 10 % 10, c = i % 10;
    const int us = 1000 + 100 * a + i % 7;
    trace += fmt::format(
        R"({{"type": "Performance", "system": "Lab", "loop": "L", "configuration": {{"a": {}, "b": {}, "c": {}}}, )"
        R"("set": {{"rows": {}}}, "device": "card", "toolkit": "13.5.37", "driver": "580.159.04", )"
        R"("outcome": "measured", "us": {}, "us_low": {}.0, "us_high": {}.9, "samples": 9, "seconds": 1.5, )"
        R"("evidence": "measured", "when": "2026-11-28T10:00:00Z"}})"
        "\n",
        a, b, c, i / 1000, us, us, us);
  }
  write_text(folder.path() / "t.jsonl", trace);
  const auto before = children_usage();
  const Outcome outcome =
      run_program(folder.path(), {"spak", "crystallize", "lab.spak", "--trace", "t.jsonl", "--apply"});
  const auto after = children_usage();
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("100000 items in 100 situations"));
  // Processor time: what else the machine does is not the program's.
  CHECK(after.seconds - before.seconds < 10);
  CHECK(after.mib < 1024);
}

TEST_CASE("bad calls are one line and code 2, and leave the file as it is") {
  const Lab lab;
  write_text(lab.path() / "other.jsonl", "{\"type\": \"Insight\"}\n");
  write_text(lab.path() / "broken.jsonl", "{\"type\": \"Insight\"}\n{\"type\": \n");
  const auto refused = [&](const std::vector<std::string>& words, const std::string& message) {
    const Outcome outcome = lab.run(words);
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains(message));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  };
  refused({"crystallize", "lab.spak", "--apply"}, "--trace FILE is needed");
  refused({"crystallize", "lab.spak", "--trace", "other.jsonl", "--apply"}, "no item of the loop");
  refused({"crystallize", "lab.spak", "--trace", "broken.jsonl", "--apply"}, "broken.jsonl:2");
  refused({"crystallize", "lab.spak", "--trace", "traces/L.jsonl", "--set", "device=nothing"},
          "no item of the loop");
  refused({"crystallize", "lab.spak", "--trace", "traces/L.jsonl", "--loop", "M"},
          "has no engineering_loop 'M'");
  refused({"crystallize", "lab.spak", "--trace", "traces/L.jsonl", "--json", "lab.spak"}, "lab.spak");
  refused({"recommend", "lab.spak", "--loop", "M"}, "has no engineering_loop 'M'");
  refused({"recommend", "none.spak"}, "none.spak");
  refused({"verify", "lab.spak", "--repeats", "0"}, "--repeats 0");
  refused({"verify", "lab.spak", "--trace", "traces/L.jsonl", "--out", "x"}, "--out does not go with it");
  fs::rename(lab.path() / "program.sh", lab.path() / "gone.sh");
  refused({"recommend", "lab.spak"}, "the loop's source 'program.sh' is not there");
  CHECK(lab.system() == kSystem);
}
