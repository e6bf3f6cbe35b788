// Long work that a signal stops half-way: what is saved of it is as it was before. Each case in a process of its own, which
// remembers the signal for as long as it lives.
#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "shared/base/interrupt.hpp"
#include "shared/stages.hpp"
#include "shared/train/evaluate.hpp"
#include "shared/train/run.hpp"
#include "shared/train/sample.hpp"
#include "shared/train/train.hpp"
#include "tests/support/child.hpp"

using namespace ladder;

namespace {

/// The exit code of a process that hears signals, holds a guard and calls body().
int code_of(const std::function<int()>& body) {
  return test::code_of_child([&]() -> int {
    hear_signals();
    const InterruptGuard guard;
    ::_exit(body());  // before the guard ends
  });
}

bool interrupts(const std::function<void()>& work) {
  try {
    work();
    return false;
  } catch (const Interrupted&) {
    return true;
  }
}

Run some_run(bool stream = false) {
  TrainConfig train;
  train.steps = 6;
  train.grad_accum = 3;
  GptConfig model;
  DataOptions data;
  data.character_stream = stream;
  return prepare_run(model, train, data);
}

std::unique_ptr<Engine> engine_of(const Run& run, int stage) {
  EngineOptions options;
  options.dtype = Dtype::fp64;
  options.threads = 1;
  options.grad_accum = run.train.grad_accum;
  auto engine = make_engine(stage, run.model, options);
  engine->load_parameters(run.initial);
  return engine;
}

bool same(const TensorList& a, const TensorList& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].values() != b[i].values()) return false;
  return a.size() == b.size();
}

}  // namespace

TEST_CASE("a step that a signal stops has changed neither weights nor moments, and throws") {
  for (const int stage : {0, 1})
    CHECK(code_of([stage] {
            const Run run = some_run();
            const auto engine = engine_of(run, stage);
            const std::vector<Batch> batches = run.source->step(0, engine->layout());
            engine->train_step(batches, step_constants(run.train, 0));
            const TensorList weights = engine->parameters();
            const Moments moments = engine->moments();
            ::raise(SIGTERM);
            if (!interrupts([&] { engine->train_step(batches, step_constants(run.train, 1)); })) return 1;
            if (!same(engine->parameters(), weights)) return 2;
            return same(engine->moments().m, moments.m) && same(engine->moments().v, moments.v) ? 0 : 3;
          }) == 0);
}

TEST_CASE("a training run that a signal stops within a step ends with the steps before it") {
  for (const int stage : {0, 1})
    CHECK(code_of([stage] {
            const Run run = some_run();
            const auto engine = engine_of(run, stage);
            TrainHooks hooks;
            hooks.on_step = [](const StepReport& report) {
              if (report.done == 4) ::raise(SIGHUP);
            };
            const TrainResult result = train(*engine, *run.source, run.train, hooks);
            return result.stopped ? static_cast<int>(result.steps_done()) : 0;
          }) == 4);
}

TEST_CASE("batches that are cut, losses of many sequences and texts that are drawn stop at a signal") {
  CHECK(code_of([] {
          const Run run = some_run();
          const auto engine = engine_of(run, 1);
          ::raise(SIGTERM);
          if (!interrupts([&] { run.source->step(0, engine->layout()); })) return 1;
          SampleOptions options;
          Random random(1);
          const std::vector<std::int32_t> start = {run.source->tokenizer().start_token()};
          return interrupts([&] { sample_tokens(*engine, start, -1, options, random); }) ? 0 : 2;
        }) == 0);
  CHECK(code_of([] {
          TrainConfig train;
          GptConfig model;
          model.block_size = 8;
          const Run run = prepare_run(model, train, {"", true, Embedded::source});
          const auto engine = engine_of(run, 1);
          mean_loss(*engine, *run.source, DataPart::held_out, 2, 1);
          ::raise(SIGTERM);
          return interrupts([&] { mean_loss(*engine, *run.source, DataPart::held_out, 2, 1); }) ? 0 : 1;
        }) == 0);
}
