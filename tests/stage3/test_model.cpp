// The whole model on stage 3 against stage 1 in double: activations, gradients, losses of every type,
// samples, bits.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "shared/data.hpp"
#include "shared/sample.hpp"
#include "shared/tolerances.hpp"
#include "shared/train.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/stage3/device.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

GptConfig awkward(int layers, int width, int heads, int kv_heads, int block) {
  GptConfig config;
  config.vocab_size = 27;
  config.n_layer = layers;
  config.n_embd = width;
  config.n_head = heads;
  config.n_kv_head = kv_heads;
  config.block_size = block;
  return config;
}

std::vector<Sequence> sequences(const std::vector<int>& lengths) {
  std::vector<Sequence> all;
  for (const int length : lengths) {
    Sequence sequence;
    for (int i = 0; i < length; ++i) {
      sequence.tokens.push_back((i * 7 + length) % 27);
      sequence.targets.push_back((i * 5 + 3 * length) % 27);
    }
    all.push_back(sequence);
  }
  return all;
}

void check_tensors(const TensorList& got, const TensorList& want, const Tolerance& tolerance,
                   const char* title) {
  REQUIRE(got.size() == want.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const Comparison comparison = compare(got[i].values, want[i].values, tolerance);
    INFO(title << ": " << want[i].name << ": " << comparison.describe());
    CHECK(got[i].name == want[i].name);
    CHECK(comparison.passed());
    worst = std::max(worst, comparison.max_error);
  }
  std::printf("%s %s: largest error %.2e\n", std::string(name_of(tolerance.dtype)).c_str(), title, worst);
}

void check_probe(const GptConfig& config, const std::vector<int>& lengths, Dtype dtype) {
  const auto all = sequences(lengths);
  const int batch = static_cast<int>(all.size());
  Random random(1);
  const TensorList parameters = initial_parameters(config, random);
  const auto reference = make_ops_engine(config, make_eigen_ops(Dtype::fp64, 1), batch);
  const Stage3 stage3 = stage3_engine(config, dtype, batch);
  // fp32 starts from rounded weights: the reference must start from the same
  stage3.engine->load_parameters(parameters);
  reference->load_parameters(stage3.engine->parameters());
  const Probe want = reference->probe(make_batch(all, reference->layout(), config.block_size));
  const Probe got = stage3.engine->probe(make_batch(all, stage3.engine->layout(), config.block_size));
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

}  // namespace

TEST_CASE("activations and gradients of the whole model match stage 1 in double", "[stage3]") {
  if (skipped()) return;
  for (const Dtype dtype : {Dtype::fp64, Dtype::fp32}) {
    check_probe(awkward(2, 33, 3, 3, 17), {5, 0, 17, 1, 9}, dtype);
    check_probe(awkward(2, 36, 6, 2, 17), {17, 3, 0, 0, 8, 11}, dtype);
    check_probe(awkward(1, 64, 4, 1, 40), {40, 1, 33}, dtype);
    // Not a single key: its query and key have a gradient of exactly 0, and rounding has nothing to be
    // relative to.
    check_probe(awkward(1, 16, 4, 4, 16), {2}, dtype);
  }
}

TEST_CASE("1,000 steps of micro: losses match stage 1 in double, samples are the same texts", "[stage3]") {
  if (skipped()) return;
  const Trained want = train_reference(1000);
  for (const Dtype dtype : {Dtype::fp64, Dtype::fp32}) {
    const Trained got = train_micro(*stage3_engine(micro_run().model, dtype, 1).engine, 1000);
    CHECK(got.result.token_hash == want.result.token_hash);
    const Comparison losses = compare(got.result.loss, want.result.loss, find_tolerance("losses", dtype));
    INFO(name_of(dtype) << ": " << losses.describe());
    CHECK(losses.passed());
    CHECK(got.samples == want.samples);
    std::printf("%s losses, 1,000 steps of micro on the embedded names: largest error %.2e\n",
                std::string(name_of(dtype)).c_str(), losses.max_error);
  }
}

TEST_CASE("narrow types follow the curve of losses: 0.5% on average, 5% at worst over 100 steps",
          "[stage3]") {
  if (skipped()) return;
  const Trained want = train_reference(100);
  for (const Dtype dtype : {Dtype::tf32, Dtype::bf16, Dtype::fp16}) {
    const Trained got = train_micro(*stage3_engine(micro_run().model, dtype, 1).engine, 100);
    double sum = 0.0, worst = 0.0;
    bool finite = true;
    for (std::size_t s = 0; s < want.result.loss.size(); ++s) {
      finite = finite && std::isfinite(got.result.loss[s]);
      const double error = std::abs(got.result.loss[s] - want.result.loss[s]) / want.result.loss[s];
      sum += error;
      worst = std::max(worst, error);
    }
    const double mean = sum / static_cast<double>(want.result.loss.size());
    INFO(name_of(dtype) << ": mean " << mean << ", worst " << worst);
    CHECK(finite);
    CHECK(mean <= 0.005);
    CHECK(worst <= 0.05);
    std::printf("%s losses, 100 steps of micro: mean error %.3f%%, worst %.3f%%\n",
                std::string(name_of(dtype)).c_str(), 100 * mean, 100 * worst);
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
      CHECK(compare(second.parameters[i].values, first.parameters[i].values, 0.0, Rule::bits).passed());
  }
}
