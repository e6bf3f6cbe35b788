// PyTorch in the race, with a stand-in for it: it is believed no more than a stage is, and whatever keeps it from running
// ends in its rows and not in the others'.
#include "shared/speed/pytorch_rows.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json.hpp"
#include "shared/base/lines.hpp"
#include "tests/support/fake_python.hpp"

using namespace ladder;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

constexpr int kSteps = 3;

ChainSettings small() {
  const Preset& preset = find_preset("tiny");
  ChainSettings settings;
  settings.model = preset.model;
  settings.model.n_layer = 1;
  settings.train = preset.train;
  settings.data.character_stream = true;
  settings.documents = kSteps * preset.train.batch_size;
  settings.batch = 0;
  settings.rounds = 2;
  settings.device = Device::cpu;
  settings.pytorch = true;
  return settings;
}

Run run_of(const ChainSettings& settings) {
  return prepare_run(settings.model, settings.train, settings.data);
}

/// Stage 1's losses in fp32, which a right PyTorch has, too.
std::vector<double> right_losses() {
  const ChainSettings settings = small();
  const Run run = run_of(settings);
  const auto engine = side_of(1, Dtype::fp32, Device::cpu, 1).make(run.model, run.train.batch_size);
  return train_curve(*engine, run, kSteps);
}

std::string right(const char* seconds = "0.5") { return test::answer(right_losses(), seconds); }

/// Stage 1 in fp64 and fp32, and beside the second what `script` says as python3.
std::vector<ChainRow> race_with(const std::string& script, const ChainSettings& settings = small()) {
  const TemporaryFolder folder;
  const test::FakePython python(folder, script);
  std::vector<Rung> chain = rungs(Device::cpu, 1, settings.model.architecture);
  std::erase_if(chain, [](const Rung& rung) { return rung.stage != 1; });
  std::vector<ChainRow> rows = run_chain(settings, chain, false, {});
  REQUIRE(rows.size() == 4);
  CHECK(rows[1].name == "stage 1 fp32");
  CHECK(rows[2].name == "PyTorch fp32, eager");
  CHECK(rows[3].name == "PyTorch fp32, compiled");
  return rows;
}

void check_left_out(const ChainRow& row, const std::string& reason) {
  CAPTURE(row.name);
  CHECK(row.not_run == reason);
  CHECK_FALSE(row.proven);
  CHECK_FALSE(row.failed());
  CHECK(row.time.empty());
}

void check_stages_race(const std::vector<ChainRow>& rows) {
  for (int i : {0, 1}) {
    CHECK(rows[static_cast<std::size_t>(i)].proven);
    CHECK(rows[static_cast<std::size_t>(i)].time.samples.size() == 2);
  }
}

/// A row of a stage that took `seconds`.
ChainRow stage_row(const char* name, Dtype dtype, double seconds) {
  ChainRow row;
  row.name = name;
  row.stage = 4;
  row.dtype = dtype;
  row.time.samples = {seconds};
  return row;
}

/// A row of PyTorch compared with "mine".
ChainRow rival_row(Dtype dtype, double seconds) {
  ChainRow row = stage_row("theirs", dtype, seconds);
  row.stage = kPytorchStage;
  row.proven = true;
  row.compared_with = "mine";
  row.parity.want_size = 1;
  row.limit = 0.25;
  return row;
}

ChainRow reference() {
  ChainRow row = stage_row("mine", Dtype::bf16, 2.0);
  row.reference = true;
  return row;
}

}  // namespace

TEST_CASE("PyTorch with a stage's losses is proven, and has the time that it says") {
  const std::vector<ChainRow> rows = race_with(test::serving(right("0.5"), right("0.25")));
  check_stages_race(rows);
  const double documents = static_cast<double>(small().documents);
  for (int i : {2, 3}) {
    const ChainRow& row = rows[static_cast<std::size_t>(i)];
    CAPTURE(row.name);
    CHECK(row.proven);
    CHECK(row.stage == kPytorchStage);
    CHECK(row.compared_with == "stage 1 fp32");
    CHECK(row.parity.want_size == kSteps);
    CHECK(row.parameters == rows[1].parameters);
    CHECK(row.time.samples == std::vector<double>(2, (i == 2 ? 0.5 : 0.25) / documents));
  }
}

TEST_CASE("PyTorch with other losses has no time") {
  std::vector<double> losses = right_losses();
  SECTION("one is off") { losses[1] += 1e-3; }
  SECTION("one is no number") { losses[1] = NAN; }
  SECTION("one is missing") { losses.pop_back(); }
  const std::string wrong = test::answer(losses, "0.25");
  const std::vector<ChainRow> rows = race_with(test::serving(right(), wrong));
  check_stages_race(rows);
  CHECK(rows[2].proven);
  CHECK(rows[3].failed());
  CHECK(rows[3].time.empty());
  CHECK(rows[2].time.median() == 0.5 / static_cast<double>(small().documents));
}

TEST_CASE("PyTorch trains on the weights and the windows of the race") {
  const TemporaryFolder seen;
  const std::string keep = seen.path().string();
  const std::string log = "echo \"$request\" >>" + keep + "/requests; ";
  const std::string take = "echo \"$@\" >" + keep + "/flags; cp \"$3\" " + keep +
                           "/weights; for last; do :; done; cp \"$last\" " + keep + "/windows\n";
  ChainSettings settings = small();
  settings.train.clip = 0.75;
  settings.rounds = 1;
  race_with(take + test::serving(log + right(), log + right()), settings);

  const Run run = run_of(settings);
  std::vector<std::int32_t> want;
  for (int s = 0; s < kSteps; ++s)
    for (int i = 0; i < settings.train.batch_size; ++i) {
      const Sequence sequence = run.source->sequence(s, i);
      want.insert(want.end(), sequence.tokens.begin(), sequence.tokens.end());
      want.push_back(sequence.targets.back());
    }
  const std::string bytes = test::text_of(seen / "windows");
  std::vector<std::int32_t> got(bytes.size() / sizeof(std::int32_t));
  std::memcpy(got.data(), bytes.data(), got.size() * sizeof(std::int32_t));
  CHECK(got == want);
  CHECK(std::filesystem::file_size(seen / "weights") >
        4 * static_cast<std::uintmax_t>(parameter_count(run.model)));
  const std::string flags = test::text_of(seen / "flags");
  CHECK_THAT(flags, Contains("--dtype fp32 ") && Contains("--device cpu ") && Contains("--clip 0.75 ") &&
                        Contains(fmt::format("--seed {} ", settings.train.seed)) &&
                        Contains(fmt::format("--batch-size {} ", settings.train.batch_size)) &&
                        Contains(fmt::format("--schedule-steps {} ", settings.train.decay_steps())));

  // Proven without dropout, which two programs draw differently; compiled once more before the clock starts.
  const auto request = [](bool compiled, bool dropout) {
    return Json{{"compiled", compiled}, {"dropout", dropout}, {"steps", kSteps}};
  };
  std::vector<Json> requests;
  for (const std::string& line : lines_of(test::text_of(seen / "requests")))
    requests.push_back(Json::parse(line));
  CHECK(requests == std::vector<Json>{request(false, false), request(false, true), request(true, false),
                                      request(true, true), request(false, true), request(true, true)});
}

TEST_CASE("without PyTorch its rows say why") {
  const std::vector<ChainRow> rows = race_with("echo \"No module named 'torch'\" >&2; exit 3\n");
  check_stages_race(rows);
  for (int i : {2, 3})
    check_left_out(rows[static_cast<std::size_t>(i)], "not run: python3: No module named 'torch'");
}

TEST_CASE("a python3 that talks of something else is not understood") {
  for (const char* script : {"echo hello; cat\n", "echo '{\"version\": 3}'; cat\n"}) {
    const std::vector<ChainRow> rows = race_with(script);
    check_stages_race(rows);
    for (int i : {2, 3})
      CHECK_THAT(rows[static_cast<std::size_t>(i)].not_run, StartsWith("not run: the answer of PyTorch"));
  }
}

TEST_CASE("a form of PyTorch that does not run leaves the other its time") {
  const std::string problem = "echo '{\"problem\": \"out of memory\"}'";
  std::string compiled, reason = "out of memory";
  SECTION("not at all") { compiled = problem; }
  SECTION("not with dropout") {
    compiled = "case $request in *dropout*true*) " + problem + ";; *) " + right() + ";; esac";
  }
  SECTION("not in a way that is understood") {
    compiled = "case $request in *dropout*true*) echo '{}';; *) " + right() + ";; esac";
    reason = "the answer of PyTorch";
  }
  SECTION("no longer, once the race has begun") {
    compiled = "n=$((n + 1)); if [ $n -gt 2 ]; then " + problem + "; else " + right() + "; fi";
  }
  const std::vector<ChainRow> rows = race_with(test::serving(right(), compiled));
  check_stages_race(rows);
  CHECK(rows[2].proven);
  CHECK(rows[2].time.samples.size() == 2);
  CHECK_THAT(rows[3].not_run, StartsWith("not run: " + reason));
  check_left_out(rows[3], rows[3].not_run);
}

TEST_CASE("a PyTorch that dies takes no stage with it") {
  int answers = 0;
  SECTION("when it is proven") { answers = 2; }
  SECTION("in the race") { answers = 5; }
  const std::string mortal = fmt::format(
      "n=$((n + 1)); if [ $n -gt {} ]; then echo 'out of luck' >&2; exit 1; fi; {}", answers, right());
  const std::vector<ChainRow> rows = race_with(test::serving(mortal, mortal));
  check_stages_race(rows);
  for (int i : {2, 3}) check_left_out(rows[static_cast<std::size_t>(i)], "not run: python3: out of luck");
}

TEST_CASE("a stage that nothing below it proves is proven by PyTorch") {
  ChainSettings settings = small();
  settings.patience = 5e-3;  // fp64 is expected to take 7 ms, fp32 half of that
  std::vector<ChainRow> rows = race_with(test::serving(right(), right()), settings);
  CHECK_THAT(rows[0].not_run, Contains("too slow"));
  CHECK(rows[1].proven);
  CHECK_FALSE(rows[1].reference);
  CHECK(rows[1].compared_with == "PyTorch fp32, eager");
  CHECK(rows[1].time.samples.size() == 2);

  const std::string wrong = test::answer({1, 2, 3}, "0.5");
  rows = race_with(test::serving(wrong, wrong), settings);
  CHECK(rows[1].failed());
  CHECK(rows[1].time.empty());

  rows = race_with("exit 3\n", settings);
  CHECK(rows[1].reference);
  CHECK_FALSE(rows[1].failed());
  CHECK(rows[1].time.samples.size() == 2);
}

TEST_CASE("what PyTorch says counts for the one row that it was compared with") {
  ChainRow other = reference();
  other.name = "another";
  std::vector<ChainRow> rows = {other, reference(), rival_row(Dtype::bf16, 1.0)};
  prove_by_pytorch(rows);
  CHECK(rows[1].proven);
  CHECK_FALSE(rows[1].reference);
  CHECK(rows[1].compared_with == "theirs");
  CHECK(rows[1].limit == 0.25);
  CHECK(rows[1].parity.want_size == 1);
  CHECK(rows[1].time.samples == std::vector<double>{2.0});
  CHECK_FALSE(rows[0].proven);
  CHECK(rows[0].reference);
}

TEST_CASE("a row that differs from PyTorch loses its time, and one that a stage proved keeps its proof") {
  ChainRow rival = rival_row(Dtype::bf16, 1.0), proven = reference();
  rival.proven = false;
  rival.time.samples.clear();
  std::vector<ChainRow> rows = {reference(), rival};
  prove_by_pytorch(rows);
  CHECK(rows[0].failed());
  CHECK(rows[0].time.empty());

  proven.reference = false;
  proven.proven = true;
  proven.compared_with = "stage 1 fp64";
  rows = {proven, rival};
  prove_by_pytorch(rows);
  CHECK(rows[0].proven);
  CHECK(rows[0].compared_with == "stage 1 fp64");
  CHECK_FALSE(rows[0].time.empty());
}

TEST_CASE("a PyTorch that did not run proves and disproves nothing") {
  ChainRow rival = rival_row(Dtype::bf16, 1.0);
  rival.proven = false;
  rival.parity = {};
  rival.not_run = "not run: no memory";
  std::vector<ChainRow> rows = {reference(), rival};
  prove_by_pytorch(rows);
  CHECK(rows[0].reference);
  CHECK_FALSE(rows[0].time.empty());
  rows.push_back(rival_row(Dtype::bf16, 1.0));
  prove_by_pytorch(rows);
  CHECK(rows[0].proven);
}

TEST_CASE("a stage is so many times as fast as PyTorch's fastest row in its type on its device") {
  const auto times = [](const std::vector<ChainRow>& rows, std::size_t i) {
    const Json values = record_rows(rows, false)[i].values;
    return values.contains("times_pytorch") ? values.at("times_pytorch").get<double>() : 0.0;
  };
  std::vector<ChainRow> rows = {stage_row("mine", Dtype::bf16, 2.0), stage_row("wide", Dtype::fp32, 2.0),
                                rival_row(Dtype::bf16, 4.0), rival_row(Dtype::bf16, 3.0),
                                rival_row(Dtype::bf16, 5.0)};
  CHECK(times(rows, 0) == 1.5);
  for (std::size_t i : {1, 2, 3, 4}) CHECK(times(rows, i) == 0.0);
  rows[3].device = "another card";
  CHECK(times(rows, 0) == 2.0);
  rows[2].time.samples.clear();
  CHECK(times(rows, 0) == 2.5);
  rows[0].time.samples.clear();
  CHECK(times(rows, 0) == 0.0);
}
