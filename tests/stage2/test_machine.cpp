// Stage 2 and the machine: memory, recorded steps, the list of kernels, and what it says when it cannot.
#include <catch2/catch.hpp>

#include <array>
#include <cstdio>
#include <string>

#include <sys/wait.h>

#include "shared/base/random.hpp"
#include "tests/stage2/device.hpp"

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

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a step allocates nothing once its shape has been seen", "[stage2]") {
  if (skipped()) return;
  const Stage2 stage2 = stage2_engine(small_config(), Dtype::fp32, 4);
  load(*stage2.engine);
  const TrainConfig train;
  const Batch batch = batch_of({32, 5, 0, 32}, stage2.engine->config(), stage2.engine->layout());
  stage2.engine->train_step(std::span(&batch, 1), adam_step(train, 0));
  const DeviceUse before = stage2.ops->use();
  for (int s = 1; s < 20; ++s) stage2.engine->train_step(std::span(&batch, 1), adam_step(train, s));
  CHECK(stage2.ops->use().allocations == before.allocations);
  CHECK(stage2.ops->use().allocated_bytes == before.allocated_bytes);
  CHECK(before.allocations > 0);
}

TEST_CASE("a recorded step gives the bits of a launched one", "[stage2]") {
  if (skipped()) return;
  for (const int micro_batches : {1, 3}) {
    const Stage2 recorded = stage2_engine(small_config(), Dtype::fp32, 4, 0, true);
    const Stage2 launched = stage2_engine(small_config(), Dtype::fp32, 4, 0, false);
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

TEST_CASE("a step lists this stage's kernels and only these", "[stage2]") {
  if (skipped()) return;
  const Stage2 stage2 = stage2_engine(small_config(), Dtype::fp32, 4);
  CHECK(stage2.engine->kernels_launched().empty());
  CHECK(stage2.engine->emulated() == (test_device().is_cpu()));
  load(*stage2.engine);
  train_a_little(*stage2.engine, 1);
  const auto kernels = stage2.engine->kernels_launched();
  for (const std::string& name : kernels) CHECK(name.rfind("stage2.", 0) == 0);
  for (const char* name :
       {"stage2.adam", "stage2.attention_collect_key", "stage2.attention_mix_value",
        "stage2.attention_softmax", "stage2.cross_entropy", "stage2.embedding_backward_token",
        "stage2.linear_backward_input", "stage2.linear_backward_weight", "stage2.linear_forward",
        "stage2.relu_forward", "stage2.residual_forward", "stage2.rmsnorm_backward"}) {
    INFO(name);
    CHECK(std::find(kernels.begin(), kernels.end(), name) != kernels.end());
  }
}

TEST_CASE("out of memory says how much was asked for and how much is there", "[stage2]") {
  if (skipped()) return;
  const auto ops = stage2_ops(Dtype::fp32);
  std::string message;
  try {
    ops->allocate(std::size_t{1} << 46);  // 64 TiB
  } catch (const MachineError& error) {
    message = error.what();
  }
  INFO(message);
  CHECK(contains(message, "67108864.0 MiB asked for"));
  CHECK(contains(message, test_device().is_gpu() ? "MiB free of" : "MiB available"));
  CHECK(ops->allocate(1024) != nullptr);  // and the Ops is still usable
}

TEST_CASE("types that the stage does not compute in are refused by name", "[stage2]") {
  for (const Dtype dtype : {Dtype::bf16, Dtype::fp16, Dtype::tf32})
    CHECK_THROWS_WITH(
        make_cuda_ops(CudaOptions{dtype, Device::cpu}),
        Catch::Contains("stage 2 computes in fp32 or fp64, not in " + std::string(name_of(dtype))));
}

TEST_CASE("without a usable GPU: one line that says why and what would work", "[stage2]") {
  if (gpu_report(0).usable) {
    CHECK(gpu_report(0).reason.empty());
    CHECK(contains(gpu_report(0).device, "sm_"));
    CHECK_FALSE(make_cuda_ops(CudaOptions{})->emulated());
    return;
  }
  CHECK(contains(gpu_report(0).reason, "--device cpu"));
  CHECK_FALSE(contains(gpu_report(0).reason, "\n"));
  CHECK_THROWS_AS(make_cuda_ops(CudaOptions{Dtype::fp32, Device::gpu}), MachineError);
  CHECK(make_cuda_ops(CudaOptions{})->emulated());
  CHECK(make_cuda_ops(CudaOptions{Dtype::fp32, Device::cpu})->emulated());
}

TEST_CASE("the program ends with 3 and one line for --device gpu without a GPU", "[stage2]") {
  if (gpu_report(0).usable) return;
  const std::string command =
      fmt::format("'{}' train --stage 2 --device gpu --steps 1 2>&1 >/dev/null", LADDER_PROGRAM);
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  std::array<char, 4096> buffer{};
  while (fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) output += buffer.data();
  const int status = pclose(pipe);
  INFO(output);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 3);
  CHECK(contains(output, gpu_report(0).reason));
  CHECK(std::count(output.begin(), output.end(), '\n') == 1);
}
