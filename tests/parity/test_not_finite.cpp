// A training that diverges, and numbers that overflow: the report says on which side, in which tensor and where, and
// everything else is compared all the same.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include "shared/base/json.hpp"
#include "tests/parity/broken_engine.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

const Side kStage1 = side_of(1, Dtype::fp64);

/// An engine whose weights hold NaN from the third step on, and whose losses do from the fourth.
Side diverging(std::int64_t from_step = 2) {
  Damage damage;
  damage.from_step = from_step;
  damage.after_step = [](Engine& engine) {
    TensorList weights = engine.parameters();
    tensor_of(weights, "layer1.mlp_fc1").set(5, std::copysign(std::nan(""), -1.0));
    engine.load_parameters(weights);
  };
  return broken(kStage1, damage);
}

std::string text(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

}  // namespace

TEST_CASE("a training that diverges keeps its losses and says what is not finite first") {
  const Run run = small_run(6);
  const auto train_on = [&](const Side& side) { return training_of(*side.make(run.model, 1), run); };
  const Training fine = train_on(kStage1);
  CHECK(fine.diverged.empty());
  CHECK(fine.samples.size() == 20);
  const Training lost = train_on(diverging());
  CHECK(lost.loss.size() == 6);
  CHECK(lost.diverged == "its loss of step 4 is nan");
  CHECK(lost.samples.empty());
  CHECK(train_on(diverging(5)).diverged ==
        "after its last step tensor 'layer1.mlp_fc1' is nan at element 5 of [64, 16]");
  Damage huge;  // finite weights whose logits are not
  huge.from_step = 5;
  huge.after_step = [](Engine& engine) {
    TensorList weights = engine.parameters();
    for (NamedTensor& tensor : weights)
      for (std::size_t i = 0; i < tensor.size(); ++i) tensor.set(i, 1.7e308);
    engine.load_parameters(weights);
  };
  CHECK_THAT(train_on(broken(kStage1, huge)).diverged, Contains("the logit of token 0 is"));
}

TEST_CASE("a stage that diverges fails, and the step that did it is located") {
  const ParityReport report = compare_sides(diverging(), kStage1, small_run(6), kAll);
  INFO(text_of(report));
  CHECK_FALSE(report.passed());
  CHECK_THAT(text(report.notes), Contains("broken stage 1 fp64 diverges: its loss of step 4 is nan") &&
                                     !Contains("the reference"));
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->level == "located");
  CHECK(report.divergence()->describe().starts_with(
      "step 3, layer 1, update of layer1.mlp_fc1, row 0, column 5: got nan, want "));
  CHECK_THAT(verdict_of(report), Contains("broken stage 1 fp64 differs from stage 1 fp64") &&
                                     Contains("not finite on the side under test"));
  CHECK_THAT(text_of(report), !Contains("-nan"));
  // From the reference's weights, which are numbers, both sides compute the same after training.
  for (const Finding& finding : report.findings)
    if (finding.level == "block") CHECK(finding.comparison.passed());
}

TEST_CASE("where the reference diverges, that is what the report says") {
  const ParityReport report = compare_sides(kStage1, diverging(), small_run(6), kAll);
  INFO(text_of(report));
  CHECK_FALSE(report.passed());
  CHECK_THAT(text(report.notes),
             Contains("broken stage 1 fp64, the reference, diverges, and nothing can be held against it from "
                      "there: its loss of step 4 is nan; try a smaller --lr than 0.01"));
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->level == "loss");  // no stage is walked through in search of who is to blame
  CHECK_THAT(report.divergence()->describe(), Contains("loss of step 4: got ") && Contains(", want nan, ") &&
                                                  Contains("not finite on the side of the reference"));
  CHECK_THAT(verdict_of(report), Contains("cannot be held against broken stage 1 fp64"));
  const auto of_weights = [](const Finding& finding) { return finding.what.starts_with("weights "); };
  CHECK(std::ranges::count_if(report.findings, of_weights) == 1);
}

TEST_CASE("where both diverge at the same step, nothing is proven") {
  const ParityReport report = compare_sides(diverging(), diverging(), small_run(6), kAll);
  CHECK_FALSE(report.passed());
  REQUIRE(report.divergence() != nullptr);
  CHECK(report.divergence()->describe() == "loss of step 4: got nan, want nan, not finite on both sides");
  CHECK(report.notes.size() == 2);
}

TEST_CASE("a last update that spoils the weights fails although every loss agrees") {
  for (const bool reference : {false, true}) {
    const Side lost = diverging(5);
    const ParityReport report =
        compare_sides(reference ? kStage1 : lost, reference ? lost : kStage1, small_run(6), kLossOnly);
    INFO(text_of(report));
    CHECK_FALSE(report.passed());
    REQUIRE(report.divergence() != nullptr);
    CHECK(report.divergence()->what == "samples");
    CHECK(report.divergence()->describe() == "not drawn");
    CHECK(summary_of(report).at("samples") == "not drawn");
  }
}

TEST_CASE("in JSON an infinite error is the text inf, as every number that is not finite") {
  const ParityReport report = compare_sides(kStage1, diverging(), small_run(6), kAll);
  const Json summary = Json::parse(summary_of(report).dump());
  CHECK(summary.at("loss").at("error") == "inf");
  CHECK(summary.at("loss").at("passed") == false);
  const Json json = Json::parse(to_json(report).dump());
  CHECK(json.at("divergence").at("want") == "nan");
  CHECK(json.at("divergence").at("max_error") == "inf");
}
