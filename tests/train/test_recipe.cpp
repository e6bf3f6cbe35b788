// nanoGPT's recipe around a step: the learning rate's schedule, evaluations, fp16's loss scale, what a failure names.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>

#include "shared/base/error.hpp"
#include "shared/check/check.hpp"
#include "shared/stages.hpp"
#include "shared/train/bad_tensor.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/engine_decorator.hpp"
#include "shared/train/engine_memory.hpp"
#include "shared/train/evaluate.hpp"
#include "shared/train/train.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

Run tiny_run(Dtype dtype, std::int64_t steps, std::int64_t eval_every = 0) {
  const Preset& preset = find_preset("tiny");
  TrainConfig train = preset.train;
  train.steps = steps;
  train.batch_size = 2;
  train.dtype = dtype;
  train.eval_every = eval_every;
  train.eval_batches = 3;
  GptConfig model = preset.model;
  model.n_layer = 1;
  model.dropout = 0.1;
  return prepare_run(model, train, {"", true});
}

std::unique_ptr<Engine> engine_of(const Run& run, int stage) {
  EngineOptions options;
  options.dtype = run.train.dtype;
  options.max_batch = run.train.batch_size;
  options.device = Device::cpu;
  options.threads = 1;
  auto engine = make_engine(stage, run.model, options);
  engine->load_parameters(run.initial);
  return engine;
}

std::vector<std::byte> bytes_of(const TensorList& tensors) {
  std::vector<std::byte> bytes;
  for (const NamedTensor& tensor : tensors)
    bytes.insert(bytes.end(), tensor.bytes().begin(), tensor.bytes().end());
  return bytes;
}

}  // namespace

// ---- learning rate ------------------------------------------------------------------------------------------

TEST_CASE("without a warm-up the line to 0 is the original's, to the bit") {
  TrainConfig train;
  for (std::int64_t s = 0; s < train.steps; ++s)
    CHECK(learning_rate_at(train, s) == 0.01 * (1.0 - static_cast<double>(s) / 1000.0));
}

TEST_CASE("a learning rate rises, falls along its schedule and stays at the end") {
  TrainConfig train;
  train.learning_rate = 1e-3;
  train.min_learning_rate = 1e-4;
  train.warmup_steps = 100;
  train.schedule_steps = 5000;
  const auto at = [&](Schedule schedule, std::int64_t s) {
    train.schedule = schedule;
    return learning_rate_at(train, s);
  };
  for (const Schedule schedule : {Schedule::linear, Schedule::cosine, Schedule::constant}) {
    CHECK(at(schedule, 0) == Approx(1e-3 / 101));
    CHECK(at(schedule, 99) == Approx(1e-3 * 100 / 101));
    CHECK(at(schedule, 100) == Approx(1e-3));
    CHECK(at(schedule, 9999) == at(schedule, 5000));
  }
  CHECK(at(Schedule::constant, 5000) == 1e-3);
  CHECK(at(Schedule::linear, 5000) == Approx(1e-4));
  CHECK(at(Schedule::cosine, 5000) == Approx(1e-4));
  CHECK(at(Schedule::linear, 100 + 4900 / 4) == Approx(1e-3 - 0.25 * 9e-4));
  CHECK(at(Schedule::cosine, 100 + 4900 / 2) == Approx(5.5e-4));
  CHECK(at(Schedule::cosine, 100 + 4900 / 4) ==
        Approx(1e-4 + 0.5 * (1.0 + std::cos(std::numbers::pi / 4)) * 9e-4));
}

TEST_CASE("between warm-up and end a learning rate falls at every step, as nanoGPT's does") {
  TrainConfig train;
  train.learning_rate = 1e-3;
  train.min_learning_rate = 1e-4;
  train.warmup_steps = 10;
  train.schedule_steps = 60;
  for (const Schedule schedule : {Schedule::linear, Schedule::cosine}) {
    train.schedule = schedule;
    for (std::int64_t s = 10; s < 60; ++s) {
      CAPTURE(name_of(schedule), s);
      const double done = static_cast<double>(s - 10) / 50.0;
      const double left =
          schedule == Schedule::linear ? 1.0 - done : 0.5 * (1.0 + std::cos(std::numbers::pi * done));
      CHECK(learning_rate_at(train, s) == Approx(1e-4 + left * 9e-4));
      CHECK(learning_rate_at(train, s + 1) < learning_rate_at(train, s));
    }
    CHECK(learning_rate_at(train, 60) == Approx(1e-4));
  }
}

TEST_CASE("a schedule is refused that ends before it begins, or above where it began") {
  TrainConfig train;
  train.warmup_steps = 1001;
  CHECK_THROWS_WITH(validate(train), Contains("--warmup-steps 1001") && Contains("1000 steps"));
  train.warmup_steps = 1000;
  CHECK_NOTHROW(validate(train));
  train.min_learning_rate = 0.1;
  CHECK_THROWS_WITH(validate(train), Contains("--min-lr 0.1") && Contains("--lr 0.01"));
  train.min_learning_rate = 0.0;
  train.eval_every = 5;
  CHECK_THROWS_WITH(validate(train), Contains("--eval-batches"));
}

TEST_CASE("Adam's corrections count the steps that changed something") {
  const TrainConfig train;
  CHECK(step_constants(train, 9, 3).correction1 == step_constants(train, 6).correction1);
  CHECK(step_constants(train, 9, 3).correction2 == step_constants(train, 6).correction2);
  CHECK(step_constants(train, 9, 3).learning_rate == step_constants(train, 9).learning_rate);
}

// ---- loss scale ---------------------------------------------------------------------------------------------

TEST_CASE("a loss scale halves where gradients overflow and doubles after 2,000 good steps") {
  LossScale scale;
  CHECK(scale.take(false));
  CHECK(scale == LossScale{32768.0, 0, 1});
  for (int i = 0; i < 1999; ++i) CHECK(scale.take(true));
  CHECK(scale == LossScale{32768.0, 1999, 1});
  CHECK(scale.take(true));
  CHECK(scale == LossScale{65536.0, 0, 1});
  for (int halvings = 0; halvings < 15; ++halvings) CHECK(scale.take(false));
  CHECK(scale.value == 2.0);
  CHECK_FALSE(scale.take(false));  // nothing is left to try
}

TEST_CASE("fp16: steps that overflow change nothing, and the run finds its scale") {
  const Run run = tiny_run(Dtype::fp16, 40);
  const auto engine = engine_of(run, 4);
  TrainHistory history;
  history.scale.value = 0x1p34;  // of gradients of a hundredth, 2^16 is too large for fp16
  std::vector<double> scales;
  std::vector<std::byte> before = bytes_of(engine->parameters());
  std::int64_t unchanged = 0;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) { scales.push_back(report.loss_scale.value()); };
  hooks.after_step = [&](const TrainResult&) {
    const std::vector<std::byte> now = bytes_of(engine->parameters());
    unchanged += now == before ? 1 : 0;
    before = now;
  };
  const TrainResult result = train(*engine, *run.source, run.train, hooks, history);
  CHECK(result.scale.left_out > 5);
  CHECK(result.scale.left_out < 35);
  CHECK(unchanged == result.scale.left_out);
  CHECK(scales.front() == 0x1p34);
  CHECK(scales.back() == std::ldexp(1.0, 34 - static_cast<int>(result.scale.left_out)));
  for (const double loss : result.loss) CHECK(std::isfinite(loss));
  CHECK(result.loss.back() < result.loss.front());
}

TEST_CASE("other types and stages are not scaled") {
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    const Run run = tiny_run(dtype, 2);
    const auto engine = engine_of(run, 4);
    TrainHooks hooks;
    hooks.on_step = [&](const StepReport& report) {
      CHECK_FALSE(report.loss_scale);
      CHECK(report.gradient_norm.value() > 0.0);  // the preset clips
      CHECK(report.tokens == 2 * 32);
    };
    CHECK(train(*engine, *run.source, run.train, hooks).scale == LossScale{});
  }
}

// ---- evaluations --------------------------------------------------------------------------------------------

TEST_CASE(
    "evaluations stand before the first step, at every multiple and behind the last, and know the best") {
  const Run run = tiny_run(Dtype::fp64, 50, 20);
  const auto engine = engine_of(run, 1);
  std::map<std::int64_t, double> parameters_at;  // the held-out loss, computed again
  std::vector<std::int64_t> best;
  TrainHooks hooks;
  hooks.on_evaluation = [&](const TrainResult& so_far, const Evaluation& evaluation, bool is_best) {
    CHECK(so_far.steps_done() == evaluation.step);
    CHECK(so_far.evaluations.back() == evaluation);
    CHECK(evaluation.held_out == mean_loss(*engine, *run.source, DataPart::held_out, 6, 2));
    CHECK(evaluation.training == mean_loss(*engine, *run.source, DataPart::training, 6, 2));
    if (is_best) best.push_back(evaluation.step);
  };
  const TrainResult result = train(*engine, *run.source, run.train, hooks);
  std::vector<std::int64_t> steps;
  for (const Evaluation& one : result.evaluations) steps.push_back(one.step);
  CHECK(steps == std::vector<std::int64_t>{0, 20, 40, 50});
  REQUIRE(!best.empty());
  CHECK(best.front() == 0);
  CHECK(best.back() == result.best()->step);

  // What evaluates changes nothing that is trained.
  const Run plain = tiny_run(Dtype::fp64, 50);
  const auto other = engine_of(plain, 1);
  CHECK(train(*other, *plain.source, plain.train).loss == result.loss);
}

TEST_CASE("the parts that are evaluated are different text") {
  const Run run = tiny_run(Dtype::fp64, 1, 1);
  int same = 0;
  for (int i = 0; i < 20; ++i)
    same += run.source->evaluation_sequence(DataPart::training, i).tokens ==
                    run.source->evaluation_sequence(DataPart::held_out, i).tokens
                ? 1
                : 0;
  CHECK(same == 0);
  CHECK(run.source->evaluation_sequence(DataPart::training, 3).tokens !=
        run.source->sequence(0, 3).tokens);  // not the windows of step 0
}

TEST_CASE("evaluations are refused where nothing is held out") {
  TrainConfig train_config;
  train_config.eval_every = 10;
  train_config.eval_batches = 1;
  const Run run = prepare_run({}, train_config, {});
  const auto engine = engine_of(run, 1);
  CHECK_THROWS_WITH(train(*engine, *run.source, run.train),
                    Contains("--eval-every 10") && Contains("held out"));
}

TEST_CASE("a checkpoint keeps evaluations and loss scale, and the resumed run repeats neither") {
  const TemporaryFolder folder;
  Run run = tiny_run(Dtype::fp16, 24, 10);
  const auto straight = engine_of(run, 4);
  TrainHistory start;
  start.scale.value = 0x1p30;
  const TrainResult expected = train(*straight, *run.source, run.train, {}, start);

  const auto first = engine_of(run, 4);
  TrainHooks hooks;
  hooks.after_step = [&](const TrainResult& so_far) {
    if (so_far.steps_done() == 10)
      save_checkpoint(checkpoint_file(folder.path()), make_checkpoint(4, run, *first, so_far));
  };
  hooks.should_stop = [&, steps = 0]() mutable { return ++steps > 12; };
  train(*first, *run.source, run.train, hooks, start);

  Checkpoint checkpoint = load_checkpoint(folder.path());
  CHECK(checkpoint.history.evaluations.size() == 2);
  CHECK(checkpoint.history.scale.left_out > 0);
  const auto resumed = engine_of(run, 4);
  resumed->load_parameters(checkpoint.parameters);
  resumed->load_moments(checkpoint.moments);
  const TrainResult result = train(*resumed, *run.source, run.train, {}, checkpoint.history);
  CHECK(result.loss == expected.loss);
  CHECK(result.evaluations == expected.evaluations);
  CHECK(result.scale == expected.scale);
  CHECK((bytes_of(resumed->parameters()) == bytes_of(straight->parameters())));
}

TEST_CASE("a checkpoint whose evaluations or scale make no sense is refused") {
  const TemporaryFolder folder;
  const Run run = tiny_run(Dtype::fp16, 2);
  const auto engine = engine_of(run, 4);
  const auto refusal = [&](const TrainHistory& history) -> std::string {
    save_checkpoint(checkpoint_file(folder.path()), make_checkpoint(4, run, *engine, history));
    try {
      load_checkpoint(folder.path());
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  TrainHistory good;
  good.loss = {3.0, 2.0};
  good.evaluations = {{0, 3.0, 3.0}, {2, 2.0, 2.5}};
  CHECK(refusal(good) == "accepted");
  TrainHistory late = good, backwards = good, still = good;
  late.evaluations.back().step = 3;
  backwards.evaluations.back().step = 0;
  still.scale.value = 1.0;
  CHECK_THAT(refusal(late), Contains("after step 3, of 2 steps"));
  CHECK_THAT(refusal(backwards), Contains("evaluation after step 0"));
  CHECK_THAT(refusal(still), Contains("loss scale"));
}

// ---- failures -----------------------------------------------------------------------------------------------

TEST_CASE("the first bad tensor is named: a parameter, or else the activation where it begins") {
  Run run = tiny_run(Dtype::fp32, 5);
  const auto engine = engine_of(run, 1);
  StepInput step{run.source->step(0, engine->layout()), step_constants(run.train, 0)};
  CHECK(first_bad_tensor(*engine, step).empty());

  TensorList parameters = engine->parameters();
  const auto put = [&](const std::vector<std::string>& names, double value) {
    TensorList changed = parameters;
    for (NamedTensor& tensor : changed)
      if (std::find(names.begin(), names.end(), tensor.name) != names.end()) tensor.set(0, value);
    engine->load_parameters(changed);
  };
  put({"transformer.h.0.mlp.c_fc.weight"}, std::numeric_limits<double>::quiet_NaN());
  CHECK(first_bad_tensor(*engine, step) == "parameter 'transformer.h.0.mlp.c_fc.weight'");
  put({"transformer.h.0.mlp.c_proj.bias"}, 3e38);
  CHECK(first_bad_tensor(*engine, step).empty());  // finite, if only just
  put({"transformer.h.0.attn.c_proj.bias", "transformer.h.0.mlp.c_proj.bias"}, 3e38);
  CHECK(first_bad_tensor(*engine, step) == "activation 'layer0.mlp'");  // where the stream has both

  try {
    put({"transformer.h.0.ln_1.weight"}, std::numeric_limits<double>::infinity());
    train(*engine, *run.source, run.train);
    FAIL("a run of infinite weights went on");
  } catch (const CheckError& error) {
    CHECK_THAT(error.what(), Contains("step 1 of 5") && Contains("parameter 'transformer.h.0.ln_1.weight'"));
  }
}

TEST_CASE("the first bad tensor is looked for with the masks of the step, in each micro-batch its own") {
  /// Keeps the numbers of the steps that it is asked to probe.
  class Asked final : public EngineDecorator {
   public:
    using EngineDecorator::EngineDecorator;
    double train_step(std::span<const Batch> batches, const StepConstants& adam) override {
      return engine().train_step(batches, adam);
    }
    Probe probe(const Batch& batch) override {
      REQUIRE(batch.step);
      steps.push_back(*batch.step);
      return engine().probe(batch);
    }
    std::vector<StepConstants> steps;
  };
  const Run run = tiny_run(Dtype::fp32, 5);
  Asked engine(engine_of(run, 1));
  StepInput step{{}, step_constants(run.train, 3)};
  for (int i = 0; i < 3; ++i) step.micro_batches.push_back(run.source->step(i, engine.layout()).front());
  CHECK(first_bad_tensor(engine, step).empty());
  REQUIRE(engine.steps.size() == 3);
  std::int64_t sequences = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(engine.steps[i].step == 3);
    CHECK(engine.steps[i].micro_batch == static_cast<std::int64_t>(i));
    CHECK(engine.steps[i].first_sequence == sequences);
    sequences += step.micro_batches[i].batch();
  }
}

TEST_CASE("gradients that are no numbers leave parameters and moments alone") {
  for (const int stage : {1, 4}) {
    Run run = tiny_run(Dtype::fp32, 3);
    const auto engine = engine_of(run, stage);
    TensorList parameters = engine->parameters();
    for (NamedTensor& tensor : parameters)
      if (tensor.name == "transformer.ln_f.weight") tensor.set(1, std::numeric_limits<double>::quiet_NaN());
    engine->load_parameters(parameters);
    const std::vector<std::byte> before = bytes_of(engine->parameters());
    engine->train_step(run.source->step(0, engine->layout()), step_constants(run.train, 0));
    CHECK_FALSE(std::isfinite(engine->gradient_norm().value()));
    CHECK((bytes_of(engine->parameters()) == before));
    for (const NamedTensor& moment : engine->moments().m)
      for (const double value : moment.values()) CHECK(value == 0.0);
  }
}

// ---- memory -------------------------------------------------------------------------------------------------

TEST_CASE("the largest batch is the last that fits") {
  const GptConfig model = with_vocabulary(find_preset("gpt2").model, 50257);
  EngineOptions options;
  options.dtype = Dtype::bf16;
  options.device = Device::cpu;
  const auto plan = [&](int batch) {
    options.max_batch = batch;
    return engine_needs(4, model, options).plan;
  };
  const std::size_t bytes = plan(12).total();
  CHECK(largest_batch(4, model, options, bytes) == 12);
  CHECK(largest_batch(4, model, options, bytes - 1) == 11);
  CHECK(largest_batch(4, model, options, 1000) == 0);
  const MemoryPlan one = plan(1), two = plan(2);
  CHECK(one.parameters == 2 * parameter_count(model));
  CHECK(one.gradients == 4 * parameter_count(model));
  CHECK(one.optimizer == 12 * parameter_count(model));
  CHECK(two.parameters == one.parameters);
  CHECK(two.activations > one.activations);
}
