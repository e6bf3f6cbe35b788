// What a block of a page may ask for: some rows, some lines, several records, whichever card
// measured; and the first page.
#include "shared/report/blocks.hpp"

#include <catch2/catch.hpp>

#include <cmath>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/report/front_page.hpp"
#include "shared/report/tables.hpp"
#include "shared/stages.hpp"

using namespace ladder;

namespace fs = std::filesystem;

namespace {

constexpr const char* kWork = "1 layer: 4192 parameters; 3 steps";

/// As record_rows() of shared/speed/chain.hpp makes them. The names are other words than the fields: pages read these.
RecordRow timed(int stage, const char* dtype, double seconds, double below, const char* variant = "") {
  RecordRow row{fmt::format("rung {} {}{}", stage, dtype, variant),
                "",
                "",
                {{"seconds", seconds}, {"proven", true}, {"emulated", false}}};
  row.values.update({{"stage", stage}, {"variant", variant}, {"parameters", 4192}});
  if (stage < 0)
    row.name = "interpreter";
  else
    row.values["dtype"] = dtype;
  if (below > 0.0) row.values["times_below"] = below;
  return row;
}

RecordRow on_gpu(RecordRow row) {
  row.values["device"] = "NVIDIA H999 (sm_99)";
  return row;
}

Record cpu_record() {
  Record record = new_record("speedup-micro", "./ladder speedup --record", kWork);
  RecordRow emulated = timed(2, "fp32", 1e-3, 0.03);
  emulated.values["emulated"] = true;
  record.rows = {timed(-1, "", 0.2, 0),
                 timed(0, "fp64", 1e-4, 2000),
                 timed(1, "fp64", 2e-5, 5),
                 timed(1, "fp32", 1e-5, 10),
                 emulated,
                 timed(1, "fp32", 1e-6, 100, "batch 16")};
  return record;
}

Record gpu_record(const std::string& name, const std::string& date) {
  Record record = new_record(name, "./ladder speedup --size small --record", kWork);
  record.date = date;
  record.machine.gpu = "NVIDIA H999 (sm_99)";
  record.machine.cores = 16;
  record.rows = {timed(1, "fp32", 1e-2, 0), on_gpu(timed(2, "fp32", 1e-3, 10)),
                 on_gpu(timed(3, "bf16", 1e-4, 10))};
  return record;
}

/// Of several types a stage.
Record typed_record() {
  Record gpu = gpu_record("speedup-small-h1", "2026-01-02T00:00:00Z");
  gpu.rows = {timed(2, "fp32", 1e-3, 0),          on_gpu(timed(3, "fp32", 2e-4, 5)),
              on_gpu(timed(3, "bf16", 1e-4, 10)), on_gpu(timed(3, "fp32", 1e-5, 100, "fused step")),
              on_gpu(timed(4, "fp32", 1e-4, 1)),  // as a record has it that was compared with bf16
              on_gpu(timed(4, "bf16", 5e-5, 2)),  on_gpu(timed(4, "fp16", 4e-5, 2.5))};
  return gpu;
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
  const std::string some = rendered("rows speedup-micro: interpreter | rung 0", {cpu_record()});
  CHECK(holds(some, "| interpreter |"));
  CHECK(holds(some, "| rung 0 fp64 |"));
  CHECK_FALSE(holds(some, "rung 1"));
  CHECK_THROWS_AS(rendered("rows speedup-micro: rung 7", {cpu_record()}), InputError);

  const std::vector<Record> both = {cpu_record(), gpu_record("speedup-small-h1", "2026-01-02T00:00:00Z")};
  const std::string joined = rendered("speedup-micro speedup-small-gpu", both);
  CHECK(holds(joined, "interpreter"));
  CHECK(holds(joined, "| rung 3 bf16 (NVIDIA H999 (sm_99)) |"));
  CHECK_THROWS_AS(rendered("speedup-micro speedup-none", both), InputError);
}

TEST_CASE("an emulated row is compared with no stage below it") {
  const std::string table = rendered("speedup-micro", {cpu_record()});
  CHECK(holds(table, "| rung 2 fp32 (emulated) | 1.00 ms |"));
  CHECK_FALSE(holds(table, "0.03"));
}

TEST_CASE("a record's name says which table it is; any other record is its lines") {
  const auto headings = [](const std::string& name) {
    Record record = new_record(name, "./ladder", kWork);
    record.rows = {RecordRow{"a", "", "", {{"kernels", Json::array()}}}};
    const std::string table = rendered(name, {record});
    return table.substr(0, table.find('\n'));
  };
  const auto heading_of = [](const Cells& cells) {
    const std::string table = markdown_table(cells);
    return table.substr(0, table.find('\n'));
  };
  const std::vector<RecordRow> rows = {RecordRow{"a", "", "", {{"kernels", Json::array()}}}};
  CHECK(headings("speedup-x") == heading_of(speedup_cells(rows)));
  CHECK(headings("parity") == heading_of(parity_cells(rows)));
  CHECK(headings("profile-x") == heading_of(profile_cells(rows)));
  CHECK(headings("decode-x") == heading_of(decode_cells(rows)));
  CHECK(headings("x-resources") == heading_of(resource_cells(rows)));
  CHECK(headings("x-else") == "```");
  CHECK_THROWS_WITH(rendered("output output", {lines_record()}), Catch::Contains("is no table"));
  CHECK_THROWS_WITH(rendered("rows output: model", {lines_record()}), Catch::Contains("is no table"));
}

TEST_CASE("an excerpt takes the next line that begins so, in order") {
  const std::string text = rendered("excerpt output: model | step | step 4", {lines_record()});
  CHECK(holds(text, "$ ./ladder climb\nmodel a\nstep 1\nstep   4\n```\n"));
  CHECK(holds(text, "(An excerpt: 3 lines of the 5 that the program wrote on 2"));
  CHECK(holds(rendered("excerpt output: model | |", {lines_record()}), "model a\nstep 1\nstep 2\n"));
  CHECK_THROWS_WITH(rendered("excerpt output: step 4 | model", {lines_record()}), Catch::Contains("'model'"));
}

TEST_CASE("times of several records stand side by side, of stages that ran on the GPU in all") {
  const std::vector<Record> records = {gpu_record("speedup-a-h1", "2026-01-02T00:00:00Z"),
                                       gpu_record("speedup-b-h1", "2026-01-02T00:00:00Z")};
  const std::string text = rendered("times once: speedup-a-gpu | again: speedup-b-gpu", records);
  CHECK(holds(text, "|  | once | again |"));
  CHECK(holds(text, "| rung 3 bf16 | 100 us | 100 us |"));
  CHECK_FALSE(holds(text, "rung 1"));
  CHECK_THROWS_AS(rendered("times speedup-a-gpu", records), InputError);
}

TEST_CASE("the ladder puts each stage on the machine that it is made for") {
  const Record cpu = cpu_record(), gpu = gpu_record("speedup-small-h1", "2026-01-02T00:00:00Z");
  const Cells cells = ladder_cells_of(cpu, gpu, LADDER_SOURCE_DIR);
  REQUIRE(cells.size() == 7);
  CHECK(cells[0][2] == "on a CPU: 4,192 parameters");
  CHECK(cells[2][2] == "fp64: 100 us, **2,000 × as fast as the interpreter**");
  CHECK(cells[3][2] == "fp32: 10.0 us, **10.0 × as fast as stage 0 in fp64**");
  CHECK(cells[3][3] == "fp32: 10.0 ms on 16 cores of its CPU");
  CHECK(cells[4][2].empty());  // emulated: it says nothing of CUDA
  CHECK(cells[4][3] == "fp32: 1.00 ms, **10.0 × as fast as stage 1**");
  CHECK(cells[5][3] == "bf16: 100 us, **10.0 × as fast as stage 2 in fp32**");

  CHECK(cells[1][0] == "[interpreter](shared/baseline/microgpt.py)");
  CHECK(cells[4][0] == "[2: naive CUDA](stage2_naive_cuda/README.md)");
  CHECK(cells[4][1] == find_stage(2).lesson);

  Record stale = cpu;
  stale.rows[1].sources = "interpreter";
  CHECK(holds(ladder_cells_of(stale, gpu, LADDER_SOURCE_DIR)[2][2], "(stale)"));
  Record failed = cpu;
  failed.rows[1].values.erase("seconds");
  CHECK(ladder_cells_of(failed, gpu, LADDER_SOURCE_DIR)[2][2] == "parity FAILED: no time");
}

TEST_CASE("a stage is compared with the one below in the same type, or else in the type that is named") {
  const Cells cells = ladder_cells_of(cpu_record(), typed_record(), LADDER_SOURCE_DIR);
  CHECK(cells[5][3] ==
        "fp32: 200 us, **5.0 × as fast as stage 2**<br>bf16: 100 us, **10.0 × as fast as stage 2 in fp32**");
  CHECK(cells[6][3] ==
        "fp32: 100 us, **2.0 × as fast as stage 3**<br>bf16: 50.0 us, **2.0 × as fast as stage 3**<br>"
        "fp16: 40.0 us, **2.5 × as fast as stage 3 in bf16**");
}

TEST_CASE("a record that lacks what the first page reads is named, with the row and the field") {
  const Record gpu = gpu_record("speedup-small-h1", "2026-01-02T00:00:00Z");
  for (const char* field : {"stage", "variant", "dtype", "parameters"}) {
    Record cpu = cpu_record();
    RecordRow& row = cpu.rows[std::string(field) == "parameters" ? 0 : 1];
    row.values.erase(field);
    CHECK_THROWS_WITH(ladder_cells_of(cpu, gpu, LADDER_SOURCE_DIR),
                      Catch::Contains("record 'speedup-micro', row '" + row.name + "'") &&
                          Catch::Contains(fmt::format("'{}' is missing", field)));
  }
  CHECK_THROWS_AS(ladder_cells_of(new_record("speedup-micro", "", ""), gpu, LADDER_SOURCE_DIR), InputError);
}

TEST_CASE("the first build's seconds are those of the newer commit") {
  Record record = new_record("first-build", "first_build.py a b", "fresh clones");
  RecordRow row{"output", "", "", {}};
  row.values["build_seconds"] = 117.2;
  row.values["test_seconds"] = 104;
  record.rows = {row};
  CHECK(holds(render_first_build(record), "takes 117 seconds"));
  CHECK(holds(render_first_build(record), "104 more"));
  record.rows[0].values.erase("test_seconds");
  CHECK_THROWS_WITH(render_first_build(record),
                    Catch::Contains("'first-build'") && Catch::Contains("'test_seconds'"));
}

TEST_CASE("the picture is drawn from its records, and a changed one is noticed") {
  const TemporaryFolder folder;
  fs::create_directories(records_folder(folder.path()));
  fs::create_directories(folder / "shared" / "report");
  Record curves = new_record("loss-curves", "./ladder climb --record", kWork);
  for (const char* name : {"stage 0 fp64", "stage 1 fp32"}) {
    RecordRow row{name, "", "", {{"steps_each", 10}, {"emulated", false}}};
    row.values["loss"] = numbers_or_texts({3.0, HUGE_VAL, 2.0});  // a text in JSON, a gap in the picture
    curves.rows.push_back(row);
  }
  for (const Record& record : {cpu_record(), gpu_record("speedup-small-h1", "2026-01-02T00:00:00Z"), curves})
    write_record(records_folder(folder.path()) / (record.name + ".json"), record);
  write_file(folder / "README.md", "<!-- generated: picture -->\n<!-- /generated -->\n");
  const std::vector<std::string> both = {"README.md", kPicture};
  CHECK(update_tables(folder.path(), true).changed == both);
  CHECK(update_tables(folder.path(), false).clean());
  const std::string svg = read_file(folder / kPicture);
  CHECK(holds(svg, "the losses of 2 runs"));
  CHECK(holds(svg, "2,000 × as fast as the interpreter"));
  CHECK_FALSE(holds(svg, "0.03"));
  CHECK_FALSE(holds(svg, "inf"));
  write_file(folder / kPicture, svg + " ");
  CHECK(update_tables(folder.path(), false).changed == std::vector<std::string>{kPicture});
}
