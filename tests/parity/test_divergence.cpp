// A stage that is wrong must be caught, and the report must name the right step, tensor and element.
#include <catch2/catch.hpp>

#include <limits>

#include "shared/base/json.hpp"
#include "shared/parity/rounding.hpp"
#include "tests/parity/broken_engine.hpp"

using namespace ladder;

namespace {

ParityReport against_double(const Damage& damage, std::int64_t steps, const ParityLevels& levels) {
  const Side good = side_of(1, Dtype::fp64);
  return compare_sides(broken(good, damage), good, small_run(steps), levels);
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void change(NamedTensor& tensor, std::size_t i, double (*how)(double)) { tensor.set(i, how(tensor[i])); }
void add(NamedTensor& tensor, std::size_t i, double amount) { tensor.set(i, tensor[i] + amount); }
void shorten(NamedTensor& tensor) {
  std::vector<double> values = tensor.values();
  values.pop_back();
  tensor.assign(values);
}

}  // namespace

TEST_CASE("an undamaged decorator passes") { CHECK(against_double({}, 5, kAll).passed()); }

TEST_CASE("one wrong gradient element is named with its place") {
  Damage damage;
  damage.probe = [](Probe& probe) {
    change(tensor_of(probe.gradients, "layer1.mlp_fc1"), 5 * 16 + 3, [](double v) { return v * 1.001; });
  };
  const ParityReport report = against_double(damage, 0, kAll);
  CHECK_FALSE(report.passed());
  REQUIRE(report.divergence() != nullptr);
  const std::string text = report.divergence()->describe();
  CAPTURE(text);
  CHECK(mentions(text, "step 1, layer 1, gradient of layer1.mlp_fc1, row 5, column 3"));
  const Json json = to_json(report);
  CHECK(json["passed"] == false);
  CHECK(json["divergence"]["step"] == 1);  // counted from 1, as everywhere that a person reads
  CHECK(json["divergence"]["element"] == 5 * 16 + 3);
  CHECK(json["divergence"]["place"] == "row 5, column 3");
}

TEST_CASE("a wrong activation is named before the gradients it spoils") {
  Damage damage;
  damage.probe = [](Probe& probe) {
    add(tensor_of(probe.activations, "layer0.attn"), 7, 1e-6);
    NamedTensor& first = probe.gradients.front();
    for (std::size_t i = 0; i < first.size(); ++i) add(first, i, 1.0);
  };
  const ParityReport report = against_double(damage, 0, kAll);
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->what == "layer0.attn");
  CHECK(report.divergence()->level == "block");
  CHECK(report.divergence()->comparison.first.index == 7);
}

TEST_CASE("NaN in an activation fails") {
  Damage damage;
  damage.probe = [](Probe& probe) { probe.activations[1].set(4, std::numeric_limits<double>::quiet_NaN()); };
  const ParityReport report = against_double(damage, 0, kAll);
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->comparison.verdict == Verdict::not_finite);
  CHECK(to_json(report)["divergence"]["got"] == "nan");
}

TEST_CASE("a missing tensor and a tensor of another name fail") {
  Damage damage;
  SECTION("missing") {
    damage.probe = [](Probe& probe) { probe.gradients.pop_back(); };
  }
  SECTION("renamed") {
    damage.probe = [](Probe& probe) { probe.gradients.back().name = "layer1.other"; };
  }
  SECTION("short") {
    damage.probe = [](Probe& probe) { shorten(probe.gradients.back()); };
  }
  const ParityReport report = against_double(damage, 0, kAll);
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->what == "gradient of layer1.mlp_fc2");
  CHECK(report.divergence()->comparison.verdict == Verdict::wrong_length);
}

TEST_CASE("weights that do not survive the journey fail") {
  Damage damage;
  damage.parameters = [](TensorList& list) { add(list[2], 9, 1e-15); };
  const ParityReport report = against_double(damage, 0, kAll);
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->what == "lm_head");
  CHECK(report.divergence()->comparison.first.index == 9);
}

TEST_CASE("a step that trains on other data is located at its step") {
  Damage damage;
  damage.from_step = 12;
  damage.batches = [](std::vector<Batch>& batches) { batches.front().targets_n.front() ^= 1; };
  const ParityReport report = against_double(damage, 20, kLossOnly);
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->level == "located");
  CHECK(report.divergence()->step == 12);
  CHECK(mentions(report.divergence()->what, "loss of this step"));
}

TEST_CASE("a wrong update is located at the step, tensor and element that it touches") {
  Damage damage;
  damage.from_step = 6;
  damage.after_step = [](Engine& engine) {
    TensorList weights = engine.parameters();
    add(tensor_of(weights, "layer0.attn_wv"), 2 * 16 + 11, 1e-4);
    engine.load_parameters(weights);
  };
  const ParityReport report = against_double(damage, 15, kLossOnly);
  REQUIRE(report.divergence() != nullptr);
  const std::string text = report.divergence()->describe();
  CAPTURE(text);
  CHECK(report.divergence()->step == 6);
  CHECK(mentions(text, "step 7, layer 0, update of layer0.attn_wv, row 2, column 11"));
}

TEST_CASE("a gradient that goes wrong later is located at its step, tensor and element") {
  Damage damage;
  damage.from_step = 9;
  damage.probe = [](Probe& probe) { add(tensor_of(probe.gradients, "layer0.mlp_fc2"), 70, 1e-5); };
  damage.after_step = [](Engine& engine) {
    Moments moments = engine.moments();
    add(tensor_of(moments.m, "layer0.mlp_fc2"), 70, 1e-5);
    engine.load_moments(moments);
    TensorList weights = engine.parameters();
    add(tensor_of(weights, "layer0.mlp_fc2"), 70, 1e-3);
    engine.load_parameters(weights);
  };
  const ParityReport report = against_double(damage, 20, kLossOnly);
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->step == 9);
  CHECK(report.divergence()->what == "gradient of layer0.mlp_fc2");
  CHECK(report.divergence()->comparison.first.index == 70);
}

TEST_CASE("a wrong moment is located as that, although the update that follows from it is right") {
  Damage damage;
  damage.from_step = 5;
  const auto spoil = [](TensorList& moments) {
    change(tensor_of(moments, "layer1.attn_wk"), 33, [](double v) { return 1.5 * v + 1e-3; });
  };
  const char* what = "first moment of layer1.attn_wk";
  SECTION("the first") {
    damage.after_step = [=](Engine& engine) {
      Moments moments = engine.moments();
      spoil(moments.m);
      engine.load_moments(moments);
    };
  }
  SECTION("the second") {
    what = "second moment of layer1.attn_wk";
    damage.after_step = [=](Engine& engine) {
      Moments moments = engine.moments();
      spoil(moments.v);
      engine.load_moments(moments);
    };
  }
  const ParityReport report = against_double(damage, 12, kLossOnly);
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->step == 5);
  CHECK(report.divergence()->what == what);
  CHECK(report.divergence()->comparison.first.index == 33);
}

TEST_CASE(
    "a stage that takes another branch at its ReLUs fails, although gradients agree along its branches") {
  const Run run = small_run(0);
  const Side side = side_of(1, Dtype::fp64);
  const std::shared_ptr<Engine> own = side.make(run.model, 1);
  restart(*own, run);
  const Batch batch = run.source->step(0, own->layout()).front();
  Damage damage;
  damage.probe = [=](Probe& probe) {  // of the last layer: nothing behind it is spoilt
    NamedTensor& hidden = tensor_of(probe.hidden, "layer1.hidden");
    for (std::size_t i = 0; i < hidden.size(); i += 64) hidden.set(i, hidden[i] > 0.0 ? 0.0 : 0.25);
    probe.gradients = own->probe_along(batch, probe.hidden).gradients;
  };
  const ParityReport report = compare_sides(broken(side, damage), side, run, kAll);
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->level == "block");
  CHECK(report.divergence()->what == "layer1.hidden");
  for (const Finding& finding : report.findings)
    CHECK(finding.comparison.passed() == (finding.what != "layer1.hidden"));
}

TEST_CASE("gradients are compared along the branches that the upper stage took") {
  const Run run = small_run(0);
  const Side side = side_of(1, Dtype::fp64);
  const std::shared_ptr<Engine> own = side.make(run.model, 1);
  restart(*own, run);
  const Batch batch = run.source->step(0, own->layout()).front();
  Damage damage;
  damage.probe = [=](Probe& probe) {
    // a unit within rounding of 0, here switched on: its activation agrees, its gradient does not
    NamedTensor& hidden = tensor_of(probe.hidden, "layer1.hidden");
    for (std::size_t i = 0; i < hidden.size(); i += 64)
      if (hidden[i] == 0.0) hidden.set(i, 1e-300);
    probe.gradients = own->probe_along(batch, probe.hidden).gradients;
  };
  const ParityReport report = compare_sides(broken(side, damage), side, run, kAll);
  INFO(text_of(report));
  CHECK(report.passed());
  CHECK(report.notes.empty());  // and need no excuse
}

TEST_CASE("a stage that is wrong with trained weights only fails") {
  Damage damage;
  damage.from_step = 4;
  damage.probe = [](Probe& probe) { add(tensor_of(probe.gradients, "layer0.attn_wq"), 3, 1e-3); };
  const ParityReport report = against_double(damage, 4, kAll);
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->step == 4);
  CHECK(report.divergence()->what == "gradient of layer0.attn_wq");
}

TEST_CASE("where no single step is to blame, the report says so and blames none") {
  const Side side = side_of(1, Dtype::fp64);
  ParityReport report;
  locate(side, side, small_run(8), 7, report);
  CHECK(report.findings.empty());
  REQUIRE(report.notes.size() == 1);
  CHECK(mentions(report.notes.front(), "each of the first 8 steps alone stays within its limits"));
}

TEST_CASE("gradients follow the branches that another stage took at its ReLUs") {
  const Run run = small_run(0);
  const auto engine = side_of(1, Dtype::fp64).make(run.model, 1);
  restart(*engine, run);
  const Batch batch = run.source->step(0, engine->layout()).front();
  const Probe own = engine->probe(batch);
  REQUIRE(own.hidden.size() == 2);
  CHECK(own.hidden[1].name == "layer1.hidden");
  const Probe same = engine->probe_along(batch, own.hidden);
  for (std::size_t i = 0; i < own.gradients.size(); ++i)
    CHECK(compare(same.gradients[i].values(), own.gradients[i].values(), 0.0, Rule::bits).passed());

  TensorList other = own.hidden;  // unit 0 of layer 1 switched off at every position
  for (std::size_t i = 0; i < other[1].size(); i += 64) other[1].set(i, 0.0);
  Probe along = engine->probe_along(batch, other);
  CHECK(compare(along.hidden[1].values(), own.hidden[1].values(), 0.0, Rule::bits).passed());
  const std::vector<double> fc1 = tensor_of(along.gradients, "layer1.mlp_fc1").values();
  for (std::size_t c = 0; c < 16; ++c) CHECK(fc1[c] == 0.0);
}

TEST_CASE("other samples fail even when the losses agree") {
  ParityReport report;
  compare_samples({"ada", "eve"}, {"ada", "eva"}, Dtype::fp32, report);
  CHECK_FALSE(report.passed());
  CHECK(mentions(report.notes.front(), "sample 2: got 'eve', want 'eva'"));
  ParityReport same;
  compare_samples({"ada"}, {"ada"}, Dtype::fp64, same);
  CHECK(same.passed());
}

TEST_CASE("samples that rounding alone changes are not compared, others are, though every loss agrees") {
  Damage last;
  last.from_step = 2;
  last.after_step = [](Engine& engine) {
    TensorList weights = engine.parameters();
    for (NamedTensor& tensor : weights) {
      const std::vector<double> values = tensor.values();
      for (std::size_t i = 0; i < values.size(); ++i) tensor.set(i, 1.5 * values[i]);
    }
    engine.load_parameters(weights);
  };
  constexpr ParityLevels kLosses = {false, false, false, true};
  const Side below = side_of(1, Dtype::fp64);
  CHECK_FALSE(rounding_changes_texts(small_run(3), Dtype::fp32));
  CHECK_FALSE(compare_sides(broken(below, last), below, small_run(3), kLosses).passed());
  int excused = 0;
  for (const std::uint32_t seed : {1, 2, 3, 4, 5, 6}) {
    TrainConfig train;
    train.steps = 3;
    train.batch_size = 5;
    train.beta2 = 0;  // an update is a gradient's sign, also of one that is nothing but rounding
    train.seed = seed;
    const Run run = prepare_run({}, train, {});
    const ParityReport report = compare_sides(side_of(1, Dtype::fp32), below, run, kLosses);
    INFO("seed " << seed << "\n" << text_of(report));
    CHECK(report.passed());
    excused += report.notes.empty() ? 0 : 1;
  }
  CHECK(excused > 0);
}
