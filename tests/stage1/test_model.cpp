// The model text on Eigen in double: gradients of the whole model, batches, grouped heads, padding.
#include <catch2/catch.hpp>

#include "tests/stage1/models.hpp"
#include "tests/support/padded_view.hpp"

using namespace ladder;
using namespace ladder::stage1_tests;

namespace {

void check_close(const TensorList& got, const TensorList& want, double tolerance) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const Comparison comparison = compare(got[i].values(), want[i].values(), tolerance);
    INFO(got[i].name << ": " << comparison.describe());
    CHECK(got[i].name == want[i].name);
    CHECK(got[i].shape == want[i].shape);
    CHECK(comparison.passed());
  }
}

/// Fourth-order central difference of the loss by one parameter.
double slope(Engine& engine, TensorList& parameters, std::size_t tensor, std::size_t i, const Batch& batch) {
  // h is small, since a step over the corner of a ReLU spoils the difference.
  const double h = 1e-6, value = parameters[tensor][i];
  const auto at = [&](double x) {
    parameters[tensor].set(i, x);
    engine.load_parameters(parameters);
    return engine.loss(batch);
  };
  const double one = at(value + h) - at(value - h), two = at(value + 2 * h) - at(value - 2 * h);
  parameters[tensor].set(i, value);
  return (8 * one - two) / (12 * h);
}

void check_gradients(const GptConfig& config, const std::vector<int>& lengths) {
  const auto engine = engine_of(config, static_cast<int>(lengths.size()));
  TensorList parameters = random_parameters(config, 0.3);
  const Batch batch = cases::random_batch(lengths, config.vocab_size, config.block_size, Layout::packed);
  const Probe probe = engine->probe(batch);
  CHECK(probe.loss == engine->loss(batch));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    std::vector<double> got, want;
    const std::size_t stride = std::max<std::size_t>(1, parameters[i].size() / 25);
    for (std::size_t j = 0; j < parameters[i].size(); j += stride) {
      got.push_back(probe.gradients[i][j]);
      want.push_back(slope(*engine, parameters, i, j, batch));
    }
    const Comparison comparison = compare(got, want, 1e-6);
    INFO(parameters[i].name << ": " << comparison.describe());
    CHECK(comparison.passed());
  }
}

}  // namespace

TEST_CASE("the gradient of every parameter is the slope of the loss") {
  SECTION("the default shape") { check_gradients(model_of(1, 16, 4, 0, 16), {7, 1, 0, 16}); }
  SECTION("two layers, grouped heads") { check_gradients(model_of(2, 24, 4, 2, 9), {9, 4}); }
  SECTION("odd sizes, one key/value head") { check_gradients(model_of(2, 33, 3, 1, 17), {17, 2}); }
}

TEST_CASE("grouped heads are heads that share keys and values") {
  const GptConfig grouped = model_of(2, 24, 4, 2, 9), full = model_of(2, 24, 4, 4, 9);
  TensorList parameters = random_parameters(grouped, 0.3), repeated = parameters;
  const int head = grouped.head_dim() * grouped.n_embd;  // elements of one head's rows
  for (NamedTensor& tensor : repeated) {
    if (tensor.name.find("attn_wk") == std::string::npos && tensor.name.find("attn_wv") == std::string::npos)
      continue;
    const std::vector<double> once = tensor.values();
    std::vector<double> twice;
    for (const int k : {0, 0, 1, 1})
      twice.insert(twice.end(), once.begin() + k * head, once.begin() + (k + 1) * head);
    tensor.assign(twice);
    tensor.shape[0] *= 2;
  }
  const auto a = engine_of(grouped, 2), b = engine_of(full, 2);
  b->load_parameters(repeated);
  const Batch batch = cases::random_batch({9, 5}, 27, 9, Layout::packed);
  check_close(a->probe(batch).activations, b->probe(batch).activations, 1e-12);
}

TEST_CASE("a batch is the mean of its sequences") {
  const GptConfig config = model_of(2, 24, 4, 2, 16);
  const auto engine = engine_of(config, 3);
  const Batch batch = cases::random_batch({16, 3, 8}, 27, 16, Layout::packed);
  const Probe whole = engine->probe(batch);
  TensorList mean = zeros_of(parameter_specs(config));
  double loss = 0;
  for (const Batch& single : singles(batch, Layout::packed, 16)) {
    const Probe one = engine->probe(single);
    loss += one.loss / 3;
    for (std::size_t i = 0; i < mean.size(); ++i)
      for (std::size_t j = 0; j < mean[i].size(); ++j) mean[i].set(j, mean[i][j] + one.gradients[i][j] / 3);
  }
  CHECK(std::abs(whole.loss - loss) <= 1e-14);
  check_close(whole.gradients, mean, 1e-12);
}

TEST_CASE("accumulating micro-batches equals one batch") {
  const GptConfig config = model_of(1, 16, 4, 0, 16);
  const auto whole = engine_of(config, 3), parts = engine_of(config, 1);
  const Batch batch = cases::random_batch({16, 3, 8}, 27, 16, Layout::packed);
  const std::vector<Batch> micro = singles(batch, Layout::packed, 16);
  for (int s = 0; s < 3; ++s) {
    const StepConstants adam = step_constants(TrainConfig{}, s);
    CHECK(std::abs(whole->train_step(std::span(&batch, 1), adam) - parts->train_step(micro, adam)) <= 1e-13);
  }
  check_close(parts->moments().m, whole->moments().m, 1e-11);
  check_close(parts->moments().v, whole->moments().v, 1e-11);
}

TEST_CASE("padding changes nothing") {
  const GptConfig config = model_of(2, 24, 4, 2, 16);
  const auto inner = make_eigen_ops(Dtype::fp64, 1);
  const auto padded = make_ops_engine(config, std::make_unique<cases::PaddedView>(*inner), 4);
  padded->load_parameters(random_parameters(config, 0.3));
  const auto packed = engine_of(config, 4);
  const std::vector<int> lengths = {16, 0, 1, 7};
  const Probe got = padded->probe(cases::random_batch(lengths, 27, 16, Layout::padded));
  const Probe want = packed->probe(cases::random_batch(lengths, 27, 16, Layout::packed));
  CHECK(std::abs(got.loss - want.loss) <= 1e-14);
  check_close(got.activations, want.activations, 1e-12);
  check_close(got.gradients, want.gradients, 1e-12);
}

TEST_CASE("an empty sequence adds nothing but counts in the mean") {
  const GptConfig config = model_of(1, 16, 4, 0, 16);
  const auto engine = engine_of(config, 2);
  const double alone = engine->loss(cases::random_batch({7}, 27, 16, Layout::packed));
  const double with_empty = engine->loss(cases::random_batch({7, 0}, 27, 16, Layout::packed));
  CHECK(std::abs(with_empty - alone / 2) <= 1e-15);

  const Probe nothing = engine->probe(cases::random_batch({0, 0}, 27, 16, Layout::packed));
  CHECK(nothing.loss == 0.0);
  for (const NamedTensor& tensor : nothing.gradients)
    for (const double value : tensor.values()) REQUIRE(value == 0.0);
}
