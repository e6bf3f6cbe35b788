// The record of a training run: its figures, its table, its picture, and the blocks of a page that show them.
#include "shared/report/run_picture.hpp"

#include <catch2/catch.hpp>

#include <cmath>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/report/blocks.hpp"

using namespace ladder;

namespace {

TrainedRun run_of(std::size_t steps) {
  TrainedRun run;
  run.name = "stage 9 bf16";
  for (std::size_t s = 0; s < steps; ++s) run.loss.push_back(4.0 - static_cast<double>(s) / 1000.0);
  run.evaluations = {{0, 4.0, 4.1}, {200, 3.8, 3.7}, {400, 3.6, 3.9}};
  run.samples = {"To be, or\nnot"};
  run.median_ms = 5.0;
  run.parameters = 1000;
  run.tokens_a_step = 100;
  return run;
}

Record record_of(const TrainedRun& run) {
  Record record = new_record("run-test", "./ladder train --record", "a model");
  record.rows = {{run.name, "", "", run_values(run)}};
  return record;
}

}  // namespace

TEST_CASE("a run's figures: means, the best evaluation, tokens a second, the share of the peak") {
  TrainedRun run = run_of(400);
  Json values = run_values(run);
  CHECK(values.at("steps") == 400);
  CHECK(values.at("steps_each") == 2);
  CHECK(values.at("loss").size() == 200);
  CHECK(values.at("loss")[0].get<double>() == Approx(3.9995));
  CHECK(values.at("best_held_out") == 3.7);
  CHECK(values.at("best_step") == 200);
  CHECK(values.at("tokens_per_second") == 20000.0);
  CHECK_FALSE(values.contains("share_of_peak"));
  run.share_of_tokens = 1e-5;
  CHECK(run_values(run).at("share_of_peak").get<double>() == Approx(0.2));
  run.median_ms = 0.0;
  CHECK_FALSE(run_values(run).contains("tokens_per_second"));
}

TEST_CASE("a run shorter than the picture has points keeps every loss, and what was not measured is null") {
  TrainedRun run = run_of(3);
  run.evaluations = {{0, std::nan(""), 4.1}};
  const Json values = run_values(run);
  CHECK(values.at("steps_each") == 1);
  CHECK(values.at("loss").size() == 3);
  CHECK(values.at("evaluations")[0][1].is_null());
  run.evaluations.clear();
  CHECK_FALSE(run_values(run).contains("best_held_out"));
}

TEST_CASE("a line of the table") {
  const Cells cells = run_cells(record_of(run_of(400)).rows, {true});
  CHECK(cells[1] == std::vector<std::string>{"stage 9 bf16 (stale)", "400", "5.00 ms", "20,000", "", "3.6015",
                                             "3.7000", "200"});
}

TEST_CASE("a picture has both curves, and none is drawn of nothing") {
  const std::string svg = run_picture(record_of(run_of(400)));
  CHECK(svg.starts_with("<svg"));
  CHECK(svg.find("stage 9 bf16, trained on") != std::string::npos);
  CHECK(svg.find("stage 9 bf16, held out") != std::string::npos);
  CHECK_THROWS_AS(run_picture(record_of(run_of(0))), InputError);
}

TEST_CASE("blocks of a page: table, picture beside the page, sample") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(records_folder(folder.path()));
  std::filesystem::create_directories(folder / "stage9" / "pictures");
  write_record(records_folder(folder.path()) / "run-test.json", record_of(run_of(400)));
  write_file(folder / "stage9" / "README.md",
             "<!-- generated: run-test -->\n<!-- /generated -->\n"
             "<!-- generated: curves run-test: pictures/run.svg -->\n<!-- /generated -->\n"
             "<!-- generated: sample run-test: 1 -->\n<!-- /generated -->\n");
  CHECK(update_tables(folder.path(), true).missing.empty());
  const std::string page = read_file(folder / "stage9" / "README.md");
  CHECK(page.find("| stage 9 bf16 | 400 |") != std::string::npos);
  CHECK(page.find("](pictures/run.svg)") != std::string::npos);
  CHECK(page.find("````\nTo be, or\nnot\n````") != std::string::npos);
  const auto picture = folder / "stage9" / "pictures" / "run.svg";
  CHECK(read_file(picture) == run_picture(record_of(run_of(400))));
  CHECK(update_tables(folder.path(), false).changed.empty());
  write_file(picture, "old");
  CHECK(update_tables(folder.path(), false).changed == std::vector<std::string>{"stage9/pictures/run.svg"});
}

TEST_CASE("a sample that is not there, a picture outside the page's folder: nothing is written") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(records_folder(folder.path()));
  std::filesystem::create_directories(folder / "stage9");
  write_record(records_folder(folder.path()) / "run-test.json", record_of(run_of(400)));
  const char* bad = nullptr;
  SECTION("a second sample") { bad = "sample run-test: 2"; }
  SECTION("no number") { bad = "sample run-test: two"; }
  SECTION("above the folder") { bad = "curves run-test: ../run.svg"; }
  SECTION("no picture") { bad = "curves run-test: run.png"; }
  const std::string page = fmt::format(
      "<!-- generated: curves run-test: good.svg -->\n<!-- /generated -->\n<!-- generated: {} -->\n<!-- "
      "/generated "
      "-->\n",
      bad);
  write_file(folder / "stage9" / "README.md", page);
  CHECK_THROWS_AS(update_tables(folder.path(), true), InputError);
  CHECK(read_file(folder / "stage9" / "README.md") == page);
  CHECK_FALSE(std::filesystem::exists(folder / "stage9" / "good.svg"));
}
