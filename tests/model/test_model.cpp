// The model as a stage and an engine see it: parameters by name, decay groups, taps, gradients told of part by part.
#include <catch2/catch.hpp>

#include <set>

#include "shared/base/random.hpp"
#include "shared/check/cases.hpp"
#include "shared/model/microgpt.hpp"
#include "shared/model/ops_decorators.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"

using namespace ladder;

namespace {

GptConfig config_of(int layers) {
  GptConfig config;
  config.vocab_size = 11;
  config.n_layer = layers;
  config.n_embd = 8;
  config.n_head = 2;
  config.block_size = 6;
  return config;
}

/// A model without passes, of parameters that decay or not.
class Bare final : public Model {
 public:
  Bare(Ops& ops, ParameterSpecs specs) : Model(config_of(1), ops, std::move(specs), plan()) {}
  void forward(const BatchView&, LogitRows) override {}
  void loss(const BatchView&, double, bool) override {}
  void backward(const BatchView&, const GradientsReady&) override {}
  std::vector<Tap> taps() const override { return {}; }
  std::vector<Tap> branches() const override { return {}; }

 private:
  static ActivationPlan plan() {
    ActivationPlan plan;
    plan.add("x", 1, 1, Dtype::fp64);
    return plan;
  }
};

ParameterSpecs mixed_specs() {
  return {{"a", {5}, 0.1}, {"b", {4}, 0.1}, {"c", {2, 3}, 0.1, true}, {"d", {7, 1}, 0.1, true}};
}

}  // namespace

TEST_CASE("parameters are found by name") {
  const ParameterSpecs specs = parameter_specs(config_of(2));
  CHECK(specs[ParameterIndex(specs).position("layer1.mlp_fc1")].shape == std::vector<int>{32, 8});
  CHECK_THROWS_WITH(ParameterIndex(specs).position("layer2.mlp_fc1"),
                    "the model has no parameter 'layer2.mlp_fc1'");
  for (const ParameterSpec& spec : specs) {
    CHECK(spec.deviation == 0.08);
    CHECK_FALSE(spec.decays);
  }
}

TEST_CASE(
    "parameters that are not the model's are refused: one too few, one too many, another name or shape") {
  const ParameterSpecs specs = mixed_specs();
  const TensorList right = zeros_of(specs);
  CHECK_NOTHROW(require_parameters(right, specs));
  TensorList other = right;
  SECTION("one too few") {
    other.pop_back();
    CHECK_THROWS_WITH(require_parameters(other, specs), "parameter 'd' is missing");
  }
  SECTION("one too many") {
    other.push_back(right.front());
    CHECK_THROWS_WITH(require_parameters(other, specs), "5 parameters given: this model has 4");
  }
  SECTION("another order") {
    std::swap(other[0], other[1]);
    CHECK_THROWS_WITH(require_parameters(other, specs), "parameter 0 is 'b': expected 'a'");
  }
  SECTION("another shape") {
    other[2].shape = {3, 2};
    CHECK_THROWS_WITH(require_parameters(other, specs),
                      Catch::Contains("'c' has the wrong shape") && Catch::Contains("[2, 3]"));
  }
  SECTION("fewer values than its shape says") {
    other[3].assign(std::vector<double>(6));
    CHECK_THROWS_WITH(require_parameters(other, specs), Catch::Contains("'d' has the wrong shape"));
  }
}

TEST_CASE("a batch is full where every sequence fills its rows and all are as long") {
  const auto full = [](const std::vector<int>& lengths, int block_size, Layout layout) {
    return cases::random_batch(lengths, 11, block_size, layout).full();
  };
  for (const Layout layout : {Layout::packed, Layout::padded}) {
    CHECK(full({16}, 16, layout));
    CHECK(full({16, 16, 16}, 16, layout));
    CHECK_FALSE(full({16, 15}, 16, layout));
    CHECK_FALSE(full({16, 0}, 16, layout));
  }
  CHECK(full({8, 8}, 16, Layout::packed));  // no row lies between them
  CHECK_FALSE(full({8, 8}, 16, Layout::padded));
  CHECK_FALSE(full({8}, 16, Layout::padded));
}

TEST_CASE("all parameters are one step of AdamW, and only those that decay shrink") {
  auto profiling = std::make_unique<ProfilingOps>(make_eigen_ops(Dtype::fp64, 1));
  ProfilingOps& ops = *profiling;
  Bare model(ops, mixed_specs());
  const std::vector<double> start(22, 2.0);
  ops.upload(model.buffers().param.data, start.data(), start.size() * sizeof(double));
  // gradients are zero: nothing but the decay moves anything
  StepConstants step = step_constants(TrainConfig{}, 0);
  step.weight_decay = 10.0;
  model.begin_step();
  model.update(&step, false);
  std::vector<double> now(22);
  ops.download(now.data(), model.buffers().param.data, now.size() * sizeof(double));
  for (std::size_t i = 0; i < now.size(); ++i) {
    INFO("element " << i);
    CHECK(now[i] == Approx(i < 9 ? 2.0 : 2.0 * (1.0 - 0.01 * 10.0)));
  }
  CHECK(ops.report().front().name == "adam");
  CHECK(ops.report().front().calls == 1);
}

TEST_CASE("a parameter that does not decay cannot stand behind one that does") {
  const auto ops = make_eigen_ops(Dtype::fp64, 1);
  CHECK_THROWS_WITH(Bare(*ops, {{"a", {2}, 0.1, true}, {"b", {2}, 0.1}}),
                    "parameter 'b' does not decay: it must stand before those that do");
}

TEST_CASE("the backward pass tells of every gradient once, from the head down, and then does not touch it") {
  const GptConfig config = config_of(3);
  const auto ops = make_eigen_ops(Dtype::fp64, 1);
  const auto model = make_microgpt(config, *ops, 12);
  Random random(3);
  const TensorList parameters = initial_parameters(model->parameters(), random);
  auto* to = model->buffers().param.as<std::byte>();
  for (const NamedTensor& tensor : parameters) {
    ops->upload(to, tensor.bytes().data(), tensor.bytes().size());
    to += tensor.bytes().size();
  }
  const Batch batch = cases::random_batch({6, 3}, 11, 6, Layout::packed);
  const std::size_t count = parameter_count(model->parameters());
  std::vector<double> when_told(count);
  std::vector<std::size_t> order;
  std::vector<int> told(count, 0);
  model->begin_step();
  model->forward(batch.view());
  model->loss(batch.view(), 0.5, true);
  model->backward(batch.view(), [&](std::size_t first, std::size_t n) {
    order.push_back(first);
    for (std::size_t i = first; i < first + n; ++i) ++told.at(i);
    ops->download(&when_told[first], model->buffers().grad.at(first).data, n * sizeof(double));
  });
  CHECK(std::set<int>(told.begin(), told.end()) == std::set<int>{1});
  REQUIRE(order.size() == 5);  // the head, three layers, both embeddings together
  CHECK(order[0] == 17 * 8);
  CHECK(order[1] > order[2]);
  CHECK(order[2] > order[3]);
  CHECK(order[4] == 0);
  std::vector<double> at_end(count);
  ops->download(at_end.data(), model->buffers().grad.data, count * sizeof(double));
  CHECK(compare(when_told, at_end, 0.0, Rule::bits).passed());
}

TEST_CASE("taps name activations of the plan") {
  const auto ops = make_eigen_ops(Dtype::fp32, 1);
  const auto model = make_microgpt(config_of(2), *ops, 6);
  std::vector<std::string> names;
  for (const Tap& tap : model->taps()) {
    names.push_back(tap.name);
    CHECK_NOTHROW(model->plan().find(tap.activation));
  }
  CHECK(names == std::vector<std::string>{"embed", "layer0.attn", "layer0.mlp", "layer1.attn", "layer1.mlp",
                                          "logits"});
  for (const Tap& tap : model->branches()) CHECK_NOTHROW(model->plan().find(tap.activation));
  CHECK(model->branches().size() == 2);
}

TEST_CASE("a plan that cannot be addressed is refused before anything is taken") {
  ActivationPlan plan;
  const std::size_t huge = std::size_t{1} << 62;
  CHECK_THROWS_AS(plan.add("x", huge, 2, Dtype::fp64), MachineError);
  plan.add("y", huge / 8, 1, Dtype::fp64);
  CHECK_THROWS_AS(plan.add("z", huge / 8, 1, Dtype::fp64), MachineError);
}

TEST_CASE("clipping scales to the norm and never up") {
  CHECK(clip_factor(0.0, 1e300) == 1.0);
  CHECK(clip_factor(2.0, 1.0) == 1.0);
  CHECK(clip_factor(1.0, 16.0) == Approx(0.25).epsilon(1e-6));
  CHECK(clip_factor(1.0, 16.0) < 0.25);  // 1e-6 below, as PyTorch has it
}
