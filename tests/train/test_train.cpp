#include <catch2/catch.hpp>

#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "shared/base/error.hpp"
#include "shared/stages.hpp"
#include "shared/train/engine_decorator.hpp"
#include "shared/train/evaluate.hpp"
#include "shared/train/run.hpp"
#include "shared/train/train.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

TrainConfig short_run(std::int64_t steps) {
  TrainConfig train;
  train.steps = steps;
  return train;
}

std::unique_ptr<Engine> engine_of(const Run& run, int stage, Dtype dtype) {
  EngineOptions options;
  options.dtype = dtype;
  options.max_batch = run.train.batch_size;
  options.threads = 1;
  auto engine = make_engine(stage, run.model, options);
  engine->load_parameters(run.initial);
  return engine;
}

/// A real engine, but the loss of one step is NaN.
class BreakingEngine final : public EngineDecorator {
 public:
  BreakingEngine(std::unique_ptr<Engine> inner, int breaks_at)
      : EngineDecorator(std::move(inner)), left_(breaks_at) {}
  double train_step(std::span<const Batch> batches, const StepConstants& adam) override {
    const double loss = engine().train_step(batches, adam);
    return left_-- == 0 ? std::numeric_limits<double>::quiet_NaN() : loss;
  }

 private:
  int left_;
};

/// A real engine that takes four steps at a time, and keeps how many it was handed.
class FourAtATime final : public EngineDecorator {
 public:
  using EngineDecorator::EngineDecorator;
  std::int64_t steps_at_a_time() const override { return 4; }
  double train_step(std::span<const Batch> batches, const StepConstants& adam) override {
    return engine().train_step(batches, adam);
  }
  std::vector<double> train_steps(std::span<const StepInput> steps) override {
    taken.push_back(static_cast<int>(steps.size()));
    return Engine::train_steps(steps);
  }

  std::vector<int> taken;
};

}  // namespace

TEST_CASE("training lowers the loss and reports every step") {
  const Run run = prepare_run({}, short_run(60), {});
  const auto engine = engine_of(run, 1, Dtype::fp64);
  std::vector<double> seen;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) {
    const auto& [done, loss, ms] = std::tie(report.done, report.loss, report.ms);
    CHECK(done == static_cast<std::int64_t>(seen.size()) + 1);
    CHECK(ms >= 0);
    seen.push_back(loss);
  };
  const TrainResult result = train(*engine, *run.source, run.train, hooks);
  CHECK(result.loss == seen);
  CHECK(result.ms.size() == 60);
  CHECK(result.token_hash == run.source->token_hash());
  CHECK_FALSE(result.stopped);
  CHECK(result.loss.back() < result.loss.front());
  CHECK(std::abs(result.loss.front() - std::log(run.model.vocab_size)) < 0.5);
}

TEST_CASE("no steps are a run too") {
  const Run run = prepare_run({}, short_run(0), {});
  const auto engine = engine_of(run, 0, Dtype::fp64);
  CHECK(train(*engine, *run.source, run.train).loss.empty());
}

TEST_CASE("a stop is honoured before the next step") {
  const Run run = prepare_run({}, short_run(30), {});
  const auto engine = engine_of(run, 1, Dtype::fp32);
  int steps = 0;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport&) { ++steps; };
  hooks.should_stop = [&] { return steps == 7; };
  const TrainResult result = train(*engine, *run.source, run.train, hooks);
  CHECK(result.stopped);
  CHECK(result.steps_done() == 7);
}

TEST_CASE("a loss that is not finite ends the run and names the step") {
  const Run run = prepare_run({}, short_run(30), {});
  BreakingEngine engine(engine_of(run, 1, Dtype::fp32), 16);
  int seen = 0;
  TrainHooks hooks;
  hooks.after_step = [&](const TrainResult& so_far) {
    ++seen;
    CHECK(std::isfinite(so_far.loss.back()));
  };
  CHECK_THROWS_WITH(train(engine, *run.source, run.train, hooks),
                    Contains("step 17 of 30") && Contains("nan"));
  CHECK(seen == 16);
}

TEST_CASE("an infinite loss is that of a probability of 0, and no tensor is blamed for it") {
  TrainConfig train_config = short_run(20);
  train_config.learning_rate = 10;
  GptConfig model;
  model.n_embd = model.block_size = 4;
  model.n_head = 1;
  const Run run = prepare_run(model, train_config, {});
  const auto engine = engine_of(run, 0, Dtype::fp64);
  CHECK_THROWS_WITH(
      train(*engine, *run.source, run.train),
      Contains("the loss of step 3 of 20 is inf, since a token that came next had a probability "
               "so small that it counts as 0") &&
          Contains("try a smaller --lr than 10") && !Contains("'wte'"));
}

TEST_CASE("an engine that takes many steps at a time is handed groups, cut where the hooks ask for it") {
  const Run run = prepare_run({}, short_run(15), {});
  const auto plain = engine_of(run, 1, Dtype::fp32);
  const std::vector<double> want = train(*plain, *run.source, run.train).loss;
  struct Cut {
    std::int64_t every;
    std::vector<int> taken;
    std::vector<std::int64_t> ends;
  };
  for (const Cut& cut : {Cut{0, {4, 4, 4, 3}, {4, 8, 12, 15}}, Cut{6, {4, 2, 4, 2, 3}, {4, 6, 10, 12, 15}}}) {
    FourAtATime engine(engine_of(run, 1, Dtype::fp32));
    std::vector<std::int64_t> steps, ends;
    TrainHooks hooks;
    hooks.cut_every = cut.every;
    hooks.on_step = [&](const StepReport& report) { steps.push_back(report.done); };
    hooks.after_step = [&](const TrainResult& so_far) { ends.push_back(so_far.steps_done()); };
    const auto start = std::chrono::steady_clock::now();
    const TrainResult result = train(engine, *run.source, run.train, hooks);
    const std::chrono::duration<double, std::milli> whole = std::chrono::steady_clock::now() - start;
    CHECK(result.loss == want);
    CHECK(result.ms.size() == 15);
    CHECK(std::accumulate(result.ms.begin(), result.ms.end(), 0.0) <= whole.count());  // each its share
    CHECK(steps.size() == 15);
    CHECK(engine.taken == cut.taken);
    CHECK(ends == cut.ends);
  }
}

TEST_CASE("a stop between groups, and a resume in the middle of one, change no loss") {
  const Run run = prepare_run({}, short_run(15), {});
  const auto plain = engine_of(run, 1, Dtype::fp32);
  const std::vector<double> want = train(*plain, *run.source, run.train).loss;
  FourAtATime engine(engine_of(run, 1, Dtype::fp32));
  TrainHooks hooks;
  std::int64_t done = 0;
  hooks.on_step = [&](const StepReport& report) { done = report.done; };
  hooks.should_stop = [&] { return done >= 6; };
  const TrainResult stopped = train(engine, *run.source, run.train, hooks);
  CHECK(stopped.stopped);
  CHECK(stopped.steps_done() == 8);
  CHECK(train(engine, *run.source, run.train, {}, stopped).loss == want);
}

TEST_CASE("accumulating micro-batches trains like one batch of all their sequences") {
  TrainConfig whole = short_run(20);
  whole.batch_size = 6;
  TrainConfig parts = short_run(20);
  parts.batch_size = 2;
  parts.grad_accum = 3;
  const Run a = prepare_run({}, whole, {}), b = prepare_run({}, parts, {});
  CHECK(a.source->token_hash() == b.source->token_hash());
  const auto one = engine_of(a, 1, Dtype::fp64), three = engine_of(b, 1, Dtype::fp64);
  const auto x = train(*one, *a.source, whole).loss, y = train(*three, *b.source, parts).loss;
  REQUIRE(x.size() == y.size());
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(x[i] - y[i]) <= 1e-12 * x[i]);
}

TEST_CASE("the stages of the registry are complete and refuse what they cannot") {
  REQUIRE(stages().size() >= 2);
  for (std::size_t i = 0; i < stages().size(); ++i) {
    CHECK(stages()[i].number == static_cast<int>(i));
    CHECK_FALSE(stages()[i].dtypes.empty());
    CHECK(find_stage(stages()[i].number).name == stages()[i].name);
  }
  GptConfig model;
  model.vocab_size = 5;
  CHECK_THROWS_AS(find_stage(-1), InputError);
  CHECK_THROWS_AS(make_engine(99, model, {}), InputError);
  CHECK_THROWS_WITH(make_engine(0, model, {.dtype = Dtype::fp32}), Contains("stage 0") && Contains("fp64"));
  CHECK_THROWS_AS(make_engine(1, model, {.dtype = Dtype::fp16}), InputError);
  CHECK_THROWS_AS(make_engine(1, model, {.dtype = Dtype::fp32, .max_batch = 0}), InputError);
  CHECK_THROWS_AS(make_engine(1, model, {.dtype = Dtype::fp32, .device = Device::gpu}), MachineError);
  model.n_kv_head = 2;
  CHECK_THROWS_AS(make_engine(0, model, {.dtype = Dtype::fp64}), InputError);
}

TEST_CASE("a variant is found at its own stage alone, and can be made there") {
  GptConfig model;
  model.vocab_size = 5;
  CHECK_THROWS_WITH(find_variant(3, "fused-stop"),
                    Contains("'fused-stop'") && Contains("fused-step (stage 3)") && Contains("one-launch"));
  for (const StageInfo& stage : stages())
    for (const Variant& variant : stage.variants) {
      INFO(variant.name);
      CHECK_FALSE(variant.summary.empty());
      CHECK_FALSE(variant.launches.empty());
      CHECK(find_variant(stage.number, variant.name).name == variant.name);
      const auto engine = make_engine(
          stage.number, model,
          {.dtype = stage.dtypes.front(), .device = Device::cpu, .threads = 1, .variant = variant.name});
      CHECK(engine->config() == model);
      CHECK_THROWS_WITH(make_engine(1, model, {.variant = variant.name}),
                        Contains(fmt::format("--{} is stage {}'s", variant.name, stage.number)));
    }
  CHECK_THROWS_WITH(make_engine(3, model, {.device = Device::cpu, .variant = "none"}), Contains("'none'"));
  CHECK_THROWS_WITH(make_engine(3, model, {.device = Device::cpu, .variant = "one-launch", .grad_accum = 2}),
                    Contains("one sequence a step"));
}

TEST_CASE("the held-out loss of an untrained model is that of guessing") {
  const TrainConfig train_config = short_run(1);
  const Run run = prepare_run({}, train_config, {"", true});
  const auto engine = engine_of(run, 1, Dtype::fp64);
  const double loss = mean_loss(*engine, *run.source, DataPart::held_out, 5, 1);
  CHECK(std::abs(loss - std::log(run.model.vocab_size)) < 0.5);
}

TEST_CASE("the held-out loss is the mean over all sequences, however they are batched") {
  TrainConfig batched = short_run(1);
  batched.batch_size = 4;
  const Run run = prepare_run({}, batched, {"", true});
  const auto engine = engine_of(run, 1, Dtype::fp64);
  double expected = 0.0;
  for (int i = 0; i < 7; ++i)
    expected += engine->loss(
        make_batch(std::vector{run.source->evaluation_sequence(DataPart::held_out, i)}, Layout::packed, 16));
  for (const int max_batch : {1, 3, 4})
    CHECK(mean_loss(*engine, *run.source, DataPart::held_out, 7, max_batch) ==
          Approx(expected / 7).epsilon(1e-12));
}

TEST_CASE("the best evaluation is the one of the lowest held-out loss, the first of equals") {
  TrainHistory history;
  CHECK(history.best() == nullptr);
  history.evaluations = {{0, 1.0, 3.0}, {10, 2.0, 2.0}, {20, 0.5, 2.5}, {30, 0.1, 2.0}};
  REQUIRE(history.best() != nullptr);
  CHECK(history.best()->step == 10);
}

TEST_CASE("an evaluation is the best by its held-out loss, whatever that of what is trained on") {
  TrainConfig evaluated = short_run(6);
  evaluated.eval_every = 3;
  evaluated.eval_batches = 1;
  const Run run = prepare_run({}, evaluated, {"", true});
  for (const double earlier : {1e-3, 1e3}) {  // held out; the earlier loss of training is the other one
    const auto engine = engine_of(run, 1, Dtype::fp64);
    TrainHistory history;
    history.loss = {3.0};
    history.evaluations = {{0, 1.0 / earlier, earlier}};
    std::vector<bool> best;
    TrainHooks hooks;
    hooks.on_evaluation = [&](const TrainResult&, const Evaluation&, bool is_best) {
      best.push_back(is_best);
    };
    train(*engine, *run.source, run.train, hooks, history);
    REQUIRE(best.size() == 2);
    CHECK(best.front() == (earlier > 1.0));
  }
}

TEST_CASE("what holds nothing out has no held-out loss") {
  const Run run = prepare_run({}, short_run(1), {});
  const auto engine = engine_of(run, 1, Dtype::fp64);
  CHECK(run.source->held_out_sequences() == 0);
  CHECK_THROWS_WITH(mean_loss(*engine, *run.source, DataPart::held_out, 5, 1), Contains("held out"));
  CHECK_THROWS_AS(run.source->evaluation_sequence(DataPart::held_out, 0), InputError);
}

TEST_CASE("the middle of the steps' times is told, in whatever order they came, and 0 without any") {
  TrainResult result;
  CHECK(result.median_ms() == 0.0);
  result.ms = {9.0, 1.0, 2.0, 8.0, 5.0};
  CHECK(result.median_ms() == 5.0);
}

TEST_CASE("a step tells the positions of all its micro-batches, and its own learning rate") {
  TrainConfig two = short_run(4);
  two.batch_size = 2;
  two.grad_accum = 3;
  const Run run = prepare_run({}, two, {});
  const auto engine = engine_of(run, 1, Dtype::fp32);
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) {
    std::int64_t tokens = 0;
    for (int i = 0; i < 6; ++i)
      tokens += static_cast<std::int64_t>(run.source->sequence(report.done - 1, i).tokens.size());
    CHECK(report.tokens == tokens);
    CHECK(report.learning_rate == step_constants(run.train, report.done - 1).learning_rate);
  };
  train(*engine, *run.source, run.train, hooks);
}

TEST_CASE("a run that is told to stop at once, or has all its steps, takes none and keeps its history") {
  const Run run = prepare_run({}, short_run(3), {});
  const auto engine = engine_of(run, 1, Dtype::fp32);
  TrainHistory earlier;
  earlier.loss = {3.0, 2.0};
  int steps = 0;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) { steps += static_cast<int>(report.done); };
  hooks.should_stop = [] { return true; };
  const TrainResult stopped = train(*engine, *run.source, run.train, hooks, earlier);
  CHECK(stopped.stopped);
  CHECK(stopped.loss == earlier.loss);
  hooks.should_stop = [] { return false; };
  CHECK(train(*engine, *run.source, run.train, hooks, earlier).loss.size() == 3);
  CHECK(steps == 3);  // the third alone
  earlier.loss.push_back(1.0);
  const TrainResult complete = train(*engine, *run.source, run.train, hooks, earlier);
  CHECK_FALSE(complete.stopped);
  CHECK(complete.loss == earlier.loss);
}

TEST_CASE("a loss over no sequences is refused, a loss of what is trained on is that of its own sequences") {
  const Run run = prepare_run({}, short_run(1), {"", true});
  const auto engine = engine_of(run, 1, Dtype::fp64);
  CHECK_THROWS_WITH(mean_loss(*engine, *run.source, DataPart::held_out, 0, 1), Contains("0 held-out"));
  const double first = engine->loss(
      make_batch(std::vector{run.source->evaluation_sequence(DataPart::training, 0)}, Layout::packed, 16));
  CHECK(mean_loss(*engine, *run.source, DataPart::training, 1, 4) == Approx(first).epsilon(1e-12));
}
