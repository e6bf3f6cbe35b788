// Training in one launch against training step by step: the same losses, parameters and moments.
#include <catch2/catch.hpp>

#include <cstdio>

#include "shared/check/tolerances.hpp"
#include "shared/train/run.hpp"
#include "shared/train/train.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "stage3_tiled_kernels/one_launch/one_launch.hpp"
#include "tests/stage3/device.hpp"
#include "tests/stage3/large_embeddings.hpp"
#include "tests/stage3/low_scores.hpp"
#include "tests/stage3/micro_model.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

struct Case {
  int layers, width, heads, kv_heads, block;
};

Run run_of(const Case& c, std::int64_t steps) {
  TrainConfig train = find_preset("micro").train;
  train.schedule_steps = train.steps;
  train.steps = steps;
  return prepare_run(micro_model(c), train, {});
}

std::unique_ptr<OneLaunch> one_launch(const GptConfig& model, Dtype dtype) {
  return make_one_launch(model, CudaOptions{dtype, test_device()});
}

/// Stage 3's engine with its training in one launch, holding the parameters of the run's start.
std::unique_ptr<Engine> engine_of(const Run& run) {
  auto engine = make_one_launch_engine(stage3_engine(run.model, Dtype::fp32, 1).engine,
                                       CudaOptions{Dtype::fp32, test_device()});
  engine->load_parameters(run.initial);
  return engine;
}

/// What a launch reads of steps first .. first + count - 1 of a run.
StepData steps_of(const Run& run, std::int64_t first, std::int64_t count) {
  std::vector<StepInput> steps;
  for (std::int64_t s = first; s < first + count; ++s)
    steps.push_back({run.source->step(s), step_constants(run.train, s)});
  return step_data(run.model, steps);
}

struct Trained {
  std::vector<double> loss;
  TensorList parameters;
  Moments moments;
};

Trained in_one_launch(const Run& run, Dtype dtype) {
  const auto model = one_launch(run.model, dtype);
  model->load(run.initial, {});
  Trained trained{model->run(steps_of(run, 0, run.train.steps)), model->parameters(), model->moments()};
  CHECK(model->kernels_launched() == std::vector<std::string>{"stage3.one_launch_train"});
  return trained;
}

Trained step_by_step(const Run& run, Engine& engine) {
  engine.load_parameters(run.initial);
  TrainResult result = train(engine, *run.source, run.train);
  return {result.loss, engine.parameters(), engine.moments()};
}

void check_equal(const TensorList& got, const TensorList& want, double limit) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    const Comparison comparison = compare(got[i].values(), want[i].values(), limit, Rule::scaled);
    INFO(want[i].name << ": " << comparison.describe());
    CHECK(got[i].name == want[i].name);
    CHECK(got[i].shape == want[i].shape);
    CHECK(comparison.passed());
  }
}

}  // namespace

TEST_CASE("fp64: every shape trains as stage 1 does in double", "[one-launch]") {
  if (skipped()) return;
  for (const Case& c :
       {Case{1, 16, 4, 4, 16}, Case{2, 16, 4, 4, 16}, Case{1, 12, 3, 3, 7}, Case{2, 32, 8, 2, 16},
        Case{1, 48, 3, 1, 16}, Case{1, 60, 5, 5, 11}, Case{1, 64, 4, 4, 16}, Case{3, 16, 2, 1, 16}}) {
    if (test_device().is_gpu() && c.width > 16) continue;  // wide tiles of doubles are the CPU model's
    INFO(c.layers << " layers, width " << c.width << ", " << c.heads << " heads over " << c.kv_heads);
    const Run run = run_of(c, 12);
    const Trained want = step_by_step(run, *make_ops_engine(run.model, make_eigen_ops(Dtype::fp64, 1), 1));
    const Trained got = in_one_launch(run, Dtype::fp64);
    const Comparison losses = compare(got.loss, want.loss, 1e-12, Rule::absolute);
    INFO(losses.describe());
    CHECK(losses.passed());
    check_equal(got.parameters, want.parameters, 1e-9);
    check_equal(got.moments.m, want.moments.m, 1e-9);
    check_equal(got.moments.v, want.moments.v, 1e-9);
    std::printf("one launch, fp64, %d layers, width %d: largest error of a loss %.2e\n", c.layers, c.width,
                losses.max_error);
  }
}

TEST_CASE("fp32: losses within 1e-5 of stage 3 step by step", "[one-launch]") {
  if (skipped()) return;
  for (const Case& c : {Case{1, 16, 4, 4, 16}, Case{2, 32, 4, 2, 16}, Case{1, 64, 8, 8, 16}}) {
    const bool micro = c.width == 16;
    const Run run = run_of(c, micro ? 200 : 15);
    const Trained want = step_by_step(run, *stage3_engine(run.model, Dtype::fp32, 1).engine);
    const Trained got = in_one_launch(run, Dtype::fp32);
    const Comparison losses = compare(got.loss, want.loss, 1e-5, Rule::absolute);
    INFO("width " << c.width << ": " << losses.describe());
    CHECK(losses.passed());
    std::printf("one launch, fp32, width %d, %d steps: largest difference of a loss %.2e\n", c.width,
                static_cast<int>(run.train.steps), losses.max_error);
  }
}

TEST_CASE("two launches end where one does, bit for bit; so does a second run", "[one-launch]") {
  if (skipped()) return;
  const Run run = run_of({2, 16, 4, 4, 16}, 24);
  const Trained whole = in_one_launch(run, Dtype::fp32);
  const auto model = one_launch(run.model, Dtype::fp32);
  model->load(run.initial, {});
  std::vector<double> losses = model->run(steps_of(run, 0, 10));
  const TensorList parameters = model->parameters();
  const Moments moments = model->moments();
  const auto second = one_launch(run.model, Dtype::fp32);
  second->load(parameters, moments);
  for (const double loss : second->run(steps_of(run, 10, 14))) losses.push_back(loss);
  CHECK(compare(losses, whole.loss, 0.0, Rule::bits).passed());
  const TensorList end = second->parameters();
  for (std::size_t i = 0; i < end.size(); ++i)
    CHECK(compare(end[i].values(), whole.parameters[i].values(), 0.0, Rule::bits).passed());
}

TEST_CASE("the training loop cuts launches where a checkpoint is due and hands the engine its state",
          "[one-launch]") {
  if (skipped()) return;
  const Run run = run_of({1, 16, 4, 4, 16}, 17);
  const Trained want = in_one_launch(run, Dtype::fp32);
  const auto engine = engine_of(run);
  std::vector<std::int64_t> ends;
  std::int64_t shown = 0;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) { CHECK(report.done == ++shown); };
  hooks.after_step = [&](const TrainResult& so_far) { ends.push_back(so_far.steps_done()); };
  hooks.cut_every = 5;
  const TrainResult result = train(*engine, *run.source, run.train, hooks);
  CHECK(ends == std::vector<std::int64_t>{5, 10, 15, 17});
  CHECK(compare(result.loss, want.loss, 0.0, Rule::bits).passed());
  check_equal(engine->parameters(), want.parameters, 1e-12);
}

TEST_CASE("a loss that is not finite ends the run and leaves the engine as it was", "[one-launch]") {
  if (skipped()) return;
  Run run = run_of({1, 16, 4, 4, 16}, 40);
  StepConstants good = step_constants(run.train, 0);
  run.train.learning_rate = 1e38;
  const auto engine = engine_of(run);
  engine->train_step(run.source->step(0), good);  // the launch that breaks is not the first
  const TensorList before = engine->parameters();
  CHECK_THROWS_AS(train(*engine, *run.source, run.train), CheckError);
  check_equal(engine->parameters(), before, 0.0);
  CHECK(std::isfinite(engine->train_step(run.source->step(1), good)));
}

TEST_CASE("an engine of one launch trains step by step to the same bits, and answers from what it trained",
          "[one-launch]") {
  if (skipped()) return;
  const Run run = run_of({1, 16, 4, 4, 16}, 8);
  const Trained want = in_one_launch(run, Dtype::fp32);
  const auto engine = engine_of(run);
  std::vector<double> losses;
  for (std::int64_t s = 0; s < 8; ++s)
    losses.push_back(engine->train_step(run.source->step(s, engine->layout()), step_constants(run.train, s)));
  CHECK(compare(losses, want.loss, 0.0, Rule::bits).passed());
  check_equal(engine->parameters(), want.parameters, 0.0);
  check_equal(engine->moments().v, want.moments.v, 0.0);

  const Stage3 plain = stage3_engine(run.model, Dtype::fp32, 1);
  plain.engine->load_parameters(want.parameters);
  const std::vector<std::int32_t> tokens = {26, 4, 12, 12, 0};
  CHECK(compare(engine->logits(tokens), plain.engine->logits(tokens), 0.0, Rule::bits).passed());
  const std::vector<std::string> kernels = engine->kernels_launched();
  CHECK(std::count(kernels.begin(), kernels.end(), "stage3.one_launch_train") == 1);
  CHECK(kernels.size() > 1);  // those of the logits, too

  // What is loaded is what the next launch starts from.
  engine->load_parameters(run.initial);
  engine->load_moments({zeros_of(parameter_specs(run.model)), zeros_of(parameter_specs(run.model))});
  CHECK(engine->train_steps(std::vector<StepInput>{{run.source->step(0), step_constants(run.train, 0)}}) ==
        std::vector{want.loss.front()});

  // And each alone: new parameters under old moments, new moments under old parameters.
  const auto step = [&](Engine& one) {
    return one.train_step(run.source->step(0), step_constants(run.train, 0));
  };
  engine->load_parameters(run.initial);
  CHECK(step(*engine) == want.loss.front());
  const auto fresh = engine_of(run);
  fresh->load_parameters(engine->parameters());
  engine->load_moments(fresh->moments());
  CHECK(step(*engine) == step(*fresh));
  check_equal(engine->parameters(), fresh->parameters(), 0.0);
}

TEST_CASE("fp32: rows whose sum of squares overflows train as stage 1 does in double", "[one-launch]") {
  if (skipped()) return;
  for (const Case& c : {Case{1, 16, 4, 4, 16}, Case{1, 64, 4, 4, 16}})
    for (const bool all : {false, true}) {
      INFO("width " << c.width << ", " << (all ? "all" : "some") << " embeddings large");
      Run run = run_of(c, 1);
      run.initial = with_large_embeddings(run.model, run.initial, all);
      const Trained want = step_by_step(run, *make_ops_engine(run.model, make_eigen_ops(Dtype::fp64, 1), 1));
      const Trained got = in_one_launch(run, Dtype::fp32);
      const Comparison losses = compare(got.loss, want.loss, find_tolerance("losses", Dtype::fp32));
      INFO(losses.describe());
      CHECK(losses.passed());
      // After one step from moments of zero, m is (1 - beta1) times the gradient.
      check_equal(got.moments.m, want.moments.m, find_tolerance("moments", Dtype::fp32).limit());
    }
}

TEST_CASE("scores and logits far below 0 train as stage 1 does in double", "[one-launch]") {
  if (skipped()) return;
  for (const Dtype dtype : {Dtype::fp32, Dtype::fp64})
    for (const Case& c : {Case{1, 16, 4, 4, 16}, Case{1, 64, 4, 4, 16}}) {
      if (test_device().is_gpu() && dtype == Dtype::fp64 && c.width > 16) continue;
      INFO(name_of(dtype) << ", width " << c.width);
      Run run = run_of(c, 1);
      const TensorList initial = run.initial;
      const auto compare_losses = [&](const TensorList& start) {
        run.initial = start;
        const auto reference = make_ops_engine(run.model, make_eigen_ops(Dtype::fp64, 1), 1);
        const Trained want = step_by_step(run, *reference), got = in_one_launch(run, dtype);
        const Comparison losses = compare(got.loss, want.loss, find_tolerance("losses", Dtype::fp32));
        INFO(losses.describe());
        CHECK(losses.passed());
      };
      compare_losses(with_low_scores(run.model, initial));
      compare_losses(with_low_logits(run.model, initial));
    }
}

TEST_CASE("parameters and moments leave in the type that trains", "[one-launch]") {
  if (skipped()) return;
  for (const Dtype dtype : {Dtype::fp32, Dtype::fp64}) {
    INFO(name_of(dtype));
    const Run run = run_of({1, 16, 4, 4, 16}, 1);
    const auto model = one_launch(run.model, dtype);
    model->load(run.initial, {});
    const TensorList parameters = model->parameters();
    const Moments moments = model->moments();
    for (const TensorList* tensors : {&parameters, &moments.m, &moments.v})
      for (const NamedTensor& tensor : *tensors) CHECK(tensor.dtype() == dtype);
    CHECK(compare(parameters[0].values(), run.initial[0].in(dtype).values(), 0.0, Rule::bits).passed());
  }
}

TEST_CASE("what one launch cannot do is named", "[one-launch]") {
  if (!skipped()) {
    Run run = run_of({1, 16, 4, 4, 16}, 2);
    const std::vector<Batch> one = run.source->step(0);
    CHECK_THROWS_WITH(engine_of(run)->train_step(std::vector{one.front(), one.front()}, StepConstants{}),
                      Catch::Contains("one sequence a step, not on 2"));
    StepConstants clipped;
    clipped.clip = 1;
    CHECK_THROWS_WITH(engine_of(run)->train_step(one, clipped), Catch::Contains("does not clip"));
  }
  GptConfig model = find_preset("micro").model;
  model.vocab_size = 27;
  CHECK_NOTHROW(require_one_launch(model, Dtype::fp32, 1));
  CHECK_THROWS_WITH(require_one_launch(model, Dtype::fp32, 2), Catch::Contains("one sequence a step"));
  model.vocab_size = 33;
  CHECK_THROWS_WITH(require_one_launch(model, Dtype::fp32, 1), Catch::Contains("vocabulary of 33"));
  model.vocab_size = 27;
  model.n_embd = 65;
  CHECK_THROWS_WITH(require_one_launch(model, Dtype::fp32, 1), Catch::Contains("width of 65"));
}

TEST_CASE("the sizes of a deep model's buffers do not wrap", "[one-launch]") {
  GptConfig config;
  config.vocab_size = 27;
  config.n_layer = 1 << 24;  // times 16 positions and 16 columns: 2^32, which an int holds as 0
  CHECK(layer_inputs(config) == std::size_t{1} << 32);
  CHECK(padded_count(config) > std::size_t{12 * 256} << 24);
}
