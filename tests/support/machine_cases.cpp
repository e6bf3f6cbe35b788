#include "tests/support/machine_cases.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <thread>

#include <sys/wait.h>

#include "shared/base/checked_size.hpp"
#include "shared/base/random.hpp"

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
  config.architecture = machine_stage().architecture;
  config.bias = config.architecture == Architecture::gpt2;
  if (config.bias) config.dropout = 0.1;
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
  engine.load_parameters(initial_parameters(parameter_specs(engine.config()), random));
}

/// A few steps of changing lengths; the losses.
std::vector<double> train_a_little(Engine& engine, int micro_batches) {
  const TrainConfig train;
  std::vector<double> losses;
  for (int s = 0; s < 12; ++s) {
    const std::vector<Batch> batches(static_cast<std::size_t>(micro_batches),
                                     batch_of({3 + s % 4, 0, 32, 9}, engine.config(), engine.layout()));
    StepConstants step = step_constants(train, s);
    if (s > 5) step.clip = 0.1 * s;  // a number that a recorded step must find anew each time
    losses.push_back(engine.train_step(batches, step));
  }
  return losses;
}

EngineOnDevice engine_of_stage(bool graphs) {
  return engine_on_device(machine_stage().make, small_config(), Dtype::fp32, 4, 0, graphs);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a step allocates nothing once its shape has been seen", "[machine]") {
  if (skipped()) return;
  const EngineOnDevice stage = engine_of_stage(true);
  load(*stage.engine);
  const TrainConfig train;
  const Batch batch = batch_of({32, 5, 0, 32}, stage.engine->config(), stage.engine->layout());
  stage.engine->train_step(std::span(&batch, 1), step_constants(train, 0));
  const DeviceUse before = stage.ops->use();
  for (int s = 1; s < 20; ++s) stage.engine->train_step(std::span(&batch, 1), step_constants(train, s));
  CHECK(stage.ops->use().allocations == before.allocations);
  CHECK(stage.ops->use().allocated_bytes == before.allocated_bytes);
  CHECK(before.allocations > 0);
}

TEST_CASE("a recorded step gives the bits of a launched one", "[machine]") {
  if (skipped()) return;
  for (const int micro_batches : {1, 3}) {
    const EngineOnDevice recorded = engine_of_stage(true);
    const EngineOnDevice launched = engine_of_stage(false);
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

TEST_CASE("a step launches this stage's kernels and no others", "[machine]") {
  if (skipped()) return;
  const EngineOnDevice stage = engine_of_stage(true);
  CHECK(stage.engine->kernels_launched().empty());
  CHECK(stage.engine->emulated() == test_device().is_cpu());
  load(*stage.engine);
  train_a_little(*stage.engine, 1);
  const auto kernels = stage.engine->kernels_launched();
  const auto launched = [&](const std::string& name) {
    return std::find(kernels.begin(), kernels.end(), name) != kernels.end();
  };
  const std::string prefix = fmt::format("stage{}.", machine_stage().number);
  for (const std::string& name : kernels) CHECK(name.rfind(prefix, 0) == 0);
  for (const std::string& name : machine_stage().launched) {
    INFO(name);
    CHECK(launched(name));
  }
  for (const std::string& name : machine_stage().left_out) {
    INFO(name);
    CHECK_FALSE(launched(name));
  }
}

TEST_CASE("out of memory says how much was asked for and how much is there", "[machine]") {
  if (skipped()) return;
  const auto ops = ops_on_device(machine_stage().make, Dtype::fp32, 0, true);
  std::string message;
  try {
    ops->allocate(std::size_t{1} << 46);  // 64 TiB
  } catch (const MachineError& error) {
    message = error.what();
  }
  INFO(message);
  CHECK(contains(message, "67108864.0 MiB asked for"));
  CHECK(contains(message, test_device().is_gpu() ? "MiB free of" : "MiB available"));
  // Rounded up without a check, these would be a few bytes.
  for (const std::size_t wraps : {SIZE_MAX, SIZE_MAX - 200, kLargestSize + 1})
    CHECK_THROWS_WITH(ops->allocate(wraps), Catch::Contains("larger than can be addressed"));
  CHECK(ops->allocate(1024) != nullptr);  // and the Ops is still usable
}

TEST_CASE("without a usable GPU: one line that says why and what would work", "[machine]") {
  if (gpu_report(0).usable) {
    CHECK(gpu_report(0).reason.empty());
    CHECK(contains(gpu_report(0).device, "sm_"));
    CHECK_FALSE(machine_stage().make(CudaOptions{})->emulated());
    return;
  }
  CHECK(contains(gpu_report(0).reason, "--device cpu"));
  CHECK_FALSE(contains(gpu_report(0).reason, "\n"));
  CHECK_THROWS_AS(machine_stage().make(CudaOptions{Dtype::fp32, Device::gpu}), MachineError);
  CHECK(machine_stage().make(CudaOptions{})->emulated());
  CHECK(machine_stage().make(CudaOptions{Dtype::fp32, Device::cpu})->emulated());
}

TEST_CASE("the program ends with 3 and one line for --device gpu without a GPU", "[machine]") {
  if (gpu_report(0).usable) return;
  const std::string command = fmt::format("'{}' train --stage {} --device gpu --steps 1 2>&1 >/dev/null",
                                          LADDER_PROGRAM, machine_stage().number);
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

TEST_CASE("a GPU that the driver does not see is refused by its name and their number", "[machine]") {
  const Device beyond = {Device::Kind::gpu, std::max(gpu_count(), 7)};
  CHECK_THROWS_AS(machine_stage().make(CudaOptions{Dtype::fp32, beyond}), MachineError);
  CHECK_THROWS_WITH(machine_stage().make(CudaOptions{Dtype::fp32, beyond}),
                    gpu_report(beyond.ordinal).reason);
  if (gpu_count() > 0) CHECK(contains(gpu_report(beyond.ordinal).reason, "there is no " + name_of(beyond)));
}

TEST_CASE("Ops on several GPUs take turns on one thread, and one is used from another", "[machine]") {
  if (!test_device().is_gpu() || skipped()) return;
  const GptConfig config = small_config();
  std::vector<EngineOnDevice> engines;  // of every usable GPU, and two of the first
  for (int ordinal : {0, 0, 1, 2, 3})
    if (gpu_report(ordinal).usable) {
      auto ops = machine_stage().make(CudaOptions{Dtype::fp32, {Device::Kind::gpu, ordinal}});
      DeviceOps* raw = ops.get();
      engines.push_back({raw, make_ops_engine(config, std::move(ops), 4)});
    }
  REQUIRE(engines.size() >= 2);
  for (const EngineOnDevice& one : engines) load(*one.engine);
  const Batch batch = batch_of({3, 0, 32, 9}, config, engines.front().engine->layout());
  const TrainConfig train;
  std::vector<std::vector<double>> losses(engines.size());
  for (int s = 0; s < 6; ++s)
    for (std::size_t i = 0; i < engines.size(); ++i) {
      const auto step = [&] {
        losses[i].push_back(engines[i].engine->train_step(std::span(&batch, 1), step_constants(train, s)));
      };
      if (s % 2 == 0)
        step();
      else
        std::thread(step).join();
    }
  CHECK(losses[1] == losses[0]);
  for (const auto& of_one : losses) CHECK(of_one.back() < of_one.front());
}
