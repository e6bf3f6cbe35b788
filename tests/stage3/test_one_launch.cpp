// Training in one launch against training step by step: the same losses, parameters and moments.
#include <catch2/catch.hpp>

#include <cstdio>

#include "shared/data.hpp"
#include "shared/tolerances.hpp"
#include "shared/train.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "stage3_tiled_kernels/one_launch/one_launch.hpp"
#include "tests/stage3/device.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

struct Case {
  int layers, width, heads, kv_heads, block;
};

Run run_of(const Case& c, std::int64_t steps) {
  GptConfig model = find_preset("micro").model;
  model.n_layer = c.layers;
  model.n_embd = c.width;
  model.n_head = c.heads;
  model.n_kv_head = c.kv_heads;
  model.block_size = c.block;
  TrainConfig train = find_preset("micro").train;
  train.schedule_steps = train.steps;
  train.steps = steps;
  return prepare_run(model, train, {});
}

std::unique_ptr<OneLaunch> one_launch(const GptConfig& model, Dtype dtype) {
  return make_one_launch(model, CudaOptions{dtype, test_device()});
}

struct Trained {
  std::vector<double> loss;
  TensorList parameters;
  Moments moments;
};

Trained in_one_launch(const Run& run, Dtype dtype) {
  const auto model = one_launch(run.model, dtype);
  model->load(run.initial, {});
  Trained trained{model->run(*run.source, run.train, 0, run.train.steps), model->parameters(), model->moments()};
  CHECK(model->kernels_launched() == std::vector<std::string>{"stage3.one_launch_train"});
  return trained;
}

Trained step_by_step(const Run& run, Engine& engine) {
  engine.load_parameters(run.initial);
  TrainResult result = train(engine, *run.source, run.train);
  return {result.loss, engine.parameters(), engine.moments()};
}

void check_equal(const TensorList& got, const TensorList& want, double limit) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    const Comparison comparison = compare(got[i].values, want[i].values, limit, Rule::scaled);
    INFO(want[i].name << ": " << comparison.describe());
    CHECK(got[i].name == want[i].name);
    CHECK(got[i].shape == want[i].shape);
    CHECK(comparison.passed());
  }
}

}  // namespace

TEST_CASE("fp64: every shape trains as stage 1 does in double", "[one-launch]") {
  if (skipped()) return;
  for (const Case& c : {Case{1, 16, 4, 4, 16}, Case{2, 16, 4, 4, 16}, Case{1, 12, 3, 3, 7}, Case{2, 32, 8, 2, 16},
                        Case{1, 48, 3, 1, 16}, Case{1, 64, 6, 6, 11}, Case{3, 16, 2, 1, 16}}) {
    if (c.width % c.heads != 0) continue;
    INFO(c.layers << " layers, width " << c.width << ", " << c.heads << " heads over " << c.kv_heads);
    const Run run = run_of(c, 12);
    const Trained want = step_by_step(run, *make_ops_engine(run.model, make_eigen_ops(Dtype::fp64, 1), 1));
    const Trained got = in_one_launch(run, Dtype::fp64);
    const Comparison losses = compare(got.loss, want.loss, 1e-12, Rule::absolute);
    INFO(losses.describe());
    CHECK(losses.passed());
    check_equal(got.parameters, want.parameters, 1e-9);
    check_equal(got.moments.m, want.moments.m, 1e-9);
    check_equal(got.moments.v, want.moments.v, 1e-9);
    std::printf("one launch, fp64, %d layers, width %d: largest error of a loss %.2e\n", c.layers, c.width, losses.max_error);
  }
}
