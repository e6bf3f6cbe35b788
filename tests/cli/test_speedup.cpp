// ladder speedup beside a stand-in for PyTorch: what is printed, recorded and returned.
#include <catch2/catch.hpp>

#include <cmath>

#include "shared/base/json.hpp"
#include "tests/support/fake_python.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

/// `ladder speedup` over one step of a small GPT-2, with a python3 that runs `script`.
test::Outcome race(const TemporaryFolder& folder, const std::string& script,
                   const std::vector<std::string>& more = {}) {
  const TemporaryFolder bin;
  const test::FakePython python(bin, script);
  std::vector<std::string> call = {"speedup",  "--size", "tiny",     "--n-layer", "1",
                                   "--device", "cpu",    "--rounds", "1",         "--documents",
                                   "8",        "--json", "r.json"};
  call.insert(call.end(), more.begin(), more.end());
  return test::run_program(folder.path(), call);
}

Json record_of(const TemporaryFolder& folder) { return Json::parse(test::text_of(folder / "r.json")); }

/// The loss of that step, on stage 1.
double right_loss(const TemporaryFolder& folder) {
  const auto outcome =
      test::run_program(folder.path(), {"train", "--preset", "tiny", "--n-layer", "1", "--stage", "1",
                                        "--steps", "1", "--samples", "0", "--trace", "t.json"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return Json::parse(test::text_of(folder / "t.json")).at("loss")[0].get<double>();
}

/// PyTorch as it answers with that one loss, in 2 seconds.
std::string with_loss(double loss) {
  const std::string answer = test::answer({loss}, "2");
  return test::serving(answer, answer);
}

}  // namespace

TEST_CASE("speedup races GPT-2 beside PyTorch and records both") {
  const TemporaryFolder folder;
  const auto outcome = race(folder, with_loss(right_loss(folder)));
  INFO(outcome.out << outcome.err);
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("× PyTorch") && Contains("PyTorch fp32, eager") &&
                              Contains("PyTorch fp32, compiled") && !Contains("FAILED"));
  const Json rows = record_of(folder).at("rows");
  REQUIRE(rows.size() == 5);
  CHECK(rows[1].at("values").contains("times_pytorch"));
  CHECK_FALSE(rows[0].at("values").contains("times_pytorch"));  // in fp64, as PyTorch is not
  for (std::size_t i : {3, 4}) {
    CHECK(rows[i].at("values").at("seconds") == 0.25);  // 2 of 8 documents
    CHECK(rows[i].at("values").at("compared_with") == "stage 1 fp32");
  }
}

TEST_CASE("speedup prints no time of a PyTorch with other losses, and ends with exit code 1") {
  const TemporaryFolder folder;
  for (const double loss : {right_loss(folder) + 0.01, static_cast<double>(NAN)}) {
    const auto outcome = race(folder, with_loss(loss));
    CHECK(outcome.code == 1);
    CHECK_THAT(outcome.out, Contains("FAILED") && !Contains("× PyTorch"));
    CHECK_THAT(outcome.err, Contains("PyTorch fp32, eager did not pass its parity with stage 1 fp32"));
    CHECK_FALSE(record_of(folder).at("rows")[3].at("values").contains("seconds"));
  }
}

TEST_CASE("speedup without PyTorch says so and is done") {
  const TemporaryFolder folder;
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--dtype", "fp32"}}) {
    const auto outcome = race(folder, "echo \"No module named 'torch'\" >&2; exit 3\n", more);
    INFO(outcome.out << outcome.err);
    CHECK(outcome.code == 0);
    CHECK_THAT(outcome.out, Contains("not run: python3: No module named 'torch'") && !Contains("× PyTorch"));
    CHECK(record_of(folder).at("rows")[1].at("values").contains("seconds"));
  }
}

TEST_CASE("speedup leaves out the types that were not asked for, and records what was") {
  const TemporaryFolder folder;
  const auto outcome = race(folder, with_loss(right_loss(folder)), {"--dtype", "bf16"});
  INFO(outcome.out << outcome.err);
  CHECK(outcome.code == 0);
  const Json record = record_of(folder);
  CHECK_THAT(record.at("command").get<std::string>(), Contains(" --dtype bf16 "));
  CHECK(record.at("rows")[0].at("values").contains("seconds"));  // stage 1 in fp64, which proves the others
  for (std::size_t i : {1, 2})
    CHECK(record.at("rows")[i].at("values").at("not_run") == "left out: only bf16 was asked for");
}

TEST_CASE("a race in which nothing runs is none, and a record's name is looked at before it") {
  const TemporaryFolder folder;
  auto outcome = race(folder, "exit 3\n", {"--patience", "1e-9"});
  CHECK(outcome.code == 3);
  CHECK_THAT(outcome.err, Contains("nothing ran"));
  outcome = race(folder, "exit 3\n", {"--record", "--name", "../x"});
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Contains("no name for a record"));
  CHECK(outcome.out.empty());
}

TEST_CASE("a size that PyTorch does not know races without it") {
  const TemporaryFolder folder, bin;
  const test::FakePython python(bin, "exit 3\n");
  const auto outcome =
      test::run_program(folder.path(), {"speedup", "--documents", "16", "--rounds", "1", "--n-embd", "8",
                                        "--device", "cpu", "--dtype", "fp64"});
  INFO(outcome.err);
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, !Contains("PyTorch"));
}

TEST_CASE("a profile names the operations furthest above their floors") {
  const TemporaryFolder folder;
  const auto profile = [&](const char* stage) {
    return test::run_program(folder.path(), {"profile", "--stage", stage, "--n-embd", "8", "--steps", "1"})
        .out;
  };
  CHECK_THAT(profile("1"), Contains("\nfurthest above their floors, a step: "));
  CHECK_THAT(profile("0"), !Contains("furthest above"));
}
