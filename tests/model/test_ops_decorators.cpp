// Costs by hand, the profiler's table, and the guard that names the first operation that is not finite.
#include <catch2/catch.hpp>
#include <limits>

#include "shared/check/cases.hpp"
#include "shared/model/ops_decorators.hpp"
#include "shared/train/ops_engine.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/support/models.hpp"

using namespace ladder;
using ladder::testing::random_parameters;

namespace {

double memory;

template <class Reference>
Reference some(Dtype dtype = Dtype::fp32) {
  return {&memory, dtype};
}

GptConfig small_config() {
  GptConfig config;
  config.vocab_size = 27;
  return config;
}

}  // namespace

TEST_CASE("costs are those of the formulas") {
  const Cost linear = cost(LinearForward{5, 3, 7, some<Act>(), some<Param>(), some<Act>()});
  CHECK(linear.flops == 2 * 5 * 3 * 7);
  CHECK(linear.bytes == 4 * (5 * 3 + 7 * 3 + 5 * 7));

  const Cost weight =
      cost(LinearBackwardWeight{5, 3, 7, some<Act>(Dtype::bf16), some<Act>(Dtype::bf16), some<Grad>()});
  CHECK(weight.bytes == 2 * (5 * 7 + 5 * 3) + 2 * 4 * 7 * 3);

  const Cost plain = cost(RmsNormBackward{4, 8, some<Act>(), some<Act>(), {}, some<Stat>(), some<Act>()});
  const Cost residual =
      cost(RmsNormBackward{4, 8, some<Act>(), some<Act>(), some<Act>(), some<Stat>(), some<Act>()});
  CHECK(residual.bytes - plain.bytes == 4 * 4 * 8);

  AttentionForward attention{};
  attention.batch.batch = 2;
  attention.batch.rows = 10;
  attention.batch.max_length = 5;
  attention.heads = 4;
  attention.kv_heads = 2;
  attention.head_dim = 8;
  attention.causal = true;
  attention.q = attention.k = attention.v = attention.out_nc = some<Act>();
  attention.lse_hn = some<Stat>();
  CHECK(cost(attention).flops == 2 * 15 * 4 * (4 * 8 + 4));
  attention.causal = false;
  CHECK(cost(attention).flops == 2 * 25 * 4 * (4 * 8 + 4));

  const Cost adam = cost(Adam{
      100, nullptr, false, some<Grad>(), {}, some<Master>(), some<Master>(), some<Master>(), some<Param>()});
  CHECK(adam.bytes == 4 * 100 * 7 + sizeof(StepConstants));
}

TEST_CASE("a fused operation costs less traffic than its parts, and the same work") {
  const Act a = some<Act>();
  const Cost fused = cost(LinearResidualForward{6, 4, 9, a, some<Param>(), a, a});
  Cost parts = cost(LinearForward{6, 4, 9, a, some<Param>(), a});
  parts += cost(ResidualForward{54, a, a, a});
  CHECK(fused.flops == parts.flops);
  CHECK(fused.bytes < parts.bytes);
}

TEST_CASE("the profiler counts calls and costs of a training step and does not change it") {
  const GptConfig config = small_config();
  auto profiling = std::make_unique<ProfilingOps>(make_eigen_ops(Dtype::fp64, 1));
  ProfilingOps& profile = *profiling;
  const auto watched = make_ops_engine(config, std::move(profiling), 2);
  const auto plain = make_ops_engine(config, make_eigen_ops(Dtype::fp64, 1), 2);
  watched->load_parameters(random_parameters(config, 0.1));
  plain->load_parameters(random_parameters(config, 0.1));
  const Batch batch = cases::random_batch({5, 9}, 27, 16, Layout::packed);
  const StepConstants adam = step_constants(TrainConfig{}, 0);
  for (int s = 0; s < 3; ++s)
    CHECK(watched->train_step(std::span(&batch, 1), adam) == plain->train_step(std::span(&batch, 1), adam));

  const std::vector<OpProfile> table = profile.report();
  const auto calls = [&](std::string_view name) {
    for (const OpProfile& row : table)
      if (row.name == name) return row.calls;
    return 0;
  };
  CHECK(calls("adam") == 3);
  CHECK(calls("attention_forward") == 3);
  CHECK(calls("rmsnorm_linear_forward") == 6);
  CHECK(calls("linear_backward_weight") == 9);
  for (const OpProfile& row : table) {
    CHECK(row.cost.bytes > 0);
    CHECK(row.cost.flops > 0);
    CHECK(row.total_seconds >= row.median_seconds);
  }
  profile.reset();
  CHECK(profile.report().empty());
}

TEST_CASE("the guard passes a healthy step and names the first operation that is not finite") {
  const GptConfig config = small_config();
  const auto engine =
      make_ops_engine(config, std::make_unique<NanGuardOps>(make_eigen_ops(Dtype::fp32, 1)), 1);
  TensorList parameters = random_parameters(config, 0.1);
  engine->load_parameters(parameters);
  const Batch batch = cases::random_batch({4}, 27, 16, Layout::packed);
  const StepConstants adam = step_constants(TrainConfig{}, 0);
  CHECK_NOTHROW(engine->train_step(std::span(&batch, 1), adam));

  SECTION("a NaN weight of the mlp") {
    parameters[7].set(2 * 16 + 1, std::numeric_limits<double>::quiet_NaN());  // layer0.mlp_fc1, output 2
    engine->load_parameters(parameters);
    CHECK_THROWS_WITH(
        engine->train_step(std::span(&batch, 1), adam),
        Catch::Contains("rmsnorm_linear_forward") && Catch::Contains("y_no is nan at row 0, column 2"));
    CHECK_THROWS_AS(engine->loss(batch), CheckError);
  }
  SECTION("a NaN embedding that only the third micro-batch of a later step reads") {
    const auto several =
        make_ops_engine(config, std::make_unique<NanGuardOps>(make_eigen_ops(Dtype::fp32, 1)), 1);
    parameters[0].set(13 * 16 + 4, std::numeric_limits<double>::quiet_NaN());  // wte, token 13
    several->load_parameters(parameters);
    std::vector<Batch> parts(3, batch);
    for (Batch& part : parts) std::fill(part.tokens_n.begin(), part.tokens_n.end(), 1);
    parts[2].tokens_n[3] = 13;
    CHECK_THROWS_WITH(several->train_step(parts, step_constants(TrainConfig{}, 7)),
                      Catch::Contains("step 8, micro-batch 3, operation") &&
                          Catch::Contains("embedding_forward") &&
                          Catch::Contains("x_nc is nan at row 3, column 4"));
    CHECK_THROWS_WITH(several->loss(parts[2]), Catch::StartsWith("operation"));  // no step, so none is named
  }
  SECTION("an infinite weight of the head") {
    parameters[2].set(5 * 16, std::numeric_limits<double>::infinity());  // lm_head, vocabulary entry 5
    engine->load_parameters(parameters);
    CHECK_THROWS_WITH(engine->loss(batch), Catch::Contains("linear_forward") && Catch::Contains("column 5"));
  }
}
