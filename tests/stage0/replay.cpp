#include "tests/stage0/replay.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <cstdint>

#include "shared/base/files.hpp"
#include "shared/base/json.hpp"
#include "shared/train/run.hpp"
#include "shared/train/sample.hpp"
#include "stage0_scalar_autograd/engine.hpp"

namespace ladder {

void require_replay(const std::string& trace, const std::string& data) {
  const Json json = Json::parse(read_file(trace));
  const Json& config = json.at("config");
  GptConfig model;
  model.n_layer = config.at("n_layer").get<int>();
  model.n_embd = config.at("n_embd").get<int>();
  model.n_head = config.at("n_head").get<int>();
  model.block_size = config.at("block_size").get<int>();
  TrainConfig train;
  train.steps = config.at("steps").get<std::int64_t>();
  train.schedule_steps = config.at("schedule_steps").get<std::int64_t>();
  train.seed = config.at("seed").get<std::int64_t>();
  train.learning_rate = config.at("lr").get<double>();
  train.beta1 = config.at("beta1").get<double>();
  train.beta2 = config.at("beta2").get<double>();
  train.eps = config.at("eps").get<double>();
  Run run = prepare_run(model, train, {data, false});

  const auto engine = stage0::make_engine(run.model);
  engine->load_parameters(run.initial);
  const auto want = json.at("loss").get<std::vector<double>>();
  REQUIRE(static_cast<std::int64_t>(want.size()) == train.steps);
  REQUIRE(!want.empty());
  for (std::int64_t s = 0; s < train.steps; ++s) {
    const double got = engine->train_step(run.source->step(s), step_constants(run.train, s));
    const double expected = want[static_cast<std::size_t>(s)];
    INFO(trace << ": step " << s + 1);
    REQUIRE(std::bit_cast<std::uint64_t>(got) == std::bit_cast<std::uint64_t>(expected));
  }
  const auto samples = json.at("samples").get<std::vector<std::string>>();
  SampleOptions options;
  options.temperature = config.at("temperature").get<double>();
  REQUIRE(sample_texts(*engine, run.source->tokenizer(), static_cast<int>(samples.size()), options,
                       run.random) == samples);
}

bool goldens_hold_here() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("fma") != 0;
#else
  return false;
#endif
}

}  // namespace ladder
