// What the model's rows, arenas and settings promise at their edges: batches, plans, padded vocabularies, limits.
#include <catch2/catch.hpp>

#include <array>

#include "shared/base/dtype_convert.hpp"
#include "shared/base/error.hpp"
#include "shared/base/random.hpp"
#include "shared/model/activation_plan.hpp"
#include "shared/model/batch.hpp"
#include "shared/model/gpt2.hpp"
#include "shared/model/parameters.hpp"
#include "shared/model/settings.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

using Integers = std::vector<std::int32_t>;

GptConfig valid_model() {
  GptConfig model;
  model.vocab_size = 27;
  return model;
}

}  // namespace

TEST_CASE("a batch of sequences of three lengths, one of them none, row by row in both layouts") {
  const std::array<Sequence, 3> sequences = {Sequence{{5, 2, 5}, {2, 5, 7}}, Sequence{},
                                             Sequence{{0, 5}, {5, 1}}};
  const Batch packed = make_batch(sequences, Layout::packed, 4);
  CHECK(packed.tokens_n == Integers{5, 2, 5, 0, 5});
  CHECK(packed.targets_n == Integers{2, 5, 7, 5, 1});
  CHECK(packed.sequence_n == Integers{0, 0, 0, 2, 2});
  CHECK(packed.starts_b == Integers{0, 3, 3});
  CHECK(packed.lengths_b == Integers{3, 0, 2});
  CHECK(packed.order_n == Integers{3, 1, 0, 2, 4});  // rows of one token in their order
  CHECK(packed.max_length == 3);
  const Batch padded = make_batch(sequences, Layout::padded, 4);
  CHECK(padded.tokens_n == Integers{5, 2, 5, -1, -1, -1, -1, -1, 0, 5, -1, -1});
  CHECK(padded.targets_n == Integers{2, 5, 7, -1, -1, -1, -1, -1, 5, 1, -1, -1});
  CHECK(padded.sequence_n == Integers{0, 0, 0, -1, -1, -1, -1, -1, 2, 2, -1, -1});
  CHECK(padded.starts_b == Integers{0, 4, 8});
  CHECK(padded.order_n == Integers{8, 1, 0, 2, 9, 3, 4, 5, 6, 7, 10, 11});  // padding last
  CHECK(padded.max_length == 3);  // of the sequences, not of the block
  const BatchView view = padded.view();
  CHECK((view.batch == 3 && view.rows == 12 && view.max_length == 3 && !view.full && view.first == 0));
  CHECK(view.order_n == padded.order_n.data());
  CHECK(view.lengths_b == padded.lengths_b.data());
}

TEST_CASE("a batch names the sequence that does not fit, and takes one that just does") {
  const auto made = [](const Sequence& second) {
    const std::array<Sequence, 2> both = {Sequence{{1}, {2}}, second};
    return make_batch(both, Layout::packed, 3).rows();
  };
  CHECK(made({{1, 2, 3}, {2, 3, 4}}) == 4);
  CHECK_THROWS_WITH(made({{1, 2, 3, 4}, {2, 3, 4, 5}}), "sequence 1 has 4 tokens: the block size is 3");
  CHECK_THROWS_WITH(made({{1, 2}, {2}}), "sequence 1 has 2 tokens but 1 targets");
}

TEST_CASE("tensors of a plan begin on 256 bytes, one behind the other, and none is larger than its room") {
  ActivationPlan plan;
  plan.add("exact", 8, 16, Dtype::bf16);  // 256 bytes
  plan.add("one more", 257, 1, Dtype::fp16);
  plan.add("none", 0, 5, Dtype::fp64);
  plan.add("last", 3, 7, Dtype::fp32);
  const auto offset = [&](const char* name) { return plan.find(name).offset; };
  CHECK(offset("exact") == 0);
  CHECK(offset("one more") == 256);
  CHECK(plan.find("one more").bytes() == 514);
  CHECK(offset("none") == 256 + 768);
  CHECK(offset("last") == 256 + 768);
  CHECK(plan.bytes() == 256 + 768 + 256);
  std::array<std::byte, 2048> arena{};
  const Act last = plan.in<Act>(arena.data(), "last");
  CHECK(last.data == arena.data() + 1024);
  CHECK(last.dtype == Dtype::fp32);
  CHECK(last.at(3).data == arena.data() + 1024 + 12);  // elements, not bytes
  CHECK_THROWS_WITH(plan.find("other"), "the activation plan has no tensor 'other'");
}

TEST_CASE("a vocabulary is padded to 16 columns, a large one to 128") {
  CHECK(gpt2_logit_columns(1) == 16);
  CHECK(gpt2_logit_columns(16) == 16);
  CHECK(gpt2_logit_columns(17) == 32);
  CHECK(gpt2_logit_columns(65) == 80);
  CHECK(gpt2_logit_columns(1009) == 1024);
  CHECK(gpt2_logit_columns(1024) == 1024);
  CHECK(gpt2_logit_columns(1025) == 1152);
  CHECK(gpt2_logit_columns(50257) == 50304);
}

TEST_CASE("widths follow the key heads where there are fewer, and the schedule the steps where it has none") {
  GptConfig model = valid_model();
  model.n_embd = 24;
  model.n_head = 6;
  CHECK((model.kv_heads() == 6 && model.head_dim() == 4 && model.kv_dim() == 24 && model.qkv_dim() == 72));
  model.n_kv_head = 2;
  CHECK((model.kv_heads() == 2 && model.head_dim() == 4 && model.kv_dim() == 8 && model.qkv_dim() == 40));
  const ParameterSpecs specs = parameter_specs(model);
  const ParameterIndex index(specs);
  CHECK(specs[index.position("layer0.attn_wq")].shape == std::vector<int>{24, 24});
  CHECK(specs[index.position("layer0.attn_wk")].shape == std::vector<int>{8, 24});
  CHECK(specs[index.position("layer0.attn_wv")].shape == std::vector<int>{8, 24});
  CHECK(index.offset("wte") == 0);
  CHECK(index.offset("wpe") == 27 * 24);
  CHECK(index.offset("lm_head") == (27 + 16) * 24);  // in scalars, of what stands before
  CHECK(index.contains("layer0.mlp_fc2"));
  CHECK_FALSE(index.contains("layer1.mlp_fc2"));
  TrainConfig train;
  train.steps = 12;
  CHECK(train.decay_steps() == 12);
  train.schedule_steps = 30;
  CHECK(train.decay_steps() == 30);
}

TEST_CASE("initial values are drawn for what has a deviation only, and rounded to the type asked for") {
  const ParameterSpecs specs = {
      {"a", {2}, 0.5}, {"ones", {3}, 0.0, false, 1.0}, {"b", {2}, 0.25, false, 3.0}};
  Random drawn(7), by_hand(7);
  const TensorList tensors = initial_parameters(specs, drawn, Dtype::bf16);
  for (const std::size_t i : {0, 1}) CHECK(tensors[0][i] == rounded_to(Dtype::bf16, by_hand.gauss(0.0, 0.5)));
  CHECK(tensors[1].values() == std::vector<double>{1.0, 1.0, 1.0});
  for (const std::size_t i : {0, 1})
    CHECK(tensors[2][i] == rounded_to(Dtype::bf16, by_hand.gauss(3.0, 0.25)));
  for (const NamedTensor& tensor : tensors) CHECK(tensor.dtype() == Dtype::bf16);
}

TEST_CASE("settings at their limits are taken, those one step beyond are refused") {
  const auto refusal = [](auto change) -> std::string {
    TrainConfig train;
    train.steps = 10;
    change(train);
    try {
      validate(train);
    } catch (const InputError& error) {
      return error.what();
    }
    return {};
  };
  CHECK(refusal([](auto& t) { t.warmup_steps = 10; }).empty());
  CHECK_THAT(refusal([](auto& t) { t.warmup_steps = 11; }), Contains("the schedule is over after 10 steps"));
  CHECK(refusal([](auto& t) { t.schedule_steps = 20, t.warmup_steps = 20; }).empty());
  CHECK(refusal([](auto& t) { t.min_learning_rate = t.learning_rate; }).empty());
  CHECK_THAT(refusal([](auto& t) { t.min_learning_rate = 2 * t.learning_rate; }),
             Contains("--min-lr 0.02 is above --lr 0.01"));
  CHECK(refusal([](auto& t) { t.eval_batches = 3; }).empty());
  CHECK(refusal([](auto& t) { t.eval_every = 5, t.eval_batches = 1; }).empty());
  CHECK_THAT(refusal([](auto& t) { t.eval_every = 5; }), Contains("--eval-every 5 needs --eval-batches"));
  CHECK(refusal([](auto& t) { t.beta1 = t.beta2 = t.learning_rate = 0.0; }).empty());
  CHECK(refusal([](auto& t) { t.seed = 4294967295, t.learning_rate = 1e6; }).empty());
  GptConfig model = valid_model();
  model.n_embd = 32767;
  model.n_head = 32767;
  CHECK_THROWS_WITH(validate(model), Contains("parameters"));  // that many heads alone are taken
  model = valid_model();
  model.n_kv_head = 4;
  CHECK_NOTHROW(validate(model));
}

TEST_CASE("heads that do not share the width evenly are told the nearest numbers that do") {
  const auto refusal = [](int heads, int width) -> std::string {
    GptConfig model = valid_model();
    model.n_head = heads;
    model.n_embd = width;
    try {
      validate(model);
    } catch (const InputError& error) {
      return error.what();
    }
    return {};
  };
  CHECK_THAT(refusal(5, 16), Contains("choose 4 or 8 heads"));
  CHECK_THAT(refusal(9, 16), Contains("choose 8 or 16 heads"));
  CHECK_THAT(refusal(17, 16), Contains("choose 16 heads"));
  CHECK_THAT(refusal(2, 7), Contains("choose 1 or 7 heads"));
  CHECK(refusal(16, 16).empty());
}

TEST_CASE("each of GPT-2's settings alone is refused of microGPT, by its own flag") {
  const auto refusal = [](auto change) {
    GptConfig model = valid_model();
    change(model);
    std::string told;
    try {
      validate(model);
    } catch (const InputError& error) {
      told = error.what();
    }
    model.architecture = Architecture::gpt2;
    CHECK_NOTHROW(validate(model));
    return told;
  };
  CHECK_THAT(refusal([](auto& m) { m.bias = true; }), Contains("--bias is GPT-2's"));
  CHECK_THAT(refusal([](auto& m) { m.gelu = Gelu::erf; }), Contains("--gelu is GPT-2's"));
  CHECK_THAT(refusal([](auto& m) { m.dropout = 0.1; }), Contains("--dropout is GPT-2's"));
}

TEST_CASE("a choice or a preset that is none is answered with all that are") {
  CHECK(parse_choice<Schedule>("cosine", "x") == Schedule::cosine);
  CHECK(parse_choice<Schedule>("constant", "x") == Schedule::constant);
  CHECK_THROWS_WITH(parse_choice<Schedule>("none", "--schedule"),
                    "--schedule is 'none': valid are linear, cosine, constant");
  CHECK_THROWS_WITH(find_preset("other"),
                    "unknown preset 'other': valid are micro, micro-batch, tiny, shakespeare_char, gpt2, "
                    "gpt2-medium, gpt2-large, gpt2-xl, small");
}

TEST_CASE("a gradient of a multiplied loss is clipped by its own norm, and divided once") {
  StepConstants step = step_constants(TrainConfig{}, 0);
  step.loss_scale = 8.0;
  CHECK(gradient_factor(step, 64.0 * 16.0) == 0.125);  // no clipping
  step.clip = 1.0;
  CHECK(gradient_factor(step, 64.0 * 16.0) == Approx(0.25 / 8.0).epsilon(1e-6));
  CHECK(gradient_factor(step, 64.0 * 0.25) == 0.125);  // its own norm is 1/2
}

TEST_CASE("Adam's corrections count the steps that changed something") {
  TrainConfig train;
  train.beta1 = 0.5;
  train.beta2 = 0.75;
  train.weight_decay = 0.1;
  train.clip = 3.0;
  train.eps = 1e-4;
  train.seed = 9;
  const StepConstants first = step_constants(train, 0), third = step_constants(train, 4, 2);
  CHECK(first.correction1 == 0.5);
  CHECK(first.correction2 == 0.25);
  CHECK(third.correction1 == 1.0 - 0.125);
  CHECK(third.correction2 == 1.0 - 0.421875);
  CHECK(third.learning_rate == learning_rate_at(train, 4));
  CHECK((third.step == 4 && third.seed == 9 && third.loss_scale == 1.0 && third.micro_batch == 0));
  CHECK((third.beta1 == 0.5 && third.beta2 == 0.75 && third.eps == 1e-4));
  CHECK((third.weight_decay == 0.1 && third.clip == 3.0));
}
