// The committed READMEs hold what the committed records give: `ladder tables` would change nothing.
#include <catch2/catch.hpp>

#include "shared/report/blocks.hpp"

using namespace ladder;

TEST_CASE("no generated part of a README differs from its record") {
  const TablesReport report = update_tables(LADDER_SOURCE_DIR, false);
  for (const std::string& file : report.changed)
    FAIL_CHECK(file << " differs from the records: run ladder tables (after measuring, if rows are stale)");
  for (const std::string& block : report.missing) FAIL_CHECK(block);
}

TEST_CASE("records name no path of the machine they were made on") {
  for (const Record& record : read_records(records_folder(LADDER_SOURCE_DIR))) {
    CAPTURE(record.name);
    CHECK(record.command.find("/home") == std::string::npos);
    const bool by_program = record.command.rfind("./ladder", 0) == 0;
    // Programs of their own: tests/stage2, tests/stage3, tests/bench.
    const bool by_benchmark = record.command == "linear_variants" || record.command == "tile_resources" ||
                              record.command.rfind("python3 tests/bench/first_build.py ", 0) == 0 ||
                              record.command.rfind("python3 tests/bench/pytorch_parity.py ", 0) == 0 ||
                              record.command.rfind("python3 stage4_nanogpt/lessons.py ", 0) == 0;
    CHECK((by_program || by_benchmark));
    CHECK_FALSE(record.machine.cpu.empty());
    CHECK_FALSE(record.build.compiler.empty());
  }
}
