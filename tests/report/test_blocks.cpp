// What a block of a page may ask for: some rows, some lines, several records, whichever card measured; and the first page.
#include "shared/report/blocks.hpp"

#include <catch2/catch.hpp>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/report/front_page.hpp"

using namespace ladder;

namespace fs = std::filesystem;

namespace {

constexpr const char* kWork = "1 layer: 4192 parameters; 3 steps";

RecordRow timed(const std::string& name, double seconds, double below) {
  RecordRow row{name, "", "", {{"seconds", seconds}, {"proven", true}, {"emulated", false}}};
  if (below > 0.0) row.values["times_below"] = below;
  return row;
}

RecordRow on_gpu(RecordRow row) {
  row.values["device"] = "NVIDIA H999 (sm_99)";
  return row;
}

Record cpu_record() {
  Record record = new_record("speedup-micro", "./ladder speedup --record", kWork);
  RecordRow emulated = timed("stage 2 fp32", 1e-3, 0.03);
  emulated.values["emulated"] = true;
  record.rows = {timed("interpreter", 0.2, 0),
                 timed("stage 0 fp64", 1e-4, 2000),
                 timed("stage 1 fp64", 2e-5, 5),
                 timed("stage 1 fp32", 1e-5, 10),
                 emulated,
                 timed("stage 1 fp32, batch 16", 1e-6, 100)};
  return record;
}

Record gpu_record(const std::string& name, const std::string& date) {
  Record record = new_record(name, "./ladder speedup --size small --record", kWork);
  record.date = date;
  record.machine.gpu = "NVIDIA H999 (sm_99)";
  record.machine.cores = 16;
  record.rows = {timed("stage 1 fp32", 1e-2, 0), on_gpu(timed("stage 2 fp32", 1e-3, 10)),
                 on_gpu(timed("stage 3 bf16", 1e-4, 10))};
  return record;
}

Record lines_record() {
  Record record = new_record("output", "./ladder climb", "the program's own output");
  RecordRow row{"output", "", "", {}};
  row.values["lines"] = std::vector<std::string>{"model a", "step 1", "step 2", "loss 3", "step   4"};
  record.rows.push_back(row);
  return record;
}

std::string rendered(const std::string& block, const std::vector<Record>& records) {
  return render_block(block, records, LADDER_SOURCE_DIR);
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a block takes some rows, or the rows of several records") {
  const std::string some = rendered("rows speedup-micro: interpreter | stage 0", {cpu_record()});
  CHECK(holds(some, "| interpreter |"));
  CHECK(holds(some, "| stage 0 fp64 |"));
  CHECK_FALSE(holds(some, "stage 1"));
  CHECK_THROWS_AS(rendered("rows speedup-micro: stage 7", {cpu_record()}), InputError);

  const std::vector<Record> both = {cpu_record(), gpu_record("speedup-small-h1", "2026-01-02T00:00:00Z")};
  const std::string joined = rendered("speedup-micro speedup-small-gpu", both);
  CHECK(holds(joined, "interpreter"));
  CHECK(holds(joined, "stage 3 bf16"));
  CHECK_THROWS_AS(rendered("speedup-micro speedup-none", both), InputError);
}

TEST_CASE("an emulated row is compared with no stage below it") {
  const std::string table = rendered("speedup-micro", {cpu_record()});
  CHECK(holds(table, "| stage 2 fp32 (emulated) | 1.00 ms |"));
  CHECK_FALSE(holds(table, "0.03"));
}

TEST_CASE("an excerpt takes the next line that begins so, in order") {
  const std::string text = rendered("excerpt output: model | step | step 4", {lines_record()});
  CHECK(holds(text, "$ ./ladder climb\nmodel a\nstep 1\nstep   4\n```\n"));
  CHECK(holds(text, "(3 lines of 5.)"));
  CHECK(holds(rendered("excerpt output: model | |", {lines_record()}), "model a\nstep 1\nstep 2\n"));
  CHECK_THROWS_WITH(rendered("excerpt output: step 4 | model", {lines_record()}), Catch::Contains("'model'"));
}

TEST_CASE("times of several records stand side by side, of stages that ran on the GPU in all") {
  const std::vector<Record> records = {gpu_record("speedup-a-h1", "2026-01-02T00:00:00Z"),
                                       gpu_record("speedup-b-h1", "2026-01-02T00:00:00Z")};
  const std::string text = rendered("times once: speedup-a-gpu | again: speedup-b-gpu", records);
  CHECK(holds(text, "|  | once | again |"));
  CHECK(holds(text, "| stage 3 bf16 | 100 us | 100 us |"));
  CHECK_FALSE(holds(text, "stage 1"));
  CHECK_THROWS_AS(rendered("times speedup-a-gpu", records), InputError);
}

TEST_CASE("the ladder puts each stage on the machine that it is made for") {
  const Record cpu = cpu_record(), gpu = gpu_record("speedup-small-h1", "2026-01-02T00:00:00Z");
  const Cells cells = ladder_cells_of(cpu, gpu, LADDER_SOURCE_DIR);
  REQUIRE(cells.size() == 6);
  CHECK(cells[0][2] == "on a CPU: 4,192 parameters");
  CHECK(cells[2][2] == "fp64: 100 us, **2,000 × as fast as the interpreter**");
  CHECK(cells[3][2] == "fp32: 10.0 us, **10.0 × as fast as stage 0**");
  CHECK(cells[3][3] == "fp32: 10.0 ms on 16 cores of its CPU");
  CHECK(cells[4][2].empty());  // emulated: it says nothing of CUDA
  CHECK(cells[4][3] == "fp32: 1.00 ms, **10.0 × as fast as stage 1**");
  CHECK(cells[5][3] == "bf16: 100 us, **10.0 × as fast as stage 2**");

  Record stale = cpu;
  stale.rows[1].sources = "interpreter";
  CHECK(holds(ladder_cells_of(stale, gpu, LADDER_SOURCE_DIR)[2][2], "(stale)"));
  Record failed = cpu;
  failed.rows[1].values.erase("seconds");
  CHECK(ladder_cells_of(failed, gpu, LADDER_SOURCE_DIR)[2][2] == "parity FAILED: no time");
}

TEST_CASE("the first build's seconds are those of the newer commit") {
  Record record = new_record("first-build", "first_build.py a b", "fresh clones");
  RecordRow row{"output", "", "", {}};
  row.values["lines"] = std::vector<std::string>{"./ladder info in a fresh clone  275  117  0.43",
                                                 "./ladder test after it          169  104  0.61"};
  record.rows = {row};
  CHECK(holds(render_first_build(record), "takes 117 seconds"));
  CHECK(holds(render_first_build(record), "104 more"));
  record.rows[0].values["lines"] = std::vector<std::string>{"nothing of the kind"};
  CHECK_THROWS_AS(render_first_build(record), InputError);
}

TEST_CASE("the picture is drawn from its records, and a changed one is noticed") {
  const TemporaryFolder folder;
  fs::create_directories(records_folder(folder.path()));
  fs::create_directories(folder / "shared" / "report");
  Record curves = new_record("loss-curves", "./ladder climb --record", kWork);
  for (const char* name : {"stage 0 fp64", "stage 1 fp32"}) {
    RecordRow row{name, "", "", {{"steps_each", 10}, {"emulated", false}}};
    row.values["loss"] = std::vector<double>{3.0, 2.5, 2.0};
    curves.rows.push_back(row);
  }
  for (const Record& record : {cpu_record(), gpu_record("speedup-small-h1", "2026-01-02T00:00:00Z"), curves})
    write_record(records_folder(folder.path()) / (record.name + ".json"), record);
  write_file(folder / "README.md", "<!-- generated: picture -->\n<!-- /generated -->\n");
  const std::vector<std::string> both = {"README.md", kPicture};
  CHECK(update_tables(folder.path(), true).changed == both);
  CHECK(update_tables(folder.path(), false).clean());
  const std::string svg = read_file(folder / kPicture);
  CHECK(holds(svg, "the loss of 2 stages"));
  CHECK(holds(svg, "2,000 × as fast as the interpreter"));
  CHECK_FALSE(holds(svg, "0.03"));
  write_file(folder / kPicture, svg + " ");
  CHECK(update_tables(folder.path(), false).changed == std::vector<std::string>{kPicture});
}
