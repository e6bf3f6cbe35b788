// The engine around Ops: bits, state in and out, bad input.
#include <catch2/catch.hpp>

#include "tests/stage1/models.hpp"
#include "tests/support/padded_view.hpp"

using namespace ladder;
using namespace ladder::stage1_tests;

namespace {

bool same_bits(const TensorList& a, const TensorList& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!compare(a[i].values(), b[i].values(), 0.0, Rule::bits).passed()) return false;
  return true;
}

TensorList train(Engine& engine, const Batch& batch, int steps) {
  for (int s = 0; s < steps; ++s) engine.train_step(std::span(&batch, 1), step_constants(TrainConfig{}, s));
  return engine.parameters();
}

}  // namespace

TEST_CASE("the same run gives the same bits, with any number of threads") {
  // Wide enough that products and attention are cut into pieces.
  const GptConfig config = model_of(1, 192, 4, 2, 48);
  const Batch batch = cases::random_batch({48, 31, 48, 1, 40, 48}, 27, 48, Layout::packed);
  for (const Dtype dtype : {Dtype::fp32, Dtype::fp64}) {
    const TensorList first = train(*engine_of(config, 6, dtype, 1), batch, 3);
    CHECK(same_bits(first, train(*engine_of(config, 6, dtype, 1), batch, 3)));
    CHECK(same_bits(first, train(*engine_of(config, 6, dtype, 2), batch, 3)));
    CHECK(same_bits(first, train(*engine_of(config, 6, dtype, 3), batch, 3)));
    CHECK_FALSE(same_bits(first, train(*engine_of(config, 6, dtype, 1), batch, 2)));
  }
}

TEST_CASE("parameters and moments come out as they went in") {
  const GptConfig config = model_of(2, 24, 4, 2, 9);
  const Batch batch = cases::random_batch({9, 5}, 27, 9, Layout::packed);
  for (const Dtype dtype : {Dtype::fp32, Dtype::fp64}) {
    const auto engine = engine_of(config, 2, dtype);
    train(*engine, batch, 2);
    const TensorList parameters = engine->parameters();
    const Moments moments = engine->moments();
    const auto other = engine_of(config, 2, dtype);
    other->load_parameters(parameters);
    other->load_moments(moments);
    CHECK(same_bits(other->parameters(), parameters));
    CHECK(same_bits(other->moments().m, moments.m));
    CHECK(same_bits(other->moments().v, moments.v));
    // and both go on in the same way
    const StepConstants adam = step_constants(TrainConfig{}, 2);
    CHECK(other->train_step(std::span(&batch, 1), adam) == engine->train_step(std::span(&batch, 1), adam));
    CHECK(same_bits(other->parameters(), engine->parameters()));
  }
}

TEST_CASE("probing, losses and logits leave the state alone") {
  const GptConfig config = model_of(1, 16, 4, 0, 16);
  const Batch batch = cases::random_batch({9, 5}, 27, 16, Layout::packed);
  const auto engine = engine_of(config, 2), plain = engine_of(config, 2);
  for (int s = 0; s < 3; ++s) {
    engine->probe(batch);
    engine->loss(batch);
    engine->logits(std::vector<std::int32_t>{1, 2, 3});
    const StepConstants adam = step_constants(TrainConfig{}, s);
    CHECK(engine->train_step(std::span(&batch, 1), adam) == plain->train_step(std::span(&batch, 1), adam));
  }
  CHECK(same_bits(engine->parameters(), plain->parameters()));
}

TEST_CASE("the loss of a step is the loss before its update") {
  const GptConfig config = model_of(1, 16, 4, 0, 16);
  const Batch batch = cases::random_batch({9, 5}, 27, 16, Layout::packed);
  const auto engine = engine_of(config, 2);
  const double before = engine->loss(batch);
  CHECK(engine->train_step(std::span(&batch, 1), step_constants(TrainConfig{}, 0)) == before);
  CHECK(engine->loss(batch) < before);
}

TEST_CASE("the decoder's logits are the last row of the prefix") {
  const GptConfig config = model_of(2, 24, 4, 2, 4);
  const auto engine = engine_of(config, 1);
  const std::vector<std::int32_t> tokens = {26, 3, 0, 7};
  const std::vector<double> all = engine->logits(tokens);
  REQUIRE(all.size() == 4 * 27);
  const auto decoder = engine->decoder();
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const std::vector<double> row(all.begin() + static_cast<std::ptrdiff_t>(27 * t),
                                  all.begin() + static_cast<std::ptrdiff_t>(27 * (t + 1)));
    CHECK(compare(decoder->next(std::span(tokens).subspan(t, 1)), row, 1e-12).passed());
  }
  CHECK_THROWS_AS(decoder->next(std::span(tokens).first(1)), InputError);
}

TEST_CASE("what does not fit is refused") {
  const GptConfig config = model_of(1, 16, 4, 0, 16);
  const auto engine = engine_of(config, 2);
  CHECK_THROWS_WITH(engine->loss(cases::random_batch({1, 2, 3}, 27, 16, Layout::packed)),
                    Catch::Contains("3 sequences"));
  CHECK_THROWS_WITH(engine->loss(cases::random_batch({17}, 27, 17, Layout::packed)),
                    Catch::Contains("block size is 16"));
  CHECK_THROWS_WITH(engine->logits(std::vector<std::int32_t>{1, 27}), Catch::Contains("token 27 of row 1"));
  CHECK_THROWS_WITH(engine->logits(std::vector<std::int32_t>{-1}), Catch::Contains("token -1 of row 0"));
  CHECK_THROWS_AS(engine->train_step({}, step_constants(TrainConfig{}, 0)), InputError);
  TensorList parameters = random_parameters(config, 0.3);
  parameters.pop_back();
  CHECK_THROWS_AS(engine->load_parameters(parameters), InputError);
  CHECK_THROWS_AS(make_eigen_ops(Dtype::bf16), InputError);
  CHECK_THROWS_AS(make_ops_engine(config, make_eigen_ops(Dtype::fp32, 1), 0), InputError);
}

TEST_CASE("a captured step needs micro-batches of one shape") {
  const GptConfig config = model_of(1, 16, 4, 0, 16);
  const auto inner = make_eigen_ops(Dtype::fp64, 1);
  const auto engine = make_ops_engine(config, std::make_unique<cases::PaddedView>(*inner), 2);
  engine->load_parameters(random_parameters(config, 0.3));
  const std::vector<Batch> uneven = {cases::random_batch({3, 4}, 27, 16, Layout::padded),
                                     cases::random_batch({5}, 27, 16, Layout::padded)};
  CHECK_THROWS_WITH(engine->train_step(uneven, step_constants(TrainConfig{}, 0)),
                    Catch::Contains("equally many"));
  const std::vector<Batch> even = {uneven[1], cases::random_batch({7}, 27, 16, Layout::padded)};
  CHECK(std::isfinite(engine->train_step(even, step_constants(TrainConfig{}, 0))));
}
