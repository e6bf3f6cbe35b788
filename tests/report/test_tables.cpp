// Generated blocks: found, replaced, refused when the markers are broken; stale rows are marked and listed.
#include "shared/report/blocks.hpp"
#include "shared/report/tables.hpp"
#include "shared/spak/item_table.hpp"
#include "shared/spak/ladder_tables.hpp"
#include "shared/spak/speed_table.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <set>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/base/text_table.hpp"
#include "shared/check/tolerances.hpp"
#include "shared/report/evidence.hpp"

using namespace ladder;

namespace fs = std::filesystem;

namespace {

const std::string kOpen = "<!-- generated: speedup-micro -->\n", kClose = "<!-- /generated -->\n";

std::string replaced(const std::string& text) {
  return replace_blocks(text, "X.md", [](const std::string& name) { return "[" + name + "]\n"; });
}

/// A folder with a README of one block, the sources of the interpreter, and a record of one row about them.
void make_project(const fs::path& folder) {
  fs::create_directories(folder / "shared" / "baseline");
  fs::create_directories(records_folder(folder));
  write_file(folder / "shared" / "baseline" / "microgpt.py", "print(1)\n");
  write_file(folder / "README.md", "before\n" + kOpen + "typed by hand\n" + kClose + "after\n");
  Record record = new_record("speedup-micro", "./ladder speedup --record", "one step");
  record.rows.push_back({"interpreter",
                         "interpreter",
                         source_hash("interpreter", folder),
                         {{"seconds", 0.142}, {"q1", 0.14}, {"q3", 0.15}, {"proven", true}}});
  write_record(records_folder(folder) / "speedup-micro.json", record);
}

TEST_CASE("a table of items shows what the compiler said of the kernel that counts") {
  Json item = {{"id", "x-1"},      {"work", "w"},         {"configuration", {{"tile", 64}, {"warps", 8}}},
               {"why", "because"}, {"max_error", 1.2e-6}, {"limit", 1e-5},
               {"tflops", 45.4}};
  item["resources"] = Json::array({{{"reg", 40}, {"stack", 0}, {"shared", 0}, {"threads", 128}},
                                   {{"reg", 255}, {"stack", 1792}, {"shared", 2048}, {"threads", 256}}});
  const Cells cells = item_cells({item}, {"x-1"});
  CHECK(cells[1] == std::vector<std::string>{"x-1", "tile 64, warps 8", "255", "1792 B", "2 KiB", "256",
                                             "1.2e-06 of 1e-05", "45 TFLOP/s"});
  item["max_error"] = nullptr;  // a result that is not finite
  item.erase("tflops");
  item["outcome"] = "wrong result";
  const Cells wrong = item_cells({item}, {"x-1"});
  CHECK(wrong[1][6].empty());
  CHECK(wrong[1][7] == "wrong result");
  CHECK_THROWS_AS(item_cells({item}, {"x-2"}), InputError);
}

TEST_CASE("the evidence of configurations is what every kind of row names") {
  const std::set<std::string> evidence = evidence_of_configurations();
  for (const char* id : {"gemm-0131", "gemm-0129", "gemm-0135", "gemm-0136", "gemm_fp32-0208",
                         "attention-0228", "rmsnorm-0156", "rmsnorm-0130", "cross_entropy-0044"}) {
    INFO(id);
    CHECK(evidence.contains(id));
  }
  CHECK_FALSE(evidence.contains("attention-0246"));  // stands in a comment only
}

TEST_CASE("the speed table takes the newest measured item of its label, and says how far a goal is",
          "[tables]") {
  const Json goal = {{"operation", "gemm"}, {"work", "small"}, {"unit", "tflops"},
                     {"rival", "lib"},      {"must", 100},     {"aim", 200}};
  Json item = {
      {"label", kSpeedLabel}, {"work", "small"}, {"outcome", "measured"}, {"us", 10.0}, {"tflops", 90.0}};
  item["rivals"]["lib"] = {{"us", 5.0}, {"tflops", 180.0}};
  CHECK(speed_cells(goal, item, item)[3] == "0.50");
  CHECK(speed_cells(goal, item, item)[6] == "short by 10%");
  item["tflops"] = 100.0;
  CHECK(speed_cells(goal, item, item)[6] == "reached");
  item["tflops"] = 200.0;
  CHECK(speed_cells(goal, item, item)[6] == "aim reached");
  CHECK(speed_cells(goal, item, item)[7] == "-");
  item["sustained"] = {{"ours", {{"us", 12.0}}}, {"lib", {{"us", 6.0}}}};
  item["sustained_s"] = 30.0;
  CHECK(speed_cells(goal, item, item)[7] == "0.50 (12 us against 6 us, 30 s)");
  CHECK(speed_cells(goal, nullptr, nullptr)[2] == "not measured");

  Json time = goal;
  time["unit"] = "us";
  time["must"] = 11;
  time["aim"] = 9;
  CHECK(speed_cells(time, item, item)[6] == "reached");  // of times, less is more

  Json other = item, wrong = item, unlabelled = item;
  other["us"] = 1.0;
  wrong["outcome"] = "wrong result";
  unlabelled.erase("label");
  CHECK(newest_for({item, other, wrong, unlabelled}, "small").at("us") == 1.0);
  CHECK(newest_for({item}, "large").is_null());
  Json hot = item;
  hot["label"] = kPowerLabel;
  hot["us"] = 20.0;
  CHECK(newest_for({item, hot}, "small").at("us") == 10.0);
  CHECK(newest_for({hot}, "small").is_null());
  hot["id"] = "gemm-0009";  // also where a table names it: of the power limit there is another column
  CHECK(newest_for({hot}, "small", {"gemm-0009"}).is_null());
  CHECK(sustained_for({hot, item}, "small").at("us") == 20.0);
  CHECK(sustained_for({item}, "small").is_null());

  Record record;
  record.rows = {{"theirs", "", "", {{"seconds", 1e-5}}}, {"mine", "", "", {{"seconds", 2e-6}}}};
  const Json ratio = {{"work", "a run"}, {"ours", "mine"}, {"rival", "theirs"}, {"must", 5}, {"aim", 20}};
  CHECK(record_cells(ratio, record, LADDER_SOURCE_DIR) ==
        std::vector<std::string>{"training, a run", "theirs 10.0 us a document", "2.00 us a document", "5.00",
                                 "5 times", "20 times", "reached", "-"});
  record.rows[0].sources = "interpreter";  // of other sources than there are: no hash
  CHECK(record_cells(ratio, record, LADDER_SOURCE_DIR)[0] == "training, a run (stale)");
  record.machine.gpu = "a card";
  CHECK(record_cells(ratio, record, LADDER_SOURCE_DIR)[0] == "training, a run, on a card (stale)");
  record.rows.pop_back();
  CHECK_THROWS_WITH(record_cells(ratio, record, LADDER_SOURCE_DIR), Catch::Contains("'mine'"));

  // Without a label, what the tables name counts, not what is fastest.
  Json named = unlabelled, faster = unlabelled;
  named["id"] = "gemm-0007";
  faster["id"] = "gemm-0008";
  CHECK(newest_for({named, faster}, "small", {"gemm-0007"}).at("id") == "gemm-0007");
  CHECK(newest_for({named}, "small", {"gemm-00071", "see gemm-0007"}).is_null());
  CHECK(newest_for({named, faster}, "small").is_null());
}

}  // namespace

TEST_CASE("blocks are replaced and the rest stays") {
  CHECK(replaced("a\n" + kOpen + "old\n" + kClose + "b\n") ==
        "a\n" + kOpen + "[speedup-micro]\n" + kClose + "b\n");
  CHECK(replaced("no blocks\n") == "no blocks\n");
  const std::string twice = kOpen + kClose + "mid\n" + kOpen + kClose;
  CHECK(replaced(twice) ==
        kOpen + "[speedup-micro]\n" + kClose + "mid\n" + kOpen + "[speedup-micro]\n" + kClose);
  CHECK(replaced(replaced(twice)) == replaced(twice));
}

TEST_CASE("broken markers are refused with the file's name") {
  CHECK_THROWS_WITH(replaced(kOpen + "never closed\n"), Catch::Contains("X.md"));
  CHECK_THROWS_WITH(replaced("text\n" + kClose), Catch::Contains("without its opening line"));
  CHECK_THROWS_AS(replaced(kOpen + kOpen + kClose), InputError);
  CHECK_THROWS_AS(replaced(kClose + kOpen), InputError);
}

TEST_CASE("tables are written from the record, and a second time nothing changes") {
  const TemporaryFolder folder;
  make_project(folder.path());
  const TablesReport check = update_tables(folder.path(), false);
  CHECK(check.changed == std::vector<std::string>{"README.md"});
  // a check writes nothing
  CHECK(read_file(folder / "README.md").find("typed by hand") != std::string::npos);
  update_tables(folder.path(), true);
  const std::string text = read_file(folder / "README.md");
  CHECK(text.find("| interpreter | 142 ms | 140 ms to 150 ms |") != std::string::npos);
  CHECK(text.find("typed by hand") == std::string::npos);
  CHECK(text.find("stale") == std::string::npos);
  const TablesReport again = update_tables(folder.path(), false);
  CHECK(again.changed.empty());
  CHECK(again.stale.empty());
}

TEST_CASE("a row whose sources changed is marked and listed") {
  const TemporaryFolder folder;
  make_project(folder.path());
  update_tables(folder.path(), true);
  write_file(folder / "shared/baseline/microgpt.py", "print(2)\n");
  const TablesReport report = update_tables(folder.path(), true);
  CHECK(report.changed.size() == 1);
  REQUIRE(report.stale.size() == 1);
  CHECK(report.stale[0].find("interpreter") != std::string::npos);
  CHECK(read_file(folder / "README.md").find("| interpreter (stale) |") != std::string::npos);
}

TEST_CASE("a figure changed by hand is noticed") {
  const TemporaryFolder folder;
  make_project(folder.path());
  update_tables(folder.path(), true);
  std::string text = read_file(folder / "README.md");
  text.replace(text.find("142 ms"), 6, "141 ms");
  write_file(folder / "README.md", text);
  CHECK(update_tables(folder.path(), false).changed.size() == 1);
}

TEST_CASE("a block without a record says so and is listed") {
  const TemporaryFolder folder;
  make_project(folder.path());
  write_file(folder / "README.md", "<!-- generated: speedup-none -->\n<!-- /generated -->\n");
  const TablesReport report = update_tables(folder.path(), true);
  CHECK(report.missing == std::vector<std::string>{"README.md: block 'speedup-none' has no record"});
  CHECK(read_file(folder / "README.md").find("Not measured yet") != std::string::npos);
  CHECK_FALSE(update_tables(folder.path(), false).clean());
  CHECK_THROWS_AS(render_block("speedup-none", {}, folder.path()), InputError);
}

TEST_CASE("blocks in a stage's README are found too") {
  const TemporaryFolder folder;
  make_project(folder.path());
  fs::create_directories(folder / "stage7_example");
  write_file(folder / "stage7_example/README.md", kOpen + kClose);
  CHECK(update_tables(folder.path(), true).changed ==
        std::vector<std::string>{"README.md", "stage7_example/README.md"});
}

TEST_CASE("the speedup table has a column for PyTorch where it raced") {
  const Json values = {{"seconds", 2.0}, {"parity_note", "as the others"}};
  std::vector<RecordRow> rows = {{"stage 1", "", "", values}, {"PyTorch", "", "", values}};
  using Line = std::vector<std::string>;
  const Cells without = speedup_cells(rows);
  CHECK(without[0] ==
        Line{"", "per document", "middle half", "× interpreter", "× stage below", "parity of the losses"});
  CHECK(without[1] == Line{"stage 1", "2.00 s", "", "", "", "as the others"});
  rows[0].values["times_pytorch"] = 1.256;
  const Cells raced = speedup_cells(rows);
  CHECK(raced[0] == Line{"", "per document", "middle half", "× interpreter", "× stage below", "× PyTorch",
                         "parity of the losses"});
  CHECK(raced[1] == Line{"stage 1", "2.00 s", "", "", "", "1.26", "as the others"});
  CHECK(raced[2] == Line{"PyTorch", "2.00 s", "", "", "", "", "as the others"});
}

TEST_CASE("an error that is not finite is shown as that") {
  const Json failed = {{"error", "inf"}, {"limit", 1e-5}, {"passed", false}};
  const Cells parity = parity_cells({{"stage 1", "", "", {{"loss", failed}}}});
  CHECK(parity[1][4] == "inf of 1.0e-05 FAILED");
  const Cells speed = speedup_cells(
      {{"stage 1", "", "", {{"parity_error", "nan"}, {"parity_limit", 1e-5}, {"proven", false}}}});
  CHECK(speed[1].back() == "nan of 1.0e-05 FAILED");
}

TEST_CASE("the profile table ends with what lies above the floors") {
  const std::vector<RecordRow> rows = {{"gemm", "", "", {{"seconds", 2.0}, {"above_floor", 0.25}}},
                                       {"forward", "", "", {{"seconds", 2.0}}}};
  const Cells cells = profile_cells(rows);
  CHECK(cells[0].back() == "above its floor, a step");
  CHECK(cells[1].back() == "250 ms");
  CHECK(cells[2].back().empty());
  for (const auto& line : cells) CHECK(line.size() == cells[0].size());
}

TEST_CASE("the table of tolerances lists every row") {
  CHECK(tolerance_cells().size() == tolerances().size() + 1);
  for (const auto& row : tolerance_cells()) CHECK(row.size() == tolerance_cells().front().size());
}

TEST_CASE("a kernel ladder's table shows the newest item of each rung, lost rungs last") {
  const auto item = [](const char* rung, const char* work, double us, double tflops) {
    return Json{{"id", "x-1"},           {"configuration", {{"rung", rung}}},
                {"work", work},          {"device", "D"},
                {"outcome", "measured"}, {"us", us},
                {"tflops", tflops},      {"rivals", {{"R", {{"us", 10.0}}}}}};
  };
  KnowledgeItems items = {item("lost_b", "w", 20, 300), item("02_b", "w", 40, 100), item("01_a", "w", 80, 50),
                          item("02_b", "w", 10, 400)};
  items.push_back(
      {{"configuration", {{"rung", "03_c"}}}, {"work", "w"}, {"device", "D"}, {"outcome", "wrong result"}});
  const KnowledgeItems ceilings = {{{"device", "D"}, {"tflops", 800.0}},
                                   {{"device", "E"}, {"tflops", 100.0}}};
  const Cells cells = ladder_cells(items, ceilings);
  REQUIRE(cells.size() == 5);
  CHECK(cells[0] == std::vector<std::string>{"rung", "w", "of the ceiling", "times the rival's rate"});
  CHECK(cells[1] == std::vector<std::string>{"`01_a`", "50 TFLOP/s", "6%", "0.12 R"});
  CHECK(cells[2] == std::vector<std::string>{"`02_b`", "400 TFLOP/s", "50%", "1.00 R"});
  CHECK(cells[3] == std::vector<std::string>{"`03_c`", "wrong result", "", ""});
  CHECK(cells[4] == std::vector<std::string>{"`lost_b`", "300 TFLOP/s", "38%", "0.50 R"});
  CHECK(ladder_cells(items, {})[1][2] == "-");
}

TEST_CASE("a ladder's README is found, filled, and said to be missing its items") {
  const TemporaryFolder folder;
  make_project(folder.path());
  const fs::path room = folder.path() / "stage3_tiled_kernels" / "ladder" / "x";
  fs::create_directories(room);
  write_file(room / "README.md", "<!-- generated: ladder-x -->\n" + kClose);
  CHECK(update_tables(folder.path(), false).missing ==
        std::vector<std::string>{"stage3_tiled_kernels/ladder/x/README.md: block 'ladder-x' has no record"});
  fs::create_directories(items_path(folder.path(), "x").parent_path());
  write_file(items_path(folder.path(), "x_ladder"),
             "{\"id\":\"x_ladder-0001\",\"configuration\":{\"rung\":\"01_a\"},\"work\":\"w\",\"us\":2.0,"
             "\"tbps\":1.5}\n");
  CHECK(update_tables(folder.path(), true).missing.empty());
  CHECK(read_file(room / "README.md").find("1.50 TB/s") != std::string::npos);
  // A rung beside the configuration is not one, and a configuration that is not written is not guessed.
  write_file(items_path(folder.path(), "x_ladder"), "{\"rung\":\"01_a\",\"work\":\"w\",\"why\":\"\"}\n");
  CHECK_THROWS_WITH(update_tables(folder.path(), false),
                    Catch::Contains("x_ladder.jsonl:1") && Catch::Contains("'configuration'"));
  write_file(items_path(folder.path(), "x_ladder"),
             "{\"id\":\"x-1\",\"work\":\"w\",\"configuration\":{\"rows\":1}}\n");
  CHECK_THROWS_WITH(update_tables(folder.path(), false), Catch::Contains("item 'x-1' names no rung"));
  write_file(items_path(folder.path(), "x_ladder"), "no object\n");
  CHECK_THROWS_WITH(update_tables(folder.path(), false), Catch::Contains("x_ladder.jsonl:1"));
}
