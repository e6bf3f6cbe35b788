// The whole model on stage 2 against stage 1 in double: activations, gradients, 1,000 losses, samples.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdio>

#include "shared/check/tolerances.hpp"
#include "shared/train/run.hpp"
#include "shared/train/sample.hpp"
#include "shared/train/train.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/stage2/device.hpp"
#include "tests/support/models.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

void check_probe(const GptConfig& config, const std::vector<int>& lengths, Dtype dtype) {
  const auto all = sequences(lengths);
  const int batch = static_cast<int>(all.size());
  Random random(1);
  const TensorList parameters = initial_parameters(parameter_specs(config), random);
  const auto reference = make_ops_engine(config, make_eigen_ops(Dtype::fp64, 1), batch);
  const Stage2 stage2 = stage2_engine(config, dtype, batch);
  // fp32 starts from rounded weights: the reference must start from the same
  stage2.engine->load_parameters(parameters);
  reference->load_parameters(stage2.engine->parameters());
  const Probe want = reference->probe(make_batch(all, reference->layout(), config.block_size));
  const Probe got = stage2.engine->probe(make_batch(all, stage2.engine->layout(), config.block_size));
  CHECK(std::abs(got.loss - want.loss) <= find_tolerance("losses", dtype).limit());
  check_tensors(got.activations, want.activations, find_tolerance("activations", dtype), "activations");
  check_tensors(got.gradients, want.gradients, find_tolerance("gradients", dtype), "gradients");
}

Run micro_run() { return prepare_run(find_preset("micro").model, find_preset("micro").train, {}); }

struct Trained {
  TrainResult result;
  std::vector<std::string> samples;
  TensorList parameters;
};

Trained train_micro(Engine& engine, std::int64_t steps, std::int64_t schedule) {
  Run run = micro_run();
  engine.load_parameters(run.initial);
  run.train.steps = steps;
  run.train.schedule_steps = schedule;
  Trained trained{train(engine, *run.source, run.train), {}, engine.parameters()};
  trained.samples = sample_texts(engine, run.source->tokenizer(), 20, SampleOptions{}, run.random);
  return trained;
}

}  // namespace

TEST_CASE("activations and gradients of the whole model match stage 1 in double", "[stage2]") {
  if (skipped()) return;
  for (const Dtype dtype : {Dtype::fp64, Dtype::fp32}) {
    check_probe(model_of(2, 33, 3, 3, 17), {5, 0, 17, 1, 9}, dtype);
    check_probe(model_of(2, 36, 6, 2, 17), {17, 3, 0, 0, 8, 11}, dtype);
    check_probe(model_of(1, 64, 4, 1, 40), {40, 1, 33}, dtype);
    check_probe(model_of(1, 16, 4, 4, 16), {3},
                dtype);  // one token alone has no attention gradient but rounding
  }
}

TEST_CASE("1,000 steps of micro: losses match stage 1 in double, samples are the same texts", "[stage2]") {
  if (skipped()) return;
  const GptConfig config = micro_run().model;
  const auto reference = make_ops_engine(config, make_eigen_ops(Dtype::fp64, 1), 1);
  const Stage2 stage2 = stage2_engine(config, Dtype::fp32, 1);
  const Trained want = train_micro(*reference, 1000, 1000);
  const Trained got = train_micro(*stage2.engine, 1000, 1000);
  CHECK(got.result.token_hash == want.result.token_hash);
  const Comparison losses = compare(got.result.loss, want.result.loss, find_tolerance("losses", Dtype::fp32));
  INFO(losses.describe());
  CHECK(losses.passed());
  CHECK(find_tolerance("losses", Dtype::fp32).limit() <= 1e-5);
  CHECK(got.samples == want.samples);
  std::printf("fp32 losses, 1,000 steps of micro on the embedded names: largest error %.2e\n",
              losses.max_error);
}

TEST_CASE("repeated runs give the same bits, on any number of cores", "[stage2]") {
  if (skipped()) return;
  const GptConfig config = micro_run().model;
  const Trained first = train_micro(*stage2_engine(config, Dtype::fp32, 1, 1).engine, 60, 1000);
  const Trained second = train_micro(*stage2_engine(config, Dtype::fp32, 1, 3).engine, 60, 1000);
  CHECK(compare(second.result.loss, first.result.loss, 0.0, Rule::bits).passed());
  CHECK(first.samples == second.samples);
  for (std::size_t i = 0; i < first.parameters.size(); ++i)
    CHECK(compare(second.parameters[i].values(), first.parameters[i].values(), 0.0, Rule::bits).passed());
}
