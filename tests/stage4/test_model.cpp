// GPT-2 as a whole on stage 4 against stage 1 in double: activations, gradients, curves of losses, dropout on and off,
// text token by token, bits.
#include <catch2/catch.hpp>

#include <cstdio>

#include "shared/train/run.hpp"
#include "shared/train/sample.hpp"
#include "shared/train/train.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/stage4/device.hpp"
#include "tests/support/models.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

std::unique_ptr<Engine> stage4_engine(const GptConfig& config, Dtype dtype, int batch, int threads = 0) {
  return make_ops_engine(config, stage4_ops(dtype, threads), batch);
}

std::unique_ptr<Engine> reference_engine(const GptConfig& config, int batch) {
  return make_ops_engine(config, make_eigen_ops(Dtype::fp64, 1), batch);
}

/// Parameters as `dtype` stores them, so that both sides of a comparison start from the same numbers.
TensorList rounded_parameters(const GptConfig& config, Dtype dtype) {
  TensorList parameters = random_parameters(config, 0.1);
  for (NamedTensor& tensor : parameters) tensor = tensor.in(Precision::of(dtype).parameter);
  return parameters;
}

/// A forward and backward pass of both, with the dropout of a step where the model has any.
void check_probe(const GptConfig& config, const std::vector<int>& lengths, Dtype dtype) {
  const auto all = sequences(lengths);
  const int count = static_cast<int>(all.size());
  const auto engine = stage4_engine(config, dtype, count), reference = reference_engine(config, count);
  const TensorList parameters = rounded_parameters(config, dtype);
  engine->load_parameters(parameters);
  reference->load_parameters(parameters);
  const auto probe = [&](Engine& one) {
    Batch batch = make_batch(all, one.layout(), config.block_size);
    batch.step = step_constants(TrainConfig{}, 3);
    batch.step->first_sequence = 5;
    return one.probe(batch);
  };
  const Probe got = probe(*engine), want = probe(*reference);
  const Comparison loss =
      compare(std::span(&got.loss, 1), std::span(&want.loss, 1), find_tolerance("losses", dtype));
  INFO(loss.describe());
  CHECK(loss.passed());
  check_tensors(got.activations, want.activations, find_tolerance("activations", dtype), "activations");
  check_tensors(got.gradients, want.gradients, find_tolerance("gradients", dtype), "gradients");
}

GptConfig full_gpt2(int layers, int width, int heads, int kv_heads, int block_size, Gelu gelu,
                    double dropout) {
  GptConfig config = gpt2_of(layers, width, heads, kv_heads, block_size);
  config.bias = true;
  config.gelu = gelu;
  config.dropout = dropout;
  return config;
}

Run tiny_run(double dropout, std::int64_t steps) {
  Preset preset = find_preset("tiny");
  preset.model.dropout = dropout;
  preset.train.steps = steps;
  return prepare_run(preset.model, preset.train, {"", preset.character_stream, preset.embedded});
}

struct Trained {
  std::vector<double> loss;
  TensorList parameters;
};

Trained train_tiny(const std::unique_ptr<Engine>& engine, const Run& run) {
  engine->load_parameters(run.initial);
  return {train(*engine, *run.source, run.train).loss, engine->parameters()};
}

}  // namespace

TEST_CASE("activations and gradients of GPT-2 match stage 1 in double, dropout on and off", "[stage4]") {
  if (skipped()) return;
  for (const Dtype dtype : kAllDtypes) {
    check_probe(gpt2_of(2, 33, 3, 3, 17), {5, 0, 17, 1, 9}, dtype);
    check_probe(full_gpt2(2, 36, 6, 2, 17, Gelu::tanh, 0.0), {17, 3, 0, 0, 8, 11}, dtype);
    check_probe(full_gpt2(2, 36, 6, 1, 17, Gelu::erf, 0.2), {17, 3, 0, 0, 8, 11}, dtype);
    check_probe(full_gpt2(1, 64, 1, 1, 70, Gelu::tanh, 0.1), {70, 1, 33}, dtype);
  }
}

TEST_CASE("100 steps of tiny: losses match stage 1 in double, in every type, dropout on and off",
          "[stage4]") {
  if (skipped()) return;
  for (const double dropout : {0.0, 0.2}) {
    const Run run = tiny_run(dropout, 100);
    const Trained want = train_tiny(reference_engine(run.model, run.train.batch_size), run);
    for (const Dtype dtype : kAllDtypes) {
      const Trained got = train_tiny(stage4_engine(run.model, dtype, run.train.batch_size), run);
      for (const Tolerance& row : curve_tolerances(dtype)) {
        const Comparison comparison = compare(got.loss, want.loss, row);
        INFO(name_of(dtype) << " " << row.what << ", dropout " << dropout << ": " << comparison.describe());
        CHECK(comparison.passed());
        std::printf("%s %s, 100 steps of tiny, dropout %.1f: largest error %.2e\n",
                    std::string(name_of(dtype)).c_str(), row.what.c_str(), dropout, comparison.max_error);
      }
      CHECK(got.loss.back() < got.loss.front());
    }
  }
}

TEST_CASE("greedy text of GPT-2 is stage 1's token by token, beyond the block too", "[stage4]") {
  if (skipped()) return;
  const GptConfig config = full_gpt2(2, 32, 2, 2, 16, Gelu::tanh, 0.0);
  SampleOptions options;
  options.greedy = true;
  options.max_tokens = 40;
  const std::vector<std::int32_t> prompt = {3, 1, 4, 1, 5};
  const auto text_of = [&](const std::unique_ptr<Engine>& engine) {
    engine->load_parameters(random_parameters(config, 0.4));
    Random random(1);
    return sample_tokens(*engine, prompt, -1, options, random);
  };
  const auto want = text_of(reference_engine(config, 1));
  CHECK(want.size() == 40);
  for (const Dtype dtype : {Dtype::fp64, Dtype::fp32})
    CHECK(text_of(stage4_engine(config, dtype, 1)) == want);
}

TEST_CASE("keys and values kept from earlier rows give the logits of a whole pass", "[stage4]") {
  if (skipped()) return;
  const GptConfig config = full_gpt2(2, 36, 6, 2, 17, Gelu::erf, 0.1);
  const auto engine = stage4_engine(config, Dtype::fp64, 1);
  engine->load_parameters(random_parameters(config, 0.3));
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < 17; ++i) tokens.push_back((i * 11 + 2) % 27);
  const std::vector<double> whole = engine->logits(tokens);
  const auto decoder = engine->decoder();
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const std::vector<double> got = decoder->next(std::span(tokens).subspan(t, 1));
    const std::span<const double> want = std::span(whole).subspan(t * 27, 27);
    const Comparison comparison = compare(got, want, find_tolerance("activations", Dtype::fp64));
    INFO("position " << t << ": " << comparison.describe());
    CHECK(comparison.passed());
  }
}

TEST_CASE("repeated runs of GPT-2 give the same bits, on any number of cores", "[stage4]") {
  if (skipped()) return;
  const Run run = tiny_run(0.2, 10);
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    const Trained first = train_tiny(stage4_engine(run.model, dtype, run.train.batch_size, 1), run);
    const Trained second = train_tiny(stage4_engine(run.model, dtype, run.train.batch_size, 3), run);
    CHECK(compare(second.loss, first.loss, 0.0, Rule::bits).passed());
    for (std::size_t i = 0; i < first.parameters.size(); ++i)
      CHECK(compare(second.parameters[i].values(), first.parameters[i].values(), 0.0, Rule::bits).passed());
  }
}

TEST_CASE("a loss scale leaves the update as it is, and one that overflows leaves it out", "[stage4]") {
  if (skipped()) return;
  const Run run = tiny_run(0.0, 1);
  const auto step_with = [&](Dtype dtype, double loss_scale) {
    const auto engine = stage4_engine(run.model, dtype, run.train.batch_size);
    engine->load_parameters(run.initial);
    StepConstants step = step_constants(run.train, 0);
    step.loss_scale = loss_scale;
    const double loss = engine->train_step(run.source->step(0, engine->layout()), step);
    CHECK(loss == Approx(std::log(27.0)).epsilon(0.05));
    return engine->parameters();
  };
  const TensorList plain = step_with(Dtype::fp32, 1.0), scaled = step_with(Dtype::fp32, 1024.0);
  for (std::size_t i = 0; i < plain.size(); ++i)
    CHECK(compare(scaled[i].values(), plain[i].values(), 1e-6, Rule::scaled).passed());
  // 2^40 times the loss is beyond fp16's range: no gradient of it is a number
  const TensorList kept = step_with(Dtype::fp16, 0x1p40);
  for (std::size_t i = 0; i < kept.size(); ++i)
    CHECK(compare(kept[i].values(), run.initial[i].in(Dtype::fp32).values(), 0.0, Rule::bits).passed());
}
