// A stage that is wrong makes climb, parity and speedup fail, whichever stage it is and wherever it is wrong. The
// program's own subcommands run here inside the test; the linker puts __wrap_... in the place of make_engine() and
// make_ops(), so that every engine of the program, and every stage's operations alone, come from here.
#include <CLI/CLI.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <optional>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"
#include "shared/checklist/checklist_steps.hpp"
#include "shared/cli/commands.hpp"
#include "tests/parity/broken_engine.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/spoiling_ops.hpp"

// The linker's names: calls of make_engine() reach __wrap_..., and __real_... is make_engine() itself.
std::unique_ptr<ladder::Engine>
own_make_engine(int stage, const ladder::GptConfig&, const ladder::EngineOptions&) asm(
    "__real__ZN6ladder11make_engineEiRKNS_9GptConfigERKNS_13EngineOptionsE");
std::unique_ptr<ladder::Engine>
wrapped_make_engine(int stage, const ladder::GptConfig&, const ladder::EngineOptions&) asm(
    "__wrap__ZN6ladder11make_engineEiRKNS_9GptConfigERKNS_13EngineOptionsE");
std::unique_ptr<ladder::Ops> own_make_ops(int stage, const ladder::EngineOptions&) asm(
    "__real__ZN6ladder8make_opsEiRKNS_13EngineOptionsE");
std::unique_ptr<ladder::Ops> wrapped_make_ops(int stage, const ladder::EngineOptions&) asm(
    "__wrap__ZN6ladder8make_opsEiRKNS_13EngineOptionsE");

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

/// Which engines are wrong, and how.
struct BrokenStage {
  int stage = 1;
  Dtype dtype = Dtype::fp32;
  Architecture architecture = Architecture::microgpt;
  Damage damage;
  std::function<void(Ops&, const OpCall&)> operation = {};  ///< what its operations do besides
  int from_engine = 0;  ///< of those of this stage, type and model, in the order in which they are made
  int made = 0;
};
std::optional<BrokenStage> broken_stage;

}  // namespace

std::unique_ptr<ladder::Engine> wrapped_make_engine(int stage, const ladder::GptConfig& config,
                                                    const ladder::EngineOptions& options) {
  auto engine = own_make_engine(stage, config, options);
  if (!broken_stage || broken_stage->stage != stage || broken_stage->dtype != options.dtype ||
      broken_stage->architecture != config.architecture)
    return engine;
  if (broken_stage->made++ < broken_stage->from_engine) return engine;
  return std::make_unique<BrokenEngine>(std::move(engine), broken_stage->damage);
}

std::unique_ptr<ladder::Ops> wrapped_make_ops(int stage, const ladder::EngineOptions& options) {
  auto ops = own_make_ops(stage, options);
  if (!broken_stage || broken_stage->stage != stage || broken_stage->dtype != options.dtype ||
      !broken_stage->operation)
    return ops;
  return std::make_unique<testing::SpoilingOps>(std::move(ops), broken_stage->operation);
}

namespace {

/// Calls a subcommand; what it throws passes through.
void call(void (*add)(CLI::App&), std::vector<std::string> arguments) {
  CLI::App app;
  add(app);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes a vector from its end
  app.parse(arguments);
}

/// Files of a climb, and what it said.
struct Climbed {
  std::string error;  ///< "" where it passed
  Json json;
  std::string page;
};

Climbed climb(const std::optional<BrokenStage>& stage, const std::vector<std::string>& more,
              const std::string& steps = "3") {
  const TemporaryFolder folder;
  std::vector<std::string> words = {"--steps", steps,      "--rounds", "1", "--interpreter-steps",
                                    "0",       "--device", "cpu"};
  words.insert(words.end(),
               {"--report", (folder / "r.html").string(), "--json", (folder / "j.json").string()});
  words.insert(words.end(), more.begin(), more.end());
  broken_stage = stage;
  Climbed climbed;
  try {
    call(cli::add_climb, words);
  } catch (const CheckError& error) {
    climbed.error = error.what();
  }
  broken_stage.reset();
  climbed.json = Json::parse(test::text_of(folder / "j.json"));
  climbed.page = test::text_of(folder / "r.html");
  return climbed;
}

void require_failed(const Climbed& climbed) {
  CHECK_THAT(climbed.error, Contains("a stage differs from the one below it"));
  CHECK(climbed.json.at("passed") == false);
  CHECK_THAT(climbed.page, Contains("A stage differs from the one below it") &&
                               !Contains("Every stage agrees with the one below it"));
}

void spoil_gradient(Probe& probe) { probe.gradients.front().set(3, probe.gradients.front()[3] + 1.0); }

Damage wrong_gradient(std::int64_t from_step = 0) {
  Damage damage;
  damage.from_step = from_step;
  damage.probe = spoil_gradient;
  return damage;
}

}  // namespace

TEST_CASE("climb and parity pass where no stage is wrong") {
  const Climbed climbed = climb({}, {"--preset", "micro"});
  CHECK(climbed.error.empty());
  CHECK(climbed.json.at("passed") == true);
  CHECK_THAT(climbed.page, Contains("Every stage agrees with the one below it"));
  CHECK_NOTHROW(call(cli::add_parity, {"--preset", "micro", "--steps", "2", "--interpreter-steps", "0",
                                       "--level", "model", "--device", "cpu"}));
}

TEST_CASE("climb fails by any rung whose gradients are wrong, not only by the last") {
  BrokenStage stage;
  SECTION("one in the middle, at its initial weights only") {
    const auto trained = std::make_shared<bool>(false);
    stage.damage.after_step = [=](Engine&) { *trained = true; };
    stage.damage.probe = [=](Probe& probe) {
      if (!*trained) spoil_gradient(probe);
    };
  }
  SECTION("one in the middle, after training only") { stage.damage = wrong_gradient(3); }
  SECTION("the last") {
    stage.stage = 4;
    stage.damage = wrong_gradient();
  }
  require_failed(climb(stage, {"--preset", "micro"}));
}

TEST_CASE("a climb on which trainings diverge is told to its end, and names the stage") {
  const Climbed lowest =
      climb({}, {"--model", "microgpt", "--lr", "10"});  // stage 0 alone: its softmax underflows
  CHECK_THAT(lowest.error, Contains("stage 0 fp64 diverges: its loss of step 2 is inf") &&
                               Contains("try a smaller --lr than 10") && !Contains("every stage"));
  CHECK(lowest.json.at("passed") == false);
  const Json& stages = lowest.json.at("models")[0].at("stages");
  CHECK(stages[0].at("loss")[1] == "inf");
  CHECK(stages[0].at("samples").empty());
  CHECK(stages[1].at("diverged") == "");
  CHECK(stages[1].at("samples").size() == 20);
  CHECK_THAT(lowest.page, Contains("stage 0 fp64, the reference, diverges"));
  const Climbed all =
      climb({},
            {"--model", "gpt2", "--n-layer", "1", "--n-embd", "8", "--n-head", "1", "--block-size", "8",
             "--batch-size", "2", "--lr", "1000000", "--schedule", "constant", "--weight-decay", "1e35"},
            "8");
  CHECK_THAT(all.error, Contains("every stage diverges, none is to blame: stage 1 fp64 diverges"));
  CHECK(all.json.at("passed") == false);
  CHECK_THROWS_WITH(
      call(cli::add_parity, {"--lr", "10", "--steps", "3", "--from", "0", "--to", "1", "--level", "loss"}),
      Contains("stage 1 fp64 cannot be held against stage 0 fp64: loss of step 2") &&
          Contains("want inf, not finite on the side of the reference"));
}

TEST_CASE("climb fails by the race alone, by any row of it") {
  BrokenStage stage;
  stage.damage.loss = [](double loss) { return loss + 1e-3; };
  stage.from_engine = 1;  // the first is the one that climbs
  const Climbed climbed = climb(stage, {"--preset", "micro"});
  require_failed(climbed);
  const Json& rows = climbed.json.at("speedup");
  const auto failed = std::count_if(rows.begin(), rows.end(), [](const Json& row) {
    return row.at("values").at("proven") == false && row.at("values").at("not_run") == "";
  });
  CHECK(failed == 1);
  CHECK(rows[rows.size() - 1].at("values").at("proven") == true);
}

TEST_CASE("climb fails by the section of GPT-2 alone") {
  BrokenStage stage;
  stage.architecture = Architecture::gpt2;
  stage.damage = wrong_gradient();
  require_failed(climb(stage, {}));
}

/// What parity's subcommand says with a stage that is wrong; "" where it passes.
std::string parity(const BrokenStage& stage, const std::vector<std::string>& more) {
  std::vector<std::string> words = {"--steps", "2", "--interpreter-steps", "0", "--device", "cpu"};
  words.insert(words.end(), more.begin(), more.end());
  broken_stage = stage;
  std::string error;
  try {
    call(cli::add_parity, words);
  } catch (const CheckError& thrown) {
    error = thrown.what();
  }
  broken_stage.reset();
  return error;
}

TEST_CASE("parity fails by any pair, not only by the last, and names it") {
  BrokenStage stage;
  stage.damage = wrong_gradient();
  CHECK_THAT(parity(stage, {"--level", "model", "--preset", "micro"}),
             Contains("stage 1 fp32 differs from stage 1 fp64") && Contains("gradient of wte"));
  SECTION("of the first model") {
    CHECK_THAT(parity(stage, {"--level", "model"}), Contains("stage 1 fp32 differs"));
  }
  SECTION("of the second") {
    stage.architecture = Architecture::gpt2;
    CHECK_THAT(parity(stage, {"--level", "model"}), Contains("GPT-2, stage 1 fp32 differs"));
  }
}

TEST_CASE("parity's kernel level fails by an operation that is right and writes beyond its tensor") {
  BrokenStage stage;
  stage.operation = [](Ops& ops, const OpCall& one) {
    if (one.name == "linear_forward") testing::spoil_byte(ops, testing::end_of(one.outputs.front()));
  };
  CHECK_THAT(parity(stage, {"--level", "kernel", "--preset", "micro"}),
             Contains("stage 1 fp32 differs from stage 1 fp64: linear_forward N=1 I=1 O=1, y"));
}

TEST_CASE("the checklist fails by trained weights that two sides read in different ways") {
  const TemporaryFolder folder;
  BrokenStage stage;
  stage.architecture = Architecture::gpt2;
  stage.damage = wrong_gradient();
  broken_stage = stage;
  CHECK_THROWS_AS(call(cli::add_checklist,
                       {"--stage", "1", "--device", "cpu", "--without-pytorch", "--steps", "4",
                        "--parity-steps", "2", "--samples", "1", "--json", (folder / "c.json").string()}),
                  CheckError);
  broken_stage.reset();
  const Json steps = Json::parse(test::text_of(folder / "c.json")).at("steps");
  for (const std::size_t i : {0, 1}) {
    CHECK(steps[i].at("outcome") == "FAILED");
    CHECK_THAT(steps[i].at("summary").get<std::string>(), Contains("stage 1 fp32 differs from stage 1 fp64"));
  }
}

namespace {

/// Before any training: the weights that a run starts from stand for those that it leaves.
struct Untrained : ChecklistState {
  Untrained() {
    const Preset& tiny = find_preset("tiny");
    settings.stage = 1;
    settings.device = Device::cpu;
    settings.parity_steps = 1;
    settings.greedy_tokens = 5;
    run = prepare_run(tiny.model, tiny.train, {"", tiny.character_stream, tiny.embedded});
    own.emplace();
    own->weights = {run.model, run.source->shared_tokenizer(), run.initial};
    why_no_other = "left out";
  }
};

/// A step of the checklist with a stage that is wrong.
ChecklistStep checked(const BrokenStage& stage, const ChecklistState& state,
                      ChecklistStep (*check)(const ChecklistState&)) {
  broken_stage = stage;
  ChecklistStep step = check(state);
  broken_stage.reset();
  return step;
}

}  // namespace

TEST_CASE("step 3 of the checklist fails by logits, and by a text, that are not PyTorch's") {
  const Untrained state;
  using Outcome = ChecklistStep::Outcome;
  BrokenStage stage;
  stage.stage = 0;  // none that is asked
  CHECK(checked(stage, state, check_imported_weights).outcome == Outcome::passed);
  stage = {};
  stage.architecture = Architecture::gpt2;
  const char* what = "logits";
  SECTION("a logit of one token") {
    stage.damage.logits = [](std::vector<double>& logits) { logits[3] += 0.01; };
  }
  SECTION("every token of the text") {
    what = "greedy text";
    stage.damage.next = [](std::vector<double>& logits) { logits.front() = 1e6; };
  }
  const ChecklistStep step = checked(stage, state, check_imported_weights);
  CHECK(step.outcome == Outcome::failed);
  CHECK_THAT(step.summary, Contains("stage 1 fp32 differs from PyTorch") && Contains(what));
}

TEST_CASE(
    "steps 1 and 2 of the checklist fail by the first model or type that is wrong, though the last is "
    "right") {
  Untrained state;
  using Outcome = ChecklistStep::Outcome;
  BrokenStage stage;
  stage.damage = wrong_gradient();
  const ChecklistStep parity = checked(stage, state, check_parity);  // of microGPT, the first of two
  CHECK(parity.outcome == Outcome::failed);
  CHECK_THAT(parity.summary, Contains("stage 1 fp32 differs from stage 1 fp64"));
  stage.architecture = Architecture::gpt2;
  for (const auto& types : {std::vector{Dtype::fp32, Dtype::fp64}, std::vector{Dtype::fp64, Dtype::fp32}}) {
    state.settings.types = types;
    const ChecklistStep walk = checked(stage, state, check_trained_weights);
    CHECK(walk.outcome == Outcome::failed);
    CHECK_THAT(walk.summary, Contains("stage 1 fp32 differs from stage 1 fp64"));
    CHECK(walk.figures.size() == 3);
  }
}

TEST_CASE("speedup fails by any row, not only by the last") {
  BrokenStage stage;
  stage.damage.loss = [](double loss) { return loss + 1e-3; };
  broken_stage = stage;
  std::string error;
  try {
    call(cli::add_speedup, {"--documents", "16", "--rounds", "1", "--device", "cpu", "--patience", "1"});
  } catch (const CheckError& thrown) {
    error = thrown.what();
  }
  broken_stage.reset();
  CHECK_THAT(error, Contains("stage 1 fp32") && Contains("did not pass its parity with stage 1 fp64"));
}
