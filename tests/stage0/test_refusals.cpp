// Which runs are none for the interpreter, each by its own reason.
#include <catch2/catch.hpp>

#include <string>

#include "shared/baseline/interpreter.hpp"

using namespace ladder;

namespace {

/// What a run of the smallest preset is refused for after this change.
template <class Change>
std::string refusal(const Change& change) {
  Run run = prepare_data({}, {}, {});
  change(run);
  return interpreter_refuses(run);
}

}  // namespace

TEST_CASE("each thing that the interpreter does not know is told by itself") {
  CHECK(refusal([](Run& run) { run.data.character_stream = true; }) == "it trains on lines, not on windows");
  CHECK(refusal([](Run& run) { run.train.clip = 0.5; }) == "it does not clip gradients");
  const std::string line = "its learning rate falls in a straight line to 0";
  CHECK(refusal([](Run& run) { run.train.schedule = Schedule::cosine; }) == line);
  CHECK(refusal([](Run& run) { run.train.schedule = Schedule::constant; }) == line);
  CHECK(refusal([](Run& run) { run.train.warmup_steps = 1; }) == line);
  CHECK(refusal([](Run& run) { run.train.min_learning_rate = 1e-4; }) == line);
  CHECK(refusal([](Run& run) { run.train.batch_size = 2; }) == "it takes one document a step");
  CHECK(refusal([](Run& run) { run.train.grad_accum = 2; }) == "it takes one document a step");
  const std::string heads = "it has no grouped-query attention";
  CHECK(refusal([](Run& run) { run.model.n_kv_head = 2; }) == heads);
  // Its own runs are refused where there is no python3 only; heads that are named as many as there are change nothing.
  const std::string plain = refusal([](Run&) {});
  CHECK((plain.empty() || plain == "no python3 of version 3.9 or newer"));
  CHECK(refusal([](Run& run) { run.model.n_kv_head = run.model.n_head; }) == plain);
}
