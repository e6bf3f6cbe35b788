// The heat map of `ladder crossover`: what it shows, what it refuses, and the command itself.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/records/records.hpp"
#include "shared/report/heat_map.hpp"

using namespace ladder;  // NOLINT(google-build-using-namespace)

namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

HeatMap small_map() {
  return {"Who & when",
          "per document",
          {"a", "b"},
          {{"slow", {{2.0, ""}, {0.001, ""}}}, {"fast", {{0.002, "emulated"}, {0.0, "not run"}}}}};
}

}  // namespace

TEST_CASE("a heat map shows every cell, compared within its column", "[stage2]") {
  const std::string svg = heat_map(small_map());
  CHECK(count_of(svg, "<rect") == 5);  // the page and four cells
  CHECK(count_of(svg, "fastest") == 2);
  CHECK(svg.find("1,000 times") != std::string::npos);
  CHECK(svg.find("fastest, emulated") != std::string::npos);
  CHECK(svg.find("not run") != std::string::npos);
  CHECK(svg.find("Who &amp; when") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
  CHECK(count_of(svg, "rgb(120,200,130)") == 2);  // the fastest of each column
}

TEST_CASE("a heat map with a row of the wrong length is refused", "[stage2]") {
  HeatMap map = small_map();
  map.rows[1].cells.pop_back();
  CHECK_THROWS_AS(heat_map(map), InputError);
}

TEST_CASE("ladder crossover draws a map of the sizes it is asked for", "[stage2]") {
  const TemporaryFolder folder;
  const std::string svg_file = (folder.path() / "map.svg").string();
  const std::string command =
      fmt::format("'{}' crossover --sizes micro --rounds 1 --patience 1 -o '{}' >'{}.txt' 2>&1",
                  LADDER_PROGRAM, svg_file, svg_file);
  REQUIRE(std::system(command.c_str()) == 0);
  const std::string svg = read_file(svg_file), text = read_file(svg_file + ".txt");
  CHECK(svg.find("stage 2 fp32") != std::string::npos);
  CHECK(count_of(svg, "fastest") == 1);
  CHECK(text.find("stage 1 fp32") != std::string::npos);
  CHECK(text.find("micro") != std::string::npos);
  // the interpreter, which wants more patience than a second
  CHECK(text.find("too slow here") != std::string::npos);
}

TEST_CASE("ladder crossover puts a row that a later record alone has into that record's column", "[stage2]") {
  const TemporaryFolder folder;
  const auto write = [&](const std::string& name, const std::vector<std::pair<std::string, double>>& times) {
    Record record = new_record("speedup-" + name, "./ladder speedup", "a run");
    for (const auto& [row, seconds] : times)
      record.rows.push_back({row, "", "", {{"seconds", seconds}, {"emulated", false}}});
    write_record(folder / name, record);
    return "'" + (folder / name).string() + "'";
  };
  const std::string files = write("first", {{"both", 1.0}, {"early", 2.0}}) + " " +
                            write("second", {{"late", 3.0}, {"both", 4.0}}) + " " +
                            write("third", {{"late", 5.0}});
  const std::string out = (folder / "out").string();
  const std::string command = fmt::format("cd '{}' && '{}' crossover --from {} >'{}'", folder.path().string(),
                                          LADDER_PROGRAM, files, out);
  REQUIRE(std::system(command.c_str()) == 0);
  std::string text = read_file(out);
  text.erase(std::unique(text.begin(), text.end(), [](char a, char b) { return a == ' ' && b == ' '; }),
             text.end());
  for (const char* line : {"time per document first second third\n", "both 1.00 s 4.00 s -\n",
                           "early 2.00 s - -\n", "late - 3.00 s 5.00 s\n"})
    CHECK_THAT(text, Catch::Contains(line));
}

TEST_CASE("ladder crossover refuses a size that is not there, without leaving a file", "[stage2]") {
  const TemporaryFolder folder;
  const std::string svg_file = (folder.path() / "map.svg").string();
  const std::string command =
      fmt::format("'{}' crossover --sizes huge -o '{}' >/dev/null 2>&1", LADDER_PROGRAM, svg_file);
  CHECK(std::system(command.c_str()) / 256 == 2);
  CHECK_FALSE(std::filesystem::exists(svg_file));
}
