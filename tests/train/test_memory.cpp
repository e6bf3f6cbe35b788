// What a run is going to take of memory, told before it takes it: never too little, and no product that wraps.
#include <catch2/catch.hpp>

#include <limits>

#include "shared/base/error.hpp"
#include "shared/stages.hpp"
#include "shared/train/engine_memory.hpp"
#include "shared/train/run.hpp"
#include "shared/train/train.hpp"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

GptConfig shape(int layers, int width, int heads, int block) {
  GptConfig config;
  config.vocab_size = 27;
  config.n_layer = layers;
  config.n_embd = width;
  config.n_head = heads;
  config.block_size = block;
  return config;
}

constexpr int kMost = std::numeric_limits<int>::max();

}  // namespace

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace {

/// Bytes that this process has from the allocator.
std::size_t held() {
  const auto now = mallinfo2();
  return now.uordblks + now.hblkhd;
}

/// `count` sequences that fill the block.
std::vector<Sequence> full_sequences(const GptConfig& config, int count) {
  const std::vector<std::int32_t> tokens(static_cast<std::size_t>(config.block_size), 1);
  return std::vector<Sequence>(static_cast<std::size_t>(count), {tokens, tokens});
}

}  // namespace

TEST_CASE("stage 0 takes no more than its plan and not much less") {
  for (const GptConfig& config :
       {shape(1, 16, 4, 64), shape(3, 32, 2, 48), shape(2, 8, 8, 200), shape(1, 96, 1, 16)}) {
    const std::size_t before = held();
    const auto engine = make_engine(0, config, {Dtype::fp64});
    const std::vector<Batch> step = {
        make_batch(full_sequences(config, 1), Layout::packed, config.block_size)};
    engine->train_step(step, step_constants({}, 0));
    const std::size_t taken = held() - before;
    const std::size_t planned = plan_scalar_memory(config, 1, 1).total();
    INFO(config.n_embd << " wide: " << taken << " taken, " << planned << " planned");
    CHECK(taken <= planned);
    CHECK(2 * taken >= planned);
  }
}

TEST_CASE("the batches of a step take no more than what is told of them") {
  const GptConfig config = shape(1, 16, 4, 32);
  const std::size_t before = held();
  const std::vector<Sequence> sequences = full_sequences(config, 500);
  const Batch batch = make_batch(sequences, Layout::packed, config.block_size);
  const std::size_t taken = held() - before, told = step_batches_bytes(config, 500, 1);
  CHECK(taken <= told);
  CHECK(3 * taken >= told);
}
#endif

TEST_CASE("stage 0's plan grows with the batch and with the micro-batches of a step") {
  const GptConfig config = shape(1, 16, 4, 16);
  const std::size_t one = plan_scalar_memory(config, 1, 1).total();
  for (const auto& [batch, accum] : {std::pair{1000000, 1}, std::pair{1, 1000000}}) {
    const MemoryPlan plan = plan_scalar_memory(config, batch, accum);
    CHECK(plan.total() > one + 1000000 * 16 * sizeof(std::int32_t));
    CHECK(plan.activations == plan_scalar_memory(config, 1, 1).activations);
  }
  EngineOptions options;
  options.dtype = Dtype::fp64;
  options.max_batch = 1000;
  const std::size_t bytes = engine_needs(0, config, options).plan.total();
  CHECK(largest_batch(0, config, options, bytes) == 1000);
  CHECK(largest_batch(0, config, options, bytes - 1) == 999);
  CHECK(largest_batch(0, config, options, 1000) == 0);
}

TEST_CASE("sizes that wrap are told and not taken for small ones") {
  CHECK_THROWS_AS(step_batches_bytes(shape(1, 16, 4, 16), 1 << 26, kMost), MachineError);
  CHECK_THROWS_WITH(plan_scalar_memory(shape(1, 16, 4, kMost), 1, 1), Contains("stage 0's tape"));
  CHECK_THROWS_WITH(plan_scalar_memory(shape(1, 16, 4, 16), 1 << 27, 1), Contains("--batch-size 134217728"));
}

TEST_CASE("a run that the machine cannot hold is refused before a weight is drawn") {
  TrainConfig train;
  train.grad_accum = kMost;
  CHECK_THROWS_WITH(prepare_run({}, train, {}), Contains("out of memory: this run needs about"));
  bool asked = false;
  CHECK_THROWS_WITH(prepare_run({}, {}, {}, Dtype::fp64,
                                [&](const Run& run) {
                                  asked = run.initial.empty() && run.model.vocab_size > 1;
                                  throw MachineError("no room");
                                }),
                    "no room");
  CHECK(asked);
}

TEST_CASE("an evaluation has no more sequences than can be counted") {
  TrainConfig train;
  train.eval_batches = kMost;
  train.batch_size = 2;
  const Run run = prepare_run({}, {}, {});
  CHECK_THROWS_WITH(require_held_out(*run.source, train), Contains("--eval-batches 2147483647"));
}

TEST_CASE(
    "engines side by side need room together, each where it lies, and the memory that is short is named") {
  const auto needs = [](bool on_host, std::size_t bytes, std::size_t available) {
    EngineNeeds engine;
    engine.on_host = on_host;
    engine.plan.gradients = bytes;
    engine.available = available;
    return engine;
  };
  const std::size_t gib = std::size_t{1} << 30;
  const std::vector<EngineNeeds> fits = {needs(false, 2 * gib, 4 * gib), needs(false, 2 * gib, 4 * gib),
                                         needs(true, 1, 0)};
  CHECK_NOTHROW(require_room(fits, 0, "a run"));                                     // all of it may be taken
  CHECK_NOTHROW(require_room(std::vector{needs(false, gib << 20, 0)}, 0, "a run"));  // of unknown memory
  std::vector<EngineNeeds> more = fits;
  more[0].plan.optimizer = gib / 2;
  CHECK_THROWS_WITH(
      require_room(more, 0, "a run", "take less"),
      "out of memory: a run, of the GPU's memory, needs about 4.5 GiB, 4.0 GiB are available: take less");
  const std::size_t most = std::size_t{1} << 49;
  CHECK_THROWS_WITH(require_room(fits, most, "a run"),
                    Contains("a run needs about 524288.0 GiB") && Contains(kSmaller));
  CHECK_THROWS_AS(require_room(std::vector{needs(true, most, 0)}, 0, "a run"), MachineError);
  CHECK_THROWS_WITH(require_room(std::vector{needs(false, 2048, 1024)}, 0, "a run"),
                    Contains("needs about 0.0 MiB, 0.0 MiB"));
}

TEST_CASE("a plan's total is the sum of all its parts") {
  MemoryPlan plan;
  plan.parameters = 1, plan.gradients = 10, plan.optimizer = 100, plan.activations = 1000,
  plan.batches = 10000;
  CHECK(plan.total() == 11111);
}
