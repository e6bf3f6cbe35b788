// Generated blocks: found, replaced, refused when the markers are broken; stale rows are marked and listed.
#include "shared/tables.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

#include "shared/error.hpp"
#include "shared/files.hpp"
#include "shared/temporary_folder.hpp"
#include "shared/tolerances.hpp"

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
  CHECK(read_file(folder / "README.md").find("typed by hand") !=
        std::string::npos);  // a check writes nothing
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

TEST_CASE("the table of tolerances lists every row") {
  CHECK(tolerance_cells().size() == tolerances().size() + 1);
  for (const auto& row : tolerance_cells()) CHECK(row.size() == tolerance_cells().front().size());
}
