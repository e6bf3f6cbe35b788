// Run records from elsewhere, damaged or hostile, through the commands that read them; and files that are mounts.
#include <catch2/catch.hpp>

#include <algorithm>

#include "shared/base/escape.hpp"
#include "shared/base/json.hpp"
#include "shared/base/process.hpp"
#include "tests/support/refused.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

Json good_record() {
  return Json::parse(
      test::text_of(std::filesystem::path(LADDER_SOURCE_DIR) / "tests/bench/results/speedup-micro.json"));
}

bool holds_controls(const std::string& text) {
  return std::ranges::any_of(
      text, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F; });
}

/// A source folder with one page that shows the record.
void make_source_folder(const std::filesystem::path& folder, const Json& record) {
  std::filesystem::create_directories(folder / "tests/bench/results");
  test::write_text(folder / "tests/bench/results/speedup-micro.json", record.dump());
  test::write_text(folder / "README.md", "<!-- generated: speedup-micro -->\n<!-- /generated -->\n");
}

}  // namespace

TEST_CASE("a damaged record is one line that names file, row and field, whichever command reads it") {
  for (const auto& [name, value] : std::vector<std::pair<const char*, Json>>{{"seconds", -1},
                                                                             {"seconds", 1e300},
                                                                             {"seconds", "1"},
                                                                             {"emulated", 1},
                                                                             {"not_run", 5},
                                                                             {"parity_error", "small"}}) {
    const TemporaryFolder folder;
    Json record = good_record();
    record["rows"][1]["values"][name] = value;
    make_source_folder(folder / "tree", record);
    const std::string file = "tree/tests/bench/results/speedup-micro.json";
    for (const std::vector<std::string>& call : std::vector<std::vector<std::string>>{
             {"crossover", "--from", file, "-o", "m.svg"}, {"tables", "--source-dir", "tree"}}) {
      const test::Outcome outcome = test::run_program(folder.path(), call);
      INFO(outcome.err);
      CHECK(outcome.code == 2);
      CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
      CHECK_THAT(outcome.err, Contains(file + ": row 2 ('stage 0 fp64'): '" + name + "'"));
      CHECK_FALSE(exists(folder / "m.svg"));
    }
  }
}

TEST_CASE("names in a record are shown and drawn without anything that a terminal or a reader of XML obeys") {
  const TemporaryFolder folder;
  Json record = good_record();
  const std::string hostile = "a\x1b[31mb\x07<&\xEF\xBF\xBF" + std::string(3000, 'x');
  record["name"] = hostile;
  record["rows"][0]["name"] = hostile;
  for (const char* part : {"cpu", "os", "gpu"}) record["machine"][part] = hostile;
  test::write_text(folder / "r.json", record.dump());
  const test::Outcome outcome =
      test::run_program(folder.path(), {"crossover", "--from", "r.json", "-o", "m.svg"});
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK_FALSE(holds_controls(outcome.out));
  CHECK_THAT(outcome.out, Contains("a\\x1b[31mb"));
  const std::string svg = test::text_of(folder / "m.svg");
  CHECK_FALSE(holds_controls(svg));
  CHECK_THAT(svg, Contains("a\\x1b[31mb\\x07&lt;&amp;\\uffff"));
  CHECK(svg.size() < 20000);
}

TEST_CASE("a file that is a mount of its own is refused before the work, but may grow") {
  const TemporaryFolder folder;
  test::write_text(folder / "host", "as it was\n");
  test::write_text(folder / "here", "");
  const auto mounted = [&](const std::string& call) {
    return output_of({"unshare", "-rm", "sh", "-c",
                      "cd " + shell_path(folder.path()) + " && mount --bind host here && { " +
                          shell_path(LADDER_PROGRAM) + " " + call + " 2>&1; echo exit $?; }"});
  };
  const std::string refused = mounted("train --steps 1 --json here");
  if (refused.empty()) {
    WARN("no file can be mounted here: not tested");
    return;
  }
  CHECK_THAT(refused, Contains("here: is mounted there as a single file") && Contains("exit 2"));
  CHECK_THAT(refused, !Contains("step 1/1"));
  CHECK(test::text_of(folder / "host") == "as it was\n");
  std::filesystem::create_directory(folder / "run");
  for (const char* name : {"checkpoint", "best"}) {  // the first is then also one that is there
    std::filesystem::create_symlink("../here", folder / "run" / (std::string(name) + ".safetensors"));
    const std::string told = mounted("train --steps 1 --checkpoint run");
    CHECK_THAT(told, Contains("exit 2") && !Contains("step 1/1"));
    std::filesystem::remove(folder / "run" / (std::string(name) + ".safetensors"));
  }
  CHECK_THAT(mounted("train --steps 1 --json-lines here"), Contains("exit 0"));
  CHECK_THAT(test::text_of(folder / "host"), Contains("\"kind\":\"step\""));
}
