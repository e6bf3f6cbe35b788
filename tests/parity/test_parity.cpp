// Each rung against the one below: gradients, losses over 1,000 steps, samples, on the embedded names.
#include <catch2/catch.hpp>

#include <cmath>

#include "shared/parity/kernel_parity.hpp"
#include "shared/parity/parity.hpp"

using namespace ladder;

namespace {

constexpr ParityLevels kAll = {false, true, true, true};

Run micro_run(std::int64_t steps) {
  TrainConfig train;
  train.steps = steps;
  return prepare_run({}, train, {});
}

/// Fails with the report as the message, and says what was measured.
void require_parity(const Side& upper, const Side& lower, const Run& run, const ParityLevels& levels = kAll) {
  const ParityReport report = compare_sides(upper, lower, run, levels);
  UNSCOPED_INFO(text_of(report));
  CHECK(report.passed());
  WARN(text_of(report));
}

}  // namespace

TEST_CASE("a chain on a GPU leaves the stages without GPU kernels on the CPU") {
  GptConfig config;
  config.vocab_size = 5;
  const Device second = {Device::Kind::gpu, 1};
  CHECK(side_of(0, Dtype::fp64, second).make(config, 1) != nullptr);
  CHECK(side_of(1, Dtype::fp32, second).make(config, 1) != nullptr);
  CHECK(device_of(1, second) == Device::automatic);
  CHECK(device_of(3, second) == second);
}

TEST_CASE("stage 1 in double follows stage 0 for 1,000 steps") {
  require_parity(side_of(1, Dtype::fp64), side_of(0, Dtype::fp64), micro_run(1000));
}

TEST_CASE("stage 1 in float follows double for 1,000 steps") {
  require_parity(side_of(1, Dtype::fp32), side_of(1, Dtype::fp64), micro_run(1000));
}

TEST_CASE("stage 1 follows stage 0 on other shapes, batches and seeds") {
  TrainConfig train;
  train.steps = 60;
  train.learning_rate = 0.005;
  GptConfig deep;
  deep.n_layer = 3;
  GptConfig narrow{0, 2, 12, 3, 0, 5};  // blocks shorter than most documents
  SECTION("three layers") {
    train.seed = 7;
    require_parity(side_of(1, Dtype::fp64), side_of(0, Dtype::fp64), prepare_run(deep, train, {}));
  }
  SECTION("two layers, width 12, block 5") {
    train.seed = 123456789;
    require_parity(side_of(1, Dtype::fp64), side_of(0, Dtype::fp64), prepare_run(narrow, train, {}));
  }
  SECTION("batches of 5, accumulated twice") {
    train.batch_size = 5;
    train.grad_accum = 2;
    require_parity(side_of(1, Dtype::fp64), side_of(0, Dtype::fp64), prepare_run({}, train, {}));
    require_parity(side_of(1, Dtype::fp32), side_of(1, Dtype::fp64), prepare_run({}, train, {}));
  }
  SECTION("grouped-query attention, float against double") {
    GptConfig grouped;
    grouped.n_kv_head = 2;
    require_parity(side_of(1, Dtype::fp32), side_of(1, Dtype::fp64), prepare_run(grouped, train, {}));
  }
}

TEST_CASE("stage 3 follows stage 1 in double in every type, at every level") {
  for (const Dtype dtype : find_stage(3).dtypes) {
    const Side side = side_of(3, dtype, Device::cpu);
    ParityReport report = compare_sides(side, side_of(1, Dtype::fp64), micro_run(100), kAll);
    compare_kernels(3, Architecture::microgpt, {dtype, 1, Device::cpu, 0}, report);
    INFO(text_of(report));
    CHECK(report.passed());
    for (const char* level : {"kernel", "block", "model", "loss"}) CHECK(report.worst(level) != nullptr);
    WARN(text_of(report));
  }
}

TEST_CASE("the worst of a level is the largest error of what is allowed; equality leaves no error") {
  const auto finding = [](const char* what, double error, double limit) {
    Finding one;
    one.level = "model";
    one.what = what;
    one.limit = limit;
    one.comparison.max_error = error;
    if (error > limit) one.comparison.verdict = Verdict::too_far;
    return one;
  };
  ParityReport report;
  report.findings = {finding("same bits", 0.0, 0.0), finding("small", 1e-9, 1e-5),
                     finding("near", 1e-6, 1e-6), finding("large", 1e-3, 1e-2)};
  CHECK(report.worst("model")->what == "near");
  CHECK(report.worst("block") == nullptr);
  std::swap(report.findings[0], report.findings[3]);
  CHECK(report.worst("model")->what == "near");
  report.findings.push_back(finding("other bits", INFINITY, 0.0));
  CHECK(report.worst("model")->what == "other bits");
}

TEST_CASE("the kernel level compares every operation of stage 1") {
  for (Dtype dtype : {Dtype::fp64, Dtype::fp32}) {
    ParityReport report;
    compare_kernels(1, Architecture::microgpt, {dtype, 1, Device::automatic, 1}, report);
    INFO(text_of(report));
    CHECK(report.passed());
    CHECK(report.findings.size() > 100);
  }
  ParityReport nothing;
  compare_kernels(0, Architecture::microgpt, {Dtype::fp64, 1, Device::automatic, 1}, nothing);
  CHECK(nothing.findings.empty());
  CHECK_FALSE(nothing.passed());  // a report that compared nothing proves nothing
}

TEST_CASE("the chain proves every rung against one below it") {
  const std::vector<Rung> chain = rungs();
  REQUIRE(chain.size() >= 3);
  CHECK(chain.front().stage == 0);
  CHECK(chain.front().below == -1);
  for (std::size_t i = 1; i < chain.size(); ++i) {
    CHECK(chain[i].below >= 0);
    CHECK(chain[i].below < static_cast<int>(i));
    const std::string below = chain[static_cast<std::size_t>(chain[i].below)].side.name;
    if (chain[i].stage == 2 || chain[i].stage == 3) CHECK(below == "stage 1 fp64");
    if (chain[i].stage == 4) CHECK(below == "stage 3 " + std::string(name_of(chain[i].side.dtype)));
  }
}

TEST_CASE("GPT-2's chain has the stages that run it, each against stage 1 in double") {
  const std::vector<Rung> chain = rungs(Device::cpu, 0, Architecture::gpt2);
  REQUIRE(chain.size() == 3);
  CHECK(chain[0].side.name == "stage 1 fp64");
  CHECK(chain[0].below == -1);
  CHECK(chain[1].side.name == "stage 1 fp32");
  CHECK(chain[2].side.name == "stage 4 fp32");
  for (std::size_t i = 1; i < chain.size(); ++i) CHECK(chain[i].below == 0);
}
