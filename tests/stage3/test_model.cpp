// The whole model on stage 3 against stage 1 in double: activations, gradients, losses of every type,
// samples, bits.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "shared/base/dtype_convert.hpp"
#include "shared/check/tolerances.hpp"
#include "shared/model/ops_decorators.hpp"
#include "shared/train/run.hpp"
#include "shared/train/sample.hpp"
#include "shared/train/train.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/stage3/device.hpp"
#include "tests/support/models.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

/// Initial parameters as `dtype` stores them, so that both sides of a comparison start from the same numbers.
TensorList rounded_parameters(const GptConfig& config, Dtype dtype) {
  Random random(1);
  TensorList parameters = initial_parameters(parameter_specs(config), random);
  for (NamedTensor& tensor : parameters) tensor = tensor.in(Precision::of(dtype).parameter);
  return parameters;
}

void compare_probes_of(const Probe& got, const Probe& want, Dtype dtype) {
  const Comparison loss =
      compare(std::span(&got.loss, 1), std::span(&want.loss, 1), find_tolerance("losses", dtype));
  INFO(loss.describe());
  CHECK(loss.passed());
  check_tensors(got.activations, want.activations, find_tolerance("activations", dtype), "activations");
  check_tensors(got.hidden, want.hidden, find_tolerance("activations", dtype), "hidden activations");
  check_tensors(got.gradients, want.gradients, find_tolerance("gradients", dtype), "gradients");
}

void check_probe(const GptConfig& config, const std::vector<int>& lengths, Dtype dtype) {
  const auto all = sequences(lengths);
  const int batch = static_cast<int>(all.size());
  const TensorList parameters = rounded_parameters(config, dtype);
  const auto reference = make_ops_engine(config, make_eigen_ops(Dtype::fp64, 1), batch);
  const Stage3 stage3 = stage3_engine(config, dtype, batch);
  stage3.engine->load_parameters(parameters);
  reference->load_parameters(parameters);
  const Probe got = stage3.engine->probe(make_batch(all, stage3.engine->layout(), config.block_size));
  const Probe want =
      reference->probe_along(make_batch(all, reference->layout(), config.block_size), got.hidden);
  compare_probes_of(got, want, dtype);
}

/// The stage with the default compositions of the fused operations: what it would compute without them.
class Unfused final : public OpsDecorator {
 public:
  using OpsDecorator::OpsDecorator;
  using OpsDecorator::run;
  // NOLINTBEGIN(bugprone-parent-virtual-call): the compositions are what Ops itself has
  void run(const RmsNormLinearForward& args) override { Ops::run(args); }
  void run(const RmsNormLinearBackward& args) override { Ops::run(args); }
  void run(const LinearResidualForward& args) override { Ops::run(args); }
  void run(const LinearBackwardInputRelu& args) override { Ops::run(args); }
  // NOLINTEND(bugprone-parent-virtual-call)

 private:
  void around(const OpCall& call) override { call.run(); }
};

Run micro_run() { return prepare_run(find_preset("micro").model, find_preset("micro").train, {}); }

struct Trained {
  TrainResult result;
  std::vector<std::string> samples;
  TensorList parameters;
};

Trained train_micro(Engine& engine, std::int64_t steps) {
  Run run = micro_run();
  engine.load_parameters(run.initial);
  run.train.schedule_steps = run.train.steps;
  run.train.steps = steps;
  Trained trained{train(engine, *run.source, run.train), {}, engine.parameters()};
  trained.samples = sample_texts(engine, run.source->tokenizer(), 20, SampleOptions{}, run.random);
  return trained;
}

Trained train_reference(std::int64_t steps) {
  return train_micro(*make_ops_engine(micro_run().model, make_eigen_ops(Dtype::fp64, 1), 1), steps);
}

/// By every limit on a curve of losses in that type.
void check_curve(const Trained& got, const Trained& want, Dtype dtype) {
  for (const Tolerance& row : curve_tolerances(dtype)) {
    const Comparison comparison = compare(got.result.loss, want.result.loss, row);
    INFO(name_of(dtype) << " " << row.what << ": " << comparison.describe());
    CHECK(comparison.passed());
    std::printf("%s %s, %zu steps of micro on the embedded names: largest error %.2e\n",
                std::string(name_of(dtype)).c_str(), row.what.c_str(), got.result.loss.size(),
                comparison.max_error);
  }
}

}  // namespace

TEST_CASE("activations and gradients of the whole model match stage 1 in double", "[stage3]") {
  if (skipped()) return;
  for (const Dtype dtype : kAllDtypes) {
    check_probe(model_of(2, 33, 3, 3, 17), {5, 0, 17, 1, 9}, dtype);
    check_probe(model_of(2, 36, 6, 2, 17), {17, 3, 0, 0, 8, 11}, dtype);
    check_probe(model_of(1, 64, 4, 1, 40), {40, 1, 33}, dtype);
    // Not a single key: its query and key have a gradient of exactly 0, and rounding has nothing to be
    // relative to.
    check_probe(model_of(1, 16, 4, 4, 16), {2}, dtype);
  }
}

TEST_CASE("the whole model with fused operations and with their compositions gives the same", "[stage3]") {
  if (skipped()) return;
  const GptConfig config = model_of(2, 36, 6, 2, 17);
  const auto all = sequences({17, 3, 0, 8});
  for (const Dtype dtype : kAllDtypes) {
    const Stage3 fused = stage3_engine(config, dtype, 4);
    const auto unfused = make_ops_engine(config, std::make_unique<Unfused>(stage3_ops(dtype)), 4);
    fused.engine->load_parameters(rounded_parameters(config, dtype));
    unfused->load_parameters(rounded_parameters(config, dtype));
    const Batch batch = make_batch(all, unfused->layout(), config.block_size);
    const Probe got = fused.engine->probe(batch);
    compare_probes_of(got, unfused->probe_along(batch, got.hidden), dtype);
    const auto kernels = unfused->kernels_launched();
    for (const char* name : {"stage3.relu_forward", "stage3.relu_backward", "stage3.residual_forward"})
      CHECK(std::count(kernels.begin(), kernels.end(), name) == 1);
  }
}

TEST_CASE("1,000 steps of micro: losses match stage 1 in double, samples are the same texts", "[stage3]") {
  if (skipped()) return;
  const Trained want = train_reference(1000);
  for (const Dtype dtype : {Dtype::fp64, Dtype::fp32}) {
    const Trained got = train_micro(*stage3_engine(micro_run().model, dtype, 1).engine, 1000);
    CHECK(got.result.token_hash == want.result.token_hash);
    CHECK(got.samples == want.samples);
    check_curve(got, want, dtype);
  }
}

TEST_CASE("narrow types follow the curve of losses: 0.5% on average, 5% at worst over 100 steps",
          "[stage3]") {
  if (skipped()) return;
  const Trained want = train_reference(100);
  for (const Dtype dtype : {Dtype::tf32, Dtype::bf16, Dtype::fp16}) {
    CHECK(find_tolerance("losses", dtype).limit() <= 0.05);
    CHECK(find_tolerance("mean of losses", dtype).limit() <= 0.005);
    check_curve(train_micro(*stage3_engine(micro_run().model, dtype, 1).engine, 100), want, dtype);
  }
}

TEST_CASE("micro-batch learns in 100 steps: the last ten losses are below 2.3 on average", "[stage3]") {
  if (skipped()) return;
  Run run = prepare_run(find_preset("micro-batch").model, find_preset("micro-batch").train, {});
  run.train.steps = 100;
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16, Dtype::fp64, Dtype::tf32, Dtype::fp16}) {
    if (test_device().is_cpu() && dtype != Dtype::fp32 && dtype != Dtype::bf16) continue;  // seconds each
    const Stage3 stage3 = stage3_engine(run.model, dtype, run.train.batch_size);
    stage3.engine->load_parameters(run.initial);
    const std::vector<double> losses = train(*stage3.engine, *run.source, run.train).loss;
    REQUIRE(losses.size() == 100);
    const double mean = std::accumulate(losses.end() - 10, losses.end(), 0.0) / 10;
    INFO(name_of(dtype) << ": " << mean);
    CHECK(mean < 2.3);  // also false for NaN
    std::printf("%s micro-batch, 100 steps: mean of the last ten losses %.4f\n",
                std::string(name_of(dtype)).c_str(), mean);
  }
}

TEST_CASE("repeated runs give the same bits, on any number of cores", "[stage3]") {
  if (skipped()) return;
  const GptConfig config = micro_run().model;
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    const Trained first = train_micro(*stage3_engine(config, dtype, 1, 1).engine, 40);
    const Trained second = train_micro(*stage3_engine(config, dtype, 1, 3).engine, 40);
    CHECK(compare(second.result.loss, first.result.loss, 0.0, Rule::bits).passed());
    CHECK(first.samples == second.samples);
    for (std::size_t i = 0; i < first.parameters.size(); ++i)
      CHECK(compare(second.parameters[i].values(), first.parameters[i].values(), 0.0, Rule::bits).passed());
  }
}
