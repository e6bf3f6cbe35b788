// The chain prints no time for a stage that computed something else, nor for any stage proven only against it.
#include "shared/speed/chain.hpp"

#include <catch2/catch.hpp>

#include <cmath>

#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/base/text_table.hpp"
#include "shared/report/tables.hpp"
#include "tests/parity/broken_engine.hpp"

using namespace ladder;

namespace {

ChainSettings tiny() {
  ChainSettings settings;
  settings.documents = 16;
  settings.rounds = 2;
  settings.batch = 0;
  return settings;
}

std::vector<ChainRow> race_with(std::vector<Rung> chain, ChainSettings settings = tiny()) {
  return run_chain(settings, chain, false, {});
}

std::vector<Rung> foot() {
  std::vector<Rung> chain = rungs(Device::automatic, 1);
  chain.resize(3);
  return chain;
}

}  // namespace

TEST_CASE("a chain that agrees has a time on every row") {
  for (const ChainRow& row : race_with(foot())) {
    CAPTURE(row.name);
    CHECK(row.proven);
    CHECK(row.time.samples.size() == 2);
    CHECK(row.time.median() > 0.0);
  }
}

TEST_CASE("a wrong stage loses its time, and so does the stage proven against it") {
  std::vector<Rung> chain = foot();
  Damage damage;
  damage.from_step = 3;
  SECTION("a wrong loss") {
    damage.loss = [](double loss) { return loss + 1e-3; };
  }
  SECTION("NaN") {
    damage.loss = [](double) { return NAN; };
  }
  chain[1].side = broken(chain[1].side, damage);
  const std::vector<ChainRow> rows = race_with(chain);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].proven);
  CHECK_FALSE(rows[1].proven);
  CHECK(rows[1].time.empty());
  CHECK_FALSE(rows[2].proven);
  CHECK(rows[2].time.empty());

  const std::vector<RecordRow> records = record_rows(rows, false);
  CHECK(records[0].values.contains("seconds"));
  CHECK_FALSE(records[1].values.contains("seconds"));
  CHECK_FALSE(records[1].values.contains("times_below"));
  const Cells cells = speedup_cells(records);
  CHECK(cells[2][1] == "-");
  CHECK(cells[2][5].find("FAILED") != std::string::npos);
}

TEST_CASE("two stages that are wrong by the same amount prove each other nothing") {
  std::vector<Rung> chain = foot();
  Damage damage;
  damage.loss = [](double loss) { return loss + 1e-3; };
  for (std::size_t i : {1, 2}) chain[i].side = broken(chain[i].side, damage);
  const std::vector<ChainRow> rows = race_with(chain);
  CHECK(rows[2].parity.passed());
  for (std::size_t i : {1, 2}) {
    CAPTURE(rows[i].name);
    CHECK_FALSE(rows[i].proven);
    CHECK(rows[i].failed());
    CHECK(rows[i].time.empty());
  }
}

TEST_CASE("in a narrow type one loss that fails counts beside a mean that passes") {
  std::vector<Rung> chain = foot();
  Damage damage;
  damage.loss = [step = std::make_shared<int>(0)](double loss) {
    return (*step)++ % 16 == 9 ? 1.2 * loss : loss;  // of 16 steps a slice
  };
  chain[2].side = broken({"narrow", Dtype::bf16, chain[1].side.make}, damage);
  const std::vector<ChainRow> rows = race_with(chain);
  CHECK_FALSE(rows[2].parity.passed());
  CHECK(rows[2].limit == find_tolerance("losses", Dtype::bf16).limit());
  CHECK_FALSE(rows[2].proven);
  CHECK(rows[2].time.empty());
}

TEST_CASE(
    "what rounding does to a race is no stage's fault, in fp32 and in narrow types, and anything else is") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 60; ++i) text += std::string(static_cast<std::size_t>(2 + i * i % 7), 'a') + "\n";
  write_file(folder / "text.txt", text);
  ChainSettings settings = tiny();
  settings.data.path = (folder / "text.txt").string();
  settings.model.n_layer = 2;
  settings.model.block_size = 5;
  settings.train.learning_rate = 0.1;
  settings.train.steps = settings.documents = 10;
  std::vector<Rung> chain = foot();
  chain.push_back({3, side_of(3, Dtype::bf16, Device::cpu, 1), 1});
  const std::vector<ChainRow> rows = race_with(chain, settings);
  CHECK(rows[2].steady_steps > 0);
  CHECK(rows[2].steady_steps < 10);
  CHECK(rows[2].proven);
  CHECK(rows[3].steady_steps == 0);
  CHECK(rows[3].proven);
  CHECK_FALSE(compare(rows[3].loss, rows[1].loss, find_tolerance("losses", Dtype::bf16)).passed());
  const Cells cells = speedup_cells(record_rows(rows, false));
  CHECK(cells[3].back().ends_with(fmt::format(", over the first {} steps", rows[2].steady_steps)));

  Damage damage;
  damage.loss = [](double loss) { return 1.5 * loss; };
  for (const std::size_t wrong : {2, 3}) {
    std::vector<Rung> broken_chain = chain;
    broken_chain[wrong].side = broken(chain[wrong].side, damage);
    CHECK_FALSE(race_with(broken_chain, settings)[wrong].proven);
  }
}

TEST_CASE("every form of a stage is compared with the stage below, in proof and in speed") {
  ChainSettings settings = tiny();
  settings.documents = 2;
  settings.rounds = 1;
  settings.device = Device::cpu;
  const std::vector<ChainRow> rows = race_with(racing_rungs(Device::cpu, 1), settings);
  REQUIRE(rows.size() == 7);
  CHECK(rows[5].name == "stage 4 fp32");
  CHECK(rows.back().name == "stage 3 fp32, fused step");
  const std::vector<int> stage_below = {-1, 0, 0, 2, 3, 4, 3}, proven_by = {-1, 0, 1, 1, 1, 4, 1};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(rows[i].name);
    CHECK(rows[i].proven);
    CHECK(rows[i].ladder_below == stage_below[i]);
    CHECK(rows[i].below == proven_by[i]);
  }
  const std::vector<RecordRow> records = record_rows(rows, false);
  const Json& fused = records.back().values;
  CHECK(fused.at("stage") == 3);
  CHECK(fused.at("dtype") == "fp32");
  CHECK(fused.at("variant") == "fused step");
  CHECK(fused.at("parameters") == 4192);
  CHECK(records[1].values.at("dtype") == "fp64");
  CHECK(records[1].values.at("variant") == "");
}

TEST_CASE("speed is compared with the stage below in the same type, or else with the last of its types") {
  const auto rung = [](int stage, Dtype dtype) {
    return Rung{stage, side_of(stage, dtype, Device::cpu, 1), stage == 1 ? -1 : 0};
  };
  ChainSettings settings = tiny();
  settings.documents = 1;
  settings.rounds = 1;
  settings.device = Device::cpu;
  const std::vector<ChainRow> rows =
      race_with({rung(1, Dtype::fp64), rung(1, Dtype::fp32), rung(3, Dtype::fp32), rung(3, Dtype::bf16),
                 rung(4, Dtype::fp32), rung(4, Dtype::bf16), rung(4, Dtype::fp16)},
                settings);
  const std::vector<int> stage_below = {-1, -1, 1, 1, 2, 3, 3};
  REQUIRE(rows.size() == stage_below.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(rows[i].name);
    CHECK(rows[i].ladder_below == stage_below[i]);
  }
}

TEST_CASE("GPT-2's stage 4 races only as proven against stage 1") {
  const Preset& preset = find_preset("tiny");
  ChainSettings settings = tiny();
  settings.model = preset.model;
  settings.train = preset.train;
  settings.data.character_stream = true;
  settings.device = Device::cpu;
  settings.rounds = 1;
  const std::vector<ChainRow> rows = run_chain(settings);
  REQUIRE(rows.back().stage == 4);
  CHECK(rows.back().compared_with == "stage 1 fp64");
  CHECK(rows.back().parity.want_size > 0);
}

TEST_CASE("a model that no tile holds leaves the fused step out and says why") {
  ChainSettings settings = tiny();
  settings.documents = 1;
  settings.rounds = 1;
  settings.model.n_embd = 68;
  std::vector<Rung> chain = {racing_rungs(Device::cpu, 1)[1], racing_rungs(Device::cpu, 1).back()};
  chain[0].below = -1;
  chain[1].below = 0;
  const std::vector<ChainRow> rows = race_with(chain, settings);
  CHECK(rows[0].time.samples.size() == 1);
  CHECK_THAT(rows[1].not_run, Catch::Contains("width of 68"));
}

TEST_CASE("a stage that cannot run says why, and the others still race") {
  std::vector<Rung> chain = foot();
  chain[2].side.make = [](const GptConfig&, int) -> std::unique_ptr<Engine> {
    throw MachineError("no such device here");
  };
  const std::vector<ChainRow> rows = race_with(chain);
  CHECK(rows[2].not_run == "no such device here");
  CHECK(rows[2].time.empty());
  CHECK(rows[1].proven);
  CHECK(speedup_cells(record_rows(rows, false))[3][5] == "no such device here");
}

TEST_CASE("a rung that would take too long is left out") {
  ChainSettings settings = tiny();
  settings.patience = 1e-3;  // stage 0 needs about 3 ms for 16 documents, stage 1 a tenth of that
  const std::vector<ChainRow> rows = race_with(foot(), settings);
  CHECK(rows[0].not_run.find("too slow") != std::string::npos);
  CHECK(rows[1].not_run.empty());
}

TEST_CASE("only rungs of the type that was asked for are begun, and what proves them") {
  ChainSettings settings = tiny();
  settings.only = Dtype::fp32;
  std::vector<Rung> chain = foot();
  chain[0].side.make = [](const GptConfig&, int) -> std::unique_ptr<Engine> {
    throw std::logic_error("was begun");
  };
  const std::vector<ChainRow> rows = race_with(chain, settings);
  CHECK(rows[0].not_run == "left out: only fp32 was asked for");
  CHECK_FALSE(rows[0].failed());
  CHECK(rows[0].time.empty());
  CHECK(rows[1].reference);  // stage 1 in fp64
  CHECK(rows[2].proven);
  CHECK(rows[2].time.samples.size() == 2);
}

TEST_CASE(
    "a stage whose stage below did not run is a reference, not proven; those above are proven against it") {
  std::vector<Rung> chain = foot();
  chain[0].side.make = [](const GptConfig&, int) -> std::unique_ptr<Engine> {
    throw MachineError("not here");
  };
  const std::vector<ChainRow> rows = race_with(chain);
  CHECK_FALSE(rows[1].proven);
  CHECK(rows[1].reference);
  CHECK_FALSE(rows[1].failed());
  CHECK_FALSE(rows[1].time.empty());
  CHECK(rows[2].proven);
  CHECK(rows[2].compared_with == rows[1].name);
  const Cells cells = speedup_cells(record_rows(rows, false));
  CHECK(cells[2][5] == "not proven: nothing below it ran");
}

TEST_CASE("the interpreter refuses every setting that its program does not have") {
  const auto refuses = [](const std::function<void(TrainConfig&)>& change) {
    TrainConfig train;
    change(train);
    return !interpreter_refuses(prepare_run({}, train, {})).empty();
  };
  CHECK(refuses([](TrainConfig& train) { train.schedule = Schedule::cosine; }));
  CHECK(refuses([](TrainConfig& train) { train.schedule = Schedule::constant; }));
  CHECK(refuses([](TrainConfig& train) { train.warmup_steps = 1; }));
  CHECK(refuses([](TrainConfig& train) { train.min_learning_rate = 1e-4; }));
  CHECK(refuses([](TrainConfig& train) { train.clip = 1.0; }));
  CHECK(refuses([](TrainConfig& train) { train.batch_size = 2; }));
  CHECK(refuses([](TrainConfig& train) { train.grad_accum = 2; }));
}

TEST_CASE("the interpreter proves stage 0 and stands in for nobody") {
  std::vector<ChainRow> rows(4);
  rows[0].name = "interpreter";
  rows[1].stage = 0;
  rows[1].below = 0;
  rows[1].not_run = "not here";
  rows[2].stage = 1;
  rows[2].below = 1;
  rows[3].stage = 2;
  rows[3].below = 2;
  for (ChainRow& row : rows) row.time.samples = {1.0};
  keep_proven_times(rows);
  CHECK(rows[0].proven);
  CHECK_FALSE(rows[1].proven);
  CHECK(rows[1].time.empty());
  CHECK_FALSE(rows[2].proven);
  CHECK(rows[2].reference);
  CHECK_FALSE(rows[2].failed());
  CHECK_FALSE(rows[2].time.empty());
  CHECK(rows[3].proven);  // against the reference
}

TEST_CASE("where the stage below did not run, the one below that is compared with") {
  std::vector<Rung> chain = foot();
  chain[1].side.make = [](const GptConfig&, int) -> std::unique_ptr<Engine> {
    throw MachineError("not here");
  };
  const std::vector<ChainRow> rows = race_with(chain);
  CHECK(rows[2].proven);
  CHECK(rows[2].compared_with == rows[0].name);
}

TEST_CASE("batched rows are compared with stage 0 on the same batches") {
  ChainSettings settings = tiny();
  settings.batch = 8;
  const std::vector<ChainRow> rows = race_with(foot(), settings);
  int batched = 0;
  for (const ChainRow& row : rows) {
    if (row.name.find("batch 8") == std::string::npos) continue;
    CAPTURE(row.name);
    CHECK(row.proven);
    CHECK(row.loss.size() == 2);
    if (row.shown) {
      CHECK(row.compared_with == "stage 0 fp64, batch 8");
      CHECK_THAT(row.variant, Catch::StartsWith("batch 8, "));
      CHECK(row.name == "stage 1 fp32, " + row.variant);
      ++batched;
    }
  }
  CHECK(batched >= 1);
  settings.documents = 20;
  CHECK_THROWS_AS(race_with(foot(), settings), InputError);
}
