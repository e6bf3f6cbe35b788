// What each cell of a table says: its own figure, under its own head, of its own row.
#include <catch2/catch.hpp>

#include "shared/base/error.hpp"
#include "shared/report/heat_map.hpp"
#include "shared/report/run_picture.hpp"
#include "shared/report/tables.hpp"

using namespace ladder;
using Catch::Matchers::Contains;
using Line = std::vector<std::string>;

namespace {

RecordRow row_of(const std::string& name, Json values) { return {name, "", "", std::move(values)}; }

Record record_of(const std::string& command, const std::string& work, const std::string& cpu) {
  return {"r", command, work, "2026-01-02T03:04:05Z", {cpu, 1, 8.0, "an OS", ""}, {"c", "-O", "abc", false},
          {}};
}

Json kernel_of(const char* name, const char* arguments, int spilled) {
  return {{"kernel", name}, {"arguments", arguments}, {"registers", 40},      {"spilled_bytes", spilled},
          {"threads", 128}, {"shared_bytes", 2048.0}, {"resident_blocks", 16}};
}

}  // namespace

TEST_CASE("a row's name says what it ran on and that it is stale, each of its own row") {
  const RecordRow row = row_of("stage 2", {{"emulated", true}, {"device", "a card"}});
  CHECK(marked_name(row, true) == "stage 2 (emulated) (a card) (stale)");
  const RecordRow plain = row_of("a", Json::object());
  CHECK(marked_name(plain, false) == "a");
  const Cells cells = checklist_cells({plain, plain, plain}, {false, true});
  CHECK(cells[1][0] == "a");
  CHECK(cells[2][0] == "a (stale)");
  CHECK(cells[3][0] == "a");
}

TEST_CASE("a row of the speedup table: what it is compared with, over which steps, and what failed") {
  const Json values = {{"seconds", 3.0},      {"q1", 2.0},           {"q3", 4.0},
                       {"times_below", 5.0},  {"parity_error", 0.0}, {"times_interpreter", 6.0},
                       {"parity_limit", 0.0}, {"proven", true}};
  CHECK(speedup_cells({row_of("a", values)})[1] ==
        Line{"a", "3.00 s", "2.00 s to 4.00 s", "6.0", "5.0", "same bits"});
  Json other = values;
  other["emulated"] = true;
  other["parity_error"] = 1e-3;
  other["steady_steps"] = 7;
  other["proven"] = false;
  CHECK(speedup_cells({row_of("a", other)})[1] == Line{"a (emulated)", "3.00 s", "2.00 s to 4.00 s", "6.0",
                                                       "", "differs, over the first 7 steps FAILED"});
  const Json missing = {{"not_run", "no GPU"}, {"parity_note", "as below"}, {"parity_error", 1.0}};
  CHECK(speedup_cells({row_of("b", missing)})[1] == Line{"b", "-", "", "", "", "no GPU"});
}

TEST_CASE("each level of a parity stands under its own head") {
  const auto level = [](double error, bool passed) {
    return Json{{"error", error}, {"limit", 1.0}, {"passed", passed}};
  };
  const Cells cells = parity_cells({row_of("a", {{"kernel", level(0.1, true)},
                                                 {"block", level(0.2, true)},
                                                 {"model", level(3.0, false)},
                                                 {"loss", level(0.4, true)},
                                                 {"samples", "the same"}}),
                                    row_of("b", {{"loss", level(0.0, true)}})});
  CHECK(cells[1] == Line{"a", "1.0e-01 of 1.0e+00", "2.0e-01 of 1.0e+00", "3.0e+00 of 1.0e+00 FAILED",
                         "4.0e-01 of 1.0e+00", "the same"});
  CHECK(cells[2] == Line{"b", "", "", "", "0.0e+00 of 1.0e+00", ""});
}

TEST_CASE("each figure of a profile stands under its own head, requests only where a row counts them") {
  const Json values = {{"launches", 2.0}, {"seconds", 1e-3},     {"share_of_step", 0.25},
                       {"bytes", 1000.0}, {"flops", 2000.0},     {"share_of_copy", 0.5},
                       {"bound", "copy"}, {"above_floor", 2e-6}, {"share_of_arithmetic", 0.125}};
  const Line want = {"a", "2.0", "1.00 ms", "25%", "1,000", "2,000", "50%", "12%", "copy", "2.00 us"};
  CHECK(profile_cells({row_of("a", values)})[1] == want);
  Json counted = values;
  counted["bytes_requested"] = 3000.0;
  const Cells cells = profile_cells({row_of("a", values), row_of("b", counted)});
  CHECK(cells[0][5] == "asked for");
  CHECK(cells[1][5].empty());
  CHECK(cells[2][5] == "3,000");
}

TEST_CASE("a kernel's resources stand in the column of their architecture, in bf16 where it has that") {
  const Json first = {
      {"run_on_hardware", true},
      {"kernels", {kernel_of("k", "bf16", 0), kernel_of("k", "fp32", 0), kernel_of("z", "fp32", 0)}}};
  const Json second = {{"kernels", {kernel_of("k", "bf16", 8)}}};
  const Cells cells = resource_cells({row_of("sm_80", first), row_of("sm_90", second)});
  CHECK(cells[0] ==
        Line{"registers, shared KiB, threads, resident blocks", "sm_80", "sm_90, not run on hardware"});
  CHECK(cells[1] == Line{"k bf16", "40, 2.0, 128, 16", "40, 2.0, 128, 16, 8 B spilled"});
  CHECK(cells[2] == Line{"z fp32", "40, 2.0, 128, 16", ""});
  CHECK(cells[3] == Line{"all compiled types: kernels, of them with spills", "3, 0", "1, 1"});
}

TEST_CASE("a caption says once what several records have in common, and each of what they have not") {
  const Record a = record_of("run", "w", "CPU a"), b = record_of("run", "w", "CPU b"),
               other_work = record_of("run", "v", "CPU a"), other_call = record_of("go", "w", "CPU a");
  const std::string at_a = "CPU a, 1 core, 8.0 GiB, an OS; c, -O, commit abc; 2026-01-02.",
                    at_b = "CPU b, 1 core, 8.0 GiB, an OS; c, -O, commit abc; 2026-01-02.";
  CHECK(caption({&a}) == "Made by `run`: w. " + at_a + "\n");
  CHECK(caption({&a, &b, &a}) == "Made by `run`: w. " + at_a + " " + at_b + "\n");
  CHECK(caption({&a, &other_work}) == "Made by `run`: w. " + at_a + "\n\nMade by `run`: v. " + at_a + "\n");
  CHECK(caption({&a, &b, &other_call}) == "Made by `run`: w. " + at_a + "\n\nMade by `run`: w. " + at_b +
                                              "\n\nMade by `go`: w. " + at_a + "\n");
}

TEST_CASE("one stale row makes a record stale, whichever it is") {
  Record record = record_of("run", "w", "CPU");
  record.rows = {row_of("a", Json::object()), row_of("b", Json::object())};
  CHECK_FALSE(any_stale(record, LADDER_SOURCE_DIR));
  record.rows[1].sources = "interpreter";
  CHECK(any_stale(record, LADDER_SOURCE_DIR));
}

TEST_CASE("in a heat map each column has its own fastest, and what was not measured says why") {
  HeatMap map{"t", "u", {"one", "two"}, {}};
  map.rows = {{"a", {{1.0, ""}, {30.0, "slow"}}},
              {"b", {{200.0, ""}, {10.0, ""}}},
              {"c", {{0.0, ""}, {0.0, "no GPU"}}}};
  const std::string svg = heat_map(map);
  CHECK_THAT(svg, Contains(">200 times<") && Contains(">3.0 times, slow<") && Contains(">not measured<") &&
                      Contains(">no GPU<"));
  std::size_t fastest = 0;
  for (std::size_t at = svg.find(">fastest<"); at != std::string::npos; at = svg.find(">fastest<", at + 1))
    ++fastest;
  CHECK(fastest == 2);
  CHECK_THAT(svg, Contains("fill='rgb(120,200,130)'") && !Contains("rgb(240,130,110)"));
  map.rows[0].cells[0].seconds = 1e-2;  // 200 seconds are then 20,000 times as long
  CHECK_THAT(heat_map(map), Contains("fill='rgb(240,130,110)'"));
  map.rows[1].cells[0].seconds = 1.0;  // a hundred times as long is half way: yellow
  CHECK_THAT(heat_map(map), Contains("fill='rgb(250,220,120)'") && !Contains("rgb(240,130,110)"));
  map.rows[1].cells.pop_back();
  CHECK_THROWS_WITH(heat_map(map), Contains("row 'b' of the heat map has 1 cells for 2 columns"));
}

TEST_CASE(
    "a run's record says where it was resumed, on what it ran, and the first of equally good evaluations") {
  TrainedRun run;
  run.name = "run";
  run.loss = {3.0, 2.0, 1.0};
  run.evaluations = {{0, 1.0, 2.0}, {1, 9.0, 1.5}, {2, 0.5, 1.5}};
  run.emulated = true;
  run.resumed_after = 2;
  run.parameters = 77;
  const Json values = run_values(run);
  CHECK(values.at("emulated") == true);
  CHECK(values.at("resumed_after") == 2);
  CHECK(values.at("parameters") == 77);
  CHECK(values.at("best_step") == 1);
  CHECK(doubles_of(values.at("loss")) == std::vector<double>{3.0, 2.0, 1.0});
  CHECK(values.at("evaluations")[1][1] == 9.0);
  CHECK(values.at("evaluations")[1][2] == 1.5);
  Json shared = values;
  shared["share_of_peak"] = 0.125;
  CHECK(run_cells({row_of("run", shared)}, {})[1][4] == "12.5%");
}
