// GPT-2's model text on Eigen in double: gradients of the whole model with and without dropout, padding, micro-batches,
// kept keys and values, the columns behind the vocabulary, loss scale.
#include <catch2/catch.hpp>
#include <cmath>

#include "shared/base/random.hpp"
#include "shared/model/gpt2.hpp"
#include "tests/stage1/models.hpp"
#include "tests/support/padded_view.hpp"

using namespace ladder;
using namespace ladder::stage1_tests;
using ladder::testing::gpt2_of;

namespace {

void check_close(const TensorList& got, const TensorList& want, double tolerance) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const Comparison comparison = compare(got[i].values(), want[i].values(), tolerance);
    INFO(got[i].name << ": " << comparison.describe());
    CHECK(comparison.passed());
  }
}

/// A model with batches in host memory, whose loss and gradients can be taken at one step's masks.
class Driven {
 public:
  Driven(const GptConfig& config, int max_rows)
      : ops_(make_eigen_ops(Dtype::fp64, 1)), model_(make_gpt2(config, *ops_, max_rows)) {
    set(random_parameters(config, 0.3));
  }

  void set(const TensorList& parameters) {
    auto* to = model_->buffers().param.as<std::byte>();
    for (const NamedTensor& tensor : parameters) {
      ops_->upload(to, tensor.bytes().data(), tensor.bytes().size());
      to += tensor.bytes().size();
    }
  }

  /// Mean loss; dropout as of `step`, none where that is null.
  double loss(const Batch& batch, const StepConstants* step, bool with_gradient = false) {
    BatchView view = batch.view();
    view.step = step;
    model_->begin_step();
    model_->forward(view);
    model_->loss(view, 1.0 / batch.batch(), with_gradient);
    if (with_gradient) model_->backward(view);
    return *model_->buffers().loss.as<double>();
  }

  Model& model() { return *model_; }
  std::vector<double> gradients() const {
    const auto* first = model_->buffers().grad.as<double>();
    return {first, first + model_->loss_element()};
  }

 private:
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Model> model_;
};

/// Every tensor's gradient against fourth-order central differences of the loss, some 20 elements of each.
void check_gradients(const GptConfig& config, const std::vector<int>& lengths, const StepConstants* step) {
  const Batch batch = cases::random_batch(lengths, config.vocab_size, config.block_size, Layout::packed);
  Driven driven(config, static_cast<int>(lengths.size()) * config.block_size);
  driven.loss(batch, step, true);
  const std::vector<double> gradients = driven.gradients();
  auto* parameters = driven.model().buffers().param.as<double>();
  std::size_t offset = 0;
  for (const ParameterSpec& spec : driven.model().parameters()) {
    std::vector<double> got, want;
    const std::size_t stride = std::max<std::size_t>(1, spec.size() / 20);
    for (std::size_t i = offset; i < offset + spec.size(); i += stride) {
      const double h = 1e-3, value = parameters[i];
      const auto odd = [&](double d) {
        parameters[i] = value + d;
        const double above = driven.loss(batch, step);
        parameters[i] = value - d;
        const double below = driven.loss(batch, step);
        parameters[i] = value;
        return above - below;
      };
      got.push_back(gradients[i]);
      want.push_back((8 * odd(h) - odd(2 * h)) / (12 * h));
    }
    offset += spec.size();
    const Comparison comparison = compare(got, want, 1e-7);
    INFO(spec.name << ": " << comparison.describe());
    CHECK(comparison.passed());
  }
}

}  // namespace

TEST_CASE("the gradient of every parameter of GPT-2 is the slope of the loss") {
  SECTION("no bias") { check_gradients(gpt2_of(2, 24, 4, 0, 9), {9, 4, 0, 1}, nullptr); }
  SECTION("bias, exact GELU") {
    GptConfig config = gpt2_of(2, 24, 4, 4, 9);
    config.bias = true;
    config.gelu = Gelu::erf;
    check_gradients(config, {9, 4}, nullptr);
  }
  SECTION("bias, grouped heads, odd sizes") {
    GptConfig config = gpt2_of(1, 33, 3, 1, 17);
    config.bias = true;
    check_gradients(config, {17, 2}, nullptr);
  }
}

TEST_CASE("with dropout, the gradient is the slope of the loss at the same masks") {
  const StepConstants step = cases::dropout_step(3, 42, 5);
  GptConfig config = gpt2_of(2, 24, 4, 2, 9);
  config.dropout = 0.25;
  SECTION("no bias") { check_gradients(config, {9, 4, 0, 1}, &step); }
  SECTION("bias, exact GELU, one layer") {
    config.n_layer = 1;
    config.bias = true;
    config.gelu = Gelu::erf;
    check_gradients(config, {9, 4}, &step);
  }
}

TEST_CASE("dropout is for steps only, and another in each") {
  GptConfig config = gpt2_of(1, 24, 4, 0, 9);
  const Batch batch = cases::random_batch({9, 4}, 27, 9, Layout::packed);
  Driven plain(config, 18);
  config.dropout = 0.25;
  Driven drops(config, 18);
  const StepConstants step = cases::dropout_step(0, 42, 0), next = cases::dropout_step(1, 42, 0);
  CHECK(drops.loss(batch, nullptr) == plain.loss(batch, nullptr));
  CHECK(plain.loss(batch, &step) == plain.loss(batch, nullptr));
  CHECK(drops.loss(batch, &step) == drops.loss(batch, &step));
  CHECK(std::abs(drops.loss(batch, &step) - drops.loss(batch, &next)) > 1e-5);
  CHECK(std::abs(drops.loss(batch, &step) - plain.loss(batch, &step)) > 1e-3);
}

TEST_CASE("columns behind the vocabulary never win and never train") {
  const GptConfig config = gpt2_of(1, 24, 4, 0, 9);  // 27 entries, 32 columns
  REQUIRE(gpt2_logit_columns(27) == 32);
  CHECK(gpt2_logit_columns(50257) == 50304);
  CHECK(gpt2_logit_columns(65) == 80);
  const auto engine = make_ops_engine(config, make_eigen_ops(Dtype::fp64, 1), 2, single_rank(), make_gpt2);
  TensorList parameters = random_parameters(config, 0.3);
  engine->load_parameters(parameters);
  const std::vector<std::int32_t> tokens = {1, 2, 3};
  CHECK(engine->logits(tokens).size() == 3 * 27);
  CHECK(engine->decoder()->next(tokens).size() == 27);

  const Batch batch = cases::random_batch({9, 4}, 27, 9, Layout::packed);
  Driven driven(config, 18);
  driven.loss(batch, nullptr, true);
  const std::vector<double> gradients = driven.gradients();
  const std::size_t count = parameter_count(config);
  REQUIRE(gradients.size() == count + 5 * 24);
  for (std::size_t i = count; i < gradients.size(); ++i) CHECK(gradients[i] == 0.0);
  // not even where the logits of the vocabulary are all far below those behind it, which are 0
  const double loss = driven.loss(batch, nullptr);
  const std::size_t bias_like = static_cast<std::size_t>(27) * 24;
  auto* wte = driven.model().buffers().param.as<double>() + (count - bias_like);
  const Act logits = driven.model().activation("logits");
  for (int n = 0; n < batch.rows(); ++n)
    for (int v = 27; v < 32; ++v) CHECK(logits.as<double>()[n * 32 + v] == 0.0);
  for (std::size_t i = 0; i < bias_like; ++i) wte[i] *= 0.0;
  CHECK(driven.loss(batch, nullptr) == Approx(std::log(27.0)).epsilon(1e-14));  // 27 equal logits, not 32
  CHECK(loss != Approx(std::log(27.0)));
}

TEST_CASE("the head is the embedding: both add to one gradient") {
  const GptConfig config = gpt2_of(1, 24, 4, 0, 9);
  const auto engine = engine_of(config, 1);
  const Batch batch = cases::random_batch({9}, 5, 9, Layout::packed);  // tokens and targets below 5
  const Probe probe = engine->probe(batch);
  const NamedTensor& dwte = probe.gradients.back();
  REQUIRE(dwte.name == "transformer.wte.weight");
  // every row is the head's, those of tokens that were read the embedding's too: see the slopes above
  double of_unused = 0;
  for (std::size_t c = 0; c < 24; ++c) of_unused += std::abs(dwte[20 * 24 + c]);
  CHECK(of_unused > 0.0);
  // ln_f of nothing leaves the embedding's part no way back, and the head nothing to read
  TensorList parameters = random_parameters(config, 0.3);
  NamedTensor& norm = parameters[ParameterIndex(parameter_specs(config)).position("transformer.ln_f.weight")];
  norm.assign(std::vector<double>(24, 0.0));
  engine->load_parameters(parameters);
  for (const double value : engine->probe(batch).gradients.back().values()) CHECK(value == 0.0);
}

TEST_CASE("padding changes nothing in GPT-2, dropout included") {
  GptConfig config = gpt2_of(2, 24, 4, 2, 16);
  config.bias = true;
  config.dropout = 0.2;
  const auto inner = make_eigen_ops(Dtype::fp64, 1);
  const auto padded = make_ops_engine(config, std::make_unique<cases::PaddedView>(*inner), 4);
  padded->load_parameters(random_parameters(config, 0.3));
  const auto packed = engine_of(config, 4);
  const std::vector<int> lengths = {16, 0, 1, 7};
  const Batch with = cases::random_batch(lengths, 27, 16, Layout::padded),
              without = cases::random_batch(lengths, 27, 16, Layout::packed);
  const Probe got = padded->probe(with), want = packed->probe(without);
  CHECK(std::abs(got.loss - want.loss) <= 1e-14);
  check_close(got.activations, want.activations, 1e-12);
  check_close(got.gradients, want.gradients, 1e-12);
  for (int s = 0; s < 3; ++s) {
    const StepConstants adam = step_constants(TrainConfig{}, s);
    CHECK(std::abs(padded->train_step(std::span(&with, 1), adam) -
                   packed->train_step(std::span(&without, 1), adam)) <= 1e-12);
  }
  check_close(padded->moments().m, packed->moments().m, 1e-10);
}

TEST_CASE("micro-batches draw the masks of one large batch") {
  GptConfig config = gpt2_of(2, 24, 4, 0, 16);
  config.dropout = 0.2;
  const auto whole = engine_of(config, 4), parts = engine_of(config, 2), wrong = engine_of(config, 1);
  const std::vector<int> lengths = {16, 3, 8, 5};
  const Batch batch = cases::random_batch(lengths, 27, 16, Layout::packed);
  const std::vector<Batch> single = singles(batch, Layout::packed, 16);
  const auto joined = [&](std::size_t a, std::size_t b) {
    const std::array both = {Sequence{single[a].tokens_n, single[a].targets_n},
                             Sequence{single[b].tokens_n, single[b].targets_n}};
    return make_batch(both, Layout::packed, 16);
  };
  const std::vector<Batch> micro = {joined(0, 1), joined(2, 3)};
  TrainConfig train;
  train.learning_rate = 0.0;  // the moments then hold nothing but gradients: m = (1 - beta1) g after one step
  const StepConstants adam = step_constants(train, 0);
  const double loss = whole->train_step(std::span(&batch, 1), adam);
  CHECK(std::abs(parts->train_step(micro, adam) - loss) <= 1e-13);
  CHECK(std::abs(wrong->train_step(single, adam) - loss) <= 1e-13);
  check_close(parts->moments().m, whole->moments().m, 1e-12);
  check_close(wrong->moments().m, whole->moments().m, 1e-12);
  check_close(parts->parameters(), whole->parameters(), 0.0);
  // and those of the gradient at the step's masks, taken from the model itself
  Driven driven(config, 64);
  StepConstants first = adam;
  first.first_sequence = 0;
  driven.loss(batch, &first, true);
  const std::vector<double> gradients = driven.gradients();
  std::vector<double> m;
  for (const NamedTensor& tensor : whole->moments().m)
    for (const double value : tensor.values()) m.push_back(value / (1 - adam.beta1));
  CHECK(compare(m, {gradients.begin(), gradients.begin() + static_cast<std::ptrdiff_t>(m.size())}, 1e-12)
            .passed());
}

TEST_CASE("GPT-2's decoder's logits are those of the whole sequence, at every position") {
  GptConfig config = gpt2_of(2, 24, 4, 2, 21);
  config.bias = true;
  config.dropout = 0.2;  // of no effect
  for (const auto& [dtype, limit] : {std::pair{Dtype::fp64, 1e-12}, {Dtype::fp32, 1e-5}}) {
    const auto engine = engine_of(config, 1, dtype);
    std::vector<std::int32_t> tokens;
    for (int i = 0; i < 21; ++i) tokens.push_back((7 * i + i * i) % 27);
    const std::vector<double> all = engine->logits(tokens);
    const auto row = [&](std::size_t t) {
      const auto at = all.begin() + static_cast<std::ptrdiff_t>(27 * t);
      return std::vector<double>(at, at + 27);
    };
    const auto one_by_one = engine->decoder();
    for (std::size_t t = 0; t < tokens.size(); ++t)
      CHECK(compare(one_by_one->next(std::span(tokens).subspan(t, 1)), row(t), limit).passed());
    const auto in_parts = engine->decoder();
    std::size_t at = 0;
    for (const std::size_t part : {9, 1, 1, 7, 3}) {
      const std::vector<double> got = in_parts->next(std::span(tokens).subspan(at, part));
      at += part;
      CHECK(compare(got, row(at - 1), limit).passed());
    }
  }
}

TEST_CASE("a loss scale changes nothing in fp64") {
  GptConfig config = gpt2_of(2, 24, 4, 0, 16);
  config.bias = true;
  config.dropout = 0.2;
  const Batch batch = cases::random_batch({16, 3, 8}, 27, 16, Layout::packed);
  const auto plain = engine_of(config, 3), scaled = engine_of(config, 3);
  TrainConfig train;
  train.clip = 0.5;
  train.weight_decay = 0.1;
  for (int s = 0; s < 5; ++s) {
    StepConstants adam = step_constants(train, s);
    const double loss = plain->train_step(std::span(&batch, 1), adam);
    adam.loss_scale = 1024.0;
    CHECK(std::abs(scaled->train_step(std::span(&batch, 1), adam) - loss) <= 1e-12);
  }
  check_close(scaled->parameters(), plain->parameters(), 1e-12);
  check_close(scaled->moments().m, plain->moments().m, 1e-12);
  check_close(scaled->moments().v, plain->moments().v, 1e-12);
}

TEST_CASE("clipping comes before the moments, and is of all gradients together") {
  const GptConfig config = gpt2_of(1, 24, 4, 0, 9);
  const Batch batch = cases::random_batch({9, 5}, 27, 9, Layout::packed);
  const auto free = engine_of(config, 2), clipped = engine_of(config, 2);
  TrainConfig train;
  free->train_step(std::span(&batch, 1), step_constants(train, 0));
  double squares = 0;
  for (const NamedTensor& tensor : free->moments().m)
    for (const double value : tensor.values()) squares += std::pow(value / (1 - train.beta1), 2);
  train.clip = 0.25;
  REQUIRE(squares > train.clip * train.clip);
  clipped->train_step(std::span(&batch, 1), step_constants(train, 0));
  TensorList want = free->moments().m;
  for (NamedTensor& tensor : want)
    for (std::size_t i = 0; i < tensor.size(); ++i)
      tensor.set(i, tensor[i] * train.clip / (std::sqrt(squares) + 1e-6));
  check_close(clipped->moments().m, want, 1e-12);
}

TEST_CASE("GPT-2 in fp32 follows fp64, and any number of threads gives the same bits") {
  GptConfig config = gpt2_of(2, 96, 4, 2, 48);
  config.bias = true;
  config.dropout = 0.2;
  const Batch batch = cases::random_batch({48, 31, 48, 1, 40, 48}, 27, 48, Layout::packed);
  const auto run = [&](Dtype dtype, int threads) {
    const auto engine = engine_of(config, 6, dtype, threads);
    std::vector<double> values;
    for (int s = 0; s < 3; ++s)
      values.push_back(engine->train_step(std::span(&batch, 1), step_constants(TrainConfig{}, s)));
    for (const NamedTensor& tensor : engine->parameters())
      for (const double value : tensor.values()) values.push_back(value);
    return values;
  };
  const std::vector<double> first = run(Dtype::fp32, 1);
  CHECK(compare(run(Dtype::fp32, 2), first, 0.0, Rule::bits).passed());
  CHECK(compare(run(Dtype::fp32, 3), first, 0.0, Rule::bits).passed());
  Probe narrow = engine_of(config, 6, Dtype::fp32)->probe(batch), wide;
  {
    const auto engine = engine_of(config, 6);
    const auto rounded = engine_of(config, 6, Dtype::fp32);
    engine->load_parameters(rounded->parameters());
    wide = engine->probe(batch);
  }
  testing::check_tensors(narrow.activations, wide.activations, find_tolerance("activations", Dtype::fp32),
                         "GPT-2's activations");
  testing::check_tensors(narrow.gradients, wide.gradients, find_tolerance("gradients", Dtype::fp32),
                         "GPT-2's gradients");
}
