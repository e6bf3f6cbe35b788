// Costs by hand, the profiler's table, and the guard that names the first operation that is not finite.
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <thread>

#include "shared/check/cases.hpp"
#include "shared/model/ops_decorators.hpp"
#include "shared/train/ops_engine.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/support/models.hpp"
#include "tests/support/spoiling_ops.hpp"

using namespace ladder;
using ladder::testing::random_parameters;
using ladder::testing::SpoilingOps;

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
  attention.batch.rows = 32;  // padded to 16: what is behind a sequence's end is seen by none
  CHECK(cost(attention).flops == 2 * 25 * 4 * (4 * 8 + 4));
  attention.batch.batch = 1;
  attention.batch.rows = attention.batch.max_length = 3;
  attention.batch.first = 7;  // every row sees those of earlier calls
  CHECK(cost(attention).flops == (3 * 7 + 3 * 3) * 4 * (4 * 8 + 4));
  CHECK(cost(attention).bytes == 4 * (2 * 3 * 8 * 4 + 2 * 10 * 8 * 2 + 3 * 4) + 4 * 3);

  AttentionBackward backward{};
  backward.batch = attention.batch;
  backward.batch.first = 0;
  backward.heads = 4;
  backward.kv_heads = 2;
  backward.head_dim = 8;
  backward.q = backward.k = backward.v = backward.out_nc = some<Act>();
  backward.lse_hn = some<Stat>();
  CHECK(cost(backward).flops == 3 * 3 * 4 * (10 * 8 + 6));  // five products: scores, dP, dq, dk, dv

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
  for (std::size_t i = 1; i < table.size(); ++i)  // the most expensive first
    CHECK(table[i - 1].total_seconds >= table[i].total_seconds);
  for (const OpProfile& row : table) {
    CHECK(row.cost.bytes > 0);
    CHECK(row.cost.flops > 0);
    CHECK(row.total_seconds >= row.median_seconds);
  }
  profile.reset();
  CHECK(profile.report().empty());
}

TEST_CASE(
    "the profiler's median is of its calls alone, its costs are their sum, and its rows are of one "
    "operation") {
  // the second of three calls takes long
  int call = 0;
  auto slow = std::make_unique<SpoilingOps>(make_eigen_ops(Dtype::fp32, 1), [&](Ops&, const OpCall& one) {
    if (one.name == "relu_forward" && ++call == 2) std::this_thread::sleep_for(std::chrono::milliseconds(60));
  });
  ProfilingOps ops(std::move(slow));
  const Act x{ops.allocate(64), Dtype::fp32};
  ops.run(ResidualForward{16, x, x, x});
  for (const std::size_t count : {4, 8, 16}) ops.run(ReluForward{count, x, x});
  const std::vector<OpProfile> table = ops.report();
  REQUIRE(table.size() == 2);
  const OpProfile &relu = table[0], &residual = table[1];  // the longest first
  CHECK(relu.name == "relu_forward");
  CHECK(relu.calls == 3);
  CHECK(relu.total_seconds >= 0.06);
  CHECK(relu.median_seconds < 0.03);
  CHECK(relu.cost.flops == 4 + 8 + 16);
  CHECK(relu.cost.bytes == 2 * 4 * (4 + 8 + 16));
  CHECK(residual.calls == 1);
  CHECK(residual.total_seconds == residual.median_seconds);
  CHECK(residual.cost.flops == 16);
}

TEST_CASE("every output of every operation is watched, to its last element") {
  std::vector<cases::OpCase> all = cases::all_cases(Layout::packed, Dtype::fp32);
  for (cases::OpCase& c : cases::gpt2_cases(Layout::packed)) all.push_back(std::move(c));
  struct Call {
    std::string operation;
    std::vector<OutputView> outputs;
  };
  int poisoned = 0;
  for (const cases::OpCase& c : all) {
    if (c.shape.find("50257") != std::string::npos) continue;  // a guard reads every number of it
    INFO(c.name());
    std::map<std::string, std::pair<const std::byte*, std::size_t>> places;
    const auto placed = [&](const cases::TensorSpec& tensor, const void* data, std::size_t count,
                            Dtype dtype) {
      places[tensor.name] = {static_cast<const std::byte*>(data), count * size_of(dtype)};
    };
    std::string damage;
    std::vector<Call> calls;
    SpoilingOps plain(make_eigen_ops(Dtype::fp32, 1), [&](Ops&, const OpCall& call) {
      calls.push_back({std::string(call.name), call.outputs});
    });
    const cases::Values values = cases::rounded_values(c, Dtype::fp32);
    cases::run_case(c, plain, values, damage, cases::How::as_called, placed);
    for (const cases::TensorSpec& tensor : c.tensors) {
      const bool written = tensor.use == cases::Use::output || tensor.use == cases::Use::update;
      if (!written || !places.contains(tensor.name)) continue;
      // Two names, not a structured binding, which clang++ 14 does not capture.
      const std::byte* const begin = places.at(tensor.name).first;
      const std::size_t bytes = places.at(tensor.name).second;
      const auto views = [&](const OutputView& view) {
        const auto* data = static_cast<const std::byte*>(view.data);
        return data >= begin && data < begin + bytes;
      };
      INFO(tensor.name);
      CHECK((bytes == 0 || std::ranges::any_of(calls, [&](const Call& call) {
               return std::ranges::any_of(call.outputs, views);
             })));
    }
    for (std::size_t k = 0; k < calls.size(); ++k)
      for (std::size_t v = 0; v < calls[k].outputs.size(); ++v) {
        const OutputView view = calls[k].outputs[v];
        // a parameter without a master copy of its own is told of under the first name
        const auto same_place = [&](const OutputView& other) { return other.data == view.data; };
        const auto begin = calls[k].outputs.begin();
        if (std::any_of(begin, begin + static_cast<std::ptrdiff_t>(v), same_place)) continue;
        if (view.rows == 0 || view.columns == 0) continue;
        std::size_t count = 0;
        NanGuardOps guard(
            std::make_unique<SpoilingOps>(make_eigen_ops(Dtype::fp32, 1), [&](Ops& ops, const OpCall& call) {
              const float nan = std::numeric_limits<float>::quiet_NaN();
              if (count++ != k) return;
              const auto* end = static_cast<const std::byte*>(testing::end_of(call.outputs[v]));
              ops.upload(const_cast<std::byte*>(end - sizeof nan), &nan, sizeof nan);
            }));
        INFO(calls[k].operation << ", " << view.name);
        CHECK_THROWS_WITH(cases::run_case(c, guard, values, damage),
                          Catch::Contains(fmt::format("{} is nan at row {}, column {}", view.name,
                                                      view.rows - 1, view.columns - 1)));
        ++poisoned;
      }
  }
  CHECK(poisoned > 300);
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
