// Stage 3 and the machine: memory, recorded steps, the list of kernels, and what it says when memory is
// short. Refusals of bad input: test_refusals.cpp.
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

#include "shared/base/random.hpp"
#include "tests/stage3/device.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

GptConfig small_config() {
  GptConfig config;
  config.vocab_size = 11;
  config.n_layer = 2;
  config.n_embd = 24;
  config.n_head = 3;
  config.block_size = 32;
  return config;
}

Batch batch_of(std::initializer_list<int> lengths, const GptConfig& config, Layout layout) {
  std::vector<Sequence> all;
  for (const int length : lengths) {
    Sequence sequence;
    for (int i = 0; i < length; ++i) {
      sequence.tokens.push_back((i * 3 + length) % config.vocab_size);
      sequence.targets.push_back((i + length) % config.vocab_size);
    }
    all.push_back(sequence);
  }
  return make_batch(all, layout, config.block_size);
}

void load(Engine& engine) {
  Random random(7);
  engine.load_parameters(initial_parameters(engine.config(), random));
}

/// A few steps of changing lengths; the losses.
std::vector<double> train_a_little(Engine& engine, int micro_batches) {
  const TrainConfig train;
  std::vector<double> losses;
  for (int s = 0; s < 12; ++s) {
    const std::vector<Batch> batches(static_cast<std::size_t>(micro_batches),
                                     batch_of({3 + s % 4, 0, 32, 9}, engine.config(), engine.layout()));
    losses.push_back(engine.train_step(batches, adam_step(train, s)));
  }
  return losses;
}

}  // namespace

TEST_CASE("a step allocates nothing once its shape has been seen", "[stage3]") {
  if (skipped()) return;
  const Stage3 stage3 = stage3_engine(small_config(), Dtype::fp32, 4);
  load(*stage3.engine);
  const TrainConfig train;
  const Batch batch = batch_of({32, 5, 0, 32}, stage3.engine->config(), stage3.engine->layout());
  stage3.engine->train_step(std::span(&batch, 1), adam_step(train, 0));
  const DeviceUse before = stage3.ops->use();
  for (int s = 1; s < 20; ++s) stage3.engine->train_step(std::span(&batch, 1), adam_step(train, s));
  CHECK(stage3.ops->use().allocations == before.allocations);
  CHECK(stage3.ops->use().allocated_bytes == before.allocated_bytes);
  CHECK(before.allocations > 0);
}

TEST_CASE("a recorded step gives the bits of a launched one", "[stage3]") {
  if (skipped()) return;
  for (const int micro_batches : {1, 3}) {
    const Stage3 recorded = stage3_engine(small_config(), Dtype::fp32, 4, 0, true);
    const Stage3 launched = stage3_engine(small_config(), Dtype::fp32, 4, 0, false);
    load(*recorded.engine);
    load(*launched.engine);
    const auto a = train_a_little(*recorded.engine, micro_batches);
    const auto b = train_a_little(*launched.engine, micro_batches);
    CHECK(a == b);
    CHECK(a.front() > a.back());
    CHECK(recorded.engine->kernels_launched() == launched.engine->kernels_launched());
    if (test_device().is_gpu()) CHECK(recorded.ops->use().graphs > 0);
  }
}

TEST_CASE("a step launches the fused kernels of this stage and no other", "[stage3]") {
  if (skipped()) return;
  const Stage3 stage3 = stage3_engine(small_config(), Dtype::fp32, 4);
  CHECK(stage3.engine->kernels_launched().empty());
  CHECK(stage3.engine->emulated() == (test_device().is_cpu()));
  load(*stage3.engine);
  train_a_little(*stage3.engine, 1);
  const auto kernels = stage3.engine->kernels_launched();
  const auto launched = [&](const char* name) {
    return std::find(kernels.begin(), kernels.end(), name) != kernels.end();
  };
  for (const std::string& name : kernels) CHECK(name.rfind("stage3.", 0) == 0);
  for (const char* name : {"stage3.adam", "stage3.attention_backward_key_value",
                           "stage3.attention_backward_query", "stage3.attention_forward",
                           "stage3.cross_entropy", "stage3.linear_forward", "stage3.rmsnorm_scale"}) {
    INFO(name);
    CHECK(launched(name));
  }
  for (const char* name : {"stage3.relu_forward", "stage3.relu_backward", "stage3.residual_forward"}) {
    INFO(name << " is part of a product");
    CHECK_FALSE(launched(name));
  }
}

TEST_CASE("out of memory says how much was asked for and how much is there", "[stage3]") {
  if (skipped()) return;
  const auto ops = stage3_ops(Dtype::fp32);
  CHECK_THROWS_WITH(ops->allocate(std::size_t{1} << 46), Catch::Contains("67108864.0 MiB asked for"));
  CHECK(ops->allocate(1024) != nullptr);  // and the Ops is still usable
}
