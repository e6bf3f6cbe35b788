// Names of files that are no text: they work everywhere, and are shown and kept escaped.
#include <catch2/catch.hpp>

#include "shared/base/escape.hpp"
#include "shared/base/json.hpp"
#include "shared/base/utf8.hpp"
#include "tests/support/refused.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

const std::vector<std::string> kNames = {"caf\xe9",        "a\nb",     "esc\x1b[31m",
                                         "back\\xe9slash", "\xc2\x9b", "na\xc3\xafve"};

bool is_shown_well(const test::Outcome& outcome) {
  const std::string all = outcome.out + outcome.err;
  return valid_utf8_length(all) == all.size() && all.find('\x1b') == std::string::npos;
}

Json json_of(const std::filesystem::path& file) { return Json::parse(test::text_of(file)); }

}  // namespace

TEST_CASE("a run's files may have any name, and a resumed run finds its data again") {
  for (const std::string& name : kNames) {
    const TemporaryFolder folder;
    test::write_text(folder / (name + ".txt"), "ann\nbob\ncarl\n");
    const std::vector<std::string> outputs = {"--json",        name + ".json", "--trace",
                                              name + ".trace", "--json-lines", name + ".lines"};
    std::vector<std::string> call = {"train",      "--steps",        "20",
                                     "--data",     name + ".txt",    "--checkpoint",
                                     name + ".ck", "--save-weights", name + ".st"};
    call.insert(call.end(), outputs.begin(), outputs.end());
    const test::Outcome first = test::run_program(folder.path(), call);
    INFO(first.err);
    REQUIRE(first.code == 0);
    CHECK(is_shown_well(first));
    CHECK_THAT(first.out, Contains("data      " + escaped_name(name + ".txt")));
    CHECK(unescaped_name(json_of(folder / (name + ".json")).at("config").at("data").get<std::string>()) ==
          name + ".txt");
    std::vector<std::string> again = {"train", "--resume", "--checkpoint", name + ".ck"};
    again.insert(again.end(), outputs.begin(), outputs.end());
    const test::Outcome resumed = test::run_program(folder.path(), again);
    INFO(resumed.err);
    CHECK(resumed.code == 0);
    CHECK(is_shown_well(resumed));
    const test::Outcome sampled =
        test::run_program(folder.path(), {"sample", "--weights", name + ".st", "--json", name + ".s"});
    CHECK(sampled.code == 0);
    const test::Outcome compared = test::run_program(
        folder.path(), {"compare", name + ".st", "--max-tokens", "2", "--json", name + ".c"});
    CHECK(compared.code == 0);
    CHECK(is_shown_well(compared));
    CHECK(unescaped_name(json_of(folder / (name + ".c")).at("files").at(0U).at("file").get<std::string>()) ==
          name + ".st");
  }
}

TEST_CASE("the other commands read and write files of any name") {
  for (const std::string name : {"caf\xe9\n"}) {
    const TemporaryFolder folder;
    std::string text;
    for (int i = 0; i < 60; ++i) text += "a line of text\n";
    test::write_text(folder / name, text);
    for (const std::vector<std::string>& call : std::vector<std::vector<std::string>>{
             {"climb", "--data", name, "--steps", "10", "--rounds", "1", "--interpreter-steps", "5", "--json",
              name + ".c", "--report", name + ".html"},
             {"parity", "--data", name, "--steps", "10", "--from", "0", "--to", "1", "--level", "loss",
              "--json", name + ".p"},
             {"speedup", "--data", name, "--rounds", "1", "--patience", "0.5", "--json", name + ".s"},
             {"profile", "--data", name, "--steps", "2", "--json", name + ".f"},
             {"prepare", name, "--out", name + ".tokens", "--json", name + ".n"},
             {"graph", "a*b", "--values", "a=1,b=2", "-o", name + ".dot", "--json", name + ".g"},
             {"tile-trace", "matmul", "--brief", "-o", name + ".svg", "--json", name + ".t"},
         }) {
      const test::Outcome outcome = test::run_program(folder.path(), call);
      INFO(test::joined(call) << ": " << outcome.err);
      CHECK(outcome.code == 0);
      CHECK(is_shown_well(outcome));
      CHECK(exists(folder / (call.back())));
    }
  }
}

TEST_CASE("what is wrong with a file is one line that shows its name escaped") {
  for (const std::string& name : kNames)
    for (const std::vector<std::string>& call :
         std::vector<std::vector<std::string>>{{"train", "--data", name},
                                               {"sample", "--weights", name},
                                               {"train", "--json", name + "/x"},
                                               {"prepare", name, "--out", "o"}}) {
      const TemporaryFolder folder;
      const test::Outcome outcome = test::run_program(folder.path(), call);
      INFO(outcome.err);
      CHECK(outcome.code == 2);
      CHECK(is_shown_well(outcome));
      CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    }
}
