// A step in two launches against the same step by operation, and against stage 1 in double.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdio>

#include "shared/check/tolerances.hpp"
#include "shared/parity/parity.hpp"
#include "shared/tile/checks.hpp"
#include "shared/train/run.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "stage3_tiled_kernels/one_launch/fused_step.hpp"
#include "stage3_tiled_kernels/one_launch/tiles.hpp"
#include "tests/stage3/device.hpp"
#include "tests/stage3/large_embeddings.hpp"
#include "tests/stage3/low_scores.hpp"
#include "tests/stage3/micro_model.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

struct Case {
  int layers, width, heads, kv_heads, block, batch, grad_accum;
};

Run run_of(const Case& c, std::int64_t steps) {
  TrainConfig train = find_preset("micro").train;
  train.steps = train.schedule_steps = steps;
  train.batch_size = c.batch;
  train.grad_accum = c.grad_accum;
  return prepare_run(micro_model(c), train, {});
}

std::unique_ptr<Engine> fused_engine(const GptConfig& model, Dtype dtype, int max_batch) {
  return make_engine(3, model, {dtype, max_batch, test_device(), 0, "fused-step"});
}

std::unique_ptr<Engine> reference_engine(const GptConfig& model, int max_batch) {
  return make_ops_engine(model, make_eigen_ops(Dtype::fp64, 1), max_batch);
}

void check_close(const TensorList& got, const TensorList& want, double limit) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    const Comparison comparison = compare(got[i].values(), want[i].values(), limit, Rule::scaled);
    INFO(want[i].name << ": " << comparison.describe());
    CHECK(got[i].name == want[i].name);
    CHECK(comparison.passed());
  }
}

/// Sequences of tokens that follow each other, of these lengths.
Batch batch_of(const std::vector<int>& lengths, const Engine& engine) {
  std::vector<Sequence> sequences;
  int next = 0;
  for (const int length : lengths) {
    Sequence& sequence = sequences.emplace_back();
    for (int t = 0; t < length; ++t, ++next) {
      sequence.tokens.push_back(next % 27);
      sequence.targets.push_back((next + 1) % 27);
    }
  }
  return make_batch(sequences, engine.layout(), engine.config().block_size);
}

}  // namespace

TEST_CASE("fp64: every shape and batch trains as stage 1 does in double", "[fused-step]") {
  if (skipped()) return;
  for (const Case& c : {Case{1, 16, 4, 4, 16, 1, 1}, Case{1, 16, 4, 4, 16, 33, 1},
                        Case{2, 16, 4, 2, 16, 4, 2}, Case{1, 12, 3, 3, 7, 5, 1}, Case{2, 32, 8, 2, 16, 3, 1},
                        Case{1, 60, 5, 5, 11, 2, 1}, Case{1, 64, 4, 1, 16, 3, 3}}) {
    if (test_device().is_gpu() && c.width > 16) continue;  // wide tiles of doubles are the CPU model's
    INFO(c.layers << " layers, width " << c.width << ", batch " << c.batch << " x " << c.grad_accum);
    const Run run = run_of(c, 6);
    const auto want = reference_engine(run.model, c.batch),
               got = fused_engine(run.model, Dtype::fp64, c.batch);
    const Comparison losses =
        compare(train_curve(*got, run, 6), train_curve(*want, run, 6), 1e-12, Rule::absolute);
    INFO(losses.describe());
    CHECK(losses.passed());
    check_close(got->parameters(), want->parameters(), 1e-9);
    check_close(got->moments().m, want->moments().m, 1e-9);
    check_close(got->moments().v, want->moments().v, 1e-9);
    std::printf("fused step, fp64, width %d, batch %d x %d: largest error of a loss %.2e\n", c.width, c.batch,
                c.grad_accum, losses.max_error);
  }
}

TEST_CASE("fp32: losses within 1e-5 of stage 1 in double, gradients as close as those by operation",
          "[fused-step]") {
  if (skipped()) return;
  for (const Case& c : {Case{1, 16, 4, 4, 16, 16, 1}, Case{1, 64, 4, 4, 16, 8, 1}}) {
    const Run run = run_of(c, c.width == 16 ? 100 : 10);
    const auto want = reference_engine(run.model, c.batch),
               got = fused_engine(run.model, Dtype::fp32, c.batch);
    const Comparison losses = compare(train_curve(*got, run, run.train.steps),
                                      train_curve(*want, run, run.train.steps), 1e-5, Rule::absolute);
    INFO("width " << c.width << ": " << losses.describe());
    CHECK(losses.passed());
    std::printf("fused step, fp32, width %d, batch %d, %d steps: largest error of a loss %.2e\n", c.width,
                c.batch, static_cast<int>(run.train.steps), losses.max_error);
    // After one step from moments of zero, m is (1 - beta1) times the gradient.
    train_curve(*got, run, 1);
    train_curve(*want, run, 1);
    check_close(got->moments().m, want->moments().m, find_tolerance("moments", Dtype::fp32).limit());
  }
}

TEST_CASE("the same bits on repeated runs, whatever was computed before", "[fused-step]") {
  if (skipped()) return;
  const Run run = run_of({1, 16, 4, 4, 16, 40, 1}, 4);
  const auto engine = fused_engine(run.model, Dtype::fp32, 40);
  const std::vector<double> first = train_curve(*engine, run, 4);
  const TensorList parameters = engine->parameters();
  restart(*engine, run);
  engine->train_step(std::vector{batch_of({3, 5}, *engine)},
                     step_constants(run.train, 0));  // another shape between
  CHECK(compare(train_curve(*engine, run, 4), first, 0.0, Rule::bits).passed());
  const auto other = fused_engine(run.model, Dtype::fp32, 40);
  other->load_parameters(run.initial);  // moments are zero from the start
  for (std::int64_t s = 0; s < 4; ++s)
    CHECK(other->train_step(run.source->step(s, other->layout()), step_constants(run.train, s)) ==
          first[static_cast<std::size_t>(s)]);
  const TensorList again = other->parameters();
  for (std::size_t i = 0; i < again.size(); ++i)
    CHECK(compare(again[i].values(), parameters[i].values(), 0.0, Rule::bits).passed());
}

TEST_CASE("empty and full sequences, and steps that grow", "[fused-step]") {
  if (skipped()) return;
  const Run run = run_of({1, 16, 4, 4, 16, 1, 1}, 4);
  const auto want = reference_engine(run.model, 8), got = fused_engine(run.model, Dtype::fp64, 8);
  restart(*want, run);
  restart(*got, run);
  std::int64_t s = 0;
  for (const std::vector<int>& lengths :
       {std::vector{16}, std::vector{0, 1, 16}, std::vector{0}, std::vector{2, 7, 0, 13, 16, 1, 1, 9}}) {
    const double loss = got->train_step(std::vector{batch_of(lengths, *got)}, step_constants(run.train, s));
    const double reference =
        want->train_step(std::vector{batch_of(lengths, *want)}, step_constants(run.train, s));
    CHECK(std::abs(loss - reference) <= 1e-12);
    ++s;
  }
  check_close(got->parameters(), want->parameters(), 1e-9);
}

TEST_CASE("what is asked between steps is answered from the trained weights", "[fused-step]") {
  if (skipped()) return;
  const Run run = run_of({1, 16, 4, 4, 16, 4, 1}, 3);
  const auto want = reference_engine(run.model, 4), got = fused_engine(run.model, Dtype::fp64, 4);
  train_curve(*want, run, 3);
  train_curve(*got, run, 3);
  const std::vector<std::int32_t> tokens = {26, 4, 12, 12, 0};
  CHECK(compare(got->logits(tokens), want->logits(tokens), 1e-9, Rule::scaled).passed());
  CHECK(std::abs(got->loss(batch_of({5, 9}, *got)) - want->loss(batch_of({5, 9}, *want))) <= 1e-9);
  const std::vector<std::string> kernels = got->kernels_launched();
  for (const char* kernel : {"stage3.document", "stage3.document_step"})
    CHECK(std::count(kernels.begin(), kernels.end(), kernel) == 1);
  for (const std::string& kernel : kernels) CHECK(kernel.rfind("stage3.", 0) == 0);
}

TEST_CASE("both kernels pass checked mode: no race, nothing read before it is written", "[fused-step]") {
  const tile::Checks checks;  // the CPU model's, wherever the other cases run
  for (const Case& c : {Case{2, 16, 4, 2, 16, 3, 1}, Case{1, 36, 6, 3, 13, 35, 1}}) {
    const Run run = run_of(c, 2);
    const auto engine = make_engine(3, run.model, {Dtype::fp32, c.batch, Device::cpu, 1, "fused-step"});
    restart(*engine, run);
    for (std::int64_t s = 0; s < 2; ++s)
      CHECK_NOTHROW(engine->train_step(run.source->step(s, engine->layout()), step_constants(run.train, s)));
  }
}

TEST_CASE("fp32: rows whose sum of squares overflows train as stage 1 does in double", "[fused-step]") {
  if (skipped()) return;
  for (const Case& c : {Case{1, 16, 4, 4, 16, 3, 1}, Case{1, 64, 4, 4, 16, 3, 1}})
    for (const bool all : {false, true}) {
      INFO("width " << c.width << ", " << (all ? "all" : "some") << " embeddings large");
      Run run = run_of(c, 1);
      run.initial = with_large_embeddings(run.model, run.initial, all);
      const auto want = reference_engine(run.model, c.batch),
                 got = fused_engine(run.model, Dtype::fp32, c.batch);
      const Comparison losses = compare(train_curve(*got, run, 1), train_curve(*want, run, 1),
                                        find_tolerance("losses", Dtype::fp32));
      INFO(losses.describe());
      CHECK(losses.passed());
      // After one step from moments of zero, m is (1 - beta1) times the gradient.
      check_close(got->moments().m, want->moments().m, find_tolerance("moments", Dtype::fp32).limit());
    }
}

TEST_CASE("scores and logits far below 0 train as stage 1 does in double", "[fused-step]") {
  if (skipped()) return;
  for (const Dtype dtype : {Dtype::fp32, Dtype::fp64}) {
    const Case c{1, 16, 4, 4, 16, 3, 1};
    Run run = run_of(c, 1);
    const TensorList initial = run.initial;
    for (const TensorList& start :
         {with_low_scores(run.model, initial), with_low_logits(run.model, initial)}) {
      run.initial = start;
      const auto want = reference_engine(run.model, c.batch), got = fused_engine(run.model, dtype, c.batch);
      const Comparison losses = compare(train_curve(*got, run, 1), train_curve(*want, run, 1),
                                        find_tolerance("losses", Dtype::fp32));
      INFO(name_of(dtype) << ": " << losses.describe());
      CHECK(losses.passed());
    }
  }
}

TEST_CASE("parameters and moments leave in the type that trains", "[fused-step]") {
  if (skipped()) return;
  for (const Dtype dtype : {Dtype::fp32, Dtype::fp64}) {
    INFO(name_of(dtype));
    const Run run = run_of({1, 16, 4, 4, 16, 1, 1}, 1);
    const auto engine = fused_engine(run.model, dtype, 1);
    restart(*engine, run);
    const TensorList parameters = engine->parameters();
    const Moments moments = engine->moments();
    for (const TensorList* tensors : {&parameters, &moments.m, &moments.v})
      for (const NamedTensor& tensor : *tensors) CHECK(tensor.dtype() == dtype);
    CHECK(compare(parameters[0].values(), run.initial[0].in(dtype).values(), 0.0, Rule::bits).passed());
  }
}

TEST_CASE("what a fused step cannot do is named", "[fused-step]") {
  GptConfig model = find_preset("micro").model;
  model.vocab_size = 27;
  const auto made = [&](Dtype dtype) {
    return make_engine(3, model, {dtype, 1, Device::cpu, 1, "fused-step"});
  };
  CHECK_THROWS_WITH(made(Dtype::bf16), Catch::Contains("--fused-step") && Catch::Contains("fp32 or fp64"));
  CHECK_THROWS_WITH(make_engine(1, model, {Dtype::fp32, 1, Device::cpu, 1, "fused-step"}),
                    Catch::Contains("stage 3's"));
  const auto engine = made(Dtype::fp32);
  Batch batch = batch_of({3}, *engine);
  batch.targets_n[1] = 27;
  CHECK_THROWS_WITH(engine->train_step(std::vector{batch}, StepConstants{}),
                    Catch::Contains("target 27 of document 0"));
  CHECK_THROWS_WITH(engine->train_step({}, StepConstants{}), Catch::Contains("at least one"));
  model.n_embd = 68;
  CHECK_THROWS_WITH(made(Dtype::fp32), Catch::Contains("width of 68") && Catch::Contains("--fused-step"));
  model.n_embd = 16;
  model.block_size = 17;
  CHECK_THROWS_WITH(made(Dtype::fp32), Catch::Contains("17 positions"));
}

namespace {

using on_cpu::stage3::Products;

/// c [16, 16] = a [16, 32] b [32, 16], all dense.
template <Products P>
void product_kernel(const float* a, const float* b, float* c) {
  namespace stage = on_cpu::stage3;
  const auto product = stage::add_product<P>(stage::matrix<16, 32>(a, 16, 32).load(0, 0),
                                             stage::matrix<32, 16>(b, 32, 16).load(0, 0),
                                             cuda::tiles::zeros<stage::Tile<float, 16, 16>>());
  stage::matrix<16, 16>(c, 16, 16).store(product, 0, 0);
}

/// The largest error of a product, in units of the sum of its terms' magnitudes.
template <Products P>
double product_error() {
  std::vector<float> a(512), b(512), c(256);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(std::sin(1.0 + 0.7 * static_cast<double>(i)));
    b[i] = static_cast<float>(std::cos(2.0 + 1.3 * static_cast<double>(i)));
  }
  product_kernel<P>(a.data(), b.data(), c.data());
  double worst = 0.0;
  for (std::size_t i = 0; i < 16; ++i)
    for (std::size_t j = 0; j < 16; ++j) {
      double sum = 0.0, magnitude = 0.0;
      for (std::size_t k = 0; k < 32; ++k) {
        const double term = static_cast<double>(a[32 * i + k]) * static_cast<double>(b[16 * k + j]);
        sum += term;
        magnitude += std::abs(term);
      }
      worst = std::max(worst, std::abs(static_cast<double>(c[16 * i + j]) - sum) / magnitude);
    }
  return worst;
}

}  // namespace

TEST_CASE("a product of split fp32 tiles is as good as a plain one", "[fused-step]") {
  const double plain = product_error<Products::plain>(), split = product_error<Products::split>();
  std::printf("products of fp32 tiles: plain %.1e, split %.1e of the terms' magnitude\n", plain, split);
  CHECK(plain < 5e-7);
  CHECK(split < 5e-7);
}
