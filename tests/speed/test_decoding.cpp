// What `ladder profile --decode` measures and records.
#include <catch2/catch.hpp>

#include <chrono>
#include <deque>
#include <thread>

#include "shared/report/tables.hpp"
#include "shared/speed/decoding.hpp"
#include "shared/stages.hpp"
#include "shared/train/engine_decorator.hpp"
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

namespace {

/// Keeps how many tokens every decoder was fed at a time, and is slow in the first decoder after the one for warming up.
class WatchedEngine final : public EngineDecorator {
 public:
  explicit WatchedEngine(std::unique_ptr<Engine> inner) : EngineDecorator(std::move(inner)) {}
  double train_step(std::span<const Batch>, const StepConstants&) override { return 0.0; }

  struct Watched final : Decoder {
    Watched(std::vector<int>& into, bool is_slow, int tokens)
        : fed(into), slow(is_slow), vocabulary(tokens) {}
    std::vector<double> next(std::span<const std::int32_t> tokens) override {
      fed.push_back(static_cast<int>(tokens.size()));
      if (slow) std::this_thread::sleep_for(std::chrono::milliseconds(60));
      return std::vector<double>(static_cast<std::size_t>(vocabulary));
    }
    std::vector<int>& fed;
    bool slow;
    int vocabulary;
  };

  std::unique_ptr<Decoder> decoder() override {
    fed.emplace_back();
    return std::make_unique<Watched>(fed.back(), fed.size() == 2 || fed.size() == 3, config().vocab_size);
  }

  std::deque<std::vector<int>> fed;
};

}  // namespace

TEST_CASE("each round decodes the block token by token, and then at once, from the start; medians are told") {
  GptConfig model;
  model.block_size = 6;
  const Run run = prepare_run(model, {}, {});
  EngineOptions options;
  options.dtype = Dtype::fp32;
  WatchedEngine engine(make_engine(1, run.model, options));
  const std::vector<DecodingRow> rows = measure_decoding(engine, 3);
  const std::vector<int> by_token = {3, 1, 1, 1}, whole = {6};
  REQUIRE(engine.fed.size() == 7);
  CHECK(engine.fed[0] == whole);  // untimed
  for (std::size_t round = 0; round < 3; ++round) {
    CHECK(engine.fed[1 + 2 * round] == by_token);
    CHECK(engine.fed[2 + 2 * round] == whole);
  }
  for (const DecodingRow& row : rows) CHECK(row.seconds < 30e-3);  // one slow round is not the median
}

TEST_CASE("a record of decoding keeps rows, seconds and sources of each line") {
  const std::vector<RecordRow> records =
      record_rows({{"prompt", 8, 6e-3}, {"next", 1, 2e-3}}, "stage1", false);
  CHECK(records[0].sources == "stage1");
  CHECK(records[0].values.at("rows") == 8);
  CHECK(records[0].values.at("seconds") == 6e-3);
  CHECK(records[0].values.at("times_token").get<double>() == Approx(3.0));
}
