// GPT-2's parameters: names, order, initial values, what decays; and the gradients of its parts, told of one by one.
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "shared/base/random.hpp"
#include "shared/model/gpt2.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/support/models.hpp"

using namespace ladder;
using ladder::testing::gpt2_of;
using ladder::testing::random_parameters;

TEST_CASE("vectors come first and do not decay, matrices come last and do") {
  for (const bool bias : {false, true}) {
    GptConfig config = gpt2_of(3, 24, 4, 2, 9);
    config.bias = bias;
    const ParameterSpecs specs = parameter_specs(config);
    bool matrices = false;
    std::set<std::string> names;
    for (const ParameterSpec& spec : specs) {
      INFO(spec.name);
      names.insert(spec.name);
      CHECK(spec.decays == (spec.shape.size() == 2));
      CHECK((spec.decays || !matrices));
      matrices = spec.decays;
      CHECK((bias || !spec.name.ends_with(".bias")));
    }
    CHECK(names.size() == specs.size());
    CHECK(specs.size() == (bias ? 3 * 12 + 4 : 3 * 6 + 3));
    CHECK(specs.front().name == "transformer.h.0.ln_1.weight");
    CHECK(specs.back().name == "transformer.wte.weight");
    CHECK(specs[ParameterIndex(specs).position("transformer.h.2.attn.c_attn.weight")].shape ==
          std::vector<int>{48, 24});
    CHECK(specs[ParameterIndex(specs).position("transformer.h.2.mlp.c_proj.weight")].shape ==
          std::vector<int>{24, 96});
    CHECK(specs[ParameterIndex(specs).position("transformer.wpe.weight")].shape == std::vector<int>{9, 24});
  }
}

TEST_CASE("the presets have the published numbers of parameters") {
  const auto count = [](const char* preset, int vocabulary) {
    GptConfig config = find_preset(preset).model;
    config.vocab_size = vocabulary;
    return parameter_count(config);
  };
  CHECK(count("gpt2", 50257) == 124439808);
  CHECK(count("gpt2-medium", 50257) == 354823168);
  CHECK(count("gpt2-large", 50257) == 774030080);
  CHECK(count("gpt2-xl", 50257) == 1557611200);
  // 10.65M without the positions
  CHECK(count("shakespeare_char", 65) - std::size_t{256 * 384} == 10646784);
}

TEST_CASE("initial values are GPT-2's") {
  GptConfig config = gpt2_of(4, 64, 4, 0, 32);
  config.vocab_size = 200;
  config.bias = true;
  Random random(42);
  const ParameterSpecs specs = parameter_specs(config);
  const TensorList tensors = initial_parameters(specs, random);
  for (const NamedTensor& tensor : tensors) {
    INFO(tensor.name);
    double sum = 0, squares = 0;
    const auto count = static_cast<double>(tensor.size());
    for (const double value : tensor.values()) sum += value, squares += value * value;
    const double mean = sum / count, deviation = std::sqrt(squares / count - mean * mean);
    if (tensor.shape.size() == 1) {
      CHECK(deviation == 0.0);
      CHECK(mean == (tensor.name.ends_with(".weight") ? 1.0 : 0.0));
      continue;
    }
    // residual projections: 0.02 / sqrt(2 L), L = 4; within 5 deviations of what so many draws give
    const double want = tensor.name.find("c_proj") != std::string::npos ? 0.02 / std::sqrt(8.0) : 0.02;
    CHECK(std::abs(deviation - want) < 5 * want / std::sqrt(2 * count));
    CHECK(std::abs(mean) < 5 * want / std::sqrt(count));
  }
}

namespace {

/// A GPT-2 in memory that the test can read.
struct Loaded {
  explicit Loaded(const GptConfig& config)
      : ops(make_eigen_ops(Dtype::fp64, 1)), model(make_gpt2(config, *ops, 2 * config.block_size)) {
    double* to = parameters();
    for (const NamedTensor& tensor : random_parameters(config, 0.3))
      for (const double value : tensor.values()) *to++ = value;
  }
  double* parameters() const { return model->buffers().param.as<double>(); }

  std::unique_ptr<Ops> ops;
  std::unique_ptr<Model> model;
};

}  // namespace

TEST_CASE("weight decay touches the matrices of GPT-2 only") {
  GptConfig config = gpt2_of(2, 24, 4, 0, 9);
  config.bias = true;
  const Loaded loaded(config);
  const std::vector<double> before(loaded.parameters(), loaded.parameters() + parameter_count(config));
  StepConstants step = step_constants(TrainConfig{}, 0);
  step.weight_decay = 10.0;
  loaded.model->begin_step();  // gradients are zero: nothing but the decay moves anything
  loaded.model->update(&step, false);
  std::size_t i = 0;
  for (const ParameterSpec& spec : loaded.model->parameters())
    for (std::size_t k = 0; k < spec.size(); ++k, ++i) {
      INFO(spec.name << " " << k);
      const double factor = spec.shape.size() == 2 ? 1.0 - step.learning_rate * 10.0 : 1.0;
      REQUIRE(loaded.parameters()[i] == Approx(before[i] * factor).epsilon(1e-14));
    }
}

TEST_CASE("GPT-2's backward pass tells of every gradient once, from the last norm down") {
  for (const double dropout : {0.0, 0.2}) {
    GptConfig config = gpt2_of(3, 24, 4, 2, 9);
    config.bias = true;
    config.dropout = dropout;
    const Loaded loaded(config);
    const Batch batch = cases::random_batch({9, 4}, 27, 9, Layout::packed);
    const StepConstants step = cases::dropout_step(0, 42, 0);
    BatchView view = batch.view();
    view.step = &step;
    const std::size_t count = parameter_count(config);
    const auto* grad = loaded.model->buffers().grad.as<double>();
    std::vector<double> when_told(count);
    std::vector<int> told(count, 0);
    loaded.model->begin_step();
    loaded.model->forward(view);
    loaded.model->loss(view, 0.5, true);
    loaded.model->backward(view, [&](std::size_t first, std::size_t n) {
      for (std::size_t i = first; i < first + n; ++i) ++told.at(i), when_told[i] = grad[i];
    });
    CHECK(std::set<int>(told.begin(), told.end()) == std::set<int>{1});
    CHECK(compare(when_told, {grad, grad + count}, 0.0, Rule::bits).passed());
  }
}

TEST_CASE("GPT-2's taps name activations of the plan, and nothing is cut") {
  const auto ops = make_eigen_ops(Dtype::fp32, 1);
  const auto model = make_gpt2(gpt2_of(2, 24, 4, 0, 9), *ops, 9);
  std::vector<std::string> names;
  for (const Tap& tap : model->taps()) {
    names.push_back(tap.name);
    CHECK_NOTHROW(model->plan().find(tap.activation));
  }
  CHECK(names == std::vector<std::string>{"embed", "layer0.attn", "layer0.mlp", "layer1.attn", "layer1.mlp",
                                          "logits"});
  CHECK(model->branches().empty());
}
