// Stage 0 as an engine: the fast tape against the spelled-out one, batches, decoding, bad input.
#include <bit>
#include <catch2/catch.hpp>
#include <cstdint>

#include "shared/base/error.hpp"
#include "shared/base/random.hpp"
#include "shared/check/check.hpp"
#include "stage0_scalar_autograd/engine.hpp"
#include "stage0_scalar_autograd/optimizer.hpp"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

using namespace ladder;
using stage0::Sums;

namespace {

GptConfig shape(int vocab, int layers, int width, int heads, int block) {
  GptConfig config;
  config.vocab_size = vocab;
  config.n_layer = layers;
  config.n_embd = width;
  config.n_head = heads;
  config.block_size = block;
  return config;
}

/// Awkward ones: one of everything, odd widths, a head of one channel, the block full and not.
const std::vector<GptConfig> kShapes = {shape(1, 1, 1, 1, 1),    shape(2, 1, 3, 1, 2),
                                        shape(27, 1, 16, 4, 16), shape(5, 2, 6, 6, 5),
                                        shape(27, 2, 33, 3, 17), shape(11, 3, 10, 2, 7)};

Sequence random_sequence(const GptConfig& config, int length, Random& random) {
  Sequence sequence;
  const auto token = [&] {
    return static_cast<std::int32_t>(random.randbelow(static_cast<std::uint32_t>(config.vocab_size)));
  };
  for (int t = 0; t < length; ++t) {
    sequence.tokens.push_back(token());
    sequence.targets.push_back(token());
  }
  return sequence;
}

Batch random_batch(const GptConfig& config, std::vector<int> lengths, Random& random,
                   Layout layout = Layout::packed) {
  std::vector<Sequence> sequences;
  for (int length : lengths) sequences.push_back(random_sequence(config, length, random));
  return make_batch(sequences, layout, config.block_size);
}

std::unique_ptr<Engine> engine_with_parameters(const GptConfig& config, Sums sums, std::uint64_t seed) {
  auto engine = stage0::make_engine(config, sums);
  Random random(seed);
  TensorList parameters = initial_parameters(parameter_specs(config), random);
  for (NamedTensor& tensor : parameters)  // far from the start, so that attention is not flat
    for (std::size_t i = 0; i < tensor.size(); ++i) tensor.set(i, tensor[i] * 4.0);
  engine->load_parameters(parameters);
  return engine;
}

void require_same_bits(const TensorList& got, const TensorList& want) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    REQUIRE(got[i].name == want[i].name);
    REQUIRE(got[i].shape == want[i].shape);
    const Comparison comparison = compare(got[i].values(), want[i].values(), 0.0, Rule::bits);
    INFO(got[i].name << ": " << comparison.describe());
    REQUIRE(comparison.passed());
  }
}

}  // namespace

TEST_CASE("fused sums give the bits of the spelled-out sums: loss, activations, every gradient", "[stage0]") {
  for (const GptConfig& config : kShapes) {
    INFO("V " << config.vocab_size << ", layers " << config.n_layer << ", C " << config.n_embd);
    const auto fused = engine_with_parameters(config, Sums::fused, 5);
    const auto spelled = engine_with_parameters(config, Sums::spelled_out, 5);
    Random random(9);
    for (int length : {1, (config.block_size + 1) / 2, config.block_size}) {
      const Batch batch = random_batch(config, {length}, random);
      const Probe got = fused->probe(batch), want = spelled->probe(batch);
      REQUIRE(std::bit_cast<std::uint64_t>(got.loss) == std::bit_cast<std::uint64_t>(want.loss));
      require_same_bits(got.activations, want.activations);
      require_same_bits(got.gradients, want.gradients);
    }
  }
}

TEST_CASE("fast and plain training stay together bit for bit", "[stage0]") {
  for (const GptConfig& config : kShapes) {
    const auto fast = engine_with_parameters(config, Sums::fused, 6);
    const auto plain = engine_with_parameters(config, Sums::spelled_out, 6);
    TrainConfig train;
    train.steps = 25;
    Random random(10);
    for (std::int64_t s = 0; s < train.steps; ++s) {
      const std::vector<Batch> batches = {random_batch(config, {config.block_size}, random)};
      REQUIRE(fast->train_step(batches, step_constants(train, s)) ==
              plain->train_step(batches, step_constants(train, s)));
    }
    require_same_bits(fast->parameters(), plain->parameters());
    require_same_bits(fast->moments().m, plain->moments().m);
    require_same_bits(fast->moments().v, plain->moments().v);
  }
}

TEST_CASE("gradients of the whole model by finite differences", "[stage0]") {
  const GptConfig config = shape(5, 2, 6, 3, 4);
  const auto engine = engine_with_parameters(config, Sums::fused, 7);
  Random random(3);
  const Batch batch = random_batch(config, {4, 1, 3}, random);
  const Probe probe = engine->probe(batch);
  TensorList parameters = engine->parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    for (std::size_t k = 0; k < parameters[i].size(); k += 5) {
      constexpr double h = 1e-5;
      const double kept = parameters[i][k];
      parameters[i].set(k, kept + h);
      engine->load_parameters(parameters);
      const double above = engine->loss(batch);
      parameters[i].set(k, kept - h);
      engine->load_parameters(parameters);
      const double below = engine->loss(batch);
      parameters[i].set(k, kept);
      const double want = (above - below) / (2 * h), got = probe.gradients[i][k];
      INFO(parameters[i].name << "[" << k << "]: got " << got << ", want " << want);
      REQUIRE(std::isfinite(got));
      REQUIRE(std::abs(got - want) <= 1e-7 * (1.0 + std::abs(want)));
    }
  }
}

TEST_CASE("a batch is the mean over its documents, packed or padded, in one piece or in several",
          "[stage0]") {
  const GptConfig config = shape(7, 1, 8, 2, 6);
  const auto engine = engine_with_parameters(config, Sums::fused, 8);
  Random random(4);
  const std::vector<int> lengths = {6, 1, 4};
  std::vector<Sequence> sequences;
  for (int length : lengths) sequences.push_back(random_sequence(config, length, random));
  double mean = 0.0;
  for (const Sequence& sequence : sequences)
    mean += engine->loss(make_batch({&sequence, 1}, Layout::packed, config.block_size)) * (1.0 / 3.0);
  const Batch packed = make_batch(sequences, Layout::packed, config.block_size);
  const Batch padded = make_batch(sequences, Layout::padded, config.block_size);
  CHECK(engine->loss(packed) == mean);
  CHECK(engine->loss(padded) == mean);
  const Probe a = engine->probe(packed), b = engine->probe(padded);
  CHECK(a.loss == Approx(mean).epsilon(1e-14));
  require_same_bits(a.activations, b.activations);
  require_same_bits(a.gradients, b.gradients);
  CHECK(a.activations.front().shape == std::vector<int>{11, 8});
  CHECK(a.activations.back().shape == std::vector<int>{11, 7});

  const auto other = engine_with_parameters(config, Sums::fused, 8);
  const std::vector<Batch> whole = {packed};
  const std::vector<Batch> parts = {make_batch(std::span(sequences).first(1), Layout::packed, 6),
                                    make_batch(std::span(sequences).subspan(1), Layout::packed, 6)};
  const StepConstants adam = step_constants(TrainConfig{}, 0);
  CHECK(engine->train_step(whole, adam) == other->train_step(parts, adam));
  require_same_bits(engine->parameters(), other->parameters());
}

TEST_CASE("no gradient is left over between steps and probes", "[stage0]") {
  const GptConfig config = shape(7, 1, 8, 2, 6);
  const auto engine = engine_with_parameters(config, Sums::fused, 8);
  Random random(4);
  const Batch batch = random_batch(config, {5}, random);
  const Probe first = engine->probe(batch), second = engine->probe(batch);
  require_same_bits(first.gradients, second.gradients);
  StepConstants still = step_constants(TrainConfig{}, 0);
  still.learning_rate = 0.0;
  engine->train_step(std::vector<Batch>{batch}, still);
  require_same_bits(engine->probe(batch).gradients, first.gradients);
}

#if defined(__GLIBC__)
TEST_CASE("memory does not grow with steps", "[stage0]") {
  const GptConfig config = shape(27, 1, 16, 4, 16);
  const auto engine = engine_with_parameters(config, Sums::fused, 8);
  Random random(4);
  std::vector<std::vector<Batch>> steps;
  for (int length = 1; length <= 16; ++length) steps.push_back({random_batch(config, {length}, random)});
  const auto train = [&](int rounds) {
    for (int i = 0; i < rounds; ++i)
      for (const auto& step : steps) engine->train_step(step, step_constants(TrainConfig{}, i));
    return mallinfo2().uordblks;  // bytes in use
  };
  const std::size_t warm = train(2);
  CHECK(train(20) == warm);
}
#endif

TEST_CASE("decoding token by token gives the logits of the whole sequence", "[stage0]") {
  const GptConfig config = shape(11, 2, 12, 3, 6);
  const auto engine = engine_with_parameters(config, Sums::fused, 2);
  const std::vector<std::int32_t> tokens = {3, 1, 4, 1, 5, 9};
  const std::vector<double> all = engine->logits(tokens);
  for (int text = 0; text < 2; ++text) {
    const auto decoder = engine->decoder(), other = engine->decoder();
    other->next(std::vector<std::int32_t>{7});
    std::vector<double> joined;
    for (std::int32_t token : tokens) {
      engine->logits(tokens);  // other work on the engine does not disturb a text
      const std::vector<double> row = decoder->next(std::span(&token, 1));
      joined.insert(joined.end(), row.begin(), row.end());
    }
    CHECK(compare(joined, all, 0.0, Rule::bits).passed());
    CHECK_THROWS_AS(decoder->next(std::vector<std::int32_t>{0}), InputError);
    CHECK(engine->decoder()->next(tokens) == std::vector<double>(all.end() - 11, all.end()));
  }
}

TEST_CASE("parameters and moments go out and come back unchanged", "[stage0]") {
  const GptConfig config = shape(7, 1, 8, 2, 6);
  const auto engine = engine_with_parameters(config, Sums::fused, 8);
  Random random(4);
  engine->train_step(std::vector<Batch>{random_batch(config, {5}, random)}, step_constants(TrainConfig{}, 0));
  const auto copy = stage0::make_engine(config);
  copy->load_parameters(engine->parameters());
  copy->load_moments(engine->moments());
  const std::vector<Batch> next = {random_batch(config, {6}, random)};
  CHECK(engine->train_step(next, step_constants(TrainConfig{}, 1)) ==
        copy->train_step(next, step_constants(TrainConfig{}, 1)));
  require_same_bits(copy->parameters(), engine->parameters());
  TensorList wrong = engine->parameters();
  std::swap(wrong[0], wrong[1]);
  CHECK_THROWS_AS(engine->load_parameters(wrong), InputError);
}

TEST_CASE("stage 0 refuses what it does not know", "[stage0]") {
  GptConfig grouped = shape(7, 1, 8, 4, 6);
  grouped.n_kv_head = 2;
  CHECK_THROWS_AS(stage0::make_engine(grouped), InputError);
  const auto engine = engine_with_parameters(shape(7, 1, 8, 2, 6), Sums::fused, 8);
  CHECK_THROWS_AS(engine->logits(std::vector<std::int32_t>{0, 7}), InputError);
  CHECK_THROWS_AS(engine->logits(std::vector<std::int32_t>{-1}), InputError);
  CHECK_THROWS_AS(engine->logits(std::vector<std::int32_t>(7, 0)), InputError);
  Random random(1);
  Batch batch = random_batch(engine->config(), {3}, random);
  batch.targets_n[1] = 7;
  CHECK_THROWS_AS(engine->probe(batch), InputError);
  CHECK_THROWS_AS(engine->decoder()->next(std::vector<std::int32_t>{99}), InputError);
  CHECK_THROWS_AS(engine->decoder()->next({}), InputError);
}

TEST_CASE("Adam's first step moves each parameter by the learning rate against the gradient's sign",
          "[stage0]") {
  // m_hat = g and v_hat = g^2 at step 0, so the move is lr * g / (|g| + eps): bias correction is what makes
  // it so.
  std::vector<double> p = {1.0, 1.0, 1.0}, g = {0.5, -1e-3, 0.0}, m(3), v(3);
  stage0::adam_update(step_constants(TrainConfig{}, 0), p, g, m, v);
  CHECK(p[0] == Approx(1.0 - 0.01 * 0.5 / (0.5 + 1e-8)).epsilon(1e-12));
  CHECK(p[1] == Approx(1.0 + 0.01 * 1e-3 / (1e-3 + 1e-8)).epsilon(1e-12));
  CHECK(p[2] == 1.0);
}
