// The table of the comparison with PyTorch: what a line says, and a page before anybody has run it.
#include "shared/report/pytorch_table.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/report/blocks.hpp"

using namespace ladder;

namespace fs = std::filesystem;

namespace {

constexpr const char* kBlock = "if run pytorch-parity-a-gpu pytorch-parity-b-gpu";

Json group(const char* rule, double limit) {
  return {{"tensors", 5},       {"rule", rule},   {"limit", limit}, {"scaled", 2e-5},
          {"difference", 3e-2}, {"passed", true}, {"over", 0}};
}

/// As tests/bench/pytorch_judgement.py makes them.
RecordRow row_of(const std::string& dtype) {
  const bool element = dtype == "fp64" || dtype == "fp32";
  Json kept = group(element ? "scaled" : "ratio", element ? 1e-4 : 1.25);
  if (dtype != "fp64") kept["ratio"] = 1.04;
  if (dtype == "fp32") kept["pytorch_over"] = 2;
  Json values = {{"dtype", dtype},
                 {"emulated", false},
                 {"greedy", {{"same", 50}, {"of", 50}, {"passed", true}, {"excused", false}}},
                 {"published", {{"kernel_fp16", 1e-2}, {"expanded", 1e-1}}}};
  for (const char* name : {"logits", "residual stream", "gradients"}) values["groups"][name] = kept;
  values["groups"]["loss"] = group("scaled", 2e-3);
  return {"2 x 64, random weights, " + dtype, "", "", values};
}

Record record_of(const std::string& name) {
  Record record = new_record(name, "python3 tests/bench/pytorch_parity.py build/ladder",
                             "GPT-2 of 2 layers; beside PyTorch 9.9 (sdpa attention)");
  record.machine.gpu = "NVIDIA H999 (sm_99)";
  record.rows = {row_of("fp32"), row_of("bf16")};
  return record;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a line of the comparison with PyTorch shows what its type's rule counts") {
  const Cells cells = pytorch_cells({row_of("fp64"), row_of("fp32"), row_of("fp16")});
  using Line = std::vector<std::string>;
  CHECK(cells[1] == Line{"2 x 64, random weights, fp64", "1e-04 of an element", "2.0e-05", "2.0e-05",
                         "2.0e-05", "", "2.0e-05 of 2e-03", "50 of 50", "3.0e-02, 3.0e-02, 3.0e-02",
                         "1e-01"});
  CHECK(cells[2][2] == "2.0e-05 (1.04 ×)");
  CHECK(cells[2][5] == "6 of 15");
  CHECK(cells[3][1] == "1.25 × PyTorch's error");
  CHECK(cells[3][2] == "1.04 ×");
  CHECK(cells[3][5].empty());
  CHECK(cells[3][9] == "1e-01, of a kernel 1e-02");
  for (const Line& line : cells) CHECK(line.size() == cells[0].size());
}

TEST_CASE("what falls short, is not finite, emulated or stale is said in its cell") {
  RecordRow row = row_of("fp16");
  Json& gradients = row.values["groups"]["gradients"];
  gradients["ratio"] = "inf";
  gradients["difference"] = "inf";
  gradients["passed"] = false;
  gradients["over"] = 3;
  row.values["groups"]["loss"]["passed"] = false;
  row.values["greedy"]["same"] = 7;
  row.values["greedy"]["passed"] = false;
  row.values["emulated"] = true;
  const Cells cells = pytorch_cells({row}, {true});
  CHECK(cells[1][0] == "2 x 64, random weights, fp16 (emulated) (stale)");
  CHECK(cells[1][4] == "not finite FAILED: 3 of 5");
  CHECK(cells[1][6] == "2.0e-05 of 2e-03 FAILED");
  CHECK(cells[1][7] == "7 of 50 FAILED");
  CHECK(cells[1][8] == "3.0e-02, 3.0e-02, not finite");
  row.values["greedy"]["excused"] = true;
  CHECK(pytorch_cells({row})[1][7] == "7 of 50, then a tie");
  row.values.erase("groups");
  CHECK_THROWS_AS(pytorch_cells({row}), JsonError);
}

TEST_CASE("a block of what needs more than this program says what was not run") {
  const auto rendered = [](const std::vector<Record>& records) {
    return render_block(kBlock, records, LADDER_SOURCE_DIR);
  };
  const std::string no_a = "*Not run: there is no record `pytorch-parity-a-gpu`.*\n",
                    no_b = "*Not run: there is no record `pytorch-parity-b-gpu`.*\n";
  CHECK(rendered({}) == no_a + "\n" + no_b);
  const Record a = record_of("pytorch-parity-a-h9"), b = record_of("pytorch-parity-b-h9");
  const std::string one = rendered({a}), both = rendered({a, b});
  CHECK(one.ends_with(".\n\n" + no_b));
  CHECK(holds(one, "| 2 x 64, random weights, bf16 | 1.25 × PyTorch's error | 1.04 × |"));
  CHECK(holds(one, "beside PyTorch 9.9 (sdpa attention)"));
  CHECK(holds(one, "NVIDIA H999 (sm_99)"));
  CHECK(rendered({b}).ends_with(".\n\n" + no_a));
  CHECK_FALSE(holds(both, "Not run"));
  CHECK_THROWS_WITH(
      render_block("if run first-build", {new_record("first-build", "", "")}, LADDER_SOURCE_DIR),
      Catch::Contains("is no table"));
}

TEST_CASE("a comparison that was not run is no fault of the pages, a stale one is") {
  const TemporaryFolder folder;
  const fs::path program = folder / "shared" / "baseline" / "microgpt.py";
  fs::create_directories(program.parent_path());
  fs::create_directories(records_folder(folder.path()));
  write_file(program, "print(1)\n");
  write_file(folder / "README.md", fmt::format("<!-- generated: {} -->\n<!-- /generated -->\n", kBlock));
  CHECK(update_tables(folder.path(), true).missing.empty());
  CHECK(update_tables(folder.path(), false).clean());
  Record record = record_of("pytorch-parity-a-h9");
  record.rows[0].sources = "interpreter";
  record.rows[0].hash = source_hash("interpreter", folder.path());
  write_record(records_folder(folder.path()) / "pytorch-parity-a-h9.json", record);
  CHECK(update_tables(folder.path(), true).stale.empty());
  write_file(program, "print(2)\n");
  CHECK(update_tables(folder.path(), true).stale.size() == 1);
  CHECK(holds(read_file(folder / "README.md"), "fp32 (stale) |"));
}
