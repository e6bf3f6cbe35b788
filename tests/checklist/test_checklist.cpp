// The five steps pass where everything is right, and each finds what is wrong with it.
#include "shared/checklist/checklist.hpp"

#include <catch2/catch.hpp>

#include "shared/base/error.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/base/utf8.hpp"
#include "shared/checklist/checklist_steps.hpp"
#include "shared/train/engine_decorator.hpp"

using namespace ladder;

namespace {

using Outcome = ChecklistStep::Outcome;

/// Without PyTorch, whose presence no test may need.
ChecklistSettings small() {
  const Preset& tiny = find_preset("tiny");
  ChecklistSettings settings;
  settings.device = Device::cpu;
  settings.model = tiny.model;
  settings.train = tiny.train;
  settings.train.steps = 12;
  settings.data = {"", tiny.character_stream, tiny.embedded};
  settings.parity_steps = 2;
  settings.samples = 1;
  settings.max_tokens = 10;
  settings.greedy_tokens = 5;
  settings.pytorch = false;
  return settings;
}

/// After both trainings, by stage 1, which is fast.
struct Prepared : ChecklistState {
  explicit Prepared(ChecklistSettings chosen = small()) {
    settings = std::move(chosen);
    settings.stage = 1;
    settings.train.eval_every = 6;
    settings.train.eval_batches = 2;
    run = prepare_run(settings.model, settings.train, settings.data);
    train_both(*this);
  }
};

}  // namespace

TEST_CASE("all five steps pass, in their order, and say what they measured") {
  ChecklistSettings settings = small();
  settings.train.eval_every = GENERATE(0, 1000);  // never, and beyond the run's end
  settings.train.eval_batches = settings.train.eval_every > 0 ? 1 : 0;
  const ReportChecklist checklist = run_checklist(settings);
  REQUIRE(checklist.steps.size() == 5);
  for (int i = 0; i < 5; ++i) {
    const ChecklistStep& step = checklist.steps[static_cast<std::size_t>(i)];
    CAPTURE(step.title, step.summary);
    CHECK(step.number == i + 1);
    CHECK(step.outcome == Outcome::passed);
    CHECK(step.figures.size() > 1);
  }
  CHECK(checklist.passed());
  CHECK(checklist.left == "stage 4 fp32");
  CHECK(checklist.right == "stage 1 fp64");
  REQUIRE(checklist.runs.size() == 2);
  CHECK(checklist.runs[0].loss.size() == 12);
  for (const TrainedRun& run : checklist.runs) CHECK(run.evaluations.size() == 5);  // a few over the run
  REQUIRE(checklist.samples.size() == 1);
  CHECK(checklist.samples[0].left == checklist.samples[0].right);
}

TEST_CASE("the checklist as text, JSON, record and page") {
  ReportChecklist checklist;
  checklist.left = "ours";
  checklist.right = "theirs";
  checklist.steps.push_back(
      {4, "a run", Outcome::failed, "held out <too far>", {{"", "ms"}, {"ours", "3"}}, 2.0});
  checklist.samples.push_back({"a & b", "c"});
  CHECK_FALSE(checklist.passed());
  CHECK(text_of(checklist).find("FAILED") != std::string::npos);
  const Json json = to_json(checklist);
  CHECK_FALSE(json.at("passed").get<bool>());
  CHECK(json.at("steps")[0].at("figures")[1][1] == "3");
  CHECK(json.at("samples")[0].at("right") == "c");
  const std::vector<RecordRow> rows = record_rows(checklist, "stage4", false);
  REQUIRE(rows.size() == 1);
  CHECK(checklist_cells(rows)[1] ==
        std::vector<std::string>{"4: a run", "FAILED", "2.00 s", "held out <too far>"});
  Report report;
  report.passed = false;
  report.checklist = checklist;
  const std::string html = html_of(report);
  CHECK(html.find("held out &lt;too far&gt;") != std::string::npos);
  CHECK(html.find("a &amp; b") != std::string::npos);
  CHECK(html.find("Speed of the first model") == std::string::npos);
}

TEST_CASE("a run that is none for the checklist is refused") {
  ChecklistSettings settings = small();
  SECTION("microGPT") { settings.model = find_preset("micro").model; }
  SECTION("a stage without GPT-2") { settings.stage = 2; }
  SECTION("no steps") { settings.train.steps = 0; }
  SECTION("no room for the prompt") { settings.model.block_size = 8; }
  SECTION("nothing held out") { settings.data.character_stream = false; }
  CHECK_THROWS_AS(run_checklist(settings), InputError);
}

TEST_CASE("step 2 finds weights that two sides read alike, in every type asked for") {
  Prepared state;
  state.settings.types = {Dtype::fp32, Dtype::fp64};
  const ChecklistStep step = check_trained_weights(state);
  CHECK(step.outcome == Outcome::passed);
  CHECK(step.figures.size() == 3);
}

TEST_CASE("a side's weights are its best by held-out loss, not its last") {
  /// Each loss that is asked for is larger than the one before.
  class Worsening final : public EngineDecorator {
   public:
    using EngineDecorator::EngineDecorator;
    double train_step(std::span<const Batch> batches, const StepConstants& adam) override {
      return engine().train_step(batches, adam);
    }
    double loss(const Batch& /*batch*/) override { return ++asked_; }

   private:
    double asked_ = 0.0;
  };
  const TemporaryFolder folder;
  ChecklistSettings settings = small();
  settings.train.eval_every = 4;
  settings.train.eval_batches = 1;
  const Run run = prepare_run(settings.model, settings.train, settings.data);
  Side side = side_of(1, Dtype::fp64);
  side.make = [make = side.make](const GptConfig& config, int max_batch) -> std::unique_ptr<Engine> {
    return std::make_unique<Worsening>(make(config, max_batch));
  };
  const Trained trained = train_side(side, run, folder / "w", {});
  REQUIRE(trained.evaluations.size() == 4);
  CHECK(trained.best() == trained.evaluations.front().held_out);
  const TensorList& weights = trained.weights.parameters;
  REQUIRE(weights.size() == run.initial.size());
  for (std::size_t i = 0; i < weights.size(); ++i) CHECK(weights[i].values() == run.initial[i].values());
}

TEST_CASE("step 4 fails where the other side trained to something else") {
  Prepared state;
  CHECK(check_training(state).outcome == Outcome::passed);
  SECTION("held out too far away") {
    for (Evaluation& one : state.other->evaluations) one.held_out *= 0.97;
    CHECK(check_training(state).outcome == Outcome::failed);
  }
  SECTION("a loss without dropout") {
    state.other->loss[7] *= 1.002;
    CHECK(check_training(state).outcome == Outcome::failed);
  }
  SECTION("a loss that is no number") {
    state.other->loss[7] = std::nan("");
    CHECK(check_training(state).outcome == Outcome::failed);
  }
  SECTION("a shorter run") {
    state.other->loss.pop_back();
    CHECK(check_training(state).outcome == Outcome::failed);
  }
  SECTION("a loss that does not fall") {
    state.own->loss.front() = 0.5;
    CHECK(check_training(state).outcome == Outcome::failed);
  }
  SECTION("nothing beside it") {
    state.other.reset();
    state.why_no_other = "no reason";
    const ChecklistStep step = check_training(state);
    CHECK(step.outcome == Outcome::passed);
    CHECK(step.summary.find("no reason") != std::string::npos);
  }
}

TEST_CASE("step 4 compares means of many losses in narrow types") {
  Prepared state;
  for (Trained* side : {&*state.own, &*state.other}) {
    side->dtype = Dtype::bf16;
    side->loss.assign(200, 3.0);
    side->loss.front() = 4.0;
  }
  state.other->loss[50] = 3.9;  // alone it would be too far
  CHECK(check_training(state).outcome == Outcome::passed);
  for (std::size_t s = 100; s < 200; ++s) state.other->loss[s] = 3.05;
  CHECK(check_training(state).outcome == Outcome::failed);
}

TEST_CASE("step 5 fails where the other side's weights do not have the loss that it told") {
  Prepared state;
  std::vector<SamplePair> samples;
  CHECK(check_side_by_side(state, samples).outcome == Outcome::passed);
  CHECK(samples.size() == 1);
  samples.clear();
  for (Evaluation& one : state.other->evaluations) one.held_out *= 1.002;
  CHECK(check_side_by_side(state, samples).outcome == Outcome::failed);
}

TEST_CASE("a step that throws is failed or not run, and the others go on") {
  ChecklistSettings settings = small();
  settings.train.clip = 0.0;
  settings.train.learning_rate = 1e6;  // the loss becomes no number
  const ReportChecklist checklist = run_checklist(settings);
  REQUIRE(checklist.steps.size() == 5);
  CHECK(checklist.steps[0].outcome == Outcome::passed);
  CHECK(checklist.steps[3].outcome == Outcome::failed);
  CHECK(checklist.steps[4].outcome == Outcome::not_run);
  CHECK_FALSE(checklist.passed());
}

TEST_CASE("step 4 compares the first fifty losses in fp32, each within a thousandth, and no later one") {
  Prepared state;
  for (Trained* side : {&*state.own, &*state.other}) {
    side->loss.assign(60, 3.0);
    side->loss.front() = 4.0;
  }
  const auto outcome_with = [&](std::size_t step, double factor) {
    const double was = state.own->loss[step];
    state.own->loss[step] *= factor;
    const Outcome outcome = check_training(state).outcome;
    state.own->loss[step] = was;
    return outcome;
  };
  for (const std::size_t step : {0, 1, 49}) {
    CHECK(outcome_with(step, 1.0009) == Outcome::passed);
    CHECK(outcome_with(step, 1.0011) == Outcome::failed);
    CHECK(outcome_with(step, 0.9989) == Outcome::failed);
  }
  CHECK(outcome_with(50, 1.5) == Outcome::passed);
  CHECK(outcome_with(59, 1.5) == Outcome::passed);
}

TEST_CASE("step 4 holds the best held-out losses against each other, within a fiftieth") {
  Prepared state;
  const double best = state.other->best();
  const auto outcome_of = [&](const std::vector<double>& held_out) {
    state.own->evaluations.clear();
    for (const double one : held_out) state.own->evaluations.push_back({0, one, one});
    return check_training(state).outcome;
  };
  CHECK(outcome_of({2 * best, 1.019 * best, 3 * best}) == Outcome::passed);
  CHECK(outcome_of({2 * best, 1.021 * best, 3 * best}) == Outcome::failed);
  CHECK(outcome_of({best, 0.979 * best}) == Outcome::failed);
  CHECK(state.own->best() == 0.979 * best);
  CHECK(outcome_of({}) == Outcome::failed);  // nothing was evaluated
  CHECK(std::isnan(state.own->best()));
}

TEST_CASE("a loss has fallen where the mean of the last fifty is below the first") {
  Prepared state;
  const auto outcome_of = [&](double middle, double last) {
    for (Trained* side : {&*state.own, &*state.other}) {
      side->loss.assign(100, middle);
      side->loss.front() = 4.0;
      std::fill(side->loss.begin() + 50, side->loss.end(), last);
    }
    return check_training(state).outcome;
  };
  CHECK(outcome_of(9.0, 3.9) == Outcome::passed);
  CHECK(outcome_of(1.0, 4.0) == Outcome::failed);
  state.own->loss[99] = 3.5;
  state.other->loss[99] = 3.5;
  CHECK(check_training(state).outcome == Outcome::passed);
}

TEST_CASE("step 5 sets our texts on the left and theirs on the right, each behind the same prompt") {
  Prepared state;
  state.settings.samples = 3;
  std::vector<SamplePair> before, after, alone;
  const ChecklistStep step = check_side_by_side(state, before);
  CHECK(step.figures.front() == std::vector<std::string>{"after step", state.own->name, state.other->name});
  REQUIRE(step.figures.size() == state.own->evaluations.size() + 2);
  for (std::size_t i = 0; i < state.own->evaluations.size(); ++i) {
    CHECK(step.figures[i + 1][0] == fmt::format("{}", state.own->evaluations[i].step));
    CHECK(step.figures[i + 1][1] == fmt::format("{:.4f}", state.own->evaluations[i].held_out));
    CHECK(step.figures[i + 1][2] == fmt::format("{:.4f}", state.other->evaluations[i].held_out));
  }
  for (NamedTensor& tensor : state.other->weights.parameters)
    for (std::size_t i = 0; i < tensor.size(); ++i) tensor.set(i, -3.0 * tensor[i]);
  CHECK(check_side_by_side(state, after).outcome == Outcome::failed);
  state.other.reset();
  state.why_no_other = "no reason";
  const ChecklistStep one = check_side_by_side(state, alone);
  CHECK(one.outcome == Outcome::passed);
  CHECK(one.summary == "one side only: no reason");
  REQUIRE((before.size() == 3 && after.size() == 3 && alone.size() == 3));
  const auto prompt =
      readable_utf8(state.run.source->tokenizer().decode(held_out_tokens(state, kPromptTokens)));
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(before[i].left == before[i].right);
    CHECK(after[i].left == before[i].left);
    CHECK(after[i].right != before[i].right);
    CHECK((alone[i].left == before[i].left && alone[i].right.empty()));
    for (const std::string& text : {after[i].left, after[i].right}) CHECK(text.starts_with(prompt));
  }
}

TEST_CASE(
    "tokens that nobody trained on are the first of the held-out part, as many as asked for and there are") {
  const Prepared state;
  const auto all = state.run.source->evaluation_sequence(DataPart::held_out, 0).tokens;
  CHECK(held_out_tokens(state, 5) == std::vector<std::int32_t>(all.begin(), all.begin() + 5));
  CHECK(held_out_tokens(state, all.size()) == all);
  CHECK(held_out_tokens(state, 100000) == all);
}
