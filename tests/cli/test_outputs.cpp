// What a call leaves: standard output that is full, closed or not read; outputs that fail, each on its own.
#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "shared/base/json.hpp"
#include "tests/support/refused.hpp"

using namespace ladder;
using Catch::Matchers::Contains;
using test::entries;

namespace {

std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> result(1);
  for (const char c : line)
    if (c == ' ')
      result.emplace_back();
    else
      result.back() += c;
  return result;
}

/// What a process does with its standard output before the program begins.
struct Stdout {
  const char* name;
  std::function<void()> set;
  bool told;  ///< with exit code 3
};

const std::vector<Stdout> kBroken = {
    {"full", [] { ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO); }, true},
    {"closed", [] { ::close(STDOUT_FILENO); }, true},
    {"not read",
     [] {
       std::array<int, 2> ends{};
       if (::pipe(ends.data()) != 0) ::_exit(126);
       ::dup2(ends[1], STDOUT_FILENO);
       ::close(ends[0]);
       ::close(ends[1]);
     },
     false},
};

bool is_json(const std::filesystem::path& file) { return Json::parse(test::text_of(file)).is_object(); }

/// A folder with a trained model.
struct Trained : TemporaryFolder {
  Trained() {
    REQUIRE(test::run_program(path(), words("train --steps 2 --checkpoint run")).code == 0);
    test::write_text(*this / "text", "some text, in some lines\nand more\n");
  }
};

}  // namespace

TEST_CASE(
    "standard output that takes nothing is exit code 3, or quiet where its reader has gone; JSON is "
    "written") {
  const Trained folder;
  for (const Stdout& out : kBroken)
    for (const std::string call :
         {"--help", "info --json j.json", "logits --weights run --tokens 0,1 --json j.json",
          "sample --weights run --num-samples 20 --json j.json",
          "graph a*b --values a=1,b=2 -o g.dot --json j.json", "tile-trace matmul --json j.json",
          "probe --weights run --tokens 0,1 --out p.st", "prepare text --out tokens --json j.json",
          "train --steps 3 --json j.json", "tables --check --help",
          "compare run --max-tokens 2 --json j.json"}) {
      std::filesystem::remove(folder / "j.json");
      const test::Outcome outcome = test::run_program(folder.path(), words(call), out.set);
      INFO(call << ", standard output " << out.name << ": " << outcome.err);
      CHECK(outcome.code == (out.told ? 3 : 0));
      if (out.told)
        CHECK_THAT(outcome.err, Contains("standard output") && Catch::Matchers::StartsWith("ladder: "));
      CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == (out.told ? 1 : 0));
      if (call.find("--json") != std::string::npos) CHECK(is_json(folder / "j.json"));
    }
}

TEST_CASE("a long run is trained and saved in full, whatever becomes of its standard output") {
  const TemporaryFolder folder;
  const std::string call = "train --stage 1 --dtype fp64 --steps 300 --threads 1 ";
  REQUIRE(test::run_program(folder.path(), words(call + "--trace whole.json --save-weights whole.st")).code ==
          0);
  const Json whole = Json::parse(test::text_of(folder / "whole.json"));
  for (const Stdout& out : kBroken) {
    INFO(out.name);
    const test::Outcome outcome = test::run_program(
        folder.path(), words(call + "--trace t.json --save-weights w.st --json j.json --json-lines l"),
        out.set);
    CHECK(outcome.code == (out.told ? 3 : 0));
    const Json trace = Json::parse(test::text_of(folder / "t.json"));
    CHECK(trace.at("loss") == whole.at("loss"));
    CHECK(trace.at("samples") == whole.at("samples"));
    CHECK(test::text_of(folder / "w.st") == test::text_of(folder / "whole.st"));
    CHECK(is_json(folder / "j.json"));
  }
}

TEST_CASE("texts and numbers without an end stop where nobody can read on") {
  const Trained folder;
  REQUIRE(test::run_program(folder.path(), words("train --preset tiny --steps 1 --checkpoint stream")).code ==
          0);
  for (const Stdout& out : kBroken)
    CHECK(test::run_program(folder.path(), words("sample --weights stream --max-tokens 2000000000"), out.set)
              .code == (out.told ? 3 : 0));
}

TEST_CASE("a closed standard stream's number is not taken by a file of the program") {
  const TemporaryFolder folder;
  for (const auto& [name, number] :
       {std::pair("out", STDOUT_FILENO), std::pair("err", STDERR_FILENO), std::pair("in", STDIN_FILENO)}) {
    test::run_program(folder.path(), {"train", "--steps", "3", "--save-weights", name},
                      [closed = number] { ::close(closed); });
    CHECK(test::run_program(folder.path(), {"logits", "--weights", name, "--tokens", "0"}).code == 0);
  }
  for (const char* target : {"/dev/full", ""}) {
    const test::Outcome outcome =
        test::run_program(folder.path(), words("train --steps 3 --block-size 3 --json j.json"), [&] {
          if (*target == '\0')
            ::close(STDERR_FILENO);
          else
            ::dup2(::open(target, O_WRONLY), STDERR_FILENO);
        });
    CHECK(outcome.code == 0);  // a notice that nobody sees
    CHECK(is_json(folder / "j.json"));
  }
}

TEST_CASE("each output of a run is tried on its own: one that fails is named, the others are written") {
  const std::vector<std::pair<std::string, std::string>> outputs = {
      {"--save-weights", "w.st"}, {"--trace", "t.json"}, {"--json", "j.json"}, {"--json-lines", "l"}};
  for (const auto& [failing, unused] : outputs) {
    const TemporaryFolder folder;
    std::vector<std::string> call = words("train --steps 3 --checkpoint run");
    for (const auto& [flag, file] : outputs)
      call.insert(call.end(), {flag, flag == failing ? "/dev/full" : file});
    const test::Outcome outcome = test::run_program(folder.path(), call);
    INFO(failing << ": " << outcome.err);
    CHECK(outcome.code == 3);
    CHECK_THAT(outcome.err, Contains("/dev/full: writing failed (No space left on device)"));
    CHECK_THAT(outcome.out, Contains("sample  1:"));
    for (const auto& [flag, file] : outputs) CHECK((flag == failing || exists(folder / file)));
    CHECK(exists(folder / "run/checkpoint.safetensors"));
    CHECK(entries(folder.path()) == 5);
  }
}

TEST_CASE("a file beyond the limit of its size is one output that fails, not the end of the call") {
  const TemporaryFolder folder;
  const test::Outcome outcome = test::run_program(
      folder.path(), words("train --steps 3 --save-weights w.st --checkpoint run --json j.json"), [] {
        const rlimit limit{8192, 8192};
        ::setrlimit(RLIMIT_FSIZE, &limit);
      });
  CHECK(outcome.code == 3);
  CHECK_THAT(outcome.err, Contains("w.st: writing failed (File too large)") &&
                              Contains("checkpoint.safetensors: writing"));
  CHECK(is_json(folder / "j.json"));
  CHECK(entries(folder.path()) == 1);  // the checkpoint's folder was new and stayed empty
}

TEST_CASE("the other commands write what they can, too") {
  const Trained folder;
  struct Case {
    std::string call;
    const char* written;
  };
  for (const Case& one : std::vector<Case>{
           {"climb --steps 20 --interpreter-steps 0 --rounds 1 --json /dev/full", "ladder-report.html"},
           {"climb --steps 20 --interpreter-steps 0 --rounds 1 --report /dev/full --json c.json", "c.json"},
           {"tile-trace matmul --brief --json /dev/full -o t.svg", "t.svg"},
           {"tile-trace matmul --brief -o /dev/full --json t.json", "t.json"},
           {"graph a*b --values a=1,b=2 -o g.dot --json /dev/full", "g.dot"},
           {"crossover --sizes micro --rounds 1 --patience 0.001 -o /dev/full --json x.json", "x.json"}}) {
    const test::Outcome outcome = test::run_program(folder.path(), words(one.call));
    INFO(one.call << ": " << outcome.err);
    CHECK(outcome.code == 3);
    CHECK_THAT(outcome.err, Contains("/dev/full: writing failed (No space left on device)"));
    CHECK(exists(folder / one.written));
  }
}

TEST_CASE("a place for temporary files that is none is told before any work") {
  for (const std::string call : {"climb", "parity", "speedup", "crossover", "checklist", "compare run"}) {
    const Trained folder;
    const std::size_t before = entries(folder.path());
    for (const char* place : {"/nonexist", "/proc", "text"}) {
      const test::Outcome outcome =
          test::run_program(folder.path(), words(call), [&] { ::setenv("TMPDIR", place, 1); });
      INFO(call << ": " << outcome.out << outcome.err);
      CHECK(outcome.code == 3);
      CHECK(outcome.out.empty());
      CHECK_THAT(outcome.err, Contains(place) && Contains("TMPDIR"));
      CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
      CHECK(entries(folder.path()) == before);
    }
  }
}
