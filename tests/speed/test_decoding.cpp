// What `ladder profile --decode` measures and records.
#include <catch2/catch.hpp>

#include "shared/report/tables.hpp"
#include "shared/speed/decoding.hpp"
#include "shared/stages.hpp"
#include "shared/train/run.hpp"

using namespace ladder;

TEST_CASE("a prompt, the next token, the last and all again are timed in their rows") {
  const Run run = prepare_run({}, {}, {});
  for (const auto& [stage, dtype] : {std::pair{0, Dtype::fp64}, {1, Dtype::fp32}}) {
    EngineOptions options;
    options.dtype = dtype;
    const auto engine = make_engine(stage, run.model, options);
    engine->load_parameters(run.initial);
    const std::vector<DecodingRow> rows = measure_decoding(*engine, 2);
    REQUIRE(rows.size() == 4);
    std::vector<int> counts;
    for (const DecodingRow& row : rows) {
      counts.push_back(row.rows);
      CHECK(row.seconds > 0);
    }
    CHECK(counts == std::vector<int>{8, 1, 1, 16});
    CHECK(rows[0].name == "a prompt of 8 tokens");
    CHECK(rows[3].name == "all 16 positions again");
  }
}

TEST_CASE("a block too short to generate in is refused") {
  GptConfig tiny;
  tiny.block_size = 3;
  const Run run = prepare_run(tiny, {}, {});
  const auto engine = make_engine(1, run.model, {});
  CHECK_THROWS_WITH(measure_decoding(*engine, 1), Catch::Contains("a block of 3 positions"));
}

TEST_CASE("records of decoding are tables of time and of times the next token") {
  const std::vector<DecodingRow> rows = {{"a prompt of 8 tokens", 8, 6e-3},
                                         {"the next token", 1, 2e-3},
                                         {"token 16, the block's last", 1, 3e-3},
                                         {"all 16 positions again", 16, 16e-3}};
  const std::vector<RecordRow> records = record_rows(rows, "stage1", false);
  CHECK(records[1].values.at("times_token").get<double>() == 1.0);
  const Cells cells = decode_cells(records, {true, false, false, false});
  REQUIRE(cells.size() == 5);
  CHECK(cells[1] == std::vector<std::string>{"a prompt of 8 tokens (stale)", "8", "6.00 ms", "3.0"});
  CHECK(cells[4][3] == "8.0");
}
