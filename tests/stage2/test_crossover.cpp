// The heat map of `ladder crossover`: what it shows, what it refuses, and the command itself.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <string>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"
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

TEST_CASE("ladder crossover refuses a size that is not there, without leaving a file", "[stage2]") {
  const TemporaryFolder folder;
  const std::string svg_file = (folder.path() / "map.svg").string();
  const std::string command =
      fmt::format("'{}' crossover --sizes huge -o '{}' >/dev/null 2>&1", LADDER_PROGRAM, svg_file);
  CHECK(std::system(command.c_str()) / 256 == 2);
  CHECK_FALSE(std::filesystem::exists(svg_file));
}
